"""`LaunchPlan`: a workflow made ready to run: inputs filled in, a schedule or trigger, and who is told.

    nightly = LaunchPlan.get_or_create(
        workflow=report,
        name="nightly-report",
        fixed_inputs={"region": "dubai"},
        schedule=CronSchedule(schedule="0 3 * * *", kickoff_time_input_arg="day"),
        notifications=[Slack([WorkflowExecutionPhase.FAILED], ["channel@example.slack.com"])],
        auto_activate=True,
    )

Called, it runs its workflow: here at once, in a workflow's graph as an execution of its own. It takes keywords only,
and none of its fixed inputs. Values are converted when they are needed: a module with plans costs a pod nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from windlass._entity import Entity
from windlass._exceptions import FlyteAssertion
from windlass._interface import MISSING, Interface, Parameter, bare
from windlass._modules import caller, calling_module
from windlass._plan_options import (
    Annotations,
    AuthRole,
    ConcurrencyPolicy,
    Labels,
    RawOutputDataConfig,
    SecurityContext,
    run_fields,
)

if TYPE_CHECKING:
    from windlass._artifacts import OnArtifact
    from windlass._notifications import Notification
    from windlass._schedules import Schedule
    from windlass._workflow import Workflow

    LabelsLike = Labels | Mapping[str, str]
    AnnotationsLike = Annotations | Mapping[str, str]


class _Settings(NamedTuple):
    """How a plan runs, as its author gave it."""

    schedule: Schedule | None = None
    notifications: list[Notification] | None = None
    labels: Any = None
    annotations: Any = None
    raw_output_data_config: Any = None
    max_parallelism: int | None = None
    security_context: Any = None
    auth_role: Any = None
    trigger: Any = None
    overwrite_cache: bool | None = None
    auto_activate: bool = False
    concurrency: ConcurrencyPolicy | None = None


class LaunchPlan(Entity):
    """A workflow made ready to run.

    `LaunchPlan.get_or_create` and `LaunchPlan.create` are how plans are made; they take inputs as Python values.

    Args:
        name: its name, unique in a project.
        workflow: the workflow that it runs.
        parameters: what of the workflow's inputs has another default here: values by name, or the Parameters that
            another plan's `parameters` are.
        fixed_inputs: inputs that no run can change: values by name.
        schedule: CronSchedule or FixedRate: when it runs by itself.
        notifications: Email, Slack, PagerDuty: who is told of its end.
        labels: labels of its executions.
        annotations: annotations of its executions.
        raw_output_data_config: where its executions write files and tables: a URI.
        max_parallelism: how many nodes of one execution may be at work at a time; unset: the operator's default.
        security_context: as whom its pods act: a service account's name, or a SecurityContext.
        trigger: OnArtifact: what makes it run by itself.
        overwrite_cache: whether its executions compute everything anew and replace what is cached.
        auto_activate: whether its schedule or trigger works once it is there; else it has to be activated.
        concurrency: how many executions of it may run at a time.

    Raises:
        FlyteAssertion: inputs are named that the workflow has not.
    """

    kind: ClassVar[str | None] = "LaunchPlan"
    what: ClassVar[str] = "launch plan"
    keyword_only: ClassVar[bool] = True
    takes_overrides: ClassVar[bool] = False

    CACHE: ClassVar[dict[str, LaunchPlan]] = {}
    """The plans of this process, by name."""

    def __init__(
        self,
        name: str,
        workflow: Workflow,
        parameters: Mapping[str, Any] | None = None,
        fixed_inputs: Mapping[str, Any] | None = None,
        schedule: Schedule | None = None,
        notifications: Iterable[Notification] | None = None,
        labels: LabelsLike | None = None,
        annotations: AnnotationsLike | None = None,
        raw_output_data_config: RawOutputDataConfig | str | None = None,
        max_parallelism: int | None = None,
        security_context: SecurityContext | str | None = None,
        trigger: OnArtifact | None = None,
        overwrite_cache: bool | None = None,
        auto_activate: bool = False,
        *,
        auth_role: AuthRole | str | None = None,
        concurrency: ConcurrencyPolicy | None = None,
    ) -> None:
        if not isinstance(name, str) or not name:
            raise ValueError(f"{caller()}: a launch plan needs a name, not {name!r}")
        if getattr(workflow, "kind", None) != "Workflow":
            raise TypeError(
                f"{caller()}: the launch plan {name} is made of a workflow, not of {workflow!r}; a single task runs as"
                " it is, or in a workflow of its own"
            )
        self.name = name
        self.short_name = workflow.short_name if name == workflow.name else name
        self.home = calling_module()
        self.line = caller()
        self.overrides = {}
        self._workflow = workflow
        self._fixed = dict(fixed_inputs or {})
        self._defaults = _own_defaults(workflow.interface, parameters or {})
        self._settings = _Settings(
            schedule,
            None if notifications is None else list(notifications),
            labels,
            annotations,
            raw_output_data_config,
            max_parallelism,
            security_context,
            auth_role,
            trigger,
            overwrite_cache,
            auto_activate,
            concurrency,
        )
        self._run_fields = run_fields(
            labels=labels,
            annotations=annotations,
            raw_output_data_config=raw_output_data_config,
            max_parallelism=max_parallelism,
            security_context=security_context,
            auth_role=auth_role,
            overwrite_cache=overwrite_cache,
        )
        self._interface = _interface(workflow.interface, self._defaults, self._fixed)
        self._check_names()

    # ---- making one ----

    @classmethod
    def create(
        cls,
        name: str,
        workflow: Workflow,
        default_inputs: dict[str, Any] | None = None,
        fixed_inputs: dict[str, Any] | None = None,
        schedule: Schedule | None = None,
        notifications: Sequence[Notification] | None = None,
        labels: LabelsLike | None = None,
        annotations: AnnotationsLike | None = None,
        raw_output_data_config: RawOutputDataConfig | str | None = None,
        max_parallelism: int | None = None,
        security_context: SecurityContext | str | None = None,
        auth_role: AuthRole | str | None = None,
        trigger: OnArtifact | None = None,
        overwrite_cache: bool | None = None,
        auto_activate: bool = False,
        concurrency: ConcurrencyPolicy | None = None,
    ) -> LaunchPlan:
        """Makes a plan of that name, the only one. Arguments are those of the class.

        Args:
            name: its name.
            workflow: the workflow.
            default_inputs: what of the workflow's inputs has another default here; Python values by name.
            fixed_inputs: inputs that no run can change; Python values by name. They win over default_inputs.
            schedule: see the class.
            notifications: see the class.
            labels: see the class.
            annotations: see the class.
            raw_output_data_config: see the class.
            max_parallelism: see the class.
            security_context: see the class.
            auth_role: the older form of security_context.
            trigger: see the class.
            overwrite_cache: see the class.
            auto_activate: see the class.
            concurrency: see the class.

        Raises:
            AssertionError: there is a plan of that name in this process.
        """
        if name in cls.CACHE:
            raise AssertionError(
                f"{caller()}: there is a launch plan {name} already ({cls.CACHE[name].line}); give this one another"
                " name, or use get_or_create"
            )
        plan = cls(
            name,
            workflow,
            default_inputs,
            fixed_inputs,
            schedule,
            notifications,
            labels,
            annotations,
            raw_output_data_config,
            max_parallelism,
            security_context,
            trigger,
            overwrite_cache,
            auto_activate,
            auth_role=auth_role,
            concurrency=concurrency,
        )
        cls.CACHE[name] = plan
        return plan

    @classmethod
    def get_or_create(
        cls,
        workflow: Workflow,
        name: str | None = None,
        default_inputs: dict[str, Any] | None = None,
        fixed_inputs: dict[str, Any] | None = None,
        schedule: Schedule | None = None,
        notifications: Sequence[Notification] | None = None,
        labels: LabelsLike | None = None,
        annotations: AnnotationsLike | None = None,
        raw_output_data_config: RawOutputDataConfig | str | None = None,
        max_parallelism: int | None = None,
        security_context: SecurityContext | str | None = None,
        auth_role: AuthRole | str | None = None,
        trigger: OnArtifact | None = None,
        overwrite_cache: bool | None = None,
        auto_activate: bool = False,
        concurrency: ConcurrencyPolicy | None = None,
    ) -> LaunchPlan:
        """The plan of that name, made unless it is there; without a name, the workflow's default plan.

        Args: as of `create`.

        Raises:
            ValueError: there are settings, but no name.
            AssertionError: the plan of that name is there and differs; the message says in what.
        """
        settings = {
            "default_inputs": default_inputs,
            "fixed_inputs": fixed_inputs,
            "schedule": schedule,
            "notifications": None if notifications is None else list(notifications),
            "labels": labels,
            "annotations": annotations,
            "raw_output_data_config": raw_output_data_config,
            "max_parallelism": max_parallelism,
            "security_context": security_context,
            "auth_role": auth_role,
            "trigger": trigger,
            "overwrite_cache": overwrite_cache,
            "auto_activate": auto_activate,
            "concurrency": concurrency,
        }
        if name is None:
            given = [setting for setting, value in settings.items() if value]
            if given:
                raise ValueError(
                    f"{caller()}: Only named launchplans can be created that have other properties: give a name, or"
                    f" leave out {', '.join(given)}"
                )
            return cls.get_default_launch_plan(None, workflow)
        if name not in cls.CACHE:
            return cls.create(name, workflow, **settings)  # type: ignore[arg-type]  # typed above, one by one
        cached = cls.CACHE[name]
        cached._refuse_difference(workflow, settings)
        return cached

    @classmethod
    def get_default_launch_plan(cls, ctx: object, workflow: Workflow) -> LaunchPlan:
        """The plan of a workflow's own name, with nothing but its `default_options`. `ctx` means nothing here."""
        if workflow.name not in cls.CACHE:
            options = getattr(workflow, "default_options", None)
            settings = {} if options is None else options.settings()
            cls.CACHE[workflow.name] = cls(workflow.name, workflow, **settings)
        return cls.CACHE[workflow.name]

    def clone_with(
        self,
        name: str,
        parameters: Mapping[str, Any] | None = None,
        fixed_inputs: Mapping[str, Any] | None = None,
        schedule: Schedule | None = None,
        notifications: Sequence[Notification] | None = None,
        labels: LabelsLike | None = None,
        annotations: AnnotationsLike | None = None,
        raw_output_data_config: RawOutputDataConfig | str | None = None,
        max_parallelism: int | None = None,
        security_context: SecurityContext | str | None = None,
        trigger: OnArtifact | None = None,
        overwrite_cache: bool | None = None,
        auto_activate: bool | None = None,
    ) -> LaunchPlan:
        """The same plan by another name, with some things changed: what is None stays as it is.

        Args: as of the class.
        """
        changed = {
            "schedule": schedule,
            "notifications": notifications,
            "labels": labels,
            "annotations": annotations,
            "raw_output_data_config": raw_output_data_config,
            "max_parallelism": max_parallelism,
            "security_context": security_context,
            "trigger": trigger,
            "overwrite_cache": overwrite_cache,
            "auto_activate": auto_activate,
        }
        settings = self._settings._asdict() | {key: value for key, value in changed.items() if value is not None}
        if security_context is not None:
            settings["auth_role"] = None
        return LaunchPlan(
            name,
            self._workflow,
            self._defaults if parameters is None else parameters,
            self._fixed if fixed_inputs is None else fixed_inputs,
            **settings,
        )

    # ---- what it is ----

    @property
    def interface(self) -> Interface:
        """The inputs that a call can give, with their defaults here, and the outputs."""
        return self._interface

    @property
    def python_interface(self) -> Interface:
        """The workflow's own inputs and outputs."""
        return self._workflow.interface

    @property
    def workflow(self) -> Workflow:
        """The workflow that it runs."""
        return self._workflow

    @property
    def description(self) -> str:
        """The workflow's docstring."""
        return self._workflow.description

    @property
    def parameters(self) -> dict[str, Parameter]:
        """The inputs that a call can give, by name."""
        return dict(self._interface.inputs)

    @property
    def fixed_inputs(self) -> dict[str, Any]:
        """The inputs that no run can change; Python values by name."""
        return dict(self._fixed)

    @property
    def saved_inputs(self) -> dict[str, Any]:
        """Default and fixed inputs as they were given; Python values by name."""
        return {**self._defaults, **self._fixed}

    @property
    def schedule(self) -> Schedule | None:
        """When it runs by itself."""
        return self._settings.schedule

    @property
    def trigger(self) -> OnArtifact | None:
        """What makes it run by itself."""
        trigger: OnArtifact | None = self._settings.trigger
        return trigger

    @property
    def notifications(self) -> list[Notification]:
        """Who is told of its end."""
        return list(self._settings.notifications or ())

    @property
    def labels(self) -> Labels:
        """Labels of its executions."""
        return Labels(self._run_fields.get("labels", {}))

    @property
    def annotations(self) -> Annotations:
        """Annotations of its executions."""
        return Annotations(self._run_fields.get("annotations", {}))

    @property
    def raw_output_data_config(self) -> RawOutputDataConfig | None:
        """Where its executions write files and tables."""
        prefix = self._run_fields.get("rawOutputPrefix")
        return None if prefix is None else RawOutputDataConfig(prefix)

    @property
    def max_parallelism(self) -> int | None:
        """How many nodes of one execution may be at work at a time."""
        return self._settings.max_parallelism

    @property
    def security_context(self) -> SecurityContext | str | None:
        """As whom its pods act."""
        return self._settings.security_context or self._run_fields.get("serviceAccountName")

    @property
    def overwrite_cache(self) -> bool | None:
        """Whether its executions compute everything anew."""
        return self._settings.overwrite_cache

    @property
    def should_auto_activate(self) -> bool:
        """Whether its schedule or trigger works as soon as it is there."""
        return self._settings.auto_activate

    @property
    def concurrency(self) -> ConcurrencyPolicy | None:
        """How many executions of it may run at a time."""
        return self._settings.concurrency

    # ---- calling it ----

    def called(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """In a workflow a node, elsewhere a run; keywords only, and no fixed inputs."""
        fixed = [name for name in kwargs if name in self._fixed]
        if fixed:
            raise FlyteAssertion(
                f"{caller()}: Fixed inputs cannot be specified: {self.name} ({self.line}) fixes {', '.join(fixed)}"
            )
        return super().called(args, kwargs)

    def run(self, inputs: dict[str, Any], overrides: dict[str, Any]) -> dict[str, Any]:
        """Runs its workflow here and now: JSON in, JSON out."""
        values = {**inputs, **self._as_json(self._fixed, "fixed_inputs", inputs)}
        return self._workflow.run({name: values[name] for name in self._workflow.interface.inputs}, overrides)

    def target(self) -> dict[str, Any]:
        """A node that calls it names it."""
        return {"launchPlan": {"name": self.object_name}}

    def definitions(self) -> Iterable[Entity]:
        """What its workflow needs, the workflow, and itself."""
        yield from self._workflow.definitions()
        yield self

    def construct_node_metadata(self) -> dict[str, Any]:
        """What a node that calls it says besides: the name to show."""
        return {"name": self.short_name}

    # ---- in the contract ----

    def manifest_spec(self) -> dict[str, Any]:
        """What its manifest says.

        Raises:
            FlyteAssertion: it runs by itself, but an input has no value; or a value can't stand in a manifest.
        """
        self._check_complete()
        settings = self._settings
        spec: dict[str, Any] = {"workflow": self._workflow.target()["workflow"]}
        defaults = {name: value for name, value in self._defaults.items() if name not in self._fixed}
        spec["defaultInputs"] = self._plain("default_inputs", defaults)
        spec["fixedInputs"] = self._plain("fixed_inputs", self._fixed)
        spec["schedule"] = settings.schedule and settings.schedule.manifest()
        spec["trigger"] = settings.trigger and settings.trigger.manifest()
        spec["notifications"] = [one.manifest() for one in settings.notifications or ()]
        spec["suspend"] = (settings.schedule or settings.trigger) and not settings.auto_activate
        spec["concurrency"] = settings.concurrency and settings.concurrency.manifest()
        return {name: value for name, value in spec.items() if value} | self._run_fields

    def _check_names(self) -> None:
        inputs = self._workflow.interface.inputs
        named = {
            "default_inputs": list(self._defaults),
            "fixed_inputs": list(self._fixed),
            "the inputs of the trigger": list(getattr(self._settings.trigger, "inputs", ())),
        }
        for what, names in named.items():
            unknown = [name for name in names if name not in inputs]
            if unknown:
                raise FlyteAssertion(
                    f"{self.line}: {what} of the launch plan {self.name} name {', '.join(unknown)}, but"
                    f" {self._workflow.name} has the inputs {', '.join(inputs) or '(none)'}"
                )
        twice = [name for name in named["the inputs of the trigger"] if name in self._fixed]
        if twice:
            raise FlyteAssertion(f"{self.line}: the trigger of {self.name} can't give {', '.join(twice)}: fixed inputs")
        self._check_kickoff(inputs)

    def _check_kickoff(self, inputs: dict[str, Parameter]) -> None:
        kickoff = self._settings.schedule and self._settings.schedule.kickoff_time_input_arg
        if not kickoff:
            return
        if kickoff not in inputs or kickoff in self._fixed:
            why = "it is fixed" if kickoff in self._fixed else f"there is {', '.join(inputs) or 'none'}"
            raise FlyteAssertion(
                f"{self.line}: {kickoff} of {self.name} can't get the time of a run as an input: {why}"
            )
        if bare(inputs[kickoff].python_type) not in (datetime, Any):
            raise FlyteAssertion(f"{self.line}: {kickoff} of {self.name} gets the time of a run, so it is a datetime")

    def _check_complete(self) -> None:
        """A plan that runs by itself needs a value for every input."""
        settings = self._settings
        if settings.schedule is None and settings.trigger is None:
            return
        kickoff = settings.schedule and settings.schedule.kickoff_time_input_arg
        brought = [{kickoff}] if settings.schedule else []
        brought += [set(settings.trigger.inputs)] if settings.trigger else []
        lacking = [
            name
            for name, one in self._interface.inputs.items()
            if one.required and any(name not in given for given in brought)
        ]
        if lacking:
            raise FlyteAssertion(
                f"{self.line}: the launch plan {self.name} runs by itself, but nothing gives its input"
                f"{'s' * (len(lacking) > 1)} {', '.join(lacking)}: name them in default_inputs or fixed_inputs"
            )

    def _as_json(self, values: Mapping[str, Any], what: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
        from windlass._artifacts import resolve  # noqa: PLC0415  a pod never runs a plan

        found = {}
        for name, value in values.items():
            python_type = self._workflow.interface.inputs[name].python_type
            where = f"{self.line}: {what} of {self.name}: {name}:"
            found[name] = resolve.as_json(value, python_type, where, inputs)
        return found

    def _plain(self, what: str, values: Mapping[str, Any]) -> dict[str, Any]:
        from windlass._artifacts import resolve  # noqa: PLC0415  a pod never emits a plan

        queries = [name for name, value in values.items() if resolve.is_artifact(value)]
        if queries:
            raise FlyteAssertion(
                f"{self.line}: {what} of {self.name} can't hold artifacts or queries in a manifest"
                f" ({', '.join(queries)}): make them defaults of the workflow, or inputs of an OnArtifact trigger"
            )
        return self._as_json(values, what, {})

    def _refuse_difference(self, workflow: Workflow, new: Mapping[str, Any]) -> None:
        have = {"workflow": self._workflow, "default_inputs": self._defaults, "fixed_inputs": self._fixed}
        have |= self._settings._asdict()
        for part, value in {"workflow": workflow, **new}.items():
            there = have[part]
            if not (there or value) or _equal(there, value):
                continue
            raise AssertionError(
                f"{caller()}: there is a launch plan {self.name} ({self.line}) with another {part}: {there!r}, not"
                f" {value!r}; give this one another name"
            )


def _own_defaults(interface: Interface, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The defaults that are not the workflow's own."""
    found = {}
    for name, value in parameters.items():
        if not isinstance(value, Parameter):
            found[name] = value
        elif value.default is not MISSING and (
            name not in interface.inputs or value.default is not interface.inputs[name].default
        ):
            found[name] = value.default
    return found


def _interface(own: Interface, defaults: Mapping[str, Any], fixed: Mapping[str, Any]) -> Interface:
    inputs = {
        name: Parameter(name, one.python_type, defaults[name]) if name in defaults else one
        for name, one in own.inputs.items()
        if name not in fixed
    }
    return Interface(inputs, own.outputs, own.result)


def _equal(one: Any, other: Any) -> bool:
    if one is other:
        return True
    try:
        return bool(one == other)
    except (ValueError, TypeError):  # a table compares cell by cell, and that has no truth value
        return False
