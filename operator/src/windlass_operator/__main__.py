"""``python -m windlass_operator``: the command line."""

import sys

from windlass_operator.cli import main

sys.exit(main())
