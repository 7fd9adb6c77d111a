"""An attempt of a container task → its pod: the author's container as it is, and helpers that carry values.

::

    inputs (init)  ──►  outputs (native sidecar)  ──►  main  ──►  outputs
    writes files        is ready, and waits            runs       is told that main has ended, reads files,
                                                                  and leaves the record

The author's container needs nothing of ours: no Python, no shell. Helpers run in the operator's image, which has both
the runtime and what reads the store. There are only those that have something to do: without ``inputDir`` no files are
written, and without outputs and ``outputDir`` none are read. Where there is a cached result that lies in the store,
``inputs`` looks for it first; if all of it is there, it fails on purpose, so that main does not start.

The sidecar learns of main's end by the SIGTERM that the kubelet sends to sidecars then. It must not come before
somebody listens, or it would be lost: so main's start waits for the sidecar's ``postStart`` hook, and that for the
sidecar. The pod's grace period is the time that there is for storing files.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from windlass_api import names
from windlass_api.stored import any_in
from windlass_api.templates import input_name, substituted, template_words, text_of
from windlass_api.types import REFERENCES, alternatives, parse_type
from windlass_operator.manifests import look as looks
from windlass_operator.manifests.look import Step, container_security, dressed, mount
from windlass_operator.manifests.objects import Manifest
from windlass_operator.manifests.pod import TASK, PodAsk, data_folder, identity, large_values, message_room
from windlass_operator.manifests.store import PREFIX, add_access, add_variables

INPUTS, OUTPUTS = "inputs", "outputs"
"""The helpers."""
RUNNER = "container"
OUTPUT_FOLDER = "/var/outputs"
ARGUMENT_LIMIT = 131_071
"""Bytes of one argument, by Linux."""
COMMAND_LIMIT = 512 * 1024
"""Bytes of all arguments: a pod with more comes close to what etcd takes."""
DEFAULT_GRACE = 30
"""Seconds between SIGTERM and SIGKILL, where a pod says nothing."""
WAIT_UNTIL_READY = """
import os, time
while not os.path.exists("/tmp/windlass-ready"):
    time.sleep(0.02)
"""
OF_THE_STORE = ("AWS_", "FLYTE_AWS_", PREFIX)
"""How the names of variables begin by which an author says which store to use: the helpers have to know, too."""

_MOVED = tuple(name for name in REFERENCES if name != "pickle")
_NOT_HERE = (looks.python, looks.runtime, looks.code, looks.store)
STEPS: tuple[Step, ...] = tuple(step for step in looks.STEPS if step not in _NOT_HERE)
"""What of the look of all pods is that of these."""


class Problem(NamedTuple):
    """Why there can't be such a pod."""

    code: str
    message: str


def problem_of(ask: PodAsk) -> Problem | None:
    """What would go wrong in any pod for this ask."""
    far = [name for name in _named(ask) if any_in(ask.given.get(name)) is not None]
    if far:
        message = f"the command names the input {far[0]}, which is so large that it lies in the store"
        return Problem("InputsTooLarge", f"{message}: let the program read it from the file in inputDir")
    total = 0
    for place, text in _filled(ask):
        size = len(text.encode("utf-8", "surrogatepass"))
        total += size
        if "\0" in text:
            return Problem("InvalidInputs", f"{place}: no argument of a program can hold the character NUL")
        if size > ARGUMENT_LIMIT:
            message = f"{place}: {size:,} bytes with the inputs in it; one argument may have {ARGUMENT_LIMIT:,}"
            return Problem("InputsTooLarge", f"{message}: let the program read its input from the file in inputDir")
    if total > COMMAND_LIMIT:
        message = f"the command has {total:,} bytes with the inputs in it; it may have {COMMAND_LIMIT:,}"
        return Problem("InputsTooLarge", f"{message}: let the program read its inputs from the files in inputDir")
    stored = [name for name, output in _outputs(ask).items() if _is_moved(output)]
    if stored and _moves(ask, "upload") and not _data_folder(ask):
        message = f"the output {stored[0]} is a file, a folder or a table, and the operator has no store to keep it in"
        return Problem("NoStore", f"{message}: set the chart's store.prefix")
    return None


def build(ask: PodAsk) -> Manifest:
    """The pod of one attempt, for which there is no problem."""
    pod, main = dressed(ask.look, STEPS)
    identity(pod, main, ask)
    pod["metadata"]["annotations"][names.ANNOTATION_RUNNER] = RUNNER
    _command(main, ask)
    _about_the_run(main, ask)
    if not (_moves(ask, "download") and _moves(ask, "upload")):  # then it reads or writes the store itself
        _store(pod, main, ask)
    helpers = [*_writer_of_inputs(pod, main, ask), *_reader_of_outputs(pod, main, ask)]
    pod["spec"]["initContainers"] = [*pod["spec"].get("initContainers", ()), *(helper for helper, _ in helpers)]
    for helper, order in helpers:
        always = {"task": ask.task, "retryOn": ask.look.spec.get("retryOn") or [], "limit": message_room(pod, ask)}
        document = {**always, **order}
        text = json.dumps(document, separators=(",", ":")).replace("$", "\\u0024")
        helper["env"].append({"name": TASK, "value": text})
    if not pod["spec"]["initContainers"]:
        del pod["spec"]["initContainers"]
    pod["spec"]["volumes"] = list({volume["name"]: volume for volume in pod["spec"]["volumes"]}.values())
    return pod


def _command(main: Manifest, ask: PodAsk) -> None:
    """What runs, with the inputs in it. Kubernetes would read ``$(NAME)`` and ``$$`` in its own way, so ``$`` is
    doubled: what is written is what runs, as without a cluster. A template's command does not count.
    """
    for field in ("command", "args"):
        main.pop(field, None)
    for place, text in _filled(ask):
        main.setdefault(place.partition("[")[0], []).append(text.replace("$", "$$"))
    main["terminationMessagePolicy"] = "FallbackToLogsOnError"


def _filled(ask: PodAsk) -> list[tuple[str, str]]:
    """Each part of the command line with the inputs' texts in it, and where it stands."""
    texts = {name: text_of(ask.given.get(name), parse_type(of)) for name, of in _named(ask).items()}
    return [(place, substituted(text, texts)) for place, text in _parts(ask)]


def _parts(ask: PodAsk) -> list[tuple[str, str]]:
    container = _container(ask)
    return [
        (f"{field}[{index}]", text)
        for field in ("command", "args")
        for index, text in enumerate(container.get(field) or ())
    ]


def _named(ask: PodAsk) -> dict[str, str]:
    """The types of the inputs that stand in the command."""
    named = {input_name(word) for _, text in _parts(ask) for word in template_words(text)}
    return {name: of for name, of in _types(ask).items() if name in named}


def _about_the_run(main: Manifest, ask: PodAsk) -> None:
    """What a program may want to know, by the names that Python tasks have it under."""
    project, _, domain = ask.look.namespace.rpartition("-")
    known = {
        "FLYTE_INTERNAL_EXECUTION_ID": ask.execution,
        "FLYTE_INTERNAL_EXECUTION_PROJECT": project or ask.look.namespace,
        "FLYTE_INTERNAL_EXECUTION_DOMAIN": domain if project else "",
        "FLYTE_INTERNAL_TASK_NAME": ask.task,
        "FLYTE_ATTEMPT_NUMBER": str(ask.attempt),
    }
    if ask.element is not None:
        element = {"BATCH_JOB_ARRAY_INDEX_VAR_NAME": "WINDLASS_ELEMENT", "WINDLASS_ELEMENT": str(ask.element)}
        known |= {**element, "BATCH_JOB_ARRAY_INDEX_OFFSET": "0"}
    given = {one["name"] for one in main["env"]}
    main["env"] += [{"name": name, "value": value} for name, value in known.items() if name not in given]


Helper = tuple[Manifest, dict[str, Any]]
"""A helper, and what it has to do."""


def _writer_of_inputs(pod: Manifest, main: Manifest, ask: PodAsk) -> list[Helper]:
    container = _container(ask)
    folder = container.get("inputDir")
    if not folder and ask.cached is None:
        return []
    helper = _helper(pod, ask, INPUTS)
    if folder:
        large_values(pod, helper, ask)
        _share(pod, main, helper, INPUTS, folder)
    order = {
        "cached": ask.cached,
        "inputs": ask.inputs,
        "types": _types(ask),
        "folder": folder,
        "metadata": container.get("metadataFormat") or "JSON",
        "moves": _moves(ask, "download"),
    }
    return [(helper, order)]


def _reader_of_outputs(pod: Manifest, main: Manifest, ask: PodAsk) -> list[Helper]:
    outputs = _outputs(ask)
    folder = _container(ask).get("outputDir") or (OUTPUT_FOLDER if outputs else None)
    if not folder:
        return []
    helper = _helper(pod, ask, OUTPUTS)
    helper["restartPolicy"] = "Always"  # which makes it a sidecar
    helper["lifecycle"] = {"postStart": {"exec": {"command": ["python3", "-IS", "-c", WAIT_UNTIL_READY]}}}
    _share(pod, main, helper, OUTPUTS, folder)
    moves = _moves(ask, "upload")
    if moves and any(map(_is_moved, outputs.values())):
        if (
            pod["spec"].get("terminationGracePeriodSeconds", DEFAULT_GRACE) == DEFAULT_GRACE
        ):  # templates in a cluster say so
            pod["spec"]["terminationGracePeriodSeconds"] = round(ask.look.settings.outputs_grace)
        pod["metadata"]["annotations"][names.ANNOTATION_STOP_GRACE] = str(DEFAULT_GRACE)
    order = {
        "outputs": {
            name: {part: output[part] for part in ("type", "schema") if part in output}
            for name, output in outputs.items()
        },
        "folder": folder,
        "moves": moves,
        "grace": pod["spec"].get("terminationGracePeriodSeconds", DEFAULT_GRACE),
    }
    return [(helper, order)]


def _helper(pod: Manifest, ask: PodAsk, role: str) -> Manifest:
    settings = ask.look.settings
    helper: Manifest = {
        "name": role,
        "image": settings.operator_image,
        "imagePullPolicy": settings.image_pull_policy,
        "command": ["python3", "-m", "windlass.runtime.carrier", role],
        "env": [{"name": "PYTHONPATH", "value": "/runtime"}, *_authors_store(ask)],
        "resources": {"requests": {"cpu": "10m", "memory": "64Mi"}, "limits": {"memory": "512Mi"}},
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": container_security(),
        "volumeMounts": [],
    }
    _store(pod, helper, ask)
    return helper


def _store(pod: Manifest, container: Manifest, ask: PodAsk) -> None:
    """Where the data is, and what it takes to get there."""
    add_access(pod, container, ask.look.settings.store)
    folder = _data_folder(ask)
    if folder:
        add_variables(container, {PREFIX: folder})


def _share(pod: Manifest, main: Manifest, helper: Manifest, name: str, path: str) -> None:
    """A folder that both have at the same place."""
    mount(pod, main, name, path, {"emptyDir": {}}, read_only=False)
    helper["volumeMounts"].append({"name": name, "mountPath": path})


def _authors_store(ask: PodAsk) -> list[Manifest]:
    chosen = sorted((ask.look.spec.get("env") or {}).items())
    return [{"name": name, "value": str(value)} for name, value in chosen if name.startswith(OF_THE_STORE)]


def _data_folder(ask: PodAsk) -> str:
    return str((ask.look.spec.get("env") or {}).get(PREFIX) or data_folder(ask))


def _container(ask: PodAsk) -> Mapping[str, Any]:
    found: Mapping[str, Any] = ask.look.spec["container"]
    return found


def _types(ask: PodAsk) -> dict[str, str]:
    return {name: parameter["type"] for name, parameter in (ask.look.spec.get("inputs") or {}).items()}


def _outputs(ask: PodAsk) -> Mapping[str, Any]:
    found: Mapping[str, Any] = ask.look.spec.get("outputs") or {}
    return found


def _is_moved(parameter: Mapping[str, Any]) -> bool:
    return any(option.name in _MOVED for option in alternatives(parse_type(parameter["type"])))


def _moves(ask: PodAsk, way: str) -> bool:
    return (_container(ask).get("ioStrategy") or {}).get(way) != "None"
