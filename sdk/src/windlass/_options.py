"""The options that say how a task runs, and what each becomes.

One list, used by `@task(...)`, by tasks that are no functions, and by `with_overrides(...)`: an option is written once
here, with its check, and all take it.

    options ── RULES ──► fields of the contract's Overrides    what the operator must know: image, retries, cache, …
            └─ SDK_OPTIONS ──► TaskSettings                    what only the SDK uses: deprecated, docs, …
            └─ with_overrides ──► NodeSettings                 a node's id and name

A rule turns one or more options into one field; absent means inherit. What takes work to find out (the tag of an
ImageSpec, a cache's version) is `Later`: a pod that only imports the task never pays for it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple

from windlass._modules import caller, warn
from windlass._resources import TPU, exceeds, is_quantity, merged_resources

if TYPE_CHECKING:
    from datetime import timedelta

    from windlass._secrets import Secret

ANY = "any"
DECK_FIELDS = ("SourceCode", "Dependencies", "Timeline", "Input", "Output")

RetryOn = str | type[BaseException] | Iterable[str | type[BaseException]]


class ExecutionBehavior(Enum):
    """What a function's result is: values, a workflow that runs in its place, or what executions of its own gave."""

    DEFAULT = 1
    DYNAMIC = 2
    EAGER = 3


class Later:
    """The value of a field that is found out when the task is emitted or run. `find` gets the task."""

    __slots__ = ("find",)

    def __init__(self, find: Callable[[Any], Any]) -> None:
        self.find = find


class Rule(NamedTuple):
    """A field, the options that it is made of, and how. Options that are not given are None."""

    field: str
    options: tuple[str, ...]
    make: Callable[..., Any]


class TaskSettings:
    """What only the SDK uses of a task's options, and what it has yet to find out."""

    __slots__ = (
        "config",
        "deprecated",
        "docs",
        "execution_mode",
        "image_specs",
        "later",
        "node_dependency_hints",
        "options",
        "owned",
        "pickle_untyped",
    )

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        options = options or {}
        self.options = dict(options)
        """All options as they were given, for who makes another task like this one."""
        self.config = options.get("task_config")
        """What `task_config` is."""
        self.deprecated: str = options.get("deprecated") or ""
        """Why not to use the task any more; every call warns."""
        self.docs: str | None = None
        """What people shall read in place of the docstring."""
        self.execution_mode: ExecutionBehavior = options.get("execution_mode") or ExecutionBehavior.DEFAULT
        self.node_dependency_hints: tuple[Any, ...] = tuple(options.get("node_dependency_hints") or ())
        """What a dynamic task may call; it is emitted together with the task."""
        self.pickle_untyped: bool = bool(options.get("pickle_untyped"))
        """Whether a parameter without annotation takes anything."""
        self.image_specs: tuple[Any, ...] = tuple(_image_specs(options))
        """The images that have to be built before the task can run in a cluster."""
        self.owned: tuple[str, ...] = ()
        """The options that are not the task's to set, nor a node's: those of an actor's environment."""
        self.later: dict[str, Later] = {}
        """The fields that are found out when somebody asks for them."""

    def warn_of_use(self, name: str) -> None:
        """Tells who calls a deprecated task, at the line of the call."""
        if self.deprecated:
            warn(f"{name} is deprecated: {self.deprecated}", DeprecationWarning)


class NodeSettings(NamedTuple):
    """What `with_overrides` says about the node itself. None: not said."""

    node_id: str | None
    name: str | None
    image_specs: tuple[Any, ...]


# ---- the three doors ------------------------------------------------------------------------------------------------


def settle(
    options: Mapping[str, Any], allowed: Iterable[str] | None = None, what: str = "task"
) -> tuple[dict[str, Any], TaskSettings]:
    """The options of a task as fields of the contract's Overrides, and its settings.

    Raises:
        ValueError: an option that is not `allowed`, or a value that can't be.
        TypeError, AssertionError: a value of the wrong kind.
    """
    known = tuple(allowed or TASK_OPTIONS)
    unknown = [name for name in options if name not in known]
    if unknown:
        raise ValueError(
            f"Unrecognized argument(s) for {what}: {', '.join(unknown)}. It takes {', '.join(known)}; see {HELP}"
        )
    given = {name: value for name, value in options.items() if not _is_default(name, value)}
    if given.get("task_resolver") is not None:
        raise ValueError(
            "task_resolver has no place in Windlass: a Task names module:function, and that is how every pod finds it."
            " Leave it out; for code that is not a module's function, use a ContainerTask"
        )
    settings = TaskSettings(given)
    if "docs" in given:
        from windlass._documentation import text_of  # noqa: PLC0415  few tasks have docs of their own

        settings.docs = text_of(given["docs"])
    if "node_dependency_hints" in given and settings.execution_mode is not ExecutionBehavior.DYNAMIC:
        raise ValueError("node_dependency_hints should only be used on dynamic tasks: elsewhere the calls are known")
    found = _fields(given, TASK_RULES)
    settings.later = {field: value for field, value in found.items() if isinstance(value, Later)}
    return {field: value for field, value in found.items() if not isinstance(value, Later)}, settings


def override(
    options: Mapping[str, Any], current: Mapping[str, Any], settings: TaskSettings | None = None
) -> tuple[dict[str, Any], NodeSettings]:
    """The options of `with_overrides` as fields of the contract's Overrides, and what they say about the node.

    `current` are the fields that hold without them (the task's, and those of an earlier `with_overrides`); `settings`
    are the task's. What comes back has the new fields only: nothing that was set before is lost.

    Raises:
        TypeError: an option that `with_overrides` does not have, or a value of the wrong kind.
        ValueError: a value that can't be.
    """
    check_override_names(options)
    refused = [name for name in options if settings is not None and name in settings.owned]
    if refused:
        raise TypeError(
            f"{caller()}: {refused[0]} can't be overridden: the task runs in a pool of workers, and what these are like"
            " the ActorEnvironment says"
        )
    lifted = [name for name in LIMITS_OF_TIME if name in options and options[name] is None]
    options = {**options, **dict.fromkeys(lifted, 0)}
    given = {name: value for name, value in options.items() if value is not None}
    if "task_config" in given:
        config = None if settings is None else settings.config
        if type(given["task_config"]) is not type(config):
            raise ValueError(
                f"{caller()}: task_config={given['task_config']!r} is not of the class of the task's own, {config!r}"
            )
    if "aliases" in given:
        _texts("aliases", given["aliases"])
        warn("with_overrides(aliases=…) has no effect: outputs go by their own names, and nothing reads others")
    found = _fields(given, NODE_RULES, current)
    fields = {field: value.find(None) if isinstance(value, Later) else value for field, value in found.items()}
    if "requests" in given and "limits" not in given and "resources" in fields:
        _clamp(fields["resources"]["requests"], current)
    return fields, NodeSettings(_text("node_name", given), _text("name", given), tuple(_image_specs(given)))


def check_override_names(options: Iterable[str]) -> None:
    """Refuses what `with_overrides` does not know."""
    unknown = [name for name in options if name not in NODE_OPTIONS]
    if unknown:
        known = ", ".join(dict.fromkeys(NODE_OPTIONS))
        raise TypeError(f"{caller()}: with_overrides takes no {', '.join(unknown)}; it takes {known}")


def _fields(
    given: Mapping[str, Any], rules: Iterable[Rule], current: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The fields that the rules make of what is given. Those of `task_config` are weaker than all others."""
    found = _config_fields(given["task_config"]) if "task_config" in given else {}
    for rule in rules:
        if any(name in given for name in rule.options):
            value = rule.make(*(given.get(name) for name in rule.options))
            if isinstance(value, NeedsCurrent):
                value = value.make(current or {})
            if value is not None:
                found[rule.field] = value
    _name_tpus(found, given, current or {})
    return found


class NeedsCurrent(NamedTuple):
    """A field whose value depends on what holds already."""

    make: Callable[[Mapping[str, Any]], Any]


def _is_default(name: str, value: Any) -> bool:
    return value is None or (name in DEFAULTS and value is DEFAULTS[name])


# ---- rules: what the pod is like ------------------------------------------------------------------------------------


def _image(image: Any) -> str | Later:
    if callable(getattr(image, "image_name", None)):
        return Later(lambda _task: image.image_name())
    if not isinstance(image, str) or not image.strip():
        raise TypeError(f"container_image takes an image's name such as 'python:3.12-slim' or ImageSpec, not {image!r}")
    if "{{" in image:
        raise ValueError(
            f"container_image={image!r} is a template, and Windlass has no configuration of images to fill it from:"
            " write the image's name, or use an ImageSpec"
        )
    return image


def _resources(requests: Any, limits: Any, resources: Any) -> dict[str, dict[str, str]] | None:
    return merged_resources(requests, limits, resources) or None


def _environment(environment: Any, image: Any) -> dict[str, str] | None:
    """The author's variables, over those that the image's spec leaves to the pod."""
    brought = image.pod_environment() if callable(getattr(image, "pod_environment", None)) else {}
    return {**brought, **({} if environment is None else _texts("environment", environment))} or None


def _interruptible(interruptible: Any) -> bool:
    if not isinstance(interruptible, bool):
        raise TypeError(f"interruptible takes True or False, not {interruptible!r}")
    return interruptible


def _secrets(secrets: Any) -> list[dict[str, Any]]:
    from windlass._secrets import Secret  # noqa: PLC0415  who has a Secret to pass has loaded it

    if isinstance(secrets, Secret | str) or not isinstance(secrets, Iterable):
        raise AssertionError(f"secret_requests takes a list of Secret objects, not {secrets!r}")
    return [_secret(secret, Secret) for secret in secrets]


def _secret(secret: Any, kind: type[Secret]) -> dict[str, Any]:
    if not isinstance(secret, kind):
        hint = f"key={secret!r}" if isinstance(secret, str) else "group=…, key=…"
        raise AssertionError(f"secret_requests has {secret!r}, which should be of type Secret: write Secret({hint})")
    if secret.is_empty:
        raise ValueError("a Secret in secret_requests asks for nothing: give its group, its key or both")
    return secret.to_contract()


def _pod_template(template: Any) -> Later:
    if not callable(getattr(template, "to_contract", None)) or not hasattr(template, "primary_container_name"):
        raise TypeError(f"pod_template takes a PodTemplate, not {template!r}")
    return Later(lambda _task: template.to_contract())


def _pod_template_name(name: Any) -> str:
    if not isinstance(name, str) or not name:
        raise TypeError(f"pod_template_name takes the name of a PodTemplate in the cluster, not {name!r}")
    return name


def _accelerator(accelerator: Any) -> dict[str, Any]:
    if not callable(getattr(accelerator, "to_contract", None)):
        raise TypeError(
            f"accelerator takes one of windlass.accelerators, such as T4 or GPUAccelerator('…'), not {accelerator!r}"
        )
    found: dict[str, Any] = accelerator.to_contract()
    return found


def _shared_memory(shared: Any) -> dict[str, Any]:
    if shared is True:
        return {}
    if not isinstance(shared, str) or not is_quantity(shared):
        raise ValueError(f"shared_memory takes True or a size such as '2Gi', not {shared!r}")
    return {"size": shared}


def _labels(labels: Any) -> dict[str, str]:
    for name, value in _texts("labels", labels).items():
        if not re.fullmatch(r"(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?", value):
            raise ValueError(
                f"the label {name}={value!r} is not possible in Kubernetes: at most 63 letters, digits, '-', '_', '.'"
            )
    return dict(labels)


def _annotations(annotations: Any) -> dict[str, str]:
    return _texts("annotations", annotations)


def _texts(option: str, value: Any) -> dict[str, str]:
    if not isinstance(value, Mapping):
        raise TypeError(f"{option} takes a dict of texts, not {value!r}")
    for name, text in value.items():
        if not isinstance(name, str) or not isinstance(text, str):
            raise TypeError(f"{option} takes texts, but has {name!r}: {text!r}; write {str(name)!r}: {str(text)!r}")
    return dict(value)


def _name_tpus(found: dict[str, Any], given: Mapping[str, Any], current: Mapping[str, Any]) -> None:
    """`gpu` counts devices of the accelerator, and Kubernetes calls those of a TPU otherwise."""
    accelerator = found.get("accelerator") or current.get("accelerator") or {}
    if str(accelerator.get("device", "")).startswith("tpu-") and "resources" in found:
        sides = (given.get("requests"), given.get("limits"), given.get("resources"))
        found["resources"] = merged_resources(*sides, gpu_name=TPU)


def _clamp(requests: dict[str, str], current: Mapping[str, Any]) -> None:
    """A node's requests can't exceed the task's limits."""
    limits = (current.get("resources") or {}).get("limits") or {}
    for name, request in requests.items():
        if name in limits and exceeds(request, limits[name]):
            warn(
                f"with_overrides: the request of {name}={request} is more than the task's limit; taking {limits[name]}"
            )
            requests[name] = limits[name]


# ---- rules: attempts ------------------------------------------------------------------------------------------------


def _retries(retries: Any) -> int:
    if isinstance(retries, bool) or not isinstance(retries, int) or retries < 0:
        raise ValueError(f"retries takes a number of further attempts, 0 or more, not {retries!r}")
    return retries


def _retry_on(retry_on: Any) -> list[str]:
    items = [retry_on] if isinstance(retry_on, str | type) else list(retry_on)
    names = []
    for item in items:
        if isinstance(item, str) and item:
            names.append(item)
        elif isinstance(item, type) and issubclass(item, BaseException):
            names.append(item.__name__)
        else:
            raise TypeError(f"retry_on takes exception classes, their names, or {ANY!r}, not {item!r}")
    return names


def _limit_of(option: str) -> Callable[[Any], str]:
    """The rule for an option that is a limit of time."""

    def text(limit: Any) -> str:
        total = getattr(limit, "total_seconds", None)
        if isinstance(limit, bool) or not (isinstance(limit, int) or callable(total)):
            raise ValueError(
                f"{option} should be duration represented as either a datetime.timedelta or int seconds, not {limit!r}"
            )
        import datetime  # noqa: PLC0415  few tasks have a limit

        try:
            return _duration(datetime.timedelta(seconds=total() if callable(total) else limit))
        except ValueError:
            raise ValueError(f"{option} takes a duration of 0 (no limit) or more, not {limit!r}") from None

    return text


def _duration(duration: timedelta) -> str:
    from windlass._durations import duration_text  # noqa: PLC0415  few tasks have one

    return duration_text(duration)


def _max_memory(memory: Any) -> str:
    if isinstance(memory, bool) or not isinstance(memory, str | int) or not is_quantity(str(memory)):
        raise ValueError(f"max_memory takes an amount of memory such as '8Gi', as Resources(mem=…), not {memory!r}")
    return str(memory)


# ---- rules: the cache -----------------------------------------------------------------------------------------------


def _task_cache(cache: Any, version: Any, serialize: Any, ignored: Any) -> Any:
    _check_cache(cache, version, serialize, ignored)
    if not cache:
        if serialize or ignored:
            option = "cache_serialize" if serialize else "cache_ignore_input_vars"
            raise ValueError(f"{option} needs a cache: add cache=True and cache_version, or use cache=Cache(…)")
        if version is not None:
            warn(f"cache_version={version!r} has no effect without cache=True")
        return None
    return Later(lambda task: _cache_fields(task, cache, version, serialize, ignored))


def _check_cache(cache: Any, version: Any, serialize: Any, ignored: Any) -> None:
    if isinstance(cache, bool) or cache is None:
        if version is not None and not isinstance(version, str):
            raise TypeError(f"cache_version takes a text, not {version!r}")
        if isinstance(ignored, str):
            raise TypeError(f"cache_ignore_input_vars takes a tuple of names, not {ignored!r}; write ({ignored!r},)")
        return
    if not callable(getattr(cache, "get_version", None)):
        raise TypeError(f"cache takes True, False or a Cache, not {cache!r}")
    if version is not None or serialize is not None or ignored is not None:
        raise ValueError(
            "cache_serialize, cache_version, and cache_ignore_input_vars are deprecated. Please use Cache object's own"
            " arguments version, serialize and ignored_inputs"
        )


def _cache_fields(task: Any, cache: Any, version: Any, serialize: Any, ignored: Any) -> dict[str, Any]:
    """A task's cache as the contract says it. The version may be a function of the task's code."""
    if cache is True:
        from windlass._cache import Cache, CacheFunctionBody  # noqa: PLC0415  only tasks with a cache need it

        cache = Cache(
            version=version,
            serialize=bool(serialize),
            ignored_inputs=tuple(ignored or ()),
            policies=None if version is not None else [CacheFunctionBody()],
        )
    function, inputs = getattr(task, "function", None), task.interface.inputs
    fields: dict[str, Any] = {"version": cache.version or _computed_version(task, cache, function)}
    if cache.serialize:
        fields["serialize"] = True
    if cache.expires_after is not None:
        fields["expiresAfter"] = _duration(cache.expires_after)
    names = list(cache.get_ignored_inputs())
    unknown = [name for name in names if name not in inputs]
    if unknown:
        raise ValueError(
            f"the cache of {task.name} ignores the input {unknown[0]!r}, which is none of {', '.join(inputs) or 'its'}"
        )
    return {**fields, "ignoredInputs": names} if names else fields


def _computed_version(task: Any, cache: Any, function: Any) -> str:
    from windlass._cache import VersionParameters  # noqa: PLC0415  only tasks with a cache need it

    if function is None:
        raise ValueError(f"{task.name} has no function whose code could be its cache's version: give the version")
    options = task.settings.options
    parameters = VersionParameters(
        func=function,
        container_image=options.get("container_image"),
        pod_template=options.get("pod_template"),
        pod_template_name=options.get("pod_template_name"),
    )
    return str(cache.get_version(parameters))


def _node_cache(cache: Any, version: Any, serialize: Any) -> NeedsCurrent:
    _check_cache(cache, version, serialize, None)
    if cache is False and (version is not None or serialize):
        raise ValueError(f"{caller()}: cache=False turns the cache off: leave out cache_version and cache_serialize")

    def make(current: Mapping[str, Any]) -> dict[str, Any]:
        if cache is False:
            return {"enabled": False}
        fields = {field: value for field, value in (current.get("cache") or {}).items() if field != "enabled"}
        if cache is not None and cache is not True:
            ignored = list(cache.get_ignored_inputs())
            expires = None if cache.expires_after is None else _duration(cache.expires_after)
            fields = {"version": cache.version, "serialize": cache.serialize or None, "ignoredInputs": ignored or None}
            fields["expiresAfter"] = expires
        fields["version"] = version or fields.get("version")
        if not fields["version"]:
            raise ValueError(f"{caller()}: must specify cache version when overriding, where the task itself has none")
        if serialize is not None:
            fields["serialize"] = bool(serialize)
        return {field: value for field, value in fields.items() if value is not None}

    return NeedsCurrent(make)


# ---- rules: what the task leaves behind -----------------------------------------------------------------------------


def _deck(enable: Any, disable: Any, fields: Any) -> dict[str, Any] | None:
    if enable is not None and disable is not None:
        raise ValueError("disable_deck and enable_deck can't both be given: enable_deck says it all")
    if disable is not None:
        warn("disable_deck is deprecated: use enable_deck", FutureWarning)
        enable = not disable
    if fields is not None:
        fields = [_deck_field(field) for field in fields]
        if not enable:
            warn("deck_fields has no effect without enable_deck=True")
    if enable is None:
        return None
    return {"enabled": bool(enable), "fields": fields} if enable and fields is not None else {"enabled": bool(enable)}


def _deck_field(field: Any) -> str:
    name = str(getattr(field, "value", field)).replace(" ", "")
    if name not in DECK_FIELDS:
        raise ValueError(
            f"deck_fields has {field!r}, which is no field of a deck: take some of {', '.join(DECK_FIELDS)}"
        )
    return name


def _config_fields(config: Any) -> dict[str, Any]:
    """What a `task_config` asks for. It is a pod (of the plugin for pods), or says so itself."""
    if callable(getattr(config, "to_overrides", None)):
        fields: dict[str, Any] = dict(config.to_overrides())
        return fields
    if hasattr(config, "pod_spec"):
        from windlass._pod_template import PRIMARY, PodTemplate  # noqa: PLC0415  few tasks have one

        primary = getattr(config, "primary_container_name", None) or PRIMARY
        labels, annotations = getattr(config, "labels", None), getattr(config, "annotations", None)
        return {"podTemplate": PodTemplate(config.pod_spec, primary, labels, annotations).to_contract()}
    raise ValueError(
        f"task_config={config!r}: Windlass has no plugin for tasks of kind {type(config).__name__}. Run it in a"
        " ContainerTask or with a PodTemplate; or give the object a method `to_overrides()` that returns fields of the"
        " contract's Overrides"
    )


def _image_specs(options: Mapping[str, Any]) -> Iterable[Any]:
    image, template = options.get("container_image"), options.get("pod_template")
    if callable(getattr(image, "image_name", None)):
        yield image
    if template is not None and hasattr(template, "image_specs"):
        yield from template.image_specs()


def _text(option: str, given: Mapping[str, Any]) -> str | None:
    value = given.get(option)
    if value is not None and not isinstance(value, str):
        raise TypeError(f"{caller()}: {option} takes a text, not {value!r}")
    return value


# ---- the list -------------------------------------------------------------------------------------------------------

_SHARED = (
    Rule("image", ("container_image",), _image),
    Rule("env", ("environment", "container_image"), _environment),
    Rule("resources", ("requests", "limits", "resources"), _resources),
    Rule("accelerator", ("accelerator",), _accelerator),
    Rule("sharedMemory", ("shared_memory",), _shared_memory),
    Rule("secrets", ("secret_requests",), _secrets),
    Rule("interruptible", ("interruptible",), _interruptible),
    Rule("podTemplate", ("pod_template",), _pod_template),
    Rule("podTemplateName", ("pod_template_name",), _pod_template_name),
    Rule("labels", ("labels",), _labels),
    Rule("annotations", ("annotations",), _annotations),
    Rule("retries", ("retries",), _retries),
    Rule("retryOn", ("retry_on",), _retry_on),
    Rule("timeout", ("timeout",), _limit_of("timeout")),
    Rule("queueTimeout", ("queue_timeout",), _limit_of("queue_timeout")),
    Rule("pendingTimeout", ("pending_timeout",), _limit_of("pending_timeout")),
    Rule("maxMemory", ("max_memory",), _max_memory),
)
TASK_RULES = (
    *_SHARED,
    Rule("cache", ("cache", "cache_version", "cache_serialize", "cache_ignore_input_vars"), _task_cache),
    Rule("deck", ("enable_deck", "disable_deck", "deck_fields"), _deck),
)
NODE_RULES = (*_SHARED, Rule("cache", ("cache", "cache_version", "cache_serialize"), _node_cache))

POD_OPTIONS = (
    "container_image",
    "environment",
    "requests",
    "limits",
    "resources",
    "accelerator",
    "shared_memory",
    "secret_requests",
    "interruptible",
    "pod_template",
    "pod_template_name",
    "labels",
    "annotations",
)
"""Those that say what a pod is like, whatever runs in it: also of actors' environments and of apps."""
SDK_OPTIONS = (
    "task_config",
    "deprecated",
    "execution_mode",
    "node_dependency_hints",
    "task_resolver",
    "docs",
    "pickle_untyped",
)
RUN_OPTIONS = tuple(dict.fromkeys(option for rule in TASK_RULES for option in rule.options))
"""Those of a task that say how it runs."""
TASK_OPTIONS = (*RUN_OPTIONS, *SDK_OPTIONS)
"""All of `@task`."""
NODE_OPTIONS = (
    "node_name",
    "name",
    "aliases",
    "task_config",
    *(option for rule in NODE_RULES for option in rule.options),
)
"""All of `with_overrides`."""

LIMITS_OF_TIME = ("timeout", "queue_timeout", "pending_timeout")
"""Those of which `with_overrides` takes None as 0: it lifts the task's own limit."""

DEFAULTS: dict[str, Any] = {
    "cache": False,
    "retries": 0,
    "deprecated": "",
    "timeout": 0,
    "queue_timeout": 0,
    "pending_timeout": 0,
    "execution_mode": ExecutionBehavior.DEFAULT,
    "pickle_untyped": False,
    "shared_memory": False,
}
"""What `@task` takes as not given, besides None."""

HELP = "help(windlass.task)"
