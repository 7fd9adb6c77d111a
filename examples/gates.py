"""Gates: a workflow that waits for a person, or for time to pass.

    windlass run examples/gates.py release --version 1.2          # asks on the terminal

In a cluster each gate is a Signal object, which whoever may patch it answers; `kubectl get signals` lists what waits.
"""

from datetime import timedelta

from windlass import approve, sleep, task, wait_for_input, workflow


@task
def build(version: str) -> str:
    return f"app-{version}.tar"


@task
def publish(package: str, channel: str) -> str:
    return f"{package} is in {channel}"


@workflow
def release(version: str = "1.0") -> str:
    """Builds, lets a person look, asks where to, waits a moment, and publishes."""
    package = build(version=version)
    approved = approve(package, "looks-good", timeout=timedelta(hours=2))
    channel = wait_for_input("channel", timeout=timedelta(hours=2), expected_type=str)
    pause = sleep(timedelta(seconds=1))
    done = publish(package=approved, channel=channel)
    pause >> done
    return done
