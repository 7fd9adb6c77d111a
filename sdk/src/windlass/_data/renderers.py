"""HTML of things, for decks. Each renderer has one method, `to_html`; anything with such a method is one.

    Deck("Head", TopFrameRenderer(10).to_html(frame))

    @task(enable_deck=True)
    def load() -> Annotated[pd.DataFrame, TopFrameRenderer(10)]: ...      # how the Output deck shows it

What comes from values is escaped. Plots need plotly, and bring its script along, so that the file needs nothing else.
"""

from __future__ import annotations

import base64
import io
import sys
from collections.abc import Sequence
from html import escape
from typing import Any, Protocol, runtime_checkable

_MAX_ROWS, _MAX_COLUMNS = 10, 100
_SHOWN = 10_000  # characters of a value in a deck


@runtime_checkable
class Renderable(Protocol):
    """What makes HTML of a value."""

    def to_html(self, python_value: Any) -> str:
        """The HTML."""


class TopFrameRenderer:
    """The first rows and columns of a frame, as a table.

    Args:
        max_rows: how many rows; 10 by default.
        max_cols: how many columns; 100 by default.
    """

    def __init__(self, max_rows: int = _MAX_ROWS, max_cols: int = _MAX_COLUMNS) -> None:
        self._max_rows = max_rows
        self._max_cols = max_cols

    def to_html(self, df: Any) -> str:
        """The table of a frame of pandas, polars or pyarrow. Raises TypeError for anything else."""
        head = _head(df, self._max_rows)
        if head is None:
            raise TypeError(f"TopFrameRenderer shows frames of pandas, polars and pyarrow, not {type(df).__qualname__}")
        names, rows, total = head
        shown = slice(0, self._max_cols)
        left_out = []
        if total is not None and total > len(rows):
            left_out.append(f"{len(rows)} of {total} rows")
        if len(names) > self._max_cols:
            left_out.append(f"{self._max_cols} of {len(names)} columns")
        note = f"<p>{' and '.join(left_out)}</p>" if left_out else ""
        return table(names[shown], [row[shown] for row in rows]) + note


class ArrowRenderer:
    """The schema of a pyarrow table: its columns and their types."""

    def to_html(self, df: Any) -> str:
        """The table of columns."""
        return table(["column", "type"], [[field.name, str(field.type)] for field in df.schema])


class TableRenderer:
    """A whole frame as a table, with a title and names of your own.

    Args of `to_html`:
        df: the frame.
        header_labels: names to show in place of the columns' own.
        table_width: in pixels.
    """

    def to_html(self, df: Any, header_labels: Sequence[str] | None = None, table_width: int | None = None) -> str:
        """The table. Raises ValueError where there are not as many labels as columns."""
        head = _head(df, None)
        if head is None:
            raise TypeError(f"TableRenderer shows frames of pandas, polars and pyarrow, not {type(df).__qualname__}")
        names, rows, _ = head
        if header_labels is not None and len(header_labels) != len(names):
            raise ValueError(
                f"header_labels has {len(header_labels)} names, and the frame {len(names)} columns: {names}"
            )
        return table(list(header_labels or names), rows, table_width)


class MarkdownRenderer:
    """Markdown as HTML, by markdown-it-py where that is installed. HTML in the text is shown, not used.

    Without the library the text is shown as it is, in a <pre>, under a line that says so.
    """

    def to_html(self, text: str) -> str:
        """The HTML."""
        try:
            from markdown_it import MarkdownIt  # noqa: PLC0415  optional
        except ModuleNotFoundError:
            note = "Markdown as it was written: markdown-it-py, which would turn it into HTML, is not installed."
            return f"<p><em>{note}</em></p><pre>{escape(text)}</pre>"
        return str(MarkdownIt("commonmark", {"html": False}).enable("table").enable("strikethrough").render(text))


class SourceCodeRenderer:
    """Python code: in colours where pygments is installed.

    Args:
        title: a heading above it.
    """

    def __init__(self, title: str | None = None) -> None:
        self._title = title

    def to_html(self, source_code: str) -> str:
        """The HTML."""
        heading = f"<h3>{escape(self._title)}</h3>\n" if self._title else ""
        try:
            from pygments import highlight  # noqa: PLC0415  optional
            from pygments.formatters import HtmlFormatter  # noqa: PLC0415  as above
            from pygments.lexers import PythonLexer  # noqa: PLC0415  as above
        except ModuleNotFoundError:
            return f"{heading}<pre>{escape(source_code)}</pre>"
        return heading + str(highlight(source_code, PythonLexer(), HtmlFormatter(noclasses=True, style="default")))


class PythonDependencyRenderer:
    """What is installed where the task runs.

    Args:
        title: a heading above it.
    """

    def __init__(self, title: str = "Dependencies") -> None:
        self._title = title

    def to_html(self) -> str:
        """A table of names and versions, and the same as lines of a requirements file."""
        from importlib import metadata  # noqa: PLC0415  only here

        found = {(one.metadata["Name"], one.version) for one in metadata.distributions() if one.metadata is not None}
        known = sorted(((name, version) for name, version in found if name), key=lambda one: one[0].lower())
        lines = "\n".join(f"{name}=={version}" for name, version in known)
        python = f"<p>Python {escape(sys.version)}</p>"
        as_text = f"<details><summary>as requirements</summary><pre>{escape(lines)}</pre></details>"
        return f"<h3>{escape(self._title)}</h3>\n{python}{as_text}{table(['name', 'version'], known)}"


class ImageRenderer:
    """An image, as part of the page."""

    def to_html(self, image_src: Any) -> str:
        """The HTML of a FlyteFile, a path, the bytes of an image, or an image of PIL."""
        data = _image_bytes(image_src)
        return f'<img alt="" src="data:{_image_type(data)};base64,{base64.b64encode(data).decode()}">'


class BoxRenderer:
    """A box plot of a column; needs plotly.

    Args:
        column_name: which one.
    """

    def __init__(self, column_name: str) -> None:
        self._column = column_name

    def to_html(self, df: Any) -> str:
        """The plot."""
        return _plot("box", df, y=self._column)


class HistogramRenderer:
    """A histogram of a column; needs plotly.

    Args:
        column_name: which one.
        bins: into how many bars at most; plotly chooses by default.
    """

    def __init__(self, column_name: str, bins: int | None = None) -> None:
        self._column = column_name
        self._bins = bins

    def to_html(self, df: Any) -> str:
        """The plot."""
        return _plot("histogram", df, x=self._column, nbins=self._bins)


class GanttChartRenderer:
    """What happened from when to when; needs plotly.

    The frame has the columns `Name`, `Start` and `Finish`, and is shown with a bar for each row.
    """

    def to_html(self, df: Any, chart_width: int | None = None) -> str:
        """The chart, `chart_width` pixels wide. Raises ValueError where a column is not there."""
        lacking = [name for name in ("Name", "Start", "Finish") if name not in df.columns]
        if lacking:
            raise ValueError(
                f"a Gantt chart needs the columns Name, Start and Finish; {', '.join(lacking)} is not there"
            )
        return _plot("timeline", df, x_start="Start", x_end="Finish", y="Name", width=chart_width)


# ---- any value -------------------------------------------------------------------------------------------------------


def html_of(value: Any, python_type: Any = None) -> str:
    """The HTML of an input or output: by a renderer in its annotation, else by its class, else its repr."""
    for mark in getattr(python_type, "__metadata__", ()):
        if isinstance(mark, Renderable) and not isinstance(mark, type):
            return mark.to_html(value)
    renderer = _renderer_of(type(value))
    if renderer is not None:
        return str(renderer.to_html(value))
    if _head(value, 0) is not None:
        return TopFrameRenderer().to_html(value)
    try:
        text = repr(value)
    except Exception as error:  # noqa: BLE001  a user's __repr__ may raise anything, and must not stop the report
        text = f"<a value of type {type(value).__qualname__} whose repr fails: {type(error).__name__}>"
    return f"<pre>{escape(text if len(text) <= _SHOWN else text[:_SHOWN] + '…')}</pre>"


def _renderer_of(kind: type) -> Any:
    handlers = sys.modules.get("windlass._data.handlers")  # nobody has registered one where it is not loaded
    if handlers is None:
        return None
    known = handlers.StructuredDatasetTransformerEngine.RENDERERS
    return next((known[base] for base in kind.__mro__ if base in known), None)


def table(names: Sequence[Any], rows: Sequence[Sequence[Any]], width: int | None = None) -> str:
    """A table of texts, escaped."""
    style = "" if width is None else f' style="width:{int(width)}px"'
    head = "".join(f"<th>{escape(str(name))}</th>" for name in names)
    body = "".join("<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table{style}><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _head(frame: Any, count: int | None) -> tuple[list[str], list[Sequence[Any]], int | None] | None:
    """Names, the first rows, and how many there are, of a frame; None for what is none."""
    for base in type(frame).__mro__:
        library = base.__module__.partition(".")[0]
        if (library, base.__qualname__) == ("pandas", "DataFrame"):
            part = frame if count is None else frame.head(count)
            return [str(name) for name in frame.columns], [*part.itertuples(index=False, name=None)], len(frame)
        if (library, base.__qualname__) == ("polars", "DataFrame"):
            return list(frame.columns), (frame if count is None else frame.head(count)).rows(), len(frame)
        if (library, base.__qualname__) == ("polars", "LazyFrame"):
            part = (frame if count is None else frame.head(count)).collect()
            return list(part.columns), part.rows(), None
        if (library, base.__qualname__) == ("pyarrow", "Table"):
            columns = (frame if count is None else frame.slice(0, count)).to_pydict()
            return list(frame.column_names), [*zip(*columns.values(), strict=True)], frame.num_rows
    return None


def _plot(kind: str, frame: Any, **options: Any) -> str:
    try:
        import plotly.express  # noqa: PLC0415  optional
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"a {kind} plot needs plotly, which is not installed: pip install plotly (and pandas)", name=error.name
        ) from error
    if type(frame).__module__.partition(".")[0] == "pyarrow":
        frame = frame.to_pandas()
    figure = getattr(plotly.express, kind)(frame, **options)
    return str(figure.to_html(full_html=False, include_plotlyjs=True))


def _image_bytes(image: Any) -> bytes:
    from windlass._data.files import FlyteFile  # noqa: PLC0415  only for images

    if isinstance(image, bytes):
        return image
    if isinstance(image, FlyteFile):
        with image.open("rb") as stream:
            data: bytes = stream.read()
        return data
    if hasattr(image, "save"):  # PIL's images
        buffer = io.BytesIO()
        image.save(buffer, format="PNG")
        return buffer.getvalue()
    if isinstance(image, str) or hasattr(image, "__fspath__"):
        return _image_bytes(FlyteFile(image))
    raise TypeError(f"ImageRenderer shows a FlyteFile, a path, bytes or an image of PIL, not {image!r}")


_IMAGES = (
    (b"\x89PNG", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"RIFF", "image/webp"),
    (b"BM", "image/bmp"),
)


def _image_type(data: bytes) -> str:
    for beginning, name in _IMAGES:
        if data.startswith(beginning):
            return name
    if b"<svg" in data[:1000]:
        return "image/svg+xml"
    raise ValueError(f"no image that browsers know begins with {data[:12]!r}")
