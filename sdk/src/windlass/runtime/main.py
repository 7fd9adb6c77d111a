"""One attempt of one task: from the order in the environment to the record of its end.

    order ─ unpack code ─ import module ─ decode inputs ─ call ─ encode outputs ─┐
                  └──────────── any exception, SIGTERM, sys.exit ────────────────┴─ record ─ exit code

The order is the environment variable WINDLASS_TASK. Every way out that Python can see leaves a record, and the exit
code agrees with it: 0 with outputs, 1 with an error, 143 when the pod was told to end. A dynamic task's body makes
calls instead: they are put down as the workflow that runs in its place, or, if it made none, its outputs are. What
the user's code prints goes where it always goes; only the error's traceback is added to stderr.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from types import FrameType
from typing import TYPE_CHECKING, Any

from windlass import _types
from windlass._current import entered_task
from windlass._exceptions import IgnoreOutputs
from windlass._interface import Interface, read_interface
from windlass._parameters import ExecutionParameters, TaskIdentifier, WorkflowExecutionIdentifier
from windlass._task import Task, awaited
from windlass.runtime import Terminated, bundle, ending

if TYPE_CHECKING:
    from windlass._compile import Graph
    from windlass._reporting import Reporting
    from windlass_api.types import Schema, Type

PACKAGES = "WINDLASS_RUNTIME_PACKAGES"
ELEMENT = "WINDLASS_ELEMENT"
VARIABLE_NAME, OFFSET = "BATCH_JOB_ARRAY_INDEX_VAR_NAME", "BATCH_JOB_ARRAY_INDEX_OFFSET"


class Stopwatch:
    """Milliseconds per phase; the phase that is running has no time yet."""

    def __init__(self, started: float) -> None:
        self.times: dict[str, float] = {}
        self.phase = ""
        self._since = started

    def enter(self, phase: str) -> None:
        """Ends the phase that ran, if any, and begins another."""
        if phase == self.phase:
            return
        now = time.monotonic()
        if self.phase:
            self.times[self.phase] = round((now - self._since) * 1000, 1)
            self._since = now
        self.phase = phase


class Order:
    """What the operator wants done."""

    def __init__(self, text: str) -> None:
        content = json.loads(text)
        self.task: str = content["task"]
        self.execution: str = content.get("execution") or "local"
        self.namespace: str = content.get("namespace") or "local"
        self.node: str = content.get("node") or "n0"
        self.attempt: int = content.get("attempt") or 0
        self.element: int | None = content.get("element")
        self.entrypoint: str = content["entrypoint"]
        self.bundle: str | dict[str, str] | None = content.get("bundle")
        self.inputs: dict[str, Any] = content.get("inputs") or {}
        self.has_marks = "$" in text or "\\u0024" in text
        self.retry_on: list[str] = content.get("retryOn") or []
        self.deck: dict[str, Any] = content.get("deck") or {}
        self.cached: dict[str, Any] | None = content.get("cached")
        self.store: str | None = content.get("store")
        self.limit: int = content.get("limit") or ending.DEFAULT_LIMIT
        self.log: dict[str, Any] | None = content.get("log")

    def given(self) -> dict[str, Any]:
        """The inputs, complete."""
        return ending.with_values(self.inputs, has_marks=self.has_marks)


def main(started: float, code_root: str) -> int:
    """Runs the task and leaves the record; the exit code."""
    watch = Stopwatch(started)
    watch.enter("boot")
    process = os.getpid()
    signal.signal(signal.SIGTERM, terminate)
    content, code = perform(_order, lambda order: _prepared(order, code_root, watch), watch)
    if os.getpid() == process:  # a process that the user's code forked, and that came all the way out, is not the task
        ending.leave(content, code)
        if (log := sys.modules.get("windlass.runtime.capture")) is not None:
            log.finish()
    return code


def perform(read: Callable[[], Order], prepare: Callable[[Order], Job], watch: Stopwatch) -> tuple[bytes, int]:
    """One attempt: its record, and the exit code that goes with it. A process may run many, one after the other: what
    is to be there once (code, import path) is for `prepare`, which gives what does the work.
    """
    limit, retry_on = ending.DEFAULT_LIMIT, []
    about: dict[str, Any] = {"timings": watch.times}
    try:
        order = read()
        limit, retry_on = order.limit, order.retry_on
        parameters = _parameters(order)
        with entered_task(parameters), ending.writing_below(order.store):
            result = _reused(order, about) or _run(order, prepare(order), parameters, watch, about)
            watch.enter("")
            content, code = ending.success(result, about, limit), 0
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    except BaseException as error:  # noqa: BLE001  whatever it is, even an exit, it ends in the record
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        in_user_code = watch.phase in ("import", "user")
        watch.enter("")
        content, code = ending.error_record(error, in_user_code, retry_on, about, limit)
    return content, code


def _order() -> Order:
    text = os.environ.get("WINDLASS_TASK")
    if text is None:
        raise ending.task_error(
            "system", "BadOrder", "WINDLASS_TASK is not set: this program is started by the operator"
        )
    return read_order(text)


def read_order(text: str) -> Order:
    """The order in this JSON; what can't be understood is no fault of the user's."""
    try:
        return Order(text)
    except (ValueError, KeyError, TypeError) as error:
        raise ending.task_error("system", "BadOrder", f"WINDLASS_TASK can't be understood: {error!r}") from error


def _reused(order: Order, about: dict[str, Any]) -> dict[str, Any] | None:
    """The cached result that the operator has found, if all of it is still in the store."""
    if order.cached is None:
        return None
    from windlass.runtime import values  # noqa: PLC0415  few tasks have results in the store

    if values.is_there(order.cached):
        about["reused"] = True
        return {"outputs": order.cached["outputs"]}
    ending.tell("windlass: some of the cached result is gone from the store: it is computed again")
    return None


def _prepared(order: Order, code_root: str, watch: Stopwatch) -> Job:
    """The task's own pod, made ready for it."""
    for name, value in variables(order).items():
        os.environ.setdefault(name, value)
    if order.log is not None:
        from windlass.runtime import capture  # noqa: PLC0415  where logs are not kept, it is not loaded

        capture.start(order.log["uri"], order.log["limit"])
    print_lines_at_once()
    if order.bundle is not None:
        _unpack(order.bundle, code_root)
    watch.enter("import")
    set_import_path(code_root)
    return load(order)


def set_import_path(code_root: str) -> None:
    """The user's code comes first, then what the image leaves to the pod to install."""
    packages = os.environ.get(PACKAGES)
    if packages:
        sys.path.insert(0, _installed(packages))
    sys.path.insert(0, code_root)


def _run(
    order: Order, job: Job, parameters: ExecutionParameters, watch: Stopwatch, about: dict[str, Any]
) -> dict[str, Any]:
    """The record's body, outputs or a workflow. What else belongs into the record goes into `about`."""
    watch.enter("inputs")
    if not order.deck.get("enabled"):
        return _attempt(order, job, watch, about, None)
    from windlass._reporting import Reporting  # noqa: PLC0415  few tasks have a deck

    reporting = Reporting(parameters, order.deck, job.interface, job.function)
    try:
        return _attempt(order, job, watch, about, reporting)
    finally:
        about.update(_deck(reporting))


def _deck(reporting: Reporting) -> dict[str, str]:
    """Where the report is, for the record."""
    if not ending.store():
        ending.tell("windlass: the deck is not kept, for the operator has no store configured")
        return {}
    uri = reporting.write()
    return {} if uri is None else {"deck": uri}


def _attempt(
    order: Order, job: Job, watch: Stopwatch, about: dict[str, Any], reporting: Reporting | None
) -> dict[str, Any]:
    """The record's body, from the inputs in the order."""
    part = reporting.part if reporting else _unmeasured
    interface = job.interface
    with part("inputs"):
        arguments = _arguments(order, interface)
    if reporting:
        reporting.show_inputs(arguments)
    watch.enter("user")
    try:
        with part("run"):
            result = _call(job, arguments)
    except IgnoreOutputs:
        if interface.outputs:  # whoever waits for them would wait in vain
            raise
        return {"outputs": {}}
    watch.enter("outputs")
    if job.is_dynamic:
        with part("outputs"):
            return _calls_made(job, result)
    with part("outputs"):
        values = interface.unpack(result, order.task)
        outputs = {
            name: _types.to_wire(value, interface.outputs[name], _types.output_of(order.task, position))
            for position, (name, value) in enumerate(values.items())
        }
        _refuse_what_is_lost(outputs, interface.outputs)
        if interface.makes_artifacts:
            from windlass._artifacts import created  # noqa: PLC0415  few outputs are artifacts

            made = created.made(order.task, interface.outputs, order.given(), values)
            about["artifacts"] = {name: one.manifest() for name, one in made.items()}
    if reporting:
        reporting.show_outputs(values)
    return {"outputs": outputs}


def _calls_made(job: Job, graph: Graph) -> dict[str, Any]:
    """The calls that a dynamic task's body made, as a workflow; the outputs where it made none."""
    from windlass import _graph_spec  # noqa: PLC0415  few tasks are dynamic

    _refuse_what_is_lost(_literals(graph.outputs), job.interface.outputs)
    if not graph.nodes:
        return {"outputs": graph.outputs}
    for node in graph.nodes:
        types = {name: parameter.python_type for name, parameter in node.entity.interface.inputs.items()}
        _refuse_what_is_lost(_literals(node.inputs), types)
    return {"workflow": _graph_spec.made_by(job.entity, graph)}


def _literals(bindings: Any) -> Any:
    """Bindings without what the calls will give: that isn't of this pod."""
    if isinstance(bindings, dict):
        return {name: _literals(value) for name, value in bindings.items()}
    if isinstance(bindings, list):
        return [_literals(value) for value in bindings]
    return bindings if isinstance(bindings, str | int | float | bool) else None


def _refuse_what_is_lost(values: dict[str, Any], types: Mapping[str, Any]) -> None:
    def expected(name: str) -> tuple[Type, Schema | None]:
        from windlass_api.types import parse_type  # noqa: PLC0415  few tasks give references

        expression, schema = _types.type_expression(types[name])
        return parse_type(expression), schema

    ending.refuse_what_is_lost(values, expected)


def _unmeasured(_name: str) -> AbstractContextManager[None]:
    return nullcontext()


def print_lines_at_once() -> None:
    """Into a pipe, Python prints by the kilobyte; whoever follows a pod's log wants each line when it is printed."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(line_buffering=True)


# ---- the user's function --------------------------------------------------------------------------------------------


def _unpack(place: str | dict[str, str], folder: str) -> None:
    try:
        bundle.unpack(place, folder)
    except bundle.BundleError as error:
        kind, code = ("user", "USER:BadBundle") if error.by_user else ("system", "BundleUnreadable")
        if error.gone:  # trying again would not bring it back
            kind, code = "user", "USER:CodeNotFound"
        raise ending.task_error(kind, code, str(error)) from error


class Job:
    """What does the work, on values by name; its interface, and the function behind it if there is one. The work of
    a dynamic task gives the graph of the calls that its body makes.
    """

    def __init__(
        self, work: Callable[..., Any], interface: Interface, function: Callable[..., Any] | None, entity: Any = None
    ) -> None:
        self.work = work
        self.interface = interface
        self.function = function
        self.entity = entity
        self.is_dynamic = hasattr(entity, "compile_for")


def _installed(packages: str) -> str:
    """A folder of this pod with the packages that an ImageSpec leaves to it (`runtime_packages`)."""
    import shlex  # noqa: PLC0415  few images leave anything to the pod
    import subprocess  # noqa: PLC0415
    import tempfile  # noqa: PLC0415

    folder = tempfile.mkdtemp(prefix="windlass-packages-")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--target", folder, *shlex.split(packages)]
    done = subprocess.run(command, stdout=sys.stderr, stderr=subprocess.PIPE, text=True, check=False)  # noqa: S603  as asked
    sys.stderr.write(done.stderr)
    if done.returncode:
        message = f"the runtime packages {packages} can't be installed: {done.stderr.strip()[-1000:]}"
        raise ending.task_error("system", "RuntimePackages", message)
    return folder


def load(order: Order) -> Job:
    """What the entry point names: a task of any kind, or a plain function."""
    module_name, _, name = order.entrypoint.partition(":")
    module = _import(module_name)
    entity: Any = module
    for part in name.split("."):
        entity = getattr(entity, part, None)
    if isinstance(entity, Task):
        work = getattr(entity, "compile_for", None)
        function = getattr(entity, "function", None)
        if work is None:
            return Job(entity.execute, entity.interface, function)
        return Job(lambda **inputs: work(inputs), entity.interface, function, entity)
    if callable(entity):
        interface = read_interface(entity, order.entrypoint)
        return Job(_plain(entity, interface), interface, entity)
    from windlass_api.findings import did_you_mean  # noqa: PLC0415  a task that is found does not need it

    names = [known for known, value in vars(module).items() if callable(value) and not known.startswith("_")]
    problem = f"has no function '{name}'" if entity is None else f"has a '{name}' which is no function"
    message = f"the module {module_name} ({getattr(module, '__file__', None)}) {problem}{did_you_mean(name, names)}"
    raise ending.task_error("user", "USER:EntrypointNotFound", message, "AttributeError")


def _plain(function: Callable[..., Any], interface: Interface) -> Callable[..., Any]:
    """A function without a decorator, called by names."""

    def work(**values: Any) -> Any:
        positional = [values.pop(name) for name in list(values) if interface.inputs[name].positional_only]
        return awaited(function(*positional, **values))

    return work


def _import(name: str) -> Any:
    try:
        __import__(name)
    except ModuleNotFoundError as error:
        if error.name is None or not (f"{name}.").startswith(f"{error.name}."):
            raise
        here = ", ".join(sorted(entry for entry in os.listdir() if not entry.startswith((".", "__"))))  # noqa: PTH208
        message = (
            f"there is no module '{name}', neither in the code bundle ({here or 'which is empty'}) nor in the image;"
            " it is found by its path from the first folder above it that has no __init__.py"
        )
        raise ending.task_error("user", "USER:ImportError", message, "ModuleNotFoundError") from None
    return sys.modules[name]


def _arguments(order: Order, interface: Interface) -> dict[str, Any]:
    given = order.given()
    unknown = [name for name in given if name not in interface.inputs]
    missing = [name for name, parameter in interface.inputs.items() if parameter.required and name not in given]
    if unknown or missing:
        problem = f"takes no input '{unknown[0]}'" if unknown else f"needs the input '{missing[0]}', which is not given"
        names = ", ".join(interface.inputs) or "none"
        message = f"{order.entrypoint} {problem}; its inputs are {names}. The Task and its code don't belong together"
        raise ending.task_error("user", "USER:InputMismatch", message, "TypeError")
    return {
        name: _types.from_wire(value, interface.inputs[name].python_type, _types.argument_of(order.task, name))
        for name, value in given.items()
    }


def _call(job: Job, arguments: dict[str, Any]) -> Any:
    try:
        return job.work(**arguments)
    except SystemExit as ended:
        if ended.code in (None, 0) and not job.interface.outputs and not job.is_dynamic:
            return None
        raise


# ---- what the code may ask ------------------------------------------------------------------------------------------


def variables(order: Order) -> dict[str, str]:
    """The environment variables of other engines, which code that was written for them reads."""
    project, domain = _project(order)
    known = {
        "FLYTE_INTERNAL_EXECUTION_ID": order.execution,
        "FLYTE_INTERNAL_EXECUTION_PROJECT": project,
        "FLYTE_INTERNAL_EXECUTION_DOMAIN": domain,
        "FLYTE_INTERNAL_TASK_NAME": order.task,
        "FLYTE_ATTEMPT_NUMBER": str(order.attempt),
    }
    if order.element is not None:
        known |= {VARIABLE_NAME: ELEMENT, ELEMENT: str(order.element), OFFSET: "0"}
    return known


def _project(order: Order) -> tuple[str, str]:
    """Project and domain, as the namespace has them."""
    project, _, domain = order.namespace.rpartition("-")
    return (project, domain) if project else (order.namespace, "")


def _parameters(order: Order) -> ExecutionParameters:
    """What `current_context()` gives."""
    project, domain = _project(order)
    store = order.store or ending.store()
    place = order.node if order.element is None else f"{order.node}/{order.element}"
    return ExecutionParameters(
        execution_id=WorkflowExecutionIdentifier(project, domain, order.execution),
        task_id=TaskIdentifier(project, domain, order.task, ""),
        attempt=order.attempt,
        enable_deck=bool(order.deck.get("enabled")),
        checkpoint_folder=f"{store}/checkpoints/{order.namespace}/{order.execution}/{place}" if store else None,
        local=False,
    )


def terminate(_signal: int, _frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # asked once is enough: `finally` blocks are left in peace
    raise Terminated("told to end (SIGTERM): cancelled, over its timeout, or its pod has to go")
