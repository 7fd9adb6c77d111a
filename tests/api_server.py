"""An API server in memory: objects by path, and the answers of a real one to all that is asked of it here.

The unit tests script it (``tests.unit.operator.fake_cluster``), the simulator runs whole histories on it
(``tests.simulator.world``), and tests/contract/test_fake_cluster.py holds it to a real one.

::

    POST    AlreadyExists; a uid, a version and (of our kinds) a generation; no status where that is a subresource
    GET     one object, or a list selected by labels, in pages
    PATCH   JSON Patch, merge patch, strategic merge patch; of the object without its status, or of its status only
    PUT     refused where it was made of an older version
    DELETE  with preconditions; what only this object owned goes with it

An object is never changed in place: each version of it shares what stayed the same with the one before.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Mapping
from typing import Any

import jsonpatch
import orjson

from windlass_api import names
from windlass_operator.clients.cluster import JSON, JSON_PATCH, METADATA_ONLY, STRATEGIC_MERGE_PATCH, Answer
from windlass_operator.reconcile import paths

Body = dict[str, Any]

MERGE_PATCH = "application/merge-patch+json"

_PATH = re.compile(
    r"(?P<collection>.*/namespaces/(?P<namespace>[^/]+)/[a-z]+)(/(?P<name>[^/]+)(?P<status>/status)?)?\Z"
)
_EVERYWHERE = re.compile(r"(?P<api>/api/v1|/apis/[^/]+/[^/]+)/(?P<plural>[a-z]+)\Z")
_MADE_BY_SERVER = ("uid", "resourceVersion", "generation", "creationTimestamp")


def wire(value: Any) -> Any:
    """The value as it arrives at the other end: a copy, and JSON."""
    return orjson.loads(orjson.dumps(value))


def collections_of(namespace: str) -> dict[str, str]:
    """The paths of a namespace's collections, by plural."""
    return {
        "pods": paths.pods(namespace),
        "configmaps": paths.config_maps(namespace),
        "controllerrevisions": paths.revisions(namespace),
        **{plural: f"/apis/{names.API_VERSION}/namespaces/{namespace}/{plural}" for plural in names.PLURALS.values()},
    }


class Place:
    """What a path names."""

    __slots__ = ("collection", "name", "namespace", "ours", "path", "status", "title")

    def __init__(self, path: str) -> None:
        found = _PATH.match(path)
        assert found is not None, f"there is no such path: {path}"
        self.collection, self.namespace = found["collection"], found["namespace"]
        self.name: str = found["name"] or ""
        self.status = bool(found["status"])
        self.path = f"{self.collection}/{self.name}"
        self.ours = self.collection.startswith(f"/apis/{names.GROUP}/")
        plural = self.collection.rpartition("/")[2]
        self.title = f'{f"{plural}.{names.GROUP}" if self.ours else plural} "{self.name}"'


class ApiServer:
    """See the module. Subclasses hear of every change by ``changed``."""

    def __init__(self) -> None:
        self._objects: dict[str, Body] = {}
        self._versions = 0
        self._pages: dict[str, list[Body]] = {}
        self._places: dict[str, Place] = {}

    def changed(self, change: str, path: str, item: Body, before: Body | None) -> None:
        """An object came (ADDED), changed (MODIFIED) or went (DELETED)."""

    def created_at(self) -> str:
        """The time that a new object is said to be made at."""
        return "2026-11-22T19:00:00Z"

    def get(self, path: str) -> Body | None:
        """An object as it is now."""
        return self._objects.get(path)

    def put(self, collection: str, body: Mapping[str, Any]) -> Body:
        """An object is there, exactly so, with its own uid if it has one."""
        place = self.place(f"{collection}/{body['metadata']['name']}")
        meta = {"namespace": place.namespace, "uid": f"uid-{self._versions + 1}", **body["metadata"]}
        return self._store(place.path, {**body, "metadata": meta}, self._objects.get(place.path))

    def drop(self, path: str) -> None:
        """An object is gone."""
        item = self._objects.pop(path)
        self._versions += 1
        self.changed("DELETED", path, self._stamped(item), item)

    def listed(self, collection: str, selector: str = "") -> list[Body]:
        """The objects of a collection in the order of their names."""
        start, length = f"{collection}/", len(collection) + 1
        return [
            item
            for path, item in sorted(self._objects.items())
            if path.startswith(start)
            and "/" not in path[length:]
            and _selected(item["metadata"].get("labels") or {}, selector)
        ]

    @property
    def version(self) -> int:
        """The version of the newest change."""
        return self._versions

    def place(self, path: str) -> Place:
        """What a path names (remembered, for it is asked often)."""
        found = self._places.get(path)
        if found is None:
            found = self._places[path] = Place(path)
        return found

    async def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        content_type: str = JSON,
        accept: str = JSON,
        query: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request of an operator, which watches nothing: who has to hear of a change is told (``changed``)."""
        await asyncio.sleep(0)
        answer = self.answer(method, path, wire(body), content_type, accept, query)
        return Answer(answer.status, wire(answer.body))

    def answer(
        self,
        method: str,
        path: str,
        body: Any = None,
        content_type: str = JSON,
        accept: str = JSON,
        query: Mapping[str, str] | None = None,
    ) -> Answer:
        """Do what is asked."""
        everywhere = _EVERYWHERE.match(path)
        if everywhere:
            return self._list(self._in_all_namespaces(everywhere, (query or {}).get("labelSelector", "")), query or {})
        place = self.place(path)
        if method == "POST":
            answer = self._create(place, body)
        elif not place.name:
            return self._list(self.listed(place.collection, (query or {}).get("labelSelector", "")), query or {})
        else:
            answer = self._one(method, place, body, content_type)
        if answer.ok and accept == METADATA_ONLY and method != "DELETE":
            return Answer(answer.status, {"metadata": answer.body["metadata"]})
        return answer

    def collect(self, uid: str) -> None:
        """Garbage collection: an owner is gone. Who has no other goes as well."""
        for path, item in list(self._objects.items()):
            owners = item["metadata"].get("ownerReferences") or ()
            if path not in self._objects or all(owner["uid"] != uid for owner in owners):
                continue
            rest = [owner for owner in owners if owner["uid"] != uid]
            if rest:
                self._store(path, {**item, "metadata": {**item["metadata"], "ownerReferences": rest}}, item)
            else:
                self.let_go(self.place(path), item)

    def remove(self, path: str, item: Body) -> None:
        """Delete an object, with what only it owns."""
        self.drop(path)
        self.collect(item["metadata"]["uid"])

    def _create(self, place: Place, body: Body) -> Answer:
        place = self.place(f"{place.collection}/{body['metadata']['name']}")
        if place.path in self._objects:
            return refusal(409, "AlreadyExists", f"{place.title} already exists")
        meta = {key: value for key, value in body["metadata"].items() if key not in _MADE_BY_SERVER}
        meta |= {"namespace": place.namespace, "uid": f"uid-{self._versions + 1}"}
        meta["creationTimestamp"] = self.created_at()
        if place.ours:
            meta["generation"] = 1
            body = {key: value for key, value in body.items() if key != "status"}
        return Answer(201, self._store(place.path, {**body, "metadata": meta}, None))

    def _in_all_namespaces(self, found: re.Match[str], selector: str) -> list[Body]:
        collections = {path.rpartition("/")[0] for path in self._objects}
        wanted = re.compile(rf"{re.escape(found['api'])}/namespaces/[^/]+/{found['plural']}\Z")
        return [item for name in sorted(collections) if wanted.match(name) for item in self.listed(name, selector)]

    def _list(self, found: list[Body], query: Mapping[str, str]) -> Answer:
        token, version = query.get("continue", ""), str(self._versions)
        if token:
            if token not in self._pages:
                return refusal(410, "Expired", "The provided continue parameter is too old")
            found, version = self._pages.pop(token), token.partition("-")[0]
        meta, limit = {"resourceVersion": version}, int(query.get("limit") or 0)
        if limit and len(found) > limit:
            meta["continue"] = f"{version}-{len(self._pages)}-{len(found)}"
            self._pages[meta["continue"]] = found[limit:]
            found = found[:limit]
        return Answer(200, {"items": found, "metadata": meta})

    def _one(self, method: str, place: Place, body: Any, content_type: str) -> Answer:
        item = self._objects.get(place.path)
        if item is None:
            return refusal(404, "NotFound", f"{place.title} not found")
        if method == "GET":
            return Answer(200, item)
        if method == "DELETE":
            return self._delete(place, item, body or {})
        if method == "PUT":
            return self._replace(place, item, body)
        return self._patch(place, item, body, content_type)

    def _delete(self, place: Place, item: Body, body: Body) -> Answer:
        meta = item["metadata"]
        for key, called in (("uid", "UID"), ("resourceVersion", "ResourceVersion")):
            wanted = (body.get("preconditions") or {}).get(key)
            if wanted is not None and wanted != meta[key]:
                text = f"Precondition failed: {called} in precondition: {wanted}, {called} in object meta: {meta[key]}"
                return refusal(409, "Conflict", f"Operation cannot be fulfilled on {place.title}: {text}")
        self.let_go(place, item)
        return Answer(200, {"status": "Success"})

    def let_go(self, place: Place, item: Body) -> None:
        """Somebody asked for an object to go."""
        self.remove(place.path, item)

    def _replace(self, place: Place, item: Body, body: Body) -> Answer:
        given = body["metadata"].get("resourceVersion")
        if not given and place.ours:
            return refusal(
                422,
                "Invalid",
                f"{place.title} is invalid: metadata.resourceVersion: Invalid value: 0x0: must be specified",
            )
        return self._outdated(place, item, body) or self._update(place, item, body)

    @staticmethod
    def _outdated(place: Place, item: Body, body: Body) -> Answer | None:
        """Whoever says on which version a change builds is refused when it is another by now."""
        given = (body.get("metadata") or {}).get("resourceVersion")
        if not given or given == item["metadata"]["resourceVersion"]:
            return None
        return refusal(
            409,
            "Conflict",
            f"Operation cannot be fulfilled on {place.title}: the object has been modified; please apply your "
            "changes to the latest version and try again",
        )

    def _patch(self, place: Place, item: Body, body: Any, content_type: str) -> Answer:
        if content_type == JSON_PATCH:
            try:
                return self._update(place, item, json_patched(item, body))
            except PatchError as problem:
                return refusal(422, "Invalid", f"the server rejected our request: {problem}")
        if content_type == MERGE_PATCH:
            return self._outdated(place, item, body) or self._update(place, item, merged(item, body))
        if content_type == STRATEGIC_MERGE_PATCH and not place.ours:
            return self._update(place, item, _with_owners(item, merged(item, body), body))
        return refusal(415, "UnsupportedMediaType", f"the body of the request was in an unknown format: {content_type}")

    def _update(self, place: Place, item: Body, wanted: Body) -> Answer:
        """What is wanted comes true, as far as one door lets it: that of the status, or that of the rest."""
        old = item["metadata"]
        meta = {**wanted["metadata"], **{key: old[key] for key in _MADE_BY_SERVER if key in old}}
        meta["namespace"] = old["namespace"]
        if place.status:
            changed = {**item, "status": wanted["status"]} if "status" in wanted else item
        elif place.ours:
            changed = {key: value for key, value in wanted.items() if key != "status"} | {"metadata": meta}
            if "status" in item:
                changed["status"] = item["status"]
            if changed.get("spec") != item.get("spec"):
                meta["generation"] = old.get("generation", 1) + 1
        else:
            changed = {**wanted, "metadata": meta}
        return Answer(200, item if changed == item else self._store(place.path, changed, item))

    def _store(self, path: str, item: Body, before: Body | None) -> Body:
        self._versions += 1
        stored = self._objects[path] = self._stamped(item)
        self.changed("ADDED" if before is None else "MODIFIED", path, stored, before)
        return stored

    def _stamped(self, item: Body) -> Body:
        meta = {**item["metadata"], "resourceVersion": str(self._versions)}
        owners = meta.get("ownerReferences")
        if owners and len(owners) > 1:
            meta["ownerReferences"] = [owner for index, owner in enumerate(owners) if owner not in owners[:index]]
        return {**item, "metadata": meta}


def refusal(status: int, reason: str = "", message: str = "") -> Answer:
    """An answer that isn't the wanted one."""
    return Answer(status, {"kind": "Status", "reason": reason, "message": message, "code": status})


class PatchError(ValueError):
    """A JSON Patch can't be applied, or a test in it failed."""


def json_patched(item: Body, operations: Iterable[Mapping[str, Any]]) -> Body:
    """The object after a JSON Patch. It shares what stays the same."""
    for operation in operations:
        if operation["op"] not in ("add", "remove", "replace", "test"):
            try:
                item = jsonpatch.apply_patch(item, [operation])
            except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException) as problem:
                raise PatchError(str(problem)) from None
            continue
        steps = [step.replace("~1", "/").replace("~0", "~") for step in operation["path"].split("/")[1:]]
        item = _operated(item, steps, operation)
    return item


def _operated(value: Any, steps: list[str], operation: Mapping[str, Any]) -> Any:
    op = operation["op"]
    if not steps:
        if op == "test" and value != operation["value"]:
            raise PatchError(f"the test of {operation['path']} failed")
        return value if op == "test" else operation.get("value")
    step, *rest = steps
    if isinstance(value, list):
        return _operated_list(value, step, rest, operation)
    if not isinstance(value, dict) or (step not in value and (rest or op != "add")):
        raise PatchError(f"there is no {operation['path']}")
    if not rest and op == "remove":
        return {key: part for key, part in value.items() if key != step}
    if not rest and op != "test":
        return {**value, step: operation["value"]}
    part = _operated(value[step], rest, operation)
    return value if part is value[step] else {**value, step: part}


def _operated_list(value: list[Any], step: str, rest: list[str], operation: Mapping[str, Any]) -> list[Any]:
    op, adds = operation["op"], operation["op"] == "add" and not rest
    if step == "-" and adds:
        return [*value, operation["value"]]
    if not step.isdigit() or int(step) > len(value) - (0 if adds else 1):
        raise PatchError(f"there is no {operation['path']}")
    index = int(step)
    if adds:
        return [*value[:index], operation["value"], *value[index:]]
    if not rest and op == "remove":
        return [*value[:index], *value[index + 1 :]]
    return [*value[:index], _operated(value[index], rest, operation), *value[index + 1 :]]


def merged(item: Any, patch: Any) -> Any:
    """The value after a merge patch (RFC 7386): null removes."""
    if not isinstance(patch, Mapping):
        return patch
    result = dict(item) if isinstance(item, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


def _with_owners(item: Body, changed: Body, patch: Body) -> Body:
    """Owners are merged by uid."""
    given = (patch.get("metadata") or {}).get("ownerReferences")
    if given is None:
        return changed
    owners = {owner["uid"]: owner for owner in item["metadata"].get("ownerReferences") or ()}
    for owner in given:
        owners[owner["uid"]] = {**owners.get(owner["uid"], {}), **owner}
    return {**changed, "metadata": {**changed["metadata"], "ownerReferences": list(owners.values())}}


def _selected(labels: Mapping[str, str], selector: str) -> bool:
    return not selector or all(_holds(labels, rule) for rule in selector.split(",") if rule)


def _holds(labels: Mapping[str, str], rule: str) -> bool:
    if rule.startswith("!"):
        return rule[1:] not in labels
    key, equals, value = rule.partition("=")
    return labels.get(key) == value if equals else key in labels
