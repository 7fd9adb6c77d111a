"""What a function may change of its process, and the next one must find as it was.

Kept: modules and what they hold, threads, results of `actor_cache`, files that were fetched for those. Put back:
the working folder, environment variables, the import path, signal handlers and timers, the signal mask, the umask, the
streams, the root logger. What a module changes of these while the entry point is loaded is part of what is put back.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

_NOT_OURS = (signal.SIGKILL, signal.SIGSTOP)


class Surroundings:
    """The state of this process that functions share."""

    def __init__(self, folder: str, output: int) -> None:
        self._folder = folder
        self._output = output
        self._own = frozenset(os.environ)
        self._streams: dict[str, Any] = {}
        self.open_streams()
        self.keep()

    def keep(self, but: frozenset[str] = frozenset()) -> None:
        """From now on it is to be as it is now; the variables in `but` are of one call alone."""
        passing = but - self._own
        self._environment = {name: value for name, value in os.environ.items() if name not in passing}
        self._path = list(sys.path)
        self._handlers = {number: signal.getsignal(number) for number in signal.valid_signals() - set(_NOT_OURS)}
        self._mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
        self._umask = os.umask(0o077)
        os.umask(self._umask)
        self._logging = _root_logger()

    def enter(self, variables: dict[str, str]) -> None:
        """A call begins, with these variables: what its pod says goes before them."""
        self.open_streams()
        for name, value in variables.items():
            if name not in self._own:
                os.environ[name] = value

    def restore(self) -> None:
        """A call has ended."""
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)
        for number, handler in self._handlers.items():
            if handler is not None and signal.getsignal(number) is not handler:  # None: it was set by no Python
                signal.signal(number, handler)
        os.chdir(self._folder)
        os.umask(self._umask)
        if sys.path != self._path:
            sys.path[:] = self._path
        if dict(os.environ) != self._environment:
            self._restore_environment()
        self._restore_logging()

    def _restore_environment(self) -> None:
        for name in os.environ.keys() - self._environment.keys():
            del os.environ[name]
        os.environ.update(self._environment)

    def _restore_logging(self) -> None:
        now = _root_logger()
        if now is None or now == self._logging:
            return
        import logging  # noqa: PLC0415  it is loaded: somebody has used it

        handlers, level, disabled = self._logging or ((), logging.WARNING, logging.NOTSET)
        root = logging.getLogger()
        root.handlers[:] = handlers
        root.setLevel(level)
        logging.disable(disabled)

    def open_streams(self) -> None:
        """stdout and stderr lead to the pipe, each line at once, whatever has become of them."""
        for number, name in ((1, "stdout"), (2, "stderr")):
            os.dup2(self._output, number)
            stream = self._streams.get(name)
            if stream is None or stream.closed:
                stream = open(number, "w", 1, encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
                self._streams[name] = stream
                setattr(sys, f"__{name}__", stream)
            setattr(sys, name, stream)

    def flush(self) -> None:
        """What a call has printed is in the pipe when this returns."""
        for stream in {sys.stdout, sys.stderr, *self._streams.values()}:
            _flush(stream)


def _flush(stream: Any) -> None:
    try:
        stream.flush()
    except (OSError, ValueError, AttributeError):
        return  # the user's code has closed or replaced it


def _root_logger() -> tuple[tuple[Any, ...], int, int] | None:
    logging = sys.modules.get("logging")
    if logging is None:
        return None
    root = logging.getLogger()
    return tuple(root.handlers), root.level, root.manager.disable
