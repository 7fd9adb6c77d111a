"""Documentation of a task or workflow for people, where its docstring is not enough or not there.

@task(docs=Documentation(short_description="Trains the model.", source_code=SourceCode(link="…")))
"""

from __future__ import annotations

from typing import Any


class Description:
    """A longer text.

    Args:
        value: the text.
        uri: where it is, if it is kept elsewhere.
        icon_link: a picture beside it.
        format: what it is written in, such as "markdown".
    """

    def __init__(
        self,
        value: str = "",
        uri: str | None = None,
        icon_link: str | None = None,
        format: str | None = None,  # noqa: A002  the API's name
    ) -> None:
        self.value = value
        self.uri = uri
        self.icon_link = icon_link
        self.format = format


class SourceCode:
    """Where the source is."""

    def __init__(self, link: str | None = None) -> None:
        self.link = link


class Documentation:
    """What people shall read about a task. It takes the place of the docstring.

    >>> Documentation("Sums up.", Description("All of them."), SourceCode("https://example.org/sum.py")).text()
    'Sums up.\\n\\nAll of them.\\n\\nSource: https://example.org/sum.py'
    """

    def __init__(
        self,
        short_description: str | None = None,
        long_description: Description | str | None = None,
        source_code: SourceCode | None = None,
    ) -> None:
        self.short_description = short_description
        self.long_description = long_description
        self.source_code = source_code

    def text(self) -> str:
        """All of it as one text, paragraph by paragraph."""
        described = self.long_description
        link = None if self.source_code is None else self.source_code.link
        paragraphs = (
            self.short_description,
            described if isinstance(described, str) else getattr(described, "value", None),
            None if described is None or isinstance(described, str) else described.uri,
            None if link is None else f"Source: {link}",
        )
        return "\n\n".join(paragraph for paragraph in paragraphs if paragraph)


def text_of(docs: Any) -> str:
    """The text of what was given as `docs`: a text, or a Documentation. Raises TypeError for anything else."""
    if isinstance(docs, str):
        return docs
    if isinstance(docs, Documentation):
        return docs.text()
    raise TypeError(f"docs takes a text or a Documentation, not {docs!r}")
