"""ContainerTask: a container of any image and language as a task.

    area = ContainerTask(
        name="area",
        image="docker.io/library/julia:1.11",
        inputs=kwtypes(a=float, b=float),
        outputs=kwtypes(area=float),
        command=["julia", "/app/area.jl", "{{.inputs.a}}", "{{.inputs.b}}", "/var/outputs"],
    )

Inputs come as texts in the command and as files, outputs go as files; `_container_io` has the table. On one's own
machine the container runs in docker or podman. Its exit code counts: with another than 0 the attempt has failed, and
another is made while there are `retries`. A file called `error` among the outputs fails the task for good, whatever the
exit code.
"""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from contextvars import ContextVar
from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar

from windlass import _container_io as io, _container_run as engine, _types
from windlass._bindings import kind_of
from windlass._current import current_task
from windlass._exceptions import FlyteRecoverableException
from windlass._metadata import TaskMetadata
from windlass._options import RUN_OPTIONS
from windlass._task_object import TaskObject
from windlass_api import templates
from windlass_api.types import REFERENCES, Type, alternatives

if TYPE_CHECKING:
    from windlass._image import ImageSpec
    from windlass._pod_template import PodTemplate
    from windlass._resources import Resources
    from windlass._secrets import Secret

INPUT_FOLDER, OUTPUT_FOLDER = "/var/inputs", "/var/outputs"

_OPTIONS = tuple(
    option
    for option in (*RUN_OPTIONS, "docs", "deprecated")
    if option not in ("container_image", "enable_deck", "disable_deck", "deck_fields")
)
_FLYTE_WORDS = (
    "input",
    "inputprefix",
    "outputprefix",
    "rawoutputdataprefix",
    "perretryuniquekey",
    "tasktemplatepath",
    "prevcheckpointprefix",
    "checkpointoutputprefix",
    "namespace",
)
_overrides: ContextVar[dict[str, Any] | None] = ContextVar("windlass_container_overrides", default=None)


class ContainerTask(TaskObject):
    """A container as a task.

    Args:
        name: the task's name; it is used as it is, so choose one that nobody else has.
        image: the image, by name or as an ImageSpec.
        command: what to run, in place of the image's entrypoint. `{{.inputs.x}}` anywhere in it is the text of the
            input x. For a file or directory write its path, `<input_data_dir>/x`.
        inputs: types by name; `kwtypes(n=int)`. A pair (type, default) gives a default.
        metadata: cache, retries, timeout and more in one object; each is also an option of its own.
        arguments: arguments, in place of the image's own; templates as in `command`.
        outputs: types by name. Each is read from the file of its name in `output_data_dir`.
        requests: what the scheduler sets aside for it.
        limits: what it may use at most.
        input_data_dir: where the container finds a file for each input. None: /var/inputs.
        output_data_dir: where it leaves a file for each output. None: /var/outputs, if there are outputs.
        metadata_format: whether all inputs together are in the file `inputs.json` or `inputs.yaml`.
        io_strategy: when data is moved: one of IOStrategy, or two, one for downloads and one for uploads. Where data
            is not moved, the file of an input or output that lies elsewhere holds its address.
        secret_requests: the Secrets it may read.
        pod_template: what its pod is like beyond these options.
        pod_template_name: a PodTemplate object in the cluster to start from.
        local_logs: whether a local run prints what the container prints.
        resources: requests and limits at once.
        kwargs: more options of `@task`: environment, retries, timeout, cache, interruptible, accelerator,
            shared_memory, labels, annotations, retry_on, docs, deprecated.

    Raises:
        ValueError: an option that there is not, a template of an input that there is not, a folder without a full path,
            or the metadata format PROTO, which is Flyte's own.

    >>> greet = ContainerTask(
    ...     name="greet",
    ...     image="alpine:3",
    ...     command=["sh", "-c", "echo hello {{.inputs.who}} > /var/outputs/said"],
    ...     inputs={"who": str},
    ...     outputs={"said": str},
    ... )
    >>> greet.runner()["container"]["outputDir"]
    '/var/outputs'
    """

    class MetadataFormat(Enum):
        """The format of the file that has all inputs together."""

        JSON = "JSON"
        YAML = "YAML"
        PROTO = "Proto"

    class IOStrategy(Enum):
        """When the data of inputs or outputs is moved."""

        DOWNLOAD_EAGER = ("download", "Eager")
        DOWNLOAD_STREAM = ("download", "Stream")
        DO_NOT_DOWNLOAD = ("download", "None")
        UPLOAD_EAGER = ("upload", "Stream")
        UPLOAD_ON_EXIT = ("upload", "Eager")
        DO_NOT_UPLOAD = ("upload", "None")

    task_type: ClassVar[str] = "raw-container"

    def __init__(
        self,
        name: str,
        image: str | ImageSpec,
        command: Sequence[str],
        inputs: Mapping[str, Any] | None = None,
        metadata: TaskMetadata | None = None,
        arguments: Sequence[str] | None = None,
        outputs: Mapping[str, Any] | None = None,
        requests: Resources | None = None,
        limits: Resources | None = None,
        input_data_dir: str | None = None,
        output_data_dir: str | None = None,
        metadata_format: MetadataFormat = MetadataFormat.JSON,
        io_strategy: IOStrategy | Iterable[IOStrategy] | None = None,
        secret_requests: Iterable[Secret] | None = None,
        pod_template: PodTemplate | None = None,
        pod_template_name: str | None = None,
        local_logs: bool = True,
        resources: Resources | None = None,
        **kwargs: Any,
    ) -> None:
        named = {
            "requests": requests,
            "limits": limits,
            "secret_requests": secret_requests,
            "pod_template": pod_template,
            "pod_template_name": pod_template_name,
            "resources": resources,
        }
        _check_unrecognized(kwargs)
        given = {option: value for option, value in {**kwargs, **named}.items() if value is not None}
        options = {**_metadata_options(metadata, given), **given, "container_image": image}
        super().__init__(name, inputs, outputs, options, (*_OPTIONS, "container_image"))
        self._command, self._arguments = _texts(command, "command"), _texts(arguments or (), "arguments")
        self._input_folder = _folder(input_data_dir, "input_data_dir") or INPUT_FOLDER
        self._output_folder = _folder(output_data_dir, "output_data_dir") or OUTPUT_FOLDER
        if self._input_folder == self._output_folder:
            raise ValueError(f"{name}: inputs and outputs can't be in the same folder {self._input_folder}")
        self._metadata_format = _metadata_format(metadata_format)
        self._moves = _moves(io_strategy)
        self.local_logs = local_logs
        self._types = {name: kind_of(parameter.python_type).type for name, parameter in self.interface.inputs.items()}
        self._kinds = {name: kind_of(python_type) for name, python_type in self.interface.outputs.items()}
        self._has_output_folder = bool(self._kinds or output_data_dir)
        self._check_outputs()
        self._check_templates()

    # ---- what its manifest says ----

    def runner(self) -> dict[str, Any]:
        """The container, as its manifest says it."""
        self._check_references()
        found: dict[str, Any] = {
            "command": list(self._command),
            "args": list(self._arguments),
            "inputDir": self._input_folder if self._types else None,
            "outputDir": self._output_folder if self._has_output_folder else None,
            "metadataFormat": None if self._metadata_format == "JSON" else self._metadata_format,
            "ioStrategy": self._moves,
        }
        return {"container": {field: value for field, value in found.items() if value}}

    # ---- running it here ----

    def run(self, inputs: dict[str, Any], overrides: dict[str, Any]) -> dict[str, Any]:
        """Runs it here and now in docker or podman: JSON in, JSON out."""
        token = _overrides.set(overrides)
        mine = {field: value for field, value in overrides.items() if field not in ("env", "secrets")}
        try:
            return super().run(inputs, mine)  # variables and secrets are the container's, not this process's
        finally:
            _overrides.reset(token)

    def execute(self, **kwargs: Any) -> Any:
        """Runs the container on Python values; gives its output, or a tuple of several.

        Raises:
            FlyteNotImplementedException: neither docker nor podman works on this machine.
            FlyteRecoverableException: the container ended with another exit code than 0, and without a file `error`.
            FlyteUserRuntimeException: it left a file `error`.
            FlyteAssertion: an output is not there, or is not of its type.
        """
        self._check_references()
        params = self.pre_execute(current_task())
        inputs = {
            name: _types.to_wire(value, self.interface.inputs[name].python_type, _types.argument_of(self.name, name))
            for name, value in kwargs.items()
        }
        outputs = self._run(inputs, _overrides.get() or self.overrides)
        values = {
            name: _types.from_wire(value, self.interface.outputs[name], f"the output {name} of {self.name}:")
            for name, value in outputs.items()
        }
        return self.post_execute(params, self.interface.pack(values))

    def _run(self, inputs: dict[str, Any], options: dict[str, Any]) -> dict[str, Any]:
        with tempfile.TemporaryDirectory(prefix="windlass-container-", ignore_cleanup_errors=True) as folder:
            given, made, kept = (os.path.join(folder, name) for name in ("inputs", "outputs", "secrets"))  # noqa: PTH118  paths are strings here
            download, upload = (self._moves.get(way) != "None" for way in ("download", "upload"))
            io.write_inputs(given, inputs, self._types, self._metadata_format, download=download)
            os.mkdir(made)  # noqa: PTH102  as above
            os.chmod(made, 0o777)  # noqa: PTH101, S103  the container may run as any user
            variables, secret_files = _secret_values(options.get("secrets", ()), kept)
            texts = {name: templates.text_of(value, self._types[name]) for name, value in inputs.items()}
            container = engine.Container(
                image=options["image"],
                command=[templates.substituted(part, texts) for part in self._command],
                args=[templates.substituted(part, texts) for part in self._arguments],
                env=options.get("env", {}),
                mounts={
                    **({self._input_folder: given} if self._types else {}),
                    **({self._output_folder: made} if self._has_output_folder else {}),
                    **secret_files,
                },
                secrets=variables,
            )
            try:
                engine.run(container, _container_name(self.short_name), show=self.local_logs)
            except FlyteRecoverableException:
                io.raise_left_error(made)
                raise
            kinds = {name: (kind.type, kind.schema) for name, kind in self._kinds.items()}
            return io.read_outputs(made, kinds, self.name, upload=upload)

    # ---- what can't be ----

    def _check_outputs(self) -> None:
        if io.ERROR in self._kinds:
            raise ValueError(f"{self.name}: an output can't be called 'error': a file of that name fails the task")
        for name, kind in self._kinds.items():
            if any(option.name == "pickle" for option in alternatives(kind.type)):
                raise ValueError(
                    f"{self.name}: the output {name} would be a pickle, which only Python writes: take a FlyteFile"
                )

    def _check_templates(self) -> None:
        for part in (*self._command, *self._arguments):
            for word in templates.template_words(part):
                name = templates.input_name(word)
                if name is not None and name not in self._types:
                    raise ValueError(
                        f"{self.name}: {{{{.{word}}}}} in its command: there is no input {name!r}; there"
                        f" are {', '.join(self._types) or 'none'}"
                    )
                if word.lower() in _FLYTE_WORDS:
                    raise ValueError(
                        f"{self.name}: {{{{.{word}}}}} in its command has no meaning here: inputs are in"
                        f" {self._input_folder} and as {{{{.inputs.NAME}}}}, and outputs go to {self._output_folder}"
                    )

    def _check_references(self) -> None:
        """Files have paths in the container; their addresses, by a template, are for who does not want them moved."""
        if self._moves.get("download") == "None":
            return
        words = {word for part in (*self._command, *self._arguments) for word in templates.template_words(part)}
        for word in sorted(words):
            name = templates.input_name(word)
            if name is not None and _is_moved(self._types[name]):
                raise AssertionError(
                    "FlyteFile and FlyteDirectory commands should not use the template syntax like this:"
                    f" {{{{.{word}}}}}\nWrite the path in the container instead: {self._input_folder}/{name}. (For its"
                    " address: io_strategy=ContainerTask.IOStrategy.DO_NOT_DOWNLOAD.)"
                )


def _is_moved(of: Type) -> bool:
    return any(option.name in REFERENCES for option in alternatives(of))


def _check_unrecognized(kwargs: Mapping[str, Any]) -> None:
    decks = [option for option in kwargs if option in ("enable_deck", "disable_deck", "deck_fields")]
    if decks:
        raise ValueError(f"Unrecognized argument(s) for ContainerTask: {decks[0]}: only Python code writes a deck")


def _metadata_options(metadata: TaskMetadata | None, given: Mapping[str, Any]) -> dict[str, Any]:
    if metadata is None:
        return {}
    if not isinstance(metadata, TaskMetadata):
        raise TypeError(f"metadata takes a TaskMetadata, not {metadata!r}")
    options = metadata.options()
    twice = [option for option in options if option in given]
    if twice:
        raise ValueError(f"{twice[0]} is given twice: in metadata, and as an option of its own")
    _check_unrecognized(options)
    return options


def _texts(parts: Any, option: str) -> tuple[str, ...]:
    if isinstance(parts, str) or not all(isinstance(part, str) for part in parts):
        raise TypeError(f"{option} takes a list of texts, such as ['sh', '-c', 'true'], not {parts!r}")
    return tuple(parts)


def _folder(path: str | None, option: str) -> str | None:
    if path is None:
        return None
    text = os.fspath(path)
    if not text.startswith("/") or len(text) < 2:
        raise ValueError(
            f"{option} takes the full path of a folder in the container, such as /var/inputs, not {path!r}"
        )
    return text.rstrip("/")


def _metadata_format(given: Any) -> str:
    if given is ContainerTask.MetadataFormat.PROTO:
        raise ValueError(
            "metadata_format=PROTO would be Flyte's own message, which Windlass does not have: JSON and YAML hold the"
            " same values"
        )
    if not isinstance(given, ContainerTask.MetadataFormat):
        raise TypeError(f"metadata_format takes ContainerTask.MetadataFormat.JSON or YAML, not {given!r}")
    return str(given.value)


def _moves(strategy: Any) -> dict[str, str]:
    given = [] if strategy is None else [strategy] if isinstance(strategy, ContainerTask.IOStrategy) else list(strategy)
    found: dict[str, str] = {}
    for one in given:
        if not isinstance(one, ContainerTask.IOStrategy) or one.value[0] in found:
            raise TypeError(f"io_strategy takes one of ContainerTask.IOStrategy, or one for each way, not {strategy!r}")
        found[one.value[0]] = one.value[1]
    return found


def _container_name(task: str) -> str:
    readable = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in task)[:40]
    return f"windlass-{readable}-{secrets.token_hex(4)}"


def _secret_values(requests: Iterable[Mapping[str, Any]], folder: str) -> tuple[dict[str, str], dict[str, str]]:
    """The secrets that can be found here, as environment variables and as folders of files to mount.

    One that is not here is left out, as for other local runs: the container may not need it.
    """
    from windlass._secrets import FOLDER, SecretsManager  # noqa: PLC0415  few containers have secrets

    manager = SecretsManager()
    variables: dict[str, str] = {}
    for request in requests:
        which = (request.get("group"), request.get("key"), request.get("version"))
        try:
            value: bytes = manager.get(*which, encode_mode="rb")
        except ValueError:
            continue
        place = manager.get_secrets_file(*which)
        if request.get("mount") == "File" and place.startswith(f"{FOLDER}/"):
            path = folder + place.removeprefix(FOLDER)
            os.makedirs(os.path.dirname(path), exist_ok=True)  # noqa: PTH103, PTH120  paths are strings here
            with open(path, "wb") as file:  # noqa: PTH123  as above
                file.write(value)
            text = place
        else:
            text = value.decode().strip()
            variables[manager.get_secrets_env_var(*which)] = text
        if "env" in request:
            variables[request["env"]] = text
    return variables, {FOLDER: folder} if os.path.isdir(folder) else {}  # noqa: PTH112  as above


__all__ = ["ContainerTask"]
