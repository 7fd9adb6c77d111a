"""The context of a task: what its code may ask of its surroundings, in a pod as on one's own machine.

`current_context()` (in `_context`) gives the one of the running task. Nothing is made before it is asked for, since
most tasks never ask: not a folder, not a logger, not a date.

| | local | in a pod |
|---|---|---|
| `execution_id` | project, domain and name are `local` | the namespace's parts; the Execution's name |
| `task_id.name` | the task's | the task's |
| `attempt` | counted from 0 | counted from 0 |
| `secrets` | environment and files (`_secrets`) | what the operator puts into the pod |
| `checkpoint` | folders of this process | folders of the store |
| `raw_output_prefix` | a temporary folder | a folder of the store |
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from windlass._current import outside_decks

if TYPE_CHECKING:
    import datetime
    import logging as _logging

    from windlass._checkpoint import Checkpoint
    from windlass._secrets import SecretsManager
    from windlass._stats import Stats

LOCAL = "local"
LOGGER = "windlass.user"


class _Identifier:
    """Equal where its parts are; `str` joins them with colons."""

    _prefix = ""
    project: str
    domain: str
    name: str

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash(tuple(vars(self).values()))

    def __str__(self) -> str:
        return ":".join((self._prefix, *vars(self).values()))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in vars(self).items())})"


class WorkflowExecutionIdentifier(_Identifier):
    """Which execution: project, domain and name.

    >>> str(WorkflowExecutionIdentifier("flytesnacks", "development", "wc-x1"))
    'ex:flytesnacks:development:wc-x1'
    """

    _prefix = "ex"

    def __init__(self, project: str = LOCAL, domain: str = LOCAL, name: str = LOCAL) -> None:
        self.project = project
        self.domain = domain
        self.name = name


class TaskIdentifier(_Identifier):
    """Which task: project, domain, name and version."""

    _prefix = "tsk"

    def __init__(self, project: str = LOCAL, domain: str = LOCAL, name: str = LOCAL, version: str = LOCAL) -> None:
        self.project = project
        self.domain = domain
        self.name = name
        self.version = version


class MissingParameterError(AttributeError, AssertionError):
    """The context has no such attribute. Users of the API expect an AssertionError, and Python an AttributeError."""


class ExecutionParameters:
    """The context of a task; see the module's page.

    Each argument may be left out; what it then is, its property says. Further keywords are attributes of the user's
    own.

    >>> context = ExecutionParameters(session="s1")
    >>> context.SESSION, context.get("session"), context.has_attr("other")
    ('s1', 's1', False)
    """

    def __init__(
        self,
        *,
        execution_id: WorkflowExecutionIdentifier | None = None,
        task_id: TaskIdentifier | None = None,
        attempt: int = 0,
        execution_date: datetime.datetime | None = None,
        working_directory: str | None = None,
        raw_output_prefix: str | None = None,
        logging: _logging.Logger | None = None,
        stats: Stats | None = None,
        checkpoint: Checkpoint | None = None,
        checkpoint_folder: str | None = None,
        decks: list[Any] | None = None,
        enable_deck: bool = False,
        secret_requests: Iterable[Mapping[str, Any]] = (),
        local: bool = True,
        **attributes: Any,
    ) -> None:
        self._execution_id = execution_id
        self._task_id = task_id
        self._attempt = attempt
        self._started = time.time()
        self._execution_date = execution_date
        self._working_directory = working_directory
        self._raw_output_prefix = raw_output_prefix
        self._logging = logging
        self._stats = stats
        self._checkpoint = checkpoint
        self._checkpoint_folder = checkpoint_folder
        self._decks = decks
        self._enable_deck = enable_deck
        self._report: Any = None
        self._secret_requests = secret_requests
        self._secrets: SecretsManager | None = None
        self._local = local
        self._attrs = {name.upper(): value for name, value in attributes.items()} if attributes else {}

    # ---- who --------------------------------------------------------------------------------------------------------

    @property
    def execution_id(self) -> WorkflowExecutionIdentifier:
        """The execution: project, domain and name, all `local` in a local run."""
        if self._execution_id is None:
            self._execution_id = WorkflowExecutionIdentifier()
        return self._execution_id

    @property
    def task_id(self) -> TaskIdentifier:
        """The task: project, domain, name and version."""
        if self._task_id is None:
            self._task_id = TaskIdentifier()
        return self._task_id

    @property
    def attempt(self) -> int:
        """Which attempt this is, counted from 0."""
        return self._attempt

    @property
    def execution_date(self) -> datetime.datetime:
        """When this attempt began, in UTC."""
        if self._execution_date is None:
            import datetime  # noqa: PLC0415  few tasks ask

            self._execution_date = datetime.datetime.fromtimestamp(self._started, datetime.timezone.utc)
        return self._execution_date

    @property
    def is_local(self) -> bool:
        """Whether the task runs on somebody's machine, rather than in a pod."""
        return self._local

    # ---- where ------------------------------------------------------------------------------------------------------

    @property
    def working_directory(self) -> str:
        """A folder of this attempt's own for what need not be kept; it goes when the process ends."""
        if self._working_directory is None:
            from windlass import _store  # noqa: PLC0415  few tasks ask

            self._working_directory = f"{_store.scratch_folder('work')}/{os.urandom(8).hex()}"
        os.makedirs(self._working_directory, exist_ok=True)  # noqa: PTH103  pathlib is not loaded in pods
        return self._working_directory

    @property
    def raw_output_prefix(self) -> str:
        """Where files and tables that tasks give are written: a path or a URI."""
        if self._raw_output_prefix is None:
            from windlass._store import places  # noqa: PLC0415  few tasks ask

            return places.current_prefix()
        return self._raw_output_prefix

    # ---- what it can use --------------------------------------------------------------------------------------------

    @property
    def logging(self) -> _logging.Logger:
        """A logger that prints to stderr from INFO on, or where and what the program's own logging says."""
        if self._logging is None:
            self._logging = _logger()
        return self._logging

    @property
    def stats(self) -> Stats:
        """Counters, gauges and times that the task reports (see `_stats`)."""
        if self._stats is None:
            from windlass._stats import Stats  # noqa: PLC0415  few tasks ask

            self._stats = Stats(self.task_id.name)
        return self._stats

    @property
    def secrets(self) -> SecretsManager:
        """The secrets that the task asks for: `secrets.get(group, key)`, `secrets.group.key`."""
        if self._secrets is None:
            from windlass._secrets import SecretsManager  # noqa: PLC0415  few tasks ask

            self._secrets = SecretsManager(local=self._local, requests=self._secret_requests)
        return self._secrets

    @property
    def checkpoint(self) -> Checkpoint:
        """What the attempt before has left, and what this one leaves for the next (see `_checkpoint`)."""
        if self._checkpoint is None:
            from windlass import _checkpoint  # noqa: PLC0415  few tasks ask

            if self._checkpoint_folder is None:
                self._checkpoint_folder = self._own_checkpoints()
            self._checkpoint = _checkpoint.of_attempt(self._checkpoint_folder, self._attempt)
        return self._checkpoint

    @property
    def checkpoint_folder(self) -> str | None:
        """The folder of the checkpoints of all attempts, if one is known by now."""
        return self._checkpoint_folder

    def _own_checkpoints(self) -> str:
        """The folder where no store is known: it lives as long as the process."""
        from windlass import _store  # noqa: PLC0415  few tasks ask

        if not self._local:
            from windlass._modules import warn  # noqa: PLC0415  as above

            warn(
                "the checkpoints of this pod end with it, for the operator has no store configured"
                " (WINDLASS_RAW_OUTPUT_PREFIX is not set): a further attempt will find none"
            )
        return f"{_store.scratch_folder('checkpoints')}/{os.urandom(8).hex()}"

    # ---- decks ------------------------------------------------------------------------------------------------------

    @property
    def enable_deck(self) -> bool:
        """Whether the task's decks are written."""
        return self._enable_deck

    @property
    def report(self) -> Any:
        """What writes the decks (`_data.deck.Report`); whoever runs the task sets it."""
        return self._report

    @report.setter
    def report(self, report: Any) -> None:
        self._report = report

    @property
    def decks(self) -> list[Any]:
        """All decks, in the order they were made."""
        if self._decks is None:
            self._decks = []
        return self._decks

    @property
    def default_deck(self) -> Any:
        """The deck called `default`."""
        return self._deck("Deck", "default")

    @property
    def timeline_deck(self) -> Any:
        """The deck of what took how long."""
        return self._deck("TimeLineDeck", "Timeline")

    def _deck(self, kind: str, name: str) -> Any:
        from windlass._data import deck  # noqa: PLC0415  few tasks have one

        made = getattr(deck, kind)
        found = next((one for one in self.decks if type(one) is made and one.name == name), None)
        if found is None:
            found = made(name, auto_add_to_deck=False)
            self.decks.append(found)
        return found

    # ---- attributes of the user's own -------------------------------------------------------------------------------

    def __getattr__(self, attr_name: str) -> Any:
        if attr_name.startswith("_"):
            raise AttributeError(attr_name)
        try:
            return self._attrs[attr_name.upper()]
        except KeyError:
            known = f"; it has {', '.join(sorted(self._attrs))}" if self._attrs else ""
            raise MissingParameterError(
                f"{attr_name.upper()} not available as a parameter in the context of this task{known}"
            ) from None

    def has_attr(self, attr_name: str) -> bool:
        """Whether there is such an attribute of the user's own; capitals make no difference."""
        return attr_name.upper() in self._attrs

    def get(self, key: str) -> Any:
        """An attribute of the user's own; capitals make no difference.

        Raises:
            MissingParameterError: there is none (an AssertionError and an AttributeError).
        """
        return self.__getattr__(key)

    def with_params(self, **attributes: Any) -> ExecutionParameters:
        """A context like this one, with further attributes of the user's own."""
        builder = self.builder()
        for name, value in attributes.items():
            builder.add_attr(name, value)
        return builder.build()

    def inside(self, around: ExecutionParameters) -> ExecutionParameters:
        """This context for a task which another one calls: in the same execution, and as local as that."""
        self._execution_id = around._execution_id
        self._execution_date = around._execution_date
        self._raw_output_prefix = around._raw_output_prefix
        self._local = around._local
        self._attrs = {**around._attrs, **self._attrs}
        return self

    def builder(self) -> Builder:
        """A context in the making, like this one."""
        return Builder(self)

    def with_task_sandbox(self) -> Builder:
        """A context in the making, like this one but with a working folder and checkpoints of its own."""
        builder = Builder(self)
        builder.working_dir = None
        builder.checkpoint = None
        builder.checkpoint_folder = None
        return builder

    @staticmethod
    def new_builder(current: ExecutionParameters | None = None) -> Builder:
        """A context in the making, like `current` or like that of a local run."""
        return Builder(current)


class Builder:
    """A context in the making: set what shall differ, then `build()`.

    >>> ExecutionParameters.new_builder().add_attr("session", "s1").build().session
    's1'
    """

    def __init__(self, current: ExecutionParameters | None = None) -> None:
        like = current or ExecutionParameters()
        self.execution_id = like._execution_id
        self.task_id = like._task_id
        self.attempt = like._attempt
        self.execution_date = like._execution_date
        self.working_dir = like._working_directory
        self.raw_output_prefix = like._raw_output_prefix
        self.logging = like._logging
        self.stats = like._stats
        self.checkpoint = like._checkpoint
        self.checkpoint_folder = like._checkpoint_folder
        self.decks = like.decks
        self.enable_deck = like._enable_deck
        self.attrs = dict(like._attrs)
        self._secret_requests = like._secret_requests
        self._local = like._local

    def add_attr(self, key: str, v: Any) -> Builder:
        """Adds an attribute of the user's own."""
        self.attrs[key.upper()] = v
        return self

    def build(self) -> ExecutionParameters:
        """The context."""
        return ExecutionParameters(
            execution_id=self.execution_id,
            task_id=self.task_id,
            attempt=self.attempt,
            execution_date=self.execution_date,
            working_directory=self.working_dir,
            raw_output_prefix=self.raw_output_prefix,
            logging=self.logging,
            stats=self.stats,
            checkpoint=self.checkpoint,
            checkpoint_folder=self.checkpoint_folder,
            decks=self.decks,
            enable_deck=self.enable_deck,
            secret_requests=self._secret_requests,
            local=self._local,
            **self.attrs,
        )


class _Outside(ExecutionParameters):
    """The context outside of tasks."""

    @property
    def working_directory(self) -> str:
        from windlass import _store  # noqa: PLC0415  few ask

        return _store.scratch_folder("outside")


_outside = _Outside(decks=outside_decks)


def of_this_process() -> ExecutionParameters:
    """The context outside of tasks."""
    return _outside


def _logger() -> _logging.Logger:
    """The logger of users' code. It has a handler of its own for as long as the program has set up no logging."""
    import logging  # noqa: PLC0415  few tasks ask
    import sys  # noqa: PLC0415  as above

    class ToStderr(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if not logging.getLogger().handlers:
                sys.stderr.write(self.format(record) + "\n")

    logger = logging.getLogger(LOGGER)
    if not logger.handlers:
        logger.addHandler(ToStderr())
        logger.handlers[0].setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.INFO)
    return logger


__all__ = [
    "Builder",
    "ExecutionParameters",
    "MissingParameterError",
    "TaskIdentifier",
    "WorkflowExecutionIdentifier",
    "of_this_process",
]
