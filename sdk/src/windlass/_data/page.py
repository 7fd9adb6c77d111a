"""All decks of a task in one HTML file that needs nothing else: no other file, no server, no script of ours.

    ┌ Curves ┬ default ┬ Source Code ┐      radio buttons and CSS: which one is checked is which one is shown
    │ ┌─────────────────────────────┐ │
    │ │ an iframe of its own        │ │     sandbox="allow-scripts": a plot may run its script, and reach nothing of
    │ └─────────────────────────────┘ │     the page, of its neighbours, or of the site that serves the file
    └─────────────────────────────────┘

What a deck holds was written by somebody's task: it is never trusted. Titles are escaped, and a deck's HTML is the text
of its iframe's attribute, so that no tag of it, open or closed, ends up in the page itself.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape

SANDBOX = "allow-scripts allow-popups"
_BIG = 50_000  # characters of a script that is worth finding its doubles: a library, not a plot
_SCRIPT = re.compile(r"<script\b[^>]*>(.*?)</script\s*>", re.DOTALL | re.IGNORECASE)

_CSS = """
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }
body { margin: 0; display: flex; flex-direction: column; height: 100vh; }
input { position: absolute; opacity: 0; }
nav { display: flex; flex-wrap: wrap; gap: 2px; padding: 8px 8px 0; border-bottom: 1px solid #8888; }
label { padding: 6px 14px; cursor: pointer; border: 1px solid transparent; border-bottom: 0; }
label:hover { background: #8882; }
main { position: relative; flex: 1; }
iframe { position: absolute; inset: 0; width: 100%; height: 100%; border: 0; visibility: hidden; background: #fff; }
p.none { padding: 2em; }
""".strip()

_INNER_CSS = (
    "body{font:15px/1.5 system-ui,sans-serif;margin:1em;color:#111;background:#fff}"
    "table{border-collapse:collapse}th,td{border:1px solid #ccc;padding:3px 9px;text-align:left}"
    "pre{overflow:auto;padding:.7em;background:#f5f5f5}img,svg{max-width:100%}"
    ".bar{background:#4a7bd0;height:1em;min-width:2px}"
)


def page(decks: Sequence[tuple[str, str]]) -> str:
    """The file: (title, HTML) of each deck become a tab, the first of which is open."""
    inputs = [
        f'<input type="radio" name="deck" id="deck-{number}"{" checked" if number == 0 else ""}>'
        for number in range(len(decks))
    ]
    labels = [f'<label for="deck-{number}">{escape(title)}</label>' for number, (title, _) in enumerate(decks)]
    frames = [
        f'<iframe id="frame-{number}" title="{escape(title)}" {_sandboxed(_inner(html))}></iframe>'
        for number, (title, html) in enumerate(decks)
    ]
    body = [*inputs, "<nav>", *labels, "</nav>", "<main>", *frames, "</main>"] if decks else [_NOTHING]
    return "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="en"><head><meta charset="utf-8"><title>Decks</title>',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<style>\n{_CSS}\n{_rules(len(decks))}</style></head><body>",
            *body,
            "</body></html>\n",
        ]
    )


_NOTHING = '<p class="none">This task has written no deck.</p>'


def _rules(count: int) -> str:
    """Which frame a checked button shows, which label it marks, and which label the keyboard is at."""
    lines = []
    for number in range(count):
        lines.append(f"#deck-{number}:checked ~ main #frame-{number} {{ visibility: visible; }}")
        lines.append(
            f'#deck-{number}:checked ~ nav label[for="deck-{number}"]'
            " { border-color: #8888; background: #8883; font-weight: 600; }"
        )
        lines.append(f'#deck-{number}:focus-visible ~ nav label[for="deck-{number}"] {{ outline: 2px solid; }}')
    return "\n".join(lines) + "\n"


def _inner(html: str) -> str:
    return f'<!DOCTYPE html><meta charset="utf-8"><style>{_INNER_CSS}</style>{without_doubles(html)}'


def without_doubles(html: str) -> str:
    """Of a library that several plots of a deck bring along (plotly: 5 MB each), the first copy only."""
    seen: set[str] = set()

    def keep(match: re.Match[str]) -> str:
        script = match.group(1)
        if len(script) < _BIG:
            return match.group(0)
        if script in seen:
            return ""
        seen.add(script)
        return match.group(0)

    return _SCRIPT.sub(keep, html)


def framed(whole: str) -> str:
    """A page inside another one, such as a notebook."""
    return f'<iframe style="width:100%;height:600px;border:0" {_sandboxed(whole)}></iframe>'


def _sandboxed(html: str) -> str:
    return f'sandbox="{SANDBOX}" srcdoc="{escape(html)}"'


def titled(title: str, html: str) -> str:
    """Some HTML under a heading."""
    return f"<h4>{escape(title)}</h4>\n{html}"


def bars(parts: Sequence[tuple[str, float, float, float | None]]) -> str:
    """(name, start, end, processor time) of some parts of a run as a table with bars; "" without any."""
    if not parts:
        return ""
    first, last = min(start for _, start, _, _ in parts), max(end for _, _, end, _ in parts)
    whole = (last - first) or 1.0
    rows = []
    for name, start, end, process in parts:
        left, width = 100 * (start - first) / whole, 100 * (end - start) / whole
        used = "" if process is None else f"{process:.3f} s"
        bar = f'<div class="bar" style="margin-left:{left:.1f}%;width:{width:.1f}%"></div>'
        rows.append(
            f"<tr><td>{escape(name)}</td><td>{start - first:.3f} s</td><td>{end - start:.3f} s</td><td>{used}</td>"
            f'<td style="width:50%">{bar}</td></tr>'
        )
    head = "<tr><th>part</th><th>after</th><th>took</th><th>processor</th><th></th></tr>"
    return f'<table style="width:100%">{head}{"".join(rows)}</table>'
