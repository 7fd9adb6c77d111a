"""The file that a warm worker of an ActorEnvironment starts: `python3 …/windlass/runtime/worker.py`.

Like `boot.py` it lives in a folder that is mounted into an image which knows nothing of Windlass, and is run by path.
It starts three programs, and which one the arguments say:

    (none)              the supervisor, which speaks with the operator (`warm/supervisor.py`)
    process FD TOKEN    a process that runs functions, started by the supervisor (`warm/inside.py`)
    keeper FD           a process that brings logs to the store, started by it too (`warm/keeping.py`)

Only the supervisor needs gRPC. It comes with the runtime, in folders beside it, one for each Python (`actors/cp312`)
and one for what is the same for all (`actors/abi3`); they are put onto the supervisor's import path alone, so that
users' code has the gRPC and protobuf of its own image, or none. An image that brings Windlass brings gRPC as well
(`pip install windlass[actors]`). Like `boot.py`, this file sticks to what Python 3.6 can parse.
"""

# ruff: noqa: PTH100, PTH112, PTH118, PTH120, PTH123, PTH208  pathlib takes longer to load than all of this file takes

import os
import sys

OLDEST = (3, 10)
LIBRARIES = "actors"


def import_path():
    # type: () -> str
    """Makes Windlass importable, and the modules beside this file not; the folder that has `windlass`."""
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry) != here]
    root = os.path.dirname(os.path.dirname(here))
    sys.path.insert(0, root)
    return root


def add_libraries(root):
    # type: (str) -> None
    """Makes the gRPC that came with the runtime importable, if some came that fits this Python."""
    own = "cp{}{}".format(*sys.version_info[:2])
    for name in ("abi3", own):
        folder = os.path.join(root, LIBRARIES, name)
        if os.path.isdir(folder):
            sys.path.insert(1, folder)


def refuse(code, message):
    # type: (str, str) -> int
    """The end of a worker that can't begin, in the words and the form of a task's record."""
    sys.stderr.write("windlass: " + message + "\n")
    record = (
        '{"v":1,"error":{"kind":"user","code":"USER:' + code + '","type":"RuntimeError","message":"' + message + '",'
        '"traceback":"","recoverable":false},"timings":{}}'
    )
    try:
        with open(os.environ.get("WINDLASS_RESULT", "/dev/termination-log"), "w") as result:
            result.write(record)
    except OSError as error:
        sys.stderr.write("windlass: that can't be written for the operator: " + str(error) + "\n")
    return 1


def start(arguments):
    # type: (list[str]) -> int
    """Everything; the exit code."""
    if sys.version_info < OLDEST:
        found = ".".join(str(part) for part in sys.version_info[:2])
        return refuse(
            "PythonTooOld", "the image has Python " + found + ", and tasks need 3.10 or later: choose another"
        )
    root = import_path()
    if arguments[:1] == ["process"]:
        from windlass.runtime.warm import inside  # noqa: PLC0415  only now it can be found

        return inside.main(int(arguments[1]), arguments[2])
    if arguments[:1] == ["keeper"]:
        from windlass.runtime.warm import keeping  # noqa: PLC0415  as above

        return keeping.main(int(arguments[1]))
    add_libraries(root)
    try:
        import google.protobuf  # noqa: PLC0415, F401  as above
        import grpc.aio  # noqa: PLC0415, F401  as above
    except ImportError as error:
        found = f"{sys.version_info[0]}.{sys.version_info[1]} on {os.uname().machine}"
        there = os.path.join(root, LIBRARIES)
        brought = sorted(name for name in os.listdir(there) if name != "abi3") if os.path.isdir(there) else []
        message = (
            "workers of an ActorEnvironment need gRPC, and there is none for this image's Python " + found + " ("
            + str(error).replace('"', "'").replace("\\", "/") + "). The runtime has it for "
            + (", ".join(brought) or "no Python at all") + ". Choose an image with such a Python, or put it into the"
            " image: pip install windlass[actors]"
        )  # fmt: skip
        return refuse("NoGrpc", message)
    from windlass.runtime.warm import supervisor  # noqa: PLC0415  only now it can be found

    return supervisor.main()


if __name__ == "__main__":
    sys.exit(start(sys.argv[1:]))
