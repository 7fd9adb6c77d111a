"""Where a piece of user code lives: the name of its module, and the folder from which that name can be imported.

One rule for everybody (names of tasks, the bundle, `windlass run FILE`): the root is the first folder above the file
that has no `__init__.py`, and the module's name is the path from there. A script is called by its file's name, never
`__main__`, so that a task has one name however its file was started.

    project/                    <- root of app.flows.daily
      app/__init__.py
      app/flows/__init__.py
      app/flows/daily.py        <- module app.flows.daily
      wordcount.py              <- module wordcount (root: project/)

Loaded in every pod: it uses `os.path`, which Python has loaded anyway, rather than pathlib.
"""

from __future__ import annotations

import os.path
import sys
from collections.abc import Callable
from typing import Any

PACKAGE = os.path.dirname(os.path.abspath(__file__)) + os.sep  # noqa: PTH100, PTH120  pathlib is not loaded in pods


def locate(file: str) -> tuple[str, str]:
    """The root folder of a Python file and the dotted name that imports it from there."""
    folder, name = os.path.split(os.path.abspath(file))  # noqa: PTH100  pathlib is not loaded in pods
    parts = [] if name == "__init__.py" else [name.removesuffix(".py")]
    while os.path.exists(os.path.join(folder, "__init__.py")):  # noqa: PTH110, PTH118  as above
        folder, package = os.path.split(folder)
        parts.insert(0, package)
    return folder, ".".join(parts)


def module_file(module: str) -> str | None:
    """The source file of a loaded module, if it has one."""
    return getattr(sys.modules.get(module), "__file__", None)


def module_name(function: Callable[..., Any]) -> str:
    """The name by which the function's module goes in names of tasks and workflows."""
    file = module_file(function.__module__)
    return locate(file)[1] if file else function.__module__


def import_name(function: Callable[..., Any]) -> str:
    """The name under which the function's module is imported in a pod."""
    return import_name_of(function.__module__)


def import_name_of(module: str) -> str:
    """The name under which a module is imported in a pod: its own, unless it was started as a script."""
    file = module_file(module) if module == "__main__" else None
    return locate(file)[1] if file else module


def caller() -> str:
    """`file:line` of the innermost frame that is not Windlass's own: the line of user code that errors speak of."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(PACKAGE):
        frame = frame.f_back
    return f"{shown(frame.f_code.co_filename)}:{frame.f_lineno}"


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Warns at the line of user code that `caller` names; each line is told once."""
    import warnings  # noqa: PLC0415  Python has it loaded; here it stands for who reads the imports

    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(PACKAGE):
        frame = frame.f_back
    where, seen = frame.f_code.co_filename, frame.f_globals.setdefault("__warningregistry__", {})
    warnings.warn_explicit(message, category, where, frame.f_lineno, frame.f_globals.get("__name__"), seen)


def calling_module() -> str:
    """The name of the module whose code called Windlass: where a task that is no function, or a plan, is defined."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(PACKAGE):
        frame = frame.f_back
    return str(frame.f_globals.get("__name__", ""))


def shown(file: str) -> str:
    """A path as people like to read it: relative to the working folder where it lies below that."""
    here = os.path.join(os.getcwd(), "")  # noqa: PTH109, PTH118  pathlib is not loaded in pods
    return file.removeprefix(here)
