"""Files and folders: handed over by reference, read when they are opened.

    windlass run examples/files.py lines --source examples/data/windlass.txt
    windlass run examples/files.py lines --source https://example.com/some.txt

A task that gets a `FlyteFile` downloads nothing until it opens it. What a task returns is uploaded to the store of its
execution; here, where everybody sees the same disk, it stays where it is.
"""

from pathlib import Path
from typing import Literal

import windlass
from windlass import FlyteDirectory, FlyteFile, task, workflow

TextFile = FlyteFile[Literal["txt"]]


@task
def split(source: FlyteFile, parts: int) -> FlyteDirectory:
    """The lines of the file, dealt out to several files."""
    with open(source) as file:  # noqa: PTH123  it is no Path, but it opens like one
        lines = file.readlines()
    folder = Path(windlass.current_context().working_directory) / "parts"
    folder.mkdir(parents=True, exist_ok=True)
    for part in range(parts):
        (folder / f"{part}.txt").write_text("".join(lines[part::parts]))
    return FlyteDirectory(path=str(folder))


@task
def longest(folder: FlyteDirectory) -> TextFile:
    """The longest line of every file."""
    found = []
    for part in FlyteDirectory.listdir(folder):
        assert isinstance(part, FlyteFile)  # a folder could hold folders
        with part.open("r") as file:
            found.append(max(file, key=len, default="").rstrip("\n"))
    result = FlyteFile.new("longest.txt")
    Path(result.path).write_text("\n".join(sorted(found)))
    return result


@task
def count(file: TextFile) -> int:
    return len(Path(file).read_text().splitlines())


@workflow
def lines(source: FlyteFile, parts: int = 3) -> int:
    return count(file=longest(folder=split(source=source, parts=parts)))
