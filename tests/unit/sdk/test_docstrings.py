"""Docstrings in the three customary styles."""

import pytest

from windlass._docstrings import read_docstring

GOOGLE = """Counts words.

    It reads them all, and
    then some.

    Args:
        text: what to read,
            in lower case
        top (int): how many

    Returns:
        dict: the counts

    Raises:
        ValueError: never
    """

NUMPY = """Counts words.

    It reads them all, and
    then some.

    Parameters
    ----------
    text : str
        what to read,
        in lower case
    top : int, optional
        how many

    Returns
    -------
    dict
        the counts
    """

SPHINX = """Counts words.

    It reads them all, and
    then some.

    :param text: what to read,
        in lower case
    :param int top: how many
    :returns: the counts
    :raises ValueError: never
    """


@pytest.mark.parametrize("docstring", [GOOGLE, NUMPY, SPHINX], ids=["google", "numpy", "sphinx"])
def test_the_three_styles_say_the_same(docstring: str) -> None:
    found = read_docstring(docstring)
    assert found.text == "Counts words.\n\nIt reads them all, and\nthen some."
    assert found.parameters == {"text": "what to read, in lower case", "top": "how many"}
    assert found.returns == "the counts"


@pytest.mark.parametrize("docstring", [None, "", "   \n  "])
def test_no_docstring_says_nothing(docstring: "str | None") -> None:
    assert read_docstring(docstring) == ("", {}, "")


def test_a_colon_in_prose_starts_no_section() -> None:
    found = read_docstring("Does this:\n\n    it works: well\n    args: are good\n")
    assert found.parameters == {}
    assert "it works: well" in found.text


def test_text_after_a_section_belongs_to_the_text() -> None:
    found = read_docstring("Short.\n\nArgs:\n    a: one\n\nMore about it.")
    assert (found.text, found.parameters) == ("Short.\n\n\nMore about it.".replace("\n\n\n", "\n\n"), {"a": "one"})
