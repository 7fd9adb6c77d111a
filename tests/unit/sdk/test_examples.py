"""The examples run, and what they say of themselves is true."""

from __future__ import annotations

import base64
import html
import io
import json
import os
import pty
import shlex
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
COMMAND = (sys.executable, "-m", "windlass._cli", "run")


@pytest.fixture(autouse=True)
def _own_path_and_temporary_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))  # a deck stays when the process ends


def loaded(name: str) -> Any:
    """An example as a module."""
    return _project.load(EXAMPLES / f"{name}.py")


def start(*words: str) -> subprocess.CompletedProcess[str]:
    """`windlass run`, without a terminal."""
    return subprocess.run([*COMMAND, *words], cwd=ROOT, capture_output=True, text=True, stdin=subprocess.DEVNULL)


def run(*words: str) -> str:
    """What `windlass run` prints."""
    done = start(*words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def answered(*words: str, answers: str) -> str:
    """The last line that `windlass run` prints on a terminal where somebody types the answers."""
    mine, theirs = pty.openpty()
    with subprocess.Popen([*COMMAND, *words], cwd=ROOT, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        os.write(mine, answers.encode())
        printed = b"".join(iter(lambda: _read(mine), b"")).decode()
    os.close(mine)
    assert process.returncode == 0, printed
    return printed.replace("\r", "").rstrip().rpartition("\n")[2]


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 4096)
    except OSError:  # the other side is gone: how a terminal ends
        return b""


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


@pytest.mark.parametrize(
    ("words", "printed"),
    [
        ("conditions.py triage --amount 40", "40 with a fee of 0.8"),
        ("conditions.py triage --amount 40 --member", "40 with a fee of 0.2"),
        ("conditions.py triage --amount 4000", "4000 with a fee of 40"),
        ("maps.py survey", "2 of 3 reached, 190 bytes; squares add up to 14"),
        ("dynamic.py sums --text '3 4 5'", "12"),
        ("dynamic.py countdown --n 4", "0!"),
        ("eager.py best --start 3", "5"),
        ("plans.py weekly --region us", "us: 4, eu: 4"),
        ("plans.py report_eu", "eu: 4"),
        ("types_of_values.py tour", "1:00:00.000005 21 2:7 {'n': [1, 2.5, None, True]}"),
        ("files.py lines --source examples/data/windlass.txt", "3"),
        ("tables.py ages", "Grace, Edsger (name, age)"),
        ("caching.py twice --n 3", "o0: 9\no1: true"),
        ("containers.py shout --text hello", "HELLO"),
        ("actors.py classify", '["windlass: noun", "haul: verb", "xyzzy: unknown"]'),
        ("artifacts.py build_then_use", "2 by the model of eu at 2024-01-01"),
        ('step_by_step.py greetings --names \'["Ada", "Grace"]\'', "Hello, Ada! Hello, Grace!"),
        ("images.py average", "2.50"),
    ],
)
def test_an_example_says_what_its_page_says(words: str, printed: str) -> None:
    file, *rest = shlex.split(words)
    assert run(f"examples/{file}", *rest).rstrip().endswith(printed)


def test_an_example_reads_its_secret_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGISTRY_TOKEN", "12345")
    assert run("examples/pods.py", "train") == "3 losses, the last 0.333, with a token of 5 characters\n"


def test_the_deck_of_the_example_of_tables_can_be_read_after_the_run() -> None:
    done = start("examples/tables.py", "ages")
    deck = Path(done.stderr.partition("deck in ")[2].split()[0])
    assert "<strong>2</strong> of 3 rows" in html.unescape(deck.read_text())


def test_a_file_that_a_run_gives_back_can_be_read_after_it(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "one.txt").write_text("ab\nabc\n")
    printed = run("examples/files.py", "longest", "--folder", str(tmp_path / "parts"), "-o", "json")
    assert Path(json.loads(printed)["o0"]["uri"]).read_text() == "abc"


def test_a_launch_plan_runs_by_its_variable_and_by_its_own_name() -> None:
    assert run("examples/plans.py", "report-eu") == run("examples/plans.py", "report_eu") == "eu: 4\n"
    assert "report_eu      launch plan" in start("examples/plans.py").stdout + start("examples/plans.py").stderr


def test_the_example_of_caching_computes_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WINDLASS_CACHE_HOME", str(tmp_path))
    first, second = run("examples/caching.py", "twice"), run("examples/caching.py", "twice")
    assert first.count("computing 4 * 4") == first.count("reporting on 16") == 1
    assert "computing" not in second and "reporting" not in second


def test_the_example_of_failures_cleans_up_and_tells_the_error() -> None:
    done = start("examples/failures.py", "careful")
    assert done.returncode == 1
    assert "cleaning up after ['a', 'b']: 2 words are too many" in done.stdout + done.stderr
    assert "ValueError: Error encountered while executing 'failures.strict'" in done.stderr
    assert run("examples/failures.py", "careful", "--words", '["a"]') == "o0: A\no1: 1\n"


def test_the_last_branch_of_the_example_of_conditionals_fails() -> None:
    done = start("examples/conditions.py", "triage", "--amount", "-1")
    assert done.returncode == 1
    assert "an amount must be more than 0" in done.stderr


def test_the_example_of_gates_asks_on_a_terminal_and_only_there() -> None:
    done = start("examples/gates.py", "release", "--version", "1.2")
    assert done.returncode == 1
    assert "terminal" in done.stderr
    assert (
        answered("examples/gates.py", "release", "--version", "1.2", answers="y\nstable\n")
        == "app-1.2.tar is in stable"
    )


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
