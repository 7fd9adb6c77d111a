"""ShellTask: a shell script as a task.

    count = ShellTask(
        name="count",
        script="wc -l < {inputs.text} > {outputs.lines}",
        inputs=kwtypes(text=FlyteFile),
        output_locs=[OutputLocation(var="lines", var_type=FlyteFile, location="{inputs.text}.lines")],
    )

In the script `{inputs.x}` is the input x (of a file its path, which is downloaded first), `{outputs.y}` the path where
the output y is expected, and `{ctx.…}` something of the task's context, such as `{ctx.execution_id.name}`. Other braces
are the shell's: `${HOME}`, `{1..3}`. Values stand in the script as they are; quote what may hold blanks.

In its pod, the task runs like a Python function: in an image with Python, and with the module that holds it.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar

from windlass._bindings import kind_of
from windlass._context import current_context
from windlass._exceptions import FlyteAssertion
from windlass._metadata import TaskMetadata
from windlass._modules import import_name_of
from windlass._options import RUN_OPTIONS
from windlass._task_object import TaskObject

_TEMPLATE = re.compile(r"\{\s*(inputs|outputs|ctx)\.([A-Za-z_][\w.]*)\s*\}")
_OPTIONS = (*RUN_OPTIONS, "task_config", "docs", "deprecated")


class OutputLocation:
    """Where a script leaves an output.

    Args:
        var: the output's name.
        var_type: FlyteFile or FlyteDirectory, with a format if there is one.
        location: the path; `{inputs.x}` and `{ctx.…}` may stand in it.
    """

    __slots__ = ("location", "var", "var_type")

    def __init__(self, var: str, var_type: Any, location: str | os.PathLike[str]) -> None:
        self.var = var
        self.var_type = var_type
        self.location = os.fspath(location)

    def __repr__(self) -> str:
        return f"OutputLocation(var={self.var!r}, var_type={self.var_type!r}, location={self.location!r})"


class ShellTask(TaskObject):
    """A shell script as a task.

    Args:
        name: the task's name; it is used as it is.
        debug: whether the script is printed before it runs, with its values in place.
        script: the script.
        script_file: the file that holds it, in place of `script`; relative to the working folder.
        task_config: as for `@task`.
        shell: the program that runs it.
        inputs: types by name. A pair (type, default) gives a default.
        output_locs: where it leaves its outputs: files and directories.
        metadata: cache, retries, timeout and more in one object.
        kwargs: other options of `@task`.

    Raises:
        ValueError: there is no script or there are two, an output is neither file nor directory, or the script names
            an input or output that there is not.
    """

    task_type: ClassVar[str] = "shell"

    def __init__(
        self,
        name: str,
        debug: bool = False,
        script: str | None = None,
        script_file: str | None = None,
        task_config: Any = None,
        shell: str = "/bin/sh",
        inputs: Mapping[str, Any] | None = None,
        output_locs: Iterable[OutputLocation] | None = None,
        metadata: TaskMetadata | None = None,
        **kwargs: Any,
    ) -> None:
        if bool(script) == bool(script_file):
            raise ValueError(f"the ShellTask {name} takes either a script or a script_file, and needs one of them")
        self._locations = list(output_locs or ())
        options = {**(metadata.options() if metadata else {}), **kwargs, "task_config": task_config}
        outputs = {location.var: location.var_type for location in self._locations}
        super().__init__(name, inputs, outputs, options, _OPTIONS)
        self.debug = debug
        self.shell = shell
        self.script_file = None if script_file is None else os.path.abspath(script_file)  # noqa: PTH100  a string, as its name
        self._script = script
        self._check()

    @property
    def script(self) -> str:
        """The script, read from its file if it is in one."""
        if self._script is not None:
            return self._script
        with open(self.script_file or "", encoding="utf-8") as file:  # noqa: PTH123  as above
            return file.read()

    @property
    def output_locs(self) -> list[OutputLocation]:
        """Where it leaves its outputs."""
        return list(self._locations)

    def runner(self) -> dict[str, Any]:
        """Where its pod finds it: it must be in a variable of its module."""
        return {"python": {"entrypoint": f"{import_name_of(self.instantiated_in)}:{self.find_lhs()}"}}

    def execute(self, **kwargs: Any) -> Any:
        """Runs the script on Python values; gives its output, or a tuple of several.

        Raises:
            RuntimeError: the script ended with another exit code than 0.
            FlyteAssertion: it did not leave an output where it said.
        """
        context = current_context()
        params = self.pre_execute(context)
        values = {name: _text(value) for name, value in kwargs.items()}
        paths = {one.var: self._filled(one.location, values, {}, context) for one in self._locations}
        self._run(self._filled(self.script, values, paths, context))
        results = {one.var: self._output(one, paths[one.var]) for one in self._locations}
        return self.post_execute(params, self.interface.pack(results))

    def _run(self, script: str) -> None:
        if self.debug:
            sys.stdout.write(f"{self.name}: {self.shell} runs in {os.getcwd()}:\n{script}\n")  # noqa: PTH109  as above
        done = subprocess.run([self.shell, "-c", script], stderr=subprocess.PIPE, check=False)  # noqa: S603  the author's script
        told = done.stderr.decode("utf-8", "replace")
        sys.stderr.write(told)
        if done.returncode:
            raise RuntimeError(
                f"the script of {self.name} ended with exit code {done.returncode} in {os.getcwd()}"  # noqa: PTH109  as above
                + (f":\n{told.rstrip()}" if told.strip() else "; it told no error")
            )

    def _output(self, location: OutputLocation, path: str) -> Any:
        if not os.path.exists(path):  # noqa: PTH110  as above
            raise FlyteAssertion(
                f"the script of {self.name} has left no {path}, where its output {location.var} should be"
            )
        return location.var_type(path)

    def _filled(self, text: str, values: Mapping[str, str], paths: Mapping[str, str], context: Any) -> str:
        known: dict[str, Callable[[str], str]] = {
            "inputs": values.__getitem__,
            "outputs": paths.__getitem__,
            "ctx": lambda path: _of_context(context, path),
        }
        return _TEMPLATE.sub(lambda found: known[found[1]](found[2]), text)

    def _check(self) -> None:
        for location in self._locations:
            if kind_of(location.var_type).type.name not in ("file", "directory"):
                raise ValueError(
                    f"the output {location.var} of the ShellTask {self.name} is a {location.var_type!r}, but a script"
                    " leaves files: take FlyteFile or FlyteDirectory"
                )
            self._check_words(location.location, outputs=())
        if self._script is not None:
            self._check_words(self._script, outputs=tuple(self.interface.outputs))

    def _check_words(self, text: str, outputs: tuple[str, ...]) -> None:
        known = {"inputs": tuple(self.interface.inputs), "outputs": outputs}
        for kind, name in _TEMPLATE.findall(text):
            if kind in known and name not in known[kind]:
                raise ValueError(
                    f"the ShellTask {self.name} has no {{{kind}.{name}}}; there are"
                    f" {', '.join(known[kind]) or 'none'} here"
                )


def _text(value: Any) -> str:
    """What stands in the script: the path of a file or directory, which is fetched; else what Python prints."""
    return os.fspath(value) if isinstance(value, os.PathLike) else str(value)


def _of_context(context: Any, path: str) -> str:
    found = context
    for name in path.split("."):
        found = getattr(found, name)
    return str(found)


__all__ = ["OutputLocation", "ShellTask"]
