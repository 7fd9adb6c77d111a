"""Before ``make test``: build what clusters are made of, so that no test waits minutes for a compiler.

A look at a cache when all is there.
"""

from __future__ import annotations

import os
import sys

from dev.console import PYTHON, StepError, run, say, timed


def main() -> int:
    """Build, or say what stands in the way."""
    localcluster = [str(PYTHON), "-m", "localcluster"]
    try:
        with timed("preparing clusters"):
            if os.geteuid() == 0:
                run([*localcluster, "build"])
                run([*localcluster, "images"])
            else:
                say("tests that need a node are skipped: a node needs root")
                run([*localcluster, "build", "--control-plane-only"])
    except StepError as problem:
        say(str(problem))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
