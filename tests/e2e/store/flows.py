"""Workflows whose data is too big to travel: it goes by the store, whatever it is."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import NamedTuple

from windlass import (
    Cache,
    ContainerTask,
    Deck,
    FlyteDirectory,
    FlyteFile,
    conditional,
    current_context,
    dynamic,
    map_task,
    task,
    workflow,
)


def noise(lines: int) -> str:
    """Text that gets hardly shorter by compression."""
    return "\n".join(hashlib.sha256(str(line).encode()).hexdigest() for line in range(lines))


class Point:
    """A class that is pickled."""

    def __init__(self, name: str) -> None:
        self.name = name


@task
def big(lines: int) -> str:
    return noise(lines)


@task
def size(text: str) -> int:
    return len(text)


@task
def texts(count: int, lines: int) -> list[str]:
    return [noise(lines) for _ in range(count)]


@task
def total(numbers: list[int]) -> int:
    return sum(numbers)


class Summary(NamedTuple):
    text: str
    lines: int


@task
def summary(lines: int) -> Summary:
    return Summary(noise(lines), lines)


@task
def table(lines: int) -> dict[str, str]:
    return {"all": noise(lines), "first": noise(1)}


@dynamic
def spread(lines: int) -> list[int]:
    sizes: list[int] = map_task(size)(text=[noise(lines // 10) for _ in range(3)])
    return sizes


@workflow
def values(lines: int = 2000) -> tuple[int, int, int, int, str, list[int]]:
    text = big(lines=lines)
    found = summary(lines=lines)
    enough = conditional("enough").if_(found.lines > 10).then(size(text=found.text)).else_().then(size(text="x"))
    parts = table(lines=lines)
    return (
        size(text=text),
        total(numbers=map_task(size)(text=texts(count=3, lines=lines))),
        enough,
        size(text=parts["first"]),
        text,
        spread(lines=lines),
    )


@task
def write(text: str) -> FlyteFile:
    path = Path("written.txt")
    path.write_text(text)
    return FlyteFile(str(path))


@task
def read(file: FlyteFile) -> str:
    return Path(file.download()).read_text()


@task
def fill(names: list[str]) -> FlyteDirectory:
    folder = Path("filled")
    folder.mkdir()
    for name in names:
        (folder / name).write_text(name)
    return FlyteDirectory(str(folder))


@task
def count(folder: FlyteDirectory) -> int:
    return len(list(Path(folder.download()).iterdir()))


@task
def pickled(name: str) -> Point:
    return Point(name)


@task
def unpickled(point: Point) -> str:
    return point.name


@task(enable_deck=True)
def reported(word: str) -> str:
    current_context().default_deck.append(f"<b>{word}</b>")
    return word


@task(enable_deck=True)
def broken(word: str) -> None:
    Deck("why", f"<i>{word}</i>")
    raise ValueError(word)


@workflow
def files(word: str = "hello") -> tuple[str, int, str, str]:
    return (
        read(file=write(text=word)),
        count(folder=fill(names=["a", "b"])),
        unpickled(point=pickled(name=word)),
        reported(word=word),
    )


@task(cache=True, cache_version="1")
def remembered(lines: int) -> str:
    return noise(lines)


@workflow
def cached(lines: int = 1000) -> int:
    found: int = size(text=remembered(lines=lines))
    return found


@workflow
def decided(lines: int = 1000) -> int:
    text = big(lines=lines)
    found: int = conditional("which").if_(text == "x").then(size(text="a")).else_().then(size(text="ab"))
    return found


loud = ContainerTask(
    name="loud",
    image="localhost/python:3",
    command=[
        "bash",
        "-c",
        "cd /var/outputs; tr a-z A-Z < /var/inputs/text > loud; mkdir parts; cp loud parts/0; cp loud parts/1;"
        " head -c 9000 /dev/urandom | base64 -w0 > noise",
    ],
    inputs={"text": FlyteFile},
    outputs={"loud": FlyteFile, "parts": FlyteDirectory, "noise": str},
)
stamp = ContainerTask(
    name="stamp",
    image="localhost/python:3",
    command=["bash", "-c", "echo stamped > /var/outputs/stamp"],
    outputs={"stamp": FlyteFile},
    cache=Cache(version="1"),
)


@task
def whisper(word: str) -> FlyteFile:
    path = Path("word.txt")
    path.write_text(word)
    return FlyteFile(str(path))


@task
def told(loud: FlyteFile, parts: FlyteDirectory, noise: str, stamp: FlyteFile) -> list[str]:
    files = sorted(path.read_text() for path in Path(parts).iterdir())
    return [Path(loud).read_text(), *files, str(len(noise)), Path(stamp).read_text().strip()]


@workflow
def containers(word: str) -> list[str]:
    made, parts, noise = loud(text=whisper(word=word))
    return told(loud=made, parts=parts, noise=noise, stamp=stamp())
