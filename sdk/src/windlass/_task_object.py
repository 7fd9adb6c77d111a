"""A task as an object: what ContainerTask and ShellTask have besides being called.

The names are those of the API page. Where they spoke of Flyte's messages (a container, a literal map, a task template)
they speak of the contract: dicts as they stand in a manifest, and inputs and outputs as the JSON of an Execution. There
are neither Flyte contexts nor serialization settings here, so `ctx` is None, or the scope of a workflow that is being
compiled or run (`windlass._context.current_scope()`), and `settings` is None.
"""

from __future__ import annotations

import collections
import sys
from collections.abc import Mapping
from typing import Any, ClassVar

from windlass import _exceptions
from windlass._current import current_scope, entered
from windlass._interface import MISSING, Interface, Parameter
from windlass._modules import calling_module, import_name_of
from windlass._options import settle
from windlass._task import Task


class TaskObject(Task):
    """A task that is made by calling its class rather than by decorating a function."""

    instantiated_in: str
    """The module where it was made."""

    task_type: ClassVar[str] = "task"
    """What kind of task it is."""

    task_type_version: ClassVar[int] = 0
    """The version of that kind."""

    def __init__(
        self,
        name: str,
        inputs: Mapping[str, Any] | None,
        outputs: Mapping[str, Any] | None,
        options: dict[str, Any],
        allowed: tuple[str, ...],
    ) -> None:
        if not isinstance(name, str) or not name.strip():
            raise ValueError(f"a {type(self).__name__} needs a name, not {name!r}")
        self.name = self.short_name = name
        self.home = self.instantiated_in = calling_module()
        self._interface = _interface(name, inputs or {}, outputs or {})
        self.set_options(*settle(options, allowed, type(self).__name__))

    @property
    def interface(self) -> Interface:
        """Inputs with types and defaults, and outputs with types."""
        return self._interface

    @property
    def description(self) -> str:
        """The `docs` of its options."""
        return self.settings.docs or ""

    # ---- what it is ----

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables that it sets."""
        return dict(self.overrides.get("env", {}))

    @property
    def resources(self) -> dict[str, Any]:
        """Requests and limits, by Kubernetes' names."""
        return dict(self.overrides.get("resources", {}))

    @property
    def security_context(self) -> dict[str, Any] | None:
        """The secrets it may read; None where it asks for none."""
        secrets = self.overrides.get("secrets")
        return {"secrets": list(secrets)} if secrets else None

    @property
    def enable_deck(self) -> bool:
        """Whether it leaves a report behind."""
        return bool(self.overrides.get("deck", {}).get("enabled"))

    @property
    def disable_deck(self) -> bool:
        """The opposite of `enable_deck`."""
        return not self.enable_deck

    @property
    def deck_fields(self) -> list[str]:
        """What is in the report besides what the code adds."""
        return list(self.overrides.get("deck", {}).get("fields", ()))

    def find_lhs(self) -> str:
        """The variable that holds it in the module where it was made.

        Raises:
            FlyteAssertion: no variable at the top of that module does.
        """
        for variable, value in vars(sys.modules[self.instantiated_in]).items():
            if value is self:
                return variable
        raise _exceptions.FlyteAssertion(
            f"the {self.task_type} {self.name} is in no variable of the module {self.instantiated_in}, where it was"
            " made: assign it to one at the top level"
        )

    @property
    def lhs(self) -> str | None:
        """The variable that holds it; None where none does."""
        try:
            return self.find_lhs()
        except _exceptions.FlyteAssertion:
            return None

    @property
    def location(self) -> str:
        """Where pods find it: module.variable."""
        return f"{import_name_of(self.instantiated_in)}.{self.find_lhs()}"

    # ---- its types ----

    def get_input_types(self) -> dict[str, Any]:
        """The inputs' types by name."""
        return {name: parameter.python_type for name, parameter in self._interface.inputs.items()}

    def get_type_for_input_var(self, k: str, v: Any = None) -> Any:
        """The type of the input `k`. Raises KeyError where there is none. A value `v` that does not fit is refused."""
        from windlass import _types  # noqa: PLC0415  a pod has loaded it, others may not need it

        expected = self._interface.inputs[k].python_type
        if v is not None:
            _types.to_wire(v, expected, _types.argument_of(self.name, k))
        return expected

    def get_type_for_output_var(self, k: str, v: Any = None) -> Any:
        """The type of the output `k`. Raises KeyError where there is none. A value `v` that does not fit is refused."""
        from windlass import _types  # noqa: PLC0415  as above

        expected = self._interface.outputs[k]
        if v is not None:
            _types.to_wire(v, expected, _types.output_of(self.name, list(self._interface.outputs).index(k)))
        return expected

    # ---- its manifest ----

    def construct_node_metadata(self) -> dict[str, Any]:
        """What a node that calls it says of itself: its name, and how it runs."""
        known = {field: self.overrides.get(field) for field in ("retries", "timeout", "interruptible", "cache")}
        return {"name": self.short_name, **{field: value for field, value in known.items() if value is not None}}

    def get_container(self, settings: None = None) -> dict[str, Any] | None:
        """The container of its pod, as its manifest says it; None where its pod runs Python."""
        _no_settings(settings, "get_container")
        container = self.runner().get("container")
        if container is None:
            return None
        kept = {field: self.overrides[field] for field in ("image", "env", "resources") if field in self.overrides}
        return {**kept, **container}

    def get_k8s_pod(self, settings: None = None) -> dict[str, Any] | None:
        """Its pod template, as its manifest says it; None where it has none."""
        _no_settings(settings, "get_k8s_pod")
        found: dict[str, Any] | None = self.overrides.get("podTemplate")
        return found

    def get_extended_resources(self, settings: None = None) -> dict[str, Any] | None:
        """Accelerator and shared memory, as its manifest says them; None where it needs neither."""
        _no_settings(settings, "get_extended_resources")
        fields = ("accelerator", "sharedMemory")
        return {field: self.overrides[field] for field in fields if field in self.overrides} or None

    def get_config(self, settings: None = None) -> dict[str, str] | None:
        """None: a manifest has a field for everything, and no free-form configuration."""
        _no_settings(settings, "get_config")
        return None

    def get_custom(self, settings: None = None) -> dict[str, Any] | None:
        """None: likewise."""
        _no_settings(settings, "get_custom")
        return None

    def get_sql(self, settings: None = None) -> None:
        """None: no task of Windlass is a query."""
        _no_settings(settings, "get_sql")

    # ---- calling and running it ----

    def compile(self, ctx: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Makes a node of the workflow that is being compiled, as calling the task there does.

        Raises:
            FlyteAssertion: no workflow is being compiled.
        """
        from windlass._compile import Recorder  # noqa: PLC0415  pods never compile

        scope = _scope(ctx, "compile")
        if not isinstance(scope, Recorder):
            raise _exceptions.FlyteAssertion(
                f"Cannot create node when not compiling: {self.name}.compile() belongs into a workflow's body"
            )
        with entered(scope):
            return self.called(args, kwargs)

    def local_execute(self, ctx: Any = None, **kwargs: Any) -> Any:
        """Runs it here, on plain values or, in a workflow that runs locally, on promises; gives the like."""
        from windlass._compile import Recorder  # noqa: PLC0415  as above

        scope = _scope(ctx, "local_execute")
        if isinstance(scope, Recorder):
            raise _exceptions.FlyteAssertion(
                f"{self.name}.local_execute() can't run while a workflow is being compiled"
            )
        with entered(scope):
            return self.called((), kwargs)

    def dispatch_execute(self, ctx: None, input_literal_map: Mapping[str, Any]) -> dict[str, Any]:
        """Runs it here on inputs as an Execution has them, JSON by name; gives outputs of that kind."""
        from windlass._calls import with_defaults  # noqa: PLC0415  for local runs

        if ctx is not None:
            raise TypeError(f"dispatch_execute takes no context, as there are none in Windlass: pass None, not {ctx!r}")
        given, inputs = dict(input_literal_map), self._interface.inputs
        wrong = [name for name in given if name not in inputs]
        wrong += [name for name, parameter in inputs.items() if parameter.required and name not in given]
        if wrong:
            raise _exceptions.FlyteAssertion(
                f"{self.name} has the inputs {', '.join(inputs) or '(none)'}; {wrong[0]!r} is"
                f" {'unknown' if wrong[0] in given else 'missing'}"
            )
        return self.run(with_defaults(self, given), self.overrides)

    def sandbox_execute(self, ctx: None, input_literal_map: Mapping[str, Any]) -> dict[str, Any]:
        """The same as `dispatch_execute`: every local run is in a sandbox of its own."""
        return self.dispatch_execute(ctx, input_literal_map)

    def local_execution_mode(self) -> str:
        """What a local run of it is: that of a single task."""
        return "LOCAL_TASK_EXECUTION"

    def pre_execute(self, user_params: Any) -> Any:
        """Called before each local run with the task's context (`current_context()`). A subclass may prepare things."""
        return user_params

    def post_execute(self, user_params: Any, rval: Any) -> Any:
        """Called after each local run with what `pre_execute` gave and the result. A subclass may clean up or change
        the result.
        """
        return rval


def _scope(ctx: Any, method: str) -> Any:
    from windlass._calls import Scope  # noqa: PLC0415  for local runs and compilation

    if ctx is not None and not isinstance(ctx, Scope):
        raise TypeError(f"{method} takes None (here and now) or a scope of Windlass as ctx, not {ctx!r}")
    return current_scope() if ctx is None else ctx


def _no_settings(settings: Any, method: str) -> None:
    if settings is not None:
        raise TypeError(
            f"{method} takes no serialization settings, as there are none in Windlass: pass None, not {settings!r}"
        )


def _interface(name: str, inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> Interface:
    parameters = {}
    for variable, declared in inputs.items():
        _check_variable(name, "input", variable)
        python_type, default = declared if isinstance(declared, tuple) else (declared, MISSING)
        parameters[variable] = Parameter(variable, python_type, default)
    for variable in outputs:
        _check_variable(name, "output", variable)
    result = collections.namedtuple("DefaultNamedTupleOutput", outputs) if len(outputs) > 1 else None
    return Interface(parameters, dict(outputs), result)


def _check_variable(name: str, what: str, variable: Any) -> None:
    if not isinstance(variable, str) or not variable.isidentifier():
        raise ValueError(f"{name}: an {what} is named by an identifier such as 'n', not {variable!r}")


__all__ = ["TaskObject"]
