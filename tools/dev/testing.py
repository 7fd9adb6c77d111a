"""``make test``: every test, in two sessions side by side. Those of a node mostly wait for it; the others calculate.

What the tests of the node print is to be seen at once, and what the others print in one piece, when both have ended.
Whoever asks for some tests only gets one session with these.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence

from dev.console import ROOT, environment, say

ALL = ["tests"]
OF_THE_NODE, THE_OTHERS = ("-m", "cluster"), ("-m", "not cluster")
PYTEST = (sys.executable, "-m", "pytest")


def main(arguments: Sequence[str]) -> int:
    """Run what is asked for; 0 when all is well."""
    if list(arguments) != ALL:
        return subprocess.run([*PYTEST, *arguments], cwd=ROOT, env=environment(), check=False).returncode
    started = time.monotonic()
    with tempfile.TemporaryFile() as printed:
        others = subprocess.Popen([*PYTEST, *THE_OTHERS], cwd=ROOT, env=environment(), stdout=printed, stderr=printed)
        try:
            of_the_node = subprocess.run([*PYTEST, *OF_THE_NODE], cwd=ROOT, env=environment(), check=False)
            if others.poll() is None:
                say(f"the tests of the node have ended after {time.monotonic() - started:.0f} s; the others go on")
        finally:
            others.wait()  # an interrupt reaches it as well
            printed.seek(0)
            sys.stdout.buffer.write(printed.read())
            sys.stdout.flush()
    return of_the_node.returncode or others.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
