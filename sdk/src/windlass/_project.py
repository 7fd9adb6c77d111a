"""Loading a file of the user's: by its own name, from its own root, so that it imports here as it will in a pod."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from windlass import _exceptions, _failure
from windlass._emit import definitions_of
from windlass._entity import Entity
from windlass._modules import locate, shown
from windlass_api.findings import did_you_mean

_OURS = (_exceptions.FlyteException, _exceptions.TypeTransformerFailedError, _exceptions.RestrictedTypeError)


class ProjectError(_exceptions.FlyteAssertion):
    """A file, or something in it, can't be had. `imported` says that the file was found, but its own code failed."""

    def __init__(self, message: str, *, imported: bool = False) -> None:
        super().__init__(message)
        self.imported = imported

    def __str__(self) -> str:
        return str(self.args[0])


def load(file: str | Path) -> ModuleType:
    """Imports a Python file. Its root folder, and the working folder after all others, are looked into for modules."""
    path = Path(file)
    if path.is_dir():
        raise ProjectError(f"{path} is a folder; give the Python file in it")
    if not path.exists():
        raise ProjectError(f"{path}: there is no such file")
    if path.suffix != ".py":
        raise ProjectError(f"{path} is no Python file (its name does not end in .py)")
    root, name = locate(str(path))
    for folder, position in ((root, 0), (str(Path.cwd()), len(sys.path))):
        if folder not in sys.path:
            sys.path.insert(position, folder)
    module = _import(name, path)
    _check_same(module, path)
    return module


def find(module: ModuleType, name: str) -> Entity:
    """The task, workflow or launch plan of that name: that of its variable in the file, or its own."""
    found = getattr(module, name.removeprefix(f"{module.__name__}."), None)
    if isinstance(found, Entity):
        return found
    there = named_in(module)
    own = next((entity for entity in there.values() if name in (entity.name, entity.short_name)), None)
    if own is not None:
        return own
    file = shown(str(module.__file__))
    if found is not None:
        raise ProjectError(f"`{name}` in {file} is neither a task nor a workflow{did_you_mean(name, there)}")
    if not there:
        raise ProjectError(f"{file} has neither tasks nor workflows")
    raise ProjectError(f"{file} has no task or workflow `{name}`{did_you_mean(name, there)}")


def named_in(module: ModuleType) -> dict[str, Entity]:
    """Every task, workflow and launch plan that the file offers, its own and imported ones, by its name there."""
    return {name: value for name, value in vars(module).items() if isinstance(value, Entity)}


def definitions(module: ModuleType) -> list[Entity]:
    """What rendering the file means. Raises ProjectError where there is nothing."""
    with compiling(module):
        found = definitions_of(module)
    if not found:
        raise ProjectError(f"{shown(str(module.__file__))} has neither tasks nor workflows of its own")
    return found


@contextmanager
def compiling(module: ModuleType) -> Iterator[None]:
    """Whatever goes wrong inside is a mistake in the file, and is told with its line."""
    try:
        yield
    except Exception as error:
        message = f"{shown(str(module.__file__))} can't be compiled:\n{told(error)}"
        raise ProjectError(message, imported=True) from error


def told(error: BaseException, *, full: bool = False) -> str:
    """An exception as the reader needs it: with the frames of their own code; with `full` all of them.

    Where none of their code was running, what Windlass says of it is enough; any other exception would be a mistake of
    Windlass itself, and is shown whole.
    """
    if isinstance(error, SyntaxError):
        return "".join(traceback.format_exception_only(error)).rstrip()
    users = "" if full else _failure.user_traceback(error)
    if not users and not full and isinstance(error, _OURS):
        return "".join(traceback.format_exception_only(error)).rstrip()
    return users or "".join(traceback.format_exception(error)).rstrip()


def _import(name: str, path: Path) -> ModuleType:
    try:
        __import__(name)  # unlike importlib.import_module it leaves no frame of its own in the user's traceback
        return sys.modules[name]
    except Exception as error:
        raise ProjectError(f"{path} can't be imported:\n{told(error)}", imported=True) from error


def _check_same(module: ModuleType, path: Path) -> None:
    """A file called `types.py` would be shadowed by the standard library, here and in every pod."""
    loaded = getattr(module, "__file__", None)
    if loaded is None or not path.samefile(loaded):
        raise ProjectError(
            f"{path} can't be imported: its module `{module.__name__}` is already {loaded or 'part of Python'};"
            " rename the file"
        )
