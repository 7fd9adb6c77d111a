"""Files wherever they may stand in values, ways to read and write them, and what one attempt leaves to the next."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from windlass import (
    FlyteDirectory,
    FlyteFile,
    FlyteRecoverableException,
    HashMethod,
    current_context,
    task,
    workflow,
)


@dataclass
class Report:
    """A value with files in it."""

    title: str
    body: FlyteFile
    annexes: list[FlyteFile]
    by_name: dict[str, FlyteFile]


@task
def reported(words: list[str], place: str) -> Report:
    body = Path("body.txt")
    body.write_text(" ".join(words))
    streamed = FlyteFile.new_remote_file("streamed.txt")
    with streamed.open("w") as stream:
        stream.write("streamed ")
        stream.write(words[0])
    fresh = FlyteFile.new("fresh.txt")
    Path(fresh.path).write_text(words[-1])
    return Report(
        "all", FlyteFile(str(body), remote_path=f"{place}/exactly/here.txt"), [streamed, fresh], {"streamed": streamed}
    )


@task
def read(report: Report) -> list[str]:
    with report.body.open("r") as stream:
        start = stream.read(5)
    annexes = [Path(one).read_text() for one in report.annexes]
    with open(report.by_name["streamed"]) as file:  # noqa: PTH123  it is no Path, but it opens like one
        again = file.read()
    return [start, *annexes, again]


@task
def nested(words: list[str]) -> FlyteDirectory:
    folder = Path("nested")
    for word in words:
        (folder / word).mkdir(parents=True)
        (folder / word / "it.txt").write_text(word)
    (folder / "top.txt").write_text("top")
    return FlyteDirectory(str(folder))


@task
def listed(folder: FlyteDirectory) -> list[str]:
    """Names at the top, without a download; then what is below, with one."""
    top = sorted(Path(str(one.remote_source or one.path)).name for one in FlyteDirectory.listdir(folder))
    below = sorted(str(path) for _, path in folder.crawl())
    return [*top, str(len(below)), *(path.read_text() for path in sorted(Path(folder).rglob("it.txt")))]


@task(retries=2)
def resumed(steps: int) -> list[int]:
    """Each attempt does one step, and the next goes on from there."""
    checkpoint = current_context().checkpoint
    assert checkpoint is not None
    done = [int(one) for one in (checkpoint.read() or b"").decode().split()]
    done.append(len(done))
    if len(done) < steps:
        checkpoint.write(" ".join(map(str, done)).encode())
        raise FlyteRecoverableException("one step is enough for an attempt")
    return done


def of_content(file: FlyteFile) -> str:
    return hashlib.sha256(Path(file).read_bytes()).hexdigest()


@task
def made_again(word: str) -> Annotated[FlyteFile, HashMethod(of_content)]:
    path = Path("again.txt")
    path.write_text(word)
    return FlyteFile(str(path))


@task(cache=True, cache_version="1")
def costly(file: FlyteFile) -> str:
    return Path(file).read_text()


@workflow
def shapes(words: list[str], place: str) -> tuple[list[str], list[str], str]:
    return (
        read(report=reported(words=words, place=place)),
        listed(folder=nested(words=words)),
        costly(file=made_again(word="same")),
    )


@workflow
def steps(count: int = 3) -> list[int]:
    return resumed(steps=count)
