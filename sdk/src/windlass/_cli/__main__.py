"""`python -m windlass._cli`: the command line where the script is not on the PATH."""

import sys

from windlass._cli import main

sys.exit(main())
