"""Decks: what a task writes about its run, and the one file it becomes."""

from __future__ import annotations

import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any

import pytest

from windlass import task
from windlass._context import current_context, entered_task
from windlass._data import page, renderers
from windlass._data.deck import Deck, DeckField, Report, TimeLineDeck, announce, report_of
from windlass._data.files import FlyteFile
from windlass._data.handlers import StructuredDatasetTransformerEngine
from windlass._data.renderers import (
    ArrowRenderer,
    BoxRenderer,
    GanttChartRenderer,
    HistogramRenderer,
    ImageRenderer,
    MarkdownRenderer,
    PythonDependencyRenderer,
    SourceCodeRenderer,
    TableRenderer,
    TopFrameRenderer,
    html_of,
)
from windlass._parameters import ExecutionParameters

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360000002000001e221bc330000"
    "000049454e44ae426082"
)


class Parsed(HTMLParser):
    """What a browser would see: the tags of the page, with the documents of its frames apart."""

    VOID = ("input", "meta", "link", "img", "br")

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append((self.open[-1] if self.open else "", data))

    def named(self, tag: str) -> list[dict[str, str | None]]:
        """The attributes of all tags of that name."""
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def titles(self) -> list[str]:
        """The tabs."""
        return [text for tag, text in self.texts if tag == "label"]

    @property
    def documents(self) -> dict[str, str]:
        """What is in each tab."""
        frames = [attributes["srcdoc"] or "" for attributes in self.named("iframe")]
        return dict(zip(self.titles, frames, strict=True))


@pytest.fixture
def context() -> Any:
    """The context of a task that has decks."""
    parameters = ExecutionParameters(enable_deck=True)
    with entered_task(parameters):
        yield parameters


# ---- Deck -----------------------------------------------------------------------------------------------------------


def test_what_is_appended_comes_below(context: ExecutionParameters) -> None:
    deck = Deck("notes", "<p>one</p>")
    assert deck.append("<p>two</p>") is deck
    assert (deck.name, deck.html) == ("notes", "<p>one</p>\n<p>two</p>")
    assert Deck("empty").html == ""
    assert Deck("empty").append(html="first").html == "first"


def test_a_deck_is_one_of_the_running_tasks_unless_it_shall_not(context: ExecutionParameters) -> None:
    mine = Deck("mine")
    Deck("other", "html", auto_add_to_deck=False)
    assert context.decks == [mine]
    assert current_context().default_deck.name == "default"
    current_context().default_deck.append("by default")
    assert [deck.name for deck in context.decks] == ["mine", "default"]


def test_a_deck_holds_texts_alone(context: ExecutionParameters) -> None:
    with pytest.raises(TypeError, match="a deck holds HTML, which is a text"):
        Deck("x", 7)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="A renderer makes one"):
        Deck("x").append(b"<p>")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="the name of a deck"):
        Deck(None)  # type: ignore[arg-type]


def test_publishing_writes_what_there_is_so_far(context: ExecutionParameters) -> None:
    Deck("one", "first")
    Deck.publish()
    report = report_of(context)
    assert report is not None
    assert "first" in Parsed(Path(report.uri).read_text()).documents["one"]
    Deck("two", "second")
    Deck.publish()
    assert Parsed(Path(report.uri).read_text()).titles == ["one", "two"]


def test_publishing_without_a_report_warns(tmp_path: Path) -> None:
    with entered_task(ExecutionParameters(enable_deck=False)), pytest.warns(UserWarning, match="enable_deck=True"):
        Deck.publish()


def test_a_deck_is_shown_by_notebooks() -> None:
    html = Deck("mine", "<b>x</b>", auto_add_to_deck=False)._repr_html_()
    assert Parsed(html).titles == ["mine"]


def test_the_timeline_shows_each_part_of_a_run() -> None:
    deck = TimeLineDeck(auto_add_to_deck=False)
    assert deck.html == ""
    deck.append_time_info("download", 100.0, 101.0)
    deck.append_time_info("run <it>", 101.0, 104.0, process_time=2.5)
    assert deck.name == "Timeline"
    assert "run &lt;it&gt;" in deck.html
    assert "margin-left:25.0%;width:75.0%" in deck.html
    assert "2.500 s" in deck.html
    assert "noted" in deck.append("noted").html


# ---- the file -------------------------------------------------------------------------------------------------------


def test_each_deck_is_a_tab_and_the_first_is_open() -> None:
    html = page.page([("One", "<p>1</p>"), ("Two", "<p>2</p>")])
    parsed = Parsed(html)
    assert parsed.titles == ["One", "Two"]
    assert ["checked" in attributes for attributes in parsed.named("input")] == [True, False]
    for number in range(2):  # what CSS needs to show a tab without a script
        assert f"#deck-{number}:checked ~ main #frame-{number} {{ visibility: visible; }}" in html
    assert "<p>2</p>" in parsed.documents["Two"]
    assert parsed.named("script") == []


def test_the_file_needs_nothing_else() -> None:
    parsed = Parsed(page.page([("One", "text")]))
    assert parsed.named("link") == [] and parsed.named("img") == []
    for _, attributes in parsed.tags:
        assert not {"src", "href"} & {*attributes}


HOSTILE = '</iframe></main><script>alert(1)</script>"\' srcdoc="x"&quot;<!-- <textarea>'


def test_what_a_deck_holds_does_not_get_out_of_its_frame() -> None:
    parsed = Parsed(page.page([("evil", HOSTILE), ("good", "good")]))
    assert parsed.open == []
    assert parsed.named("script") == []
    assert len(parsed.named("iframe")) == 2
    assert HOSTILE in parsed.documents["evil"]
    for frame in parsed.named("iframe"):
        assert frame["sandbox"] is not None and "allow-same-origin" not in frame["sandbox"]


def test_titles_are_escaped() -> None:
    title = "<script>alert('&')</script>"
    parsed = Parsed(page.page([(title, "x")]))
    assert "".join(parsed.titles) == title
    assert parsed.named("script") == []
    assert parsed.named("iframe")[0]["title"] == title


def test_a_task_without_decks_has_a_page_that_says_so() -> None:
    parsed = Parsed(page.page([]))
    assert "no deck" in "".join(text for _, text in parsed.texts)


def test_a_library_comes_once_however_many_plots_bring_it() -> None:
    library = "/* library */" * 10_000
    html = (
        f'<script>{library}</script><script>plot(1)</script><SCRIPT a="b">{library}</SCRIPT ><script>plot(2)</script>'
    )
    inner = page.without_doubles(html)
    assert inner.count(library) == 1
    assert inner.count("plot(1)") == inner.count("plot(2)") == 1
    other = f"<script>{library} </script>"
    assert page.without_doubles(html + other).count(library) == 2


# ---- the report of a task -------------------------------------------------------------------------------------------


def test_a_report_has_the_codes_decks_and_its_own(context: ExecutionParameters, tmp_path: Path) -> None:
    report = Report(uri=str(tmp_path / "out" / "deck.html"), source="def f():\n    return 1\n")
    Deck("mine", "<p>mine</p>")
    report.inputs({"a": 1, "b<": "<x>"}, {"a": int, "b<": str})
    with report.timed("run"):
        pass
    report.outputs({"o0": [1, 2]}, {"o0": list[int]})
    assert report.write(context.decks) == str(tmp_path / "out" / "deck.html")
    documents = Parsed((tmp_path / "out" / "deck.html").read_text()).documents
    assert [*documents] == ["mine", "Source Code", "Dependencies", "Timeline", "Input", "Output"]
    assert "b&lt;" in documents["Input"] and "&#x27;&lt;x&gt;&#x27;" in documents["Input"]
    assert "[1, 2]" in documents["Output"]
    assert "run" in documents["Timeline"]
    assert "return" in documents["Source Code"]


def test_the_fields_choose_the_reports_own_decks(tmp_path: Path) -> None:
    report = Report([DeckField.INPUT, "Timeline"], uri=str(tmp_path / "d.html"), source="x")
    report.inputs({"a": 1}, {})
    report.outputs({"o": 1}, {})
    with pytest.raises(RuntimeError), report.timed("fails"):
        raise RuntimeError
    report.write([])
    assert Parsed((tmp_path / "d.html").read_text()).titles == ["Input", "Timeline"]
    assert {field.value for field in DeckField} == {"Source Code", "Dependencies", "Timeline", "Input", "Output"}
    assert Report([]).write([]).endswith("/deck.html")


def test_parts_that_the_code_has_measured_are_in_the_timeline(context: ExecutionParameters, tmp_path: Path) -> None:
    report = Report(["Timeline"], uri=str(tmp_path / "d.html"))
    with report.timed("run"):
        context.timeline_deck.append_time_info("my own part", 0.0, 1.0)
        context.timeline_deck.append("a note")
    report.write(context.decks)
    ((title, document),) = Parsed((tmp_path / "d.html").read_text()).documents.items()
    assert title == "Timeline"
    assert all(text in document for text in ("<td>run</td>", "<td>my own part</td>", "a note"))


def test_of_two_decks_with_one_name_the_later_is_shown(tmp_path: Path) -> None:
    decks = [Deck("a", "old", False), Deck("b", "b", False), Deck("a", "new", False), Deck("empty", None, False)]
    uri = Report([], uri=str(tmp_path / "d.html")).write(decks)
    documents = Parsed(Path(uri).read_text()).documents
    assert [*documents] == ["b", "a"]
    assert "new" in documents["a"] and "old" not in documents["a"]


def test_a_deck_of_the_code_takes_the_place_of_the_reports_own(tmp_path: Path) -> None:
    report = Report(["Input"], uri=str(tmp_path / "d.html"))
    report.inputs({"a": 1}, {})
    report.write([Deck("Input", "my own", False)])
    assert "my own" in Parsed((tmp_path / "d.html").read_text()).documents["Input"]


def test_a_local_run_says_where_its_decks_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "d.html").write_text("<b>decks</b>")
    announce(str(tmp_path / "d.html"), "m.f")
    assert capsys.readouterr().err == f"windlass: m.f: deck in {tmp_path}/d.html\n"
    shown: list[str] = []
    shell = SimpleNamespace(get_ipython=object)
    monkeypatch.setitem(sys.modules, "IPython", shell)
    monkeypatch.setitem(sys.modules, "IPython.display", SimpleNamespace(display=shown.append, HTML=str))
    announce(str(tmp_path / "d.html"), "m.f")
    assert "&lt;b&gt;decks" in shown[0]


# ---- renderers ------------------------------------------------------------------------------------------------------


def frame(library: str, rows: dict[str, list[Any]]) -> Any:
    """A frame of a library."""
    module = pytest.importorskip(library)
    return module.table(rows) if library == "pyarrow" else module.DataFrame(rows)


def cells(html: str) -> list[str]:
    """The texts of a table."""
    return re.findall(r"<t[hd]>(.*?)</t[hd]>", html)


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_the_top_of_a_frame_is_a_table(library: str) -> None:
    some = frame(library, {"n<": [*range(25)], "s": [f"<{n}>" for n in range(25)]})
    html = TopFrameRenderer(max_rows=2).to_html(some)
    assert cells(html) == ["n&lt;", "s", "0", "&lt;0&gt;", "1", "&lt;1&gt;"]
    assert "2 of 25 rows" in html
    assert "10 of 25 rows" in TopFrameRenderer().to_html(df=some)
    narrow = TopFrameRenderer(30, max_cols=1).to_html(some)
    assert "1 of 2 columns" in narrow and "rows" not in narrow
    with pytest.raises(TypeError, match="not int"):
        TopFrameRenderer().to_html(7)


def test_the_top_of_a_lazy_frame_is_all_that_is_computed() -> None:
    polars = pytest.importorskip("polars")
    lazy = polars.LazyFrame({"n": [1, 2, 3]})
    assert cells(TopFrameRenderer(2).to_html(lazy)) == ["n", "1", "2"]


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_a_table_may_have_names_of_ones_own(library: str) -> None:
    some = frame(library, {"a": [1], "b": [2]})
    html = TableRenderer().to_html(some, header_labels=["A", "B"], table_width=300)
    assert cells(html) == ["A", "B", "1", "2"]
    assert 'style="width:300px"' in html
    with pytest.raises(ValueError, match="1 names, and the frame 2 columns"):
        TableRenderer().to_html(some, header_labels=["A"])
    with pytest.raises(TypeError, match="not str"):
        TableRenderer().to_html("x")


def test_an_arrow_table_is_shown_by_its_schema() -> None:
    assert cells(ArrowRenderer().to_html(frame("pyarrow", {"a": [1]}))) == ["column", "type", "a", "int64"]


def test_markdown_becomes_html_and_html_in_it_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("markdown_it")
    text = "# Title\n\n*it* <script>alert(1)</script>\n\n|a|b|\n|-|-|\n|1|2|\n\n[x](javascript:alert(1))"
    html = MarkdownRenderer().to_html(text)
    assert "<h1>Title</h1>" in html and "<em>it</em>" in html and cells(html) == ["a", "b", "1", "2"]
    assert "<script>" not in html and 'href="javascript' not in html
    monkeypatch.setitem(sys.modules, "markdown_it", None)
    plain = MarkdownRenderer().to_html(text)
    assert "markdown-it-py" in plain and "# Title" in plain and "<script>" not in plain


def test_source_code_is_shown_with_or_without_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    code = "x = '<b>'"
    html = SourceCodeRenderer(title="m & n").to_html(code)
    assert "<h3>m &amp; n</h3>" in html and "&lt;b&gt;" in html and "<b>" not in html
    monkeypatch.setitem(sys.modules, "pygments", None)
    assert SourceCodeRenderer().to_html(source_code=code) == "<pre>x = &#x27;&lt;b&gt;&#x27;</pre>"


def test_the_dependencies_are_what_is_installed() -> None:
    html = PythonDependencyRenderer(title="Here").to_html()
    version = __import__("importlib.metadata").metadata.version("pytest")
    assert "<h3>Here</h3>" in html
    assert f"<td>pytest</td><td>{version}</td>" in html
    assert f"pytest=={version}" in html


@pytest.mark.parametrize("kind", ["bytes", "path", "file", "pil"])
def test_an_image_is_part_of_the_page(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(PNG)
    image: Any = {"bytes": PNG, "path": path, "file": FlyteFile(path)}.get(kind)
    if kind == "pil":
        image = SimpleNamespace(save=lambda stream, **_: stream.write(PNG))
    assert ImageRenderer().to_html(image_src=image).startswith('<img alt="" src="data:image/png;base64,iVBOR')
    assert 'src="data:image/svg+xml;' in ImageRenderer().to_html(b"<svg></svg>")
    with pytest.raises(ValueError, match="no image that browsers know"):
        ImageRenderer().to_html(b"text")
    with pytest.raises(TypeError, match="ImageRenderer shows"):
        ImageRenderer().to_html(7)


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_plots_bring_all_they_need(library: str) -> None:
    pytest.importorskip("plotly")
    some = frame(library, {"n": [1, 2, 3, 40]})
    for html in (BoxRenderer(column_name="n").to_html(some), HistogramRenderer("n", bins=4).to_html(some)):
        assert re.search(r"<script[^>]*\ssrc=", html) is None
        assert len(html) > 1_000_000
    both = page.without_doubles(BoxRenderer("n").to_html(some) + HistogramRenderer("n").to_html(some))
    assert both.count("Plotly.newPlot(") >= 2
    assert len(both) < 1.5 * len(html)


def test_a_gantt_chart_needs_its_columns() -> None:
    pytest.importorskip("plotly")
    some = frame("pandas", {"Name": ["a"], "Start": ["2024-01-01"], "Finish": ["2024-01-02"]})
    assert "Plotly.newPlot(" in GanttChartRenderer().to_html(some, chart_width=500)
    with pytest.raises(ValueError, match="Finish is not there"):
        GanttChartRenderer().to_html(some.drop(columns="Finish"))


def test_without_plotly_a_plot_says_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "plotly"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "plotly", None)
    with pytest.raises(ModuleNotFoundError, match="a box plot needs plotly"):
        BoxRenderer("n").to_html(frame("pandas", {"n": [1]}))


# ---- any value ------------------------------------------------------------------------------------------------------


class Bad:
    """A value whose repr fails."""

    def __repr__(self) -> str:
        raise RuntimeError("no repr")


def test_a_value_is_shown_by_its_annotation_else_its_class_else_its_repr(monkeypatch: pytest.MonkeyPatch) -> None:
    some = frame("pandas", {"n": [*range(20)]})
    assert "3 of 20 rows" in html_of(some, Annotated[Any, "csv", TopFrameRenderer(3)])
    assert "10 of 20 rows" in html_of(some, Any)
    assert html_of("<x>") == "<pre>&#x27;&lt;x&gt;&#x27;</pre>"
    assert len(html_of("x" * 50_000)) < 11_000
    assert "whose repr fails: RuntimeError" in html_of(Bad())
    monkeypatch.setattr(StructuredDatasetTransformerEngine, "RENDERERS", {})
    own = SimpleNamespace(to_html=lambda value: "shown by its own")
    StructuredDatasetTransformerEngine.register_renderer(Bad, own)
    assert html_of(Bad()) == "shown by its own"
    assert isinstance(TopFrameRenderer(), renderers.Renderable)


# ---- in tasks -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fails", [False, True])
def test_the_report_of_a_task_is_written_also_after_a_failure(fails: bool, capsys: pytest.CaptureFixture[str]) -> None:
    @task(enable_deck=True, deck_fields=[DeckField.INPUT])
    def work(n: int) -> int:
        Deck("mine", "<p>seen</p>")
        current_context().default_deck.append("by default")
        if fails:
            raise ValueError("no luck")
        return n

    if fails:
        with pytest.raises(ValueError, match="no luck"):
            work(n=7)
    else:
        assert work(n=7) == 7
    uri = capsys.readouterr().err.rpartition("deck in ")[2].strip()
    documents = Parsed(Path(uri).read_text()).documents
    assert [*documents] == ["mine", "default", "Input"]
    assert "seen" in documents["mine"] and "<pre>7</pre>" in documents["Input"]
