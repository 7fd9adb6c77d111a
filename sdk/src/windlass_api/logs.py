"""Logs: where that of an attempt is kept, and links to wherever else logs go.

The operator says both once in a run's status, as far as they are the same for all of its pods; who shows them fills in
the rest.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

OF_A_RUN = ("namespace", "execution", "uid")
OF_AN_ATTEMPT = ("node", "attempt", "element", "pod", "container", "start", "end", "startMillis", "endMillis")
MAX_LINKS = 8
MAX_LINK = 512
FOLDER = "logs"
_PLAIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_PLACEHOLDER = re.compile(r"\{([A-Za-z]+)\}")


def address(folder: str, node: str, attempt: int, element: int | None = None) -> str:
    """Where the log of an attempt is, in the folder of a run's logs.

    >>> address("s3://bucket/run.77/logs", "n0", 1), address("s3://bucket/run.77/logs", "n1", 0, 12)
    ('s3://bucket/run.77/logs/n0/1.log', 's3://bucket/run.77/logs/n1/12/0.log')
    """
    return f"{folder}/{node}/{'' if element is None else f'{element}/'}{attempt}.log"


def filled(template: str, values: Mapping[str, Any]) -> str:
    """A link with what is known in the place of its placeholders, written as URLs have it; the others stay.

    >>> filled("https://logs/?ns={namespace}&pod={pod}&to={end}", {"namespace": "a", "end": "2024-01-01T00:00:00Z"})
    'https://logs/?ns=a&pod={pod}&to=2024-01-01T00%3A00%3A00Z'
    """
    return _PLACEHOLDER.sub(lambda found: _quoted(str(values[found[1]])) if found[1] in values else found[0], template)


def _quoted(text: str) -> str:
    """As a part of a URL."""
    return "".join(chr(one) if chr(one) in _PLAIN else f"%{one:02X}" for one in text.encode())


def problem_of(template: str) -> str:
    """Why a template makes no links; nothing where it does."""
    unknown = [name for name in _PLACEHOLDER.findall(template) if name not in (*OF_A_RUN, *OF_AN_ATTEMPT)]
    if unknown:
        known = ", ".join(f"{{{name}}}" for name in (*OF_A_RUN, *OF_AN_ATTEMPT))
        return f"{{{unknown[0]}}} is no placeholder; there are {known}"
    if not re.match(r"https?://\S+\Z", template):
        return "it is no URL that begins with https:// or http://"
    return f"it is longer than {MAX_LINK} characters" if len(template) > MAX_LINK else ""
