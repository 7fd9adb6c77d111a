"""``python -m tests.simulator``."""

import sys

from tests.simulator.run import main

if __name__ == "__main__":  # the processes that it starts import this module, too
    sys.exit(main())
