"""Backfills: the times of a plan's schedule in a range that is past, each of them run once."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any
from zoneinfo import ZoneInfo

from windlass._artifacts.query import time_text
from windlass._modules import caller
from windlass._remote.client import Object
from windlass_api import cron
from windlass_api.names import API_VERSION

MOST = 10_000


class FlyteBackfill:
    """A backfill: `slots` are the times that it runs the plan for, `object` is what the cluster has, if it does."""

    def __init__(self, manifest: Object, slots: list[datetime]) -> None:
        self.object = manifest
        self.slots = slots

    @property
    def name(self) -> str:
        """Its name; empty before it is created without one."""
        return str(self.object["metadata"].get("name", ""))

    @property
    def spec(self) -> dict[str, Any]:
        """What it says."""
        spec: dict[str, Any] = self.object["spec"]
        return spec

    @property
    def status(self) -> dict[str, Any]:
        """How far it is."""
        return self.object.get("status") or {}

    def __len__(self) -> int:
        return len(self.slots)

    def __repr__(self) -> str:
        span = f" from {time_text(self.slots[0])} to {time_text(self.slots[-1])}" if self.slots else ""
        return f"<backfill {self.name or '(not created)'} of {self.spec['launchPlan']['name']}: {len(self)} runs{span}>"


def slots_of(plan: str, schedule: Mapping[str, Any] | None, after: datetime, until: datetime) -> list[datetime]:
    """The times of a cron schedule after `after`, up to and with `until`.

    Raises:
        ValueError: the plan has no cron schedule, or no time of it is in the range.
    """
    text = (schedule or {}).get("cron")
    if text is None:
        raise ValueError(
            f"{caller()}: the launch plan {plan} has no cron schedule, so nothing says which times there were"
        )
    zone_name = (schedule or {}).get("timezone")
    start, end = (_utc(moment) for moment in (after, until))
    if start >= end:
        raise ValueError(f"{caller()}: from_date {after} is not before to_date {until}")
    found = []
    for moment in cron.times_after(cron.parse(text), start, ZoneInfo(zone_name) if zone_name else timezone.utc):
        if moment > end:
            break
        found.append(moment)
        if len(found) > MOST:
            raise ValueError(f"{caller()}: {plan} has more than {MOST} times between {after} and {until}")
    if not found:
        raise ValueError(f"{caller()}: {plan} ({text}) has no time between {after} and {until}")
    return found


def manifest(
    plan: Mapping[str, str],
    after: datetime,
    until: datetime,
    *,
    name: str | None,
    parallel: int | None,
    failure_policy: str | None,
    overwrite_cache: bool | None,
    suspend: bool,
) -> Object:
    """The Backfill object."""
    spec: dict[str, Any] = {"launchPlan": dict(plan), "after": time_text(_utc(after)), "until": time_text(_utc(until))}
    spec["maxParallel"] = parallel
    spec["failurePolicy"] = failure_policy
    spec["overwriteCache"] = overwrite_cache
    spec["suspend"] = suspend or None
    metadata = {"name": name} if name else {"generateName": f"{plan['name'][:40].strip('-.')}-backfill-"}
    spec = {key: value for key, value in spec.items() if value is not None}
    return {"apiVersion": API_VERSION, "kind": "Backfill", "metadata": metadata, "spec": spec}


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=timezone.utc) if moment.tzinfo is None else moment.astimezone(timezone.utc)
