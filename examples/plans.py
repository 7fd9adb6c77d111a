"""Launch plans: a workflow with inputs filled in, a schedule, and people to tell.

    windlass run examples/plans.py weekly --region eu
    windlass run examples/plans.py report_eu                              # a launch plan runs like what it launches
    windlass render examples/plans.py -o -

What it shows:

- `default_inputs` may be given anew by whoever starts the plan, `fixed_inputs` may not
- a cron schedule hands its time to an input; a fixed rate has nobody to tell
- a launch plan inside a workflow is an execution of its own, a workflow inside a workflow is not
- plans start suspended, unless `auto_activate` says otherwise
"""

from datetime import datetime, timedelta, timezone

from windlass import CronSchedule, Email, FixedRate, LaunchPlan, Slack, task, workflow

EPOCH = datetime(2024, 1, 1, tzinfo=timezone.utc)


@task
def fetch(region: str, day: datetime) -> list[int]:
    return [len(region), day.day, day.month]


@task
def summarise(region: str, numbers: list[int]) -> str:
    return f"{region}: {sum(numbers)}"


@task
def joined(parts: list[str]) -> str:
    return ", ".join(parts)


@workflow
def report(region: str, day: datetime = EPOCH) -> str:
    return summarise(region=region, numbers=fetch(region=region, day=day))


report_eu = LaunchPlan.get_or_create(
    report,
    name="report-eu",
    fixed_inputs={"region": "eu"},
    schedule=CronSchedule(schedule="0 6 * * 1-5", kickoff_time_input_arg="day"),
    notifications=[Email(phases=["FAILED"], recipients_email=["data@example.com"])],
    labels={"team": "data"},
    max_parallelism=10,
    auto_activate=True,
)

report_hourly = LaunchPlan.create(
    "report-hourly",
    report,
    default_inputs={"region": "us"},
    schedule=FixedRate(duration=timedelta(hours=1)),
    notifications=[Slack(phases=["SUCCEEDED", "FAILED"], recipients_email=["channel@example.com"])],
)


@workflow
def weekly(region: str = "eu") -> str:
    """A report as part of this execution, and one as an execution of its own."""
    return joined(parts=[report(region=region, day=EPOCH), report_eu(day=EPOCH)])
