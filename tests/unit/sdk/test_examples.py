"""The examples run, and what they say of themselves is true."""

from __future__ import annotations

import base64
import io
import json
import subprocess
import sys
import tarfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from windlass import _project

ROOT = Path(__file__).parents[3]
EXAMPLES = ROOT / "examples"
TEXT = EXAMPLES / "data" / "windlass.txt"


@pytest.fixture(autouse=True)
def _own_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))


def loaded(name: str) -> Any:
    """An example as a module."""
    return _project.load(EXAMPLES / f"{name}.py")


def run(*words: str) -> str:
    """What `windlass run` prints."""
    done = subprocess.run(
        [sys.executable, "-m", "windlass._cli", "run", *words], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_hello() -> None:
    assert run("examples/hello.py", "hello", "--name", "Ada") == "Hello, Ada!!!\n"


def test_wordcount_on_the_text_that_comes_with_it() -> None:
    table = run("examples/wordcount.py", "wordcount", "--text", "@examples/data/windlass.txt", "--top", "3")
    assert [line.split()[0] for line in table.splitlines() if "█" in line] == ["the", "a", "and"]


def test_counting_in_shards_is_exact() -> None:
    wordcount = loaded("wordcount")
    text = TEXT.read_text()
    plain = wordcount.best(Counter(wordcount.words_of(text)), 25)
    counts = [wordcount.count_words(text=text, shard=shard, shards=7, top=25) for shard in range(7)]
    assert wordcount.merge(counts=counts, top=25) == plain


def test_results_of_the_shards_fit_into_a_pods_message() -> None:
    wordcount = loaded("wordcount")
    result = wordcount.count_words(text=TEXT.read_text(), shard=0, shards=4, top=100)
    assert len(json.dumps(result)) < 4096


@pytest.mark.parametrize("text", ["", "\n\n", "!?", "one"])
def test_wordcount_survives_odd_texts(text: str) -> None:
    assert loaded("wordcount").wordcount(text=text).startswith(("0 words", "1 words"))


def test_shapes() -> None:
    module = loaded("shapes")
    lines, perimeter = module.shapes(sides=4, radius=1.0)
    assert lines == ["polygon: 2.00", "scaled polygon: 18.00", "square: 2.00", "first corner at (1.0, 0.0)"]
    assert perimeter == pytest.approx(4 * 2**0.5)


def test_the_code_in_the_hand_written_manifest_is_the_code_in_its_comment() -> None:
    text = (EXAMPLES / "manifests" / "hello.yaml").read_text()
    lines = text.partition("# greetings.py:\n#\n")[2].partition("#\napiVersion")[0].splitlines()
    shown = "\n".join(line.removeprefix("#").removeprefix("   ") for line in lines) + "\n"
    data = next(yaml.safe_load_all(text))["binaryData"]["bundle.tar.gz"]
    with tarfile.open(fileobj=io.BytesIO(base64.b64decode(data)), mode="r:gz") as archive:
        packed = archive.extractfile("greetings.py")
        assert packed is not None
        assert packed.read().decode() == shown
    namespace: dict[str, Any] = {}
    exec(shown, namespace)
    assert namespace["card"]("hi", 2) == "******\n* hi *\n******"


def test_what_the_headers_tell_to_type_works() -> None:
    for example in ("hello", "wordcount", "shapes"):
        for line in (EXAMPLES / f"{example}.py").read_text().partition('"""\n\n')[0].splitlines():
            command = line.strip().partition("   ")[0]
            if command.startswith("windlass run") and "--remote" not in command:
                words = [word.strip("'") for word in _split(command)[2:]]
                run(*words)


def _split(command: str) -> list[str]:
    import shlex

    return shlex.split(command)
