"""Cards: what people shall know of a model or data set, as Markdown that travels with the artifact."""

from __future__ import annotations

from typing import Any, ClassVar


class Card:
    """A text that is kept with an artifact. `kind` says what it is about."""

    kind: ClassVar[str] = "generic"

    def __init__(self, text: str, card_type: str | None = None) -> None:
        if not isinstance(text, str):
            raise TypeError(f"a card takes a text, not {text!r}")
        self.text = text
        self.card_type = card_type or self.kind

    def serialize_to_string(self, *_context: Any) -> tuple[str, str]:
        """What it is about, and the text."""
        return self.card_type, self.text

    def manifest(self) -> dict[str, str]:
        """The card as the contract says it."""
        return {"type": self.card_type, "text": self.text}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Card) and self.manifest() == other.manifest()

    def __hash__(self) -> int:
        return hash((self.card_type, self.text))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.text!r})"


class ModelCard(Card):
    """About a model.

    >>> ModelCard("# Pricing").manifest()
    {'type': 'model', 'text': '# Pricing'}
    """

    kind = "model"


class DataCard(Card):
    """About a data set."""

    kind = "data"
