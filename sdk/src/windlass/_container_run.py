"""Running a container on this machine, through docker or podman.

`command` is the whole command line as a function of its arguments; `run` starts it, passes on what it prints, and sees
to it that no container outlives the call. An engine counts as there when its program answers: docker's program alone is
not enough, its daemon must run too. WINDLASS_CONTAINER_ENGINE names another program that takes the same arguments.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from windlass._exceptions import FlyteNotImplementedException, FlyteRecoverableException

ENGINES = ("docker", "podman")
VARIABLE = "WINDLASS_CONTAINER_ENGINE"
_TOLD_LINES = 20
_ENGINE_FAILED = 125  # the exit code of docker and podman where not the container failed but they


class Container(NamedTuple):
    """What to run. `mounts` are folders of this machine by their place in the container; the values of `secrets` are
    passed through the engine's environment rather than its command line, which everybody can read.
    """

    image: str
    command: Sequence[str]
    args: Sequence[str]
    env: Mapping[str, str]
    mounts: Mapping[str, str]
    secrets: Mapping[str, str]


def find_engine() -> str:
    """The program to run containers with.

    Raises:
        FlyteNotImplementedException: there is none that works; it says why not, and what to do.
    """
    named = os.environ.get(VARIABLE)
    problems = []
    for name in (named,) if named else ENGINES:
        program = shutil.which(name)
        problem = "there is no such program" if program is None else _why_not(program)
        if program is not None and problem is None:
            return program
        problems.append(f"{name}: {problem}")
    raise FlyteNotImplementedException(
        f"a container task needs docker or podman to run on this machine ({'; '.join(problems)}). Install podman or"
        f" start docker, or name another such program in {VARIABLE}; in a cluster none of them is needed"
    )


def _why_not(program: str) -> str | None:
    """What keeps an engine from working; None where nothing does."""
    asked = subprocess.run([program, "version"], capture_output=True, text=True, check=False)  # noqa: S603  the user's own engine
    if asked.returncode == 0:
        return None
    lines = (asked.stderr or asked.stdout).strip().splitlines()
    return lines[-1] if lines else f"`{program} version` ended with {asked.returncode}"


def command(engine: str, name: str, container: Container) -> list[str]:
    """The command line. As in a pod, the task's command takes the place of the image's entrypoint."""
    line = [engine, "run", "--rm", "--name", name, "--security-opt", "label=disable"]
    for place, folder in container.mounts.items():
        line += ["--mount", f"type=bind,source={folder},target={place}"]
    for variable, value in container.env.items():
        line += ["--env", f"{variable}={value}"]
    for variable in container.secrets:
        line += ["--env", variable]
    if container.command:
        line += ["--entrypoint", container.command[0]]
    return [*line, container.image, *container.command[1:], *container.args]


def run(container: Container, name: str, *, show: bool) -> None:
    """Runs it to its end; with `show`, what it prints is printed.

    Raises:
        FlyteRecoverableException: it ended with another exit code than 0, or could not be started. As in a cluster,
            that may be tried again.
    """
    engine = find_engine()
    variables = {**os.environ, **container.secrets}
    last: deque[str] = deque(maxlen=_TOLD_LINES)
    line = command(engine, name, container)
    with subprocess.Popen(  # noqa: S603  to run the author's command is what this is for
        line, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=variables
    ) as process:
        try:
            assert process.stdout is not None
            for raw in process.stdout:
                text = raw.decode("utf-8", "replace")
                last.append(text)
                if show:
                    sys.stdout.write(text)
                    sys.stdout.flush()
            code = process.wait()
        except BaseException:
            subprocess.run([engine, "kill", name], capture_output=True, check=False)  # noqa: S603  as above
            process.terminate()
            raise
    if code:
        what = f"{os.path.basename(engine)} failed" if code == _ENGINE_FAILED else f"its container exited with {code}"  # noqa: PTH119  pathlib is needed for nothing else
        raise FlyteRecoverableException(f"{what}. Its last lines:\n{''.join(last).rstrip() or '(it printed nothing)'}")
