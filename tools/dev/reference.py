"""docs/reference: every option of the command lines and every metric, from their sources.

The pages about the kinds come from ``windlass_api.reference``.
Options are read off the parsers and not off ``--help``, whose layout differs between Python versions.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator

import windlass._cli
import windlass_operator.cli
from dev.console import ROOT
from windlass_operator.telemetry import Telemetry

REFERENCE = ROOT / "docs" / "reference"
MADE = "<!-- Made by `make generate`; a change here is lost. -->"


def write() -> None:
    """The pages that are made here."""
    REFERENCE.mkdir(parents=True, exist_ok=True)
    for name, page in PAGES.items():
        (REFERENCE / name).write_text("\n".join([MADE, "", *page()]).rstrip() + "\n")


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def cli() -> Iterator[str]:
    """Every command and option of both command lines."""
    yield "# Command lines"
    yield from (
        "",
        "## windlass",
        "",
        "Also installed as `kubectl windlass`. Exit codes: 0 done, 1 it ran and failed, 2 called wrongly.",
    )
    for command in windlass._cli.COMMANDS:
        parser = argparse.ArgumentParser(prog=f"windlass {command.NAME}", add_help=False)
        command.configure(parser)
        yield from _command(parser)
    yield from ("", "## windlass-operator")
    commands = argparse.ArgumentParser(prog="windlass-operator").add_subparsers()
    for module in windlass_operator.cli.COMMANDS:
        module.register(commands)
    for parser in commands.choices.values():
        yield from _command(parser)


def _command(parser: argparse.ArgumentParser) -> Iterator[str]:
    """A command; what it divides into comes behind it."""
    yield from ("", f"### {parser.prog}", "", _prose(parser.description or ""), "", "| | |", "|---|---|")
    divided = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    for action in parser._actions:
        if action.help is not argparse.SUPPRESS and not isinstance(action, argparse._HelpAction):
            yield f"| `{_cell(_invocation(action))}` | {_cell(_help(parser, action))} |"
    if parser.epilog:
        yield from ("", _prose(parser.epilog))
    for action in divided:
        helps = {one.dest: one.help for one in action._choices_actions}
        for name, part in action.choices.items():
            part.description = part.description or f"{(helps[name] or '')[:1].upper()}{(helps[name] or '')[1:]}."
            yield from _command(part)


def _prose(text: str) -> str:
    return "\n".join(line.strip() for line in text.replace("``", "`").splitlines()).strip()


def _invocation(action: argparse.Action) -> str:
    names = ", ".join(action.option_strings)
    if action.nargs == 0:
        return names
    value = action.metavar or ("|".join(map(str, action.choices)) if action.choices else action.dest.upper())
    return f"{names} {value}".strip()


def _help(parser: argparse.ArgumentParser, action: argparse.Action) -> str:
    return (action.help or "") % {**vars(action), "prog": parser.prog}


def metrics() -> Iterator[str]:
    """Every metric of the operator."""
    yield "# Metrics"
    yield ""
    yield "The operator serves them at `/metrics`. The values of labels come from enumerations, but for the names of"
    yield "pools of actors, of which 200 at most have series of their own: so the number of series is bounded."
    yield from ("", "| name | type | |", "|---|---|---|")
    telemetry = Telemetry(lambda namespace, manifest: None, lambda: 0.0, lambda: 0.0)
    for metric in telemetry.registry.collect():
        suffix = "_total" if metric.type == "counter" else ""
        yield f"| `{metric.name}{suffix}` | {metric.type} | {_cell(metric.documentation)} |"


PAGES: dict[str, Callable[[], Iterable[str]]] = {"cli.md": cli, "metrics.md": metrics}
