"""What runs inside a task's pod.

    boot.py       the file that the pod starts: finds its way to the packages, whatever the image holds
    main.py       one attempt of one task, from the order in the environment to the record of its end
    carrier.py    the helpers of a container of any image: its inputs as files, its outputs out of files
    ending.py     how such a program ends, and what it has to read before it begins
    bundle.py     the user's code, unpacked from the mounted archive
    worker.py     the file that a warm worker of an ActorEnvironment starts; the rest of it is in warm/
    capture.py    the log, kept in the store
    record.py     the record: outputs or error, fitted into the termination message

An exception becomes a record by `windlass._failure`, which local runs use too; it is loaded only when there is one.
It is plain standard library, needs nothing of the image but Python 3.10, and writes nowhere but into the work folder
and the record.
"""

from windlass._exceptions import Terminated

VERSION = "0.1.0"
"""Of the SDK: where the runtime is mounted, no metadata of a distribution tell it."""

__all__ = ["VERSION", "Terminated"]
