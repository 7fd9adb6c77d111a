"""The words of a text, counted by several pods at once.

    windlass run examples/wordcount.py wordcount --text @examples/data/windlass.txt
    windlass run examples/wordcount.py wordcount --text @your-own.txt --top 20 --remote

What it shows:

- *fan-out*: four `count_words` tasks read the same text at the same time. Each counts only the words that are its own,
  those whose checksum falls to its shard, so no word is counted by two of them
- *fan-in*: `merge` takes the list of all four results. Since a word lives in one shard only, the best of every shard
  hold the best of all: the result is exact, though each task returns no more than `top` words
- *branches*: `describe` needs nothing from the counting, so it runs beside it; its output is a dataclass
- *a join*: `report` waits for both sides and returns the table that is printed

        ┌─ count_words 0 ─┐
        ├─ count_words 1 ─┤
    text┼─ count_words 2 ─┼─ merge ──┐
        ├─ count_words 3 ─┘          ├─ report ── the table
        └─ describe ─────────────────┘
"""

import re
from collections import Counter
from dataclasses import dataclass
from zlib import crc32

from windlass import Resources, task, workflow

SHARDS = 4
SMALL = Resources(cpu="50m", mem="64Mi")


@dataclass
class Totals:
    """A text in numbers."""

    lines: int
    words: int
    distinct: int
    longest: str


def words_of(text: str) -> list[str]:
    """The words in lower case, apostrophes kept: `it's` is one word."""
    return re.findall(r"\w+(?:'\w+)*", text.lower())


def best(counts: Counter[str], top: int) -> dict[str, int]:
    """The most frequent words; among equals those that come first in the alphabet."""
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:top])


@task(requests=SMALL, retries=1)
def count_words(text: str, shard: int, shards: int, top: int) -> dict[str, int]:
    """The most frequent words among those of one shard.

    Args:
        text: what to read
        shard: which share of the words to count, from 0
        shards: into how many shares the words are divided
        top: how many words to return
    """
    mine = Counter(word for word in words_of(text) if crc32(word.encode()) % shards == shard)
    print(f"shard {shard} of {shards}: {mine.total()} words, {len(mine)} of them different")
    return best(mine, top)


@task(requests=SMALL)
def merge(counts: list[dict[str, int]], top: int) -> dict[str, int]:
    """The most frequent words of all shards."""
    total: Counter[str] = Counter()
    for part in counts:
        total.update(part)
    return best(total, top)


@task(requests=SMALL)
def describe(text: str) -> Totals:
    """Lines, words and the longest word."""
    words = words_of(text)
    longest = max(words, key=lambda word: (len(word), word), default="")
    return Totals(lines=len(text.splitlines()), words=len(words), distinct=len(set(words)), longest=longest)


@task(requests=SMALL)
def report(counts: dict[str, int], totals: Totals) -> str:
    """The table: a word to a line, with a bar as long as it is frequent."""
    head = f"{totals.words} words in {totals.lines} lines, {totals.distinct} different, the longest: {totals.longest}"
    ranking = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    if not ranking:
        return head
    width, most = max(len(word) for word, _ in ranking), ranking[0][1]
    rows = [f"  {word:<{width}}  {count:>5}  {'█' * round(40 * count / most)}".rstrip() for word, count in ranking]
    return "\n".join([head, "", *rows])


@workflow
def wordcount(text: str, top: int = 10) -> str:
    """Counts the words of a text in several tasks at once and reports the most frequent ones.

    Args:
        text: the text to read
        top: how many words to report
    """
    counts = [count_words(text=text, shard=shard, shards=SHARDS, top=top) for shard in range(SHARDS)]
    return report(counts=merge(counts=counts, top=top), totals=describe(text=text))
