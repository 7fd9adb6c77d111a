"""What runs inside a task's pod.

    boot.py       the file that the pod starts: finds its way to the packages, whatever the image holds
    main.py       one attempt of one task, from the order in the environment to the record of its end
    bundle.py     the user's code, unpacked from the mounted archive
    record.py     the record: outputs or error, fitted into the termination message
    failure.py    an exception as its author wants to read it; loaded only when there is one

It is plain standard library, needs nothing of the image but Python 3.10, and writes nowhere but into the work folder
and the record.
"""


class Terminated(BaseException):
    """Raised inside the user's function when the pod is told to end (SIGTERM), so that `finally` blocks run.

    Not an Exception, so that an `except Exception` of the user's code does not swallow it.
    """
