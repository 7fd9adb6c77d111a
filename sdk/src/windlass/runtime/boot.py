"""The file that a task's pod starts: `python3 …/windlass/runtime/boot.py`.

It lives in a folder mounted into an image that knows nothing of Windlass, and is run by path. So it has three duties:

1. to refuse a Python that is too old, in words, as a record; hence it sticks to what Python 3.6 can parse;
2. to set the import path: first the folder of the user's code, then the folder that holds `windlass` and
   `windlass_api`, then what the image has. This file's own folder, which Python put first, goes: its modules would
   shadow the user's;
3. to note when the process started, so that the time spent before the first line of Python is accounted for.

What it imports before the user's folder is on the path can't be shadowed by a user's file called `json.py`.
"""

# ruff: noqa: PTH100, PTH109, PTH120, PTH123  pathlib takes longer to load than all of this file takes

import os
import signal
import sys
import time

OLDEST = (3, 10)


def process_age():
    # type: () -> float
    """Seconds since this process started, as the kernel tells; 0 where there is no /proc or it makes no sense."""
    try:
        with open("/proc/self/stat", "rb") as stat:
            fields = stat.read().rpartition(b")")[2].split()
        age = time.clock_gettime(time.CLOCK_BOOTTIME) - int(fields[19]) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError, AttributeError):
        return 0.0
    return age if 0 <= age < 3600 else 0.0


def refuse_old_python():
    # type: () -> int
    """The one record that is written without the rest of the runtime, which this Python can't load."""
    found = ".".join(str(part) for part in sys.version_info[:2])
    oldest = ".".join(str(part) for part in OLDEST)
    message = f"the image has Python {found}, and tasks need Python {oldest} or later: choose another image"
    record = (
        '{"v":1,"error":{"kind":"user","code":"USER:PythonTooOld","type":"RuntimeError","message":"'
        + message
        + '","traceback":"","recoverable":false},"timings":{}}'
    )
    sys.stderr.write("windlass: " + message + "\n")
    with open(os.environ.get("WINDLASS_RESULT", "/dev/termination-log"), "w") as result:
        result.write(record)
    return 1


def set_import_path():
    # type: () -> str
    """Makes Windlass importable; the folder of the user's code, for which the first place is kept."""
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry) != here]
    sys.path.insert(0, os.path.dirname(os.path.dirname(here)))
    return os.getcwd()


def start():
    # type: () -> int
    """Everything; the exit code."""
    started = time.monotonic() - process_age()
    if sys.version_info < OLDEST:
        return refuse_old_python()
    code_root = set_import_path()
    from windlass.runtime.main import main  # noqa: PLC0415  only now it can be found

    return main(started, code_root)


if __name__ == "__main__":  # a process that user code spawns imports this file again, under another name
    signal.signal(signal.SIGTERM, lambda *_: os._exit(143))  # the first process of a container ignores it otherwise
    sys.exit(start())
