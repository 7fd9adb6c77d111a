"""`windlass plan FILE|DIR… [--against DIR]`: what applying manifests would change, and which objects it would break.

Against a second folder (what is in Git, say), or against the cluster, whose API server is asked what each object would
become: it is a dry run, nothing is written.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from windlass import _remote
from windlass._cli import _plan_changes, _sources
from windlass._cli._checked import InvalidManifestsError
from windlass._cli._plan_changes import CONTENT, Breakage, Change, Key
from windlass._remote import objects as remote
from windlass._remote.client import AlreadyThereError, RefusedError
from windlass_api.findings import Finding
from windlass_api.names import API_VERSION, GROUP, LABEL_DEFINITION, LABEL_VERSION, PLURALS

NAME = "plan"
HELP = "show what applying manifests would change, and what it would break"

_DEFINITIONS = ("ActorEnvironment", "Task", "Workflow", "LaunchPlan")
_REFUSED = "Refused"
_WORDS = {"+": "added", "~": "changed", "-": "removed"}

Manifest = dict[str, Any]


def configure(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.description = (
        "Shows what applying manifests would add (+), change (~, with the fields) and remove (-), and which objects it"
        " would break (!): a workflow whose task takes other inputs now, a launch plan whose values no longer fit."
        " Compared is with a second folder, or without --against with the cluster, by a dry run that writes nothing;"
        " there nothing is removed, since applying removes nothing. Exit code 1 if something breaks that was in order"
        " before."
    )
    parser.add_argument("paths", metavar="FILE|DIR", nargs="+", help="manifests, folders of manifests, or Python files")
    parser.add_argument(
        "--against",
        metavar="FILE|DIR",
        help="what there is now, whole: what it has and the others lack counts as removed (default: the cluster)",
    )
    parser.add_argument(
        "-n", "--namespace", help="for objects that name none (default: that of the kubeconfig's context)"
    )
    parser.add_argument("--context", help="the kubeconfig's context (default: the current one)")
    parser.add_argument("--kubeconfig", metavar="PATH", help="(default: $KUBECONFIG, ~/.kube/config)")


def run(arguments: argparse.Namespace) -> int:
    """Plans."""
    given, open_ended = _read(arguments.paths, arguments.namespace)
    if arguments.against is None:
        try:
            changes, broken, total = _against_cluster(given, arguments)
        except _remote.RemoteError as error:
            print(f"windlass: {error}", file=sys.stderr)
            return 1
    else:
        there, _ = _read([arguments.against], arguments.namespace)
        before, after = _plan_changes.world(there), _plan_changes.world(given)
        changes = _plan_changes.compared(before, after)
        broken, total = _plan_changes.breakages(before, after, open_ended=open_ended), len(after)
    sys.stdout.write(_told(changes, broken, total))
    return 1 if broken else 0


def _read(paths: Sequence[str], namespace: str | None) -> tuple[list[Manifest], set[Key]]:
    """The objects, and which of them Python made: those may refer to what is in the cluster already."""
    found: list[Manifest] = []
    from_python: set[Key] = set()
    try:
        for file in (file for path in paths for file in _sources.files(Path(path))):
            objects = [json.loads(json.dumps(one, default=str)) for one in _sources.objects(file)]
            objects = [one for one in objects if one["kind"] != "Kustomization"]
            _check_metadata(objects, file)
            if namespace is not None:
                objects = [remote.in_namespace(one, namespace) for one in objects]
            found += objects
            if file.suffix == _sources.PYTHON:
                from_python.update(_plan_changes.world(objects))
    except ValueError as error:
        raise InvalidManifestsError(str(error)) from error
    return found, from_python


def _check_metadata(objects: Iterable[Manifest], file: Path) -> None:
    """What has no name at all can be held beside nothing; every other mistake is found later."""
    for one in objects:
        metadata = one.get("metadata")
        if not isinstance(metadata, dict) or not {"name", "generateName"} & metadata.keys():
            raise ValueError(
                f"{file}: a {one['kind']} has no metadata.name; `windlass validate` tells all that is wrong"
            )


def _against_cluster(
    given: Iterable[Manifest], arguments: argparse.Namespace
) -> tuple[list[Change], list[Breakage], int]:
    """What would change, what would break or is refused, and how many objects would be applied."""
    cluster = _remote.connect(kubeconfig=arguments.kubeconfig, context=arguments.context, namespace=arguments.namespace)
    everything = _plan_changes.world(remote.in_namespace(one, cluster.namespace) for one in given)
    wanted = {key: manifest for key, manifest in everything.items() if _is_applied(manifest)}
    foreign = [str(key) for key, manifest in everything.items() if not _is_ours(manifest) and key not in wanted]
    if foreign:
        print(f"left out, as `kubectl diff` shows them: {', '.join(foreign)}", file=sys.stderr)
    before = _there(cluster, wanted)
    after, refused = {**before, **{key: one for key, one in everything.items() if _is_ours(one)}}, []
    for key, manifest in wanted.items():
        after[key] = manifest
        try:
            after[key] = _plain(remote.apply(cluster, [manifest], dry_run=True)[0])
        except (RefusedError, AlreadyThereError) as error:
            refused.append(Breakage(key, Finding("", _REFUSED, f"the API server would refuse it: {error}")))
    kept = [one for namespace in _namespaces(wanted) for one in _earlier_versions(cluster, namespace)]
    broken = _plan_changes.breakages(before, after, kept=kept)
    told = {breakage.key for breakage in broken}
    changes = [change for change in _plan_changes.compared(before, after) if change.key in wanted]
    return changes, broken + [one for one in refused if one.key not in told], len(wanted)


def _there(cluster: _remote.Cluster, wanted: Iterable[Key]) -> dict[Key, Manifest]:
    """All definitions of the namespaces, and of the other kinds what is wanted."""
    found: dict[Key, Manifest] = {}
    for namespace in _namespaces(wanted):
        for kind in _DEFINITIONS:
            found |= _plan_changes.world(_plain(one) for one in remote.list_all(cluster, kind, namespace))
    for key in wanted:
        kept = remote.find(cluster, key.kind, key.name, key.namespace) if key.kind not in _DEFINITIONS else None
        if kept is not None:
            found[key] = _plain(kept)
    return found


def _earlier_versions(cluster: _remote.Cluster, namespace: str) -> list[Manifest]:
    """The versions of definitions that the operator keeps."""
    selector = f"{LABEL_DEFINITION},{LABEL_VERSION}"
    return [
        {
            "apiVersion": API_VERSION,
            "kind": one["data"]["kind"],
            "metadata": {"name": one["data"]["name"], "namespace": namespace},
            "spec": one["data"]["spec"],
        }
        for one in reversed(remote.list_all(cluster, "ControllerRevision", namespace, selector=selector))
    ]


def _namespaces(keys: Iterable[Key]) -> list[str]:
    return list(dict.fromkeys(key.namespace for key in keys))


def _is_ours(manifest: Manifest) -> bool:
    return str(manifest.get("apiVersion")).partition("/")[0] == GROUP


def _is_applied(manifest: Manifest) -> bool:
    """Whether the SDK applies it. What is ours and misspelled is not; it is found by the rules."""
    kind = (manifest.get("apiVersion"), manifest["kind"])
    return kind == ("v1", "ConfigMap") or (kind[0] == API_VERSION and kind[1] in PLURALS)


def _plain(kept: Manifest) -> Manifest:
    """An object of the cluster without what the cluster itself has written into it."""
    metadata = {
        field: kept["metadata"][field]
        for field in ("name", "namespace", "labels", "annotations")
        if field in kept["metadata"]
    }
    content = {field: kept[field] for field in CONTENT if field in kept}
    return {"apiVersion": kept["apiVersion"], "kind": kept["kind"], "metadata": metadata, **content}


def _told(changes: list[Change], broken: list[Breakage], objects: int) -> str:
    lines = []
    for change in changes:
        lines.append(f"{change.sign} {change.key}")
        lines += [f"    {field}" for field in change.fields]
    lines += [f"! {breakage.key}: {breakage.finding}" for breakage in broken]
    counts = {sign: sum(change.sign == sign for change in changes) for sign in _WORDS}
    shown = [f"{count} {_WORDS[sign]}" for sign, count in counts.items()]
    shown.append(f"{objects - counts['+'] - counts['~']} unchanged")
    breaks = len({breakage.key for breakage in broken})
    summary = f"{', '.join(shown)}; " + (f"{breaks} would break" if breaks else "nothing would break")
    return "\n".join([*lines, summary, ""])
