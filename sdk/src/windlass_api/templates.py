"""Values as texts, and the templates of a container's command that they stand for.

    ["sh", "-c", "seq {{.inputs.n}}"]    with n = 3    →    ["sh", "-c", "seq 3"]

| type | text |
|---|---|
| bool, int, float | `true`, `3`, `0.5` |
| str, enum | itself |
| datetime, date, timedelta | `2024-01-02T03:04:05Z`, `2024-01-02`, `1h2m3s` |
| bytes | base64 |
| None | `null` |
| list | `[a,b]` of its items' texts |
| dicts, struct, any | JSON |
| file, directory, dataframe, pickle | its address |

The operator fills in the commands of pods and the SDK those of containers on this machine, by the same functions; what
is in files is `windlass._container_io`'s.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from windlass_api.types import REFERENCES, Type, alternatives, check_value

ERROR_FILE = "error"
"""Among the outputs of a container, the file with its own words for why it failed."""

_WORD = re.compile(r"\{\{\s*[.$]([A-Za-z][\w.]*)\s*\}\}")


def template_words(text: str) -> Iterator[str]:
    """What stands between `{{.` and `}}` in the text.

    >>> list(template_words("--n={{.inputs.n}} {{$Inputs.m}}"))
    ['inputs.n', 'Inputs.m']
    """
    return (found[1] for found in _WORD.finditer(text))


def input_name(word: str) -> str | None:
    """The input that a template's word stands for: `inputs.NAME`, where `inputs` may be in capitals."""
    first, _, name = word.partition(".")
    return name if first.lower() == "inputs" and name else None


def substituted(text: str, texts: Mapping[str, str]) -> str:
    """The text with the inputs' texts in place of its templates. What is no template of an input stays.

    >>> substituted("{{.inputs.n}}/{{.inputs.m}}", {"n": "3", "m": "{{.inputs.n}}"})
    '3/{{.inputs.n}}'
    """
    return _WORD.sub(lambda found: texts.get(input_name(found[1]) or "", found[0]), text)


def text_of(value: Any, of: Type) -> str:
    """A value as it stands in a command.

    >>> text_of([1.0, 0.25], Type("list", (Type("float"),)))
    '[1,0.25]'
    """
    kind = concrete(value, of)
    if kind.name in REFERENCES:
        return str(value["uri"])
    if kind.name == "list":
        return f"[{','.join(text_of(item, kind.args[0]) for item in value)}]"
    if kind.name == "float" and not isinstance(value, str):
        return _float_text(float(value))
    return value if isinstance(value, str) else _json_text(value)


def _float_text(value: float) -> str:
    """The shortest text that reads back as the number, without an exponent up to 21 digits.

    >>> _float_text(3.0), _float_text(1e20), _float_text(1e21), _float_text(0.1)
    ('3', '100000000000000000000', '1e+21', '0.1')
    """
    text = repr(value)
    if "e+" in text and abs(value) < 1e21:
        digits, _, exponent = text.partition("e+")
        whole, _, fraction = digits.partition(".")
        return whole + fraction.ljust(int(exponent), "0")
    return text.removesuffix(".0")


def _json_text(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def concrete(value: Any, of: Type) -> Type:
    """Of a union or optional the type that the value has."""
    options = alternatives(of)
    return next((option for option in options if not check_value(value, option)), options[0])
