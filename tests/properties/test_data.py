"""Promises of the store and of decks, for all inputs."""

from __future__ import annotations

import html
import io
from html.parser import HTMLParser

from hypothesis import given, strategies as st

from windlass._data import page
from windlass._store import ranges
from windlass._store.places import join, name_of, scheme_of

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("read"), st.integers(-1, 40)),
        st.tuples(st.just("seek"), st.integers(0, 120)),
        st.tuples(st.just("end"), st.integers(-20, 20)),
    ),
    max_size=12,
)


@given(
    data=st.binary(max_size=100),
    steps=STEPS,
    cache_type=st.sampled_from(ranges.CACHES),
    block_size=st.integers(1, 30),
    maxblocks=st.integers(1, 4),
)
def test_a_reader_by_ranges_reads_what_a_file_would(
    data: bytes, steps: list[tuple[str, int]], cache_type: str, block_size: int, maxblocks: int
) -> None:
    def fetch(start: int, stop: int) -> bytes:
        assert 0 <= start < stop <= len(data)
        return data[start:stop]

    options = {"block_size": block_size, "maxblocks": maxblocks}
    expected = io.BytesIO(data)
    with ranges.reader(fetch, len(data), cache_type, options, "it") as stream:
        for step, number in steps:
            if step == "read":
                assert stream.read(number) == expected.read(number)
            elif step == "seek":
                assert stream.seek(number) == expected.seek(number)
            elif len(data) + number >= 0:
                assert stream.seek(number, io.SEEK_END) == expected.seek(number, io.SEEK_END)
            assert stream.tell() == expected.tell()


class _Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.documents: list[str] = []
        self.titles: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag == "iframe":
            self.documents.append(dict(attrs)["srcdoc"] or "")
            self.titles.append(dict(attrs)["title"] or "")


HTML = st.text(alphabet=st.sampled_from("<>&\"'/!-= \n;#abscriptfmex"), max_size=60)


@given(decks=st.lists(st.tuples(HTML, HTML), max_size=4))
def test_whatever_decks_hold_the_page_has_the_tags_that_we_wrote(decks: list[tuple[str, str]]) -> None:
    written = _Page(page.page([(f"t{number}", "x") for number in range(len(decks))]))
    parsed = _Page(page.page(decks))
    assert parsed.tags == written.tags
    assert parsed.titles == [title for title, _ in decks]
    for (_, content), document in zip(decks, parsed.documents, strict=True):
        assert document.endswith(content)
    assert all(html.escape(title) in page.page(decks) for title, _ in decks)


@given(
    base=st.sampled_from(["/tmp/x", "s3://bucket", "s3://bucket/a/", "memory://x"]),
    names=st.lists(st.text(alphabet="abc. -_", min_size=1, max_size=5), min_size=1, max_size=3),
)
def test_what_is_joined_to_an_address_is_its_end(base: str, names: list[str]) -> None:
    joined = join(base, *names)
    assert joined == f"{base.rstrip('/')}/{'/'.join(names)}"
    assert scheme_of(joined) == scheme_of(base)
    assert name_of(joined) == names[-1]
