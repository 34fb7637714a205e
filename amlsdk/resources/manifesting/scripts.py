"""A scoring script that the user gives: a file, a folder with score.py, or a function."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import attrs

from amlsdk.errors import InvalidArgument, NotFound
from amlsdk.filesets.walk import scan
from amlsdk.resources.arguments import local_path, shown
from amlsdk.resources.manifesting.templates import SCRIPT
from amlsdk.resources.modelfiles.formats import format_of

__all__ = ["Kept", "Script", "check_scoring", "modules_of", "read_script"]

_RESERVED = "service.json"


@attrs.frozen(kw_only=True)
class Script:
    """A scoring script and what lies beside it.

    Args:
        path: Of the script, in `app`.
        files: What goes into `app`: files to be copied, or texts, by path.
        parameters: Names of the arguments of `run`.
        required: Those of them without a default.
        modules: Names of the modules that its files import, as far as they can be read.
        is_open: What `run` takes can't be read from its text.
        pickles: Pickle-based files among them.
    """

    path: str
    files: dict[str, Path | str | bytes]
    parameters: tuple[str, ...] = ("data",)
    required: tuple[str, ...] = ("data",)
    modules: frozenset[str] = frozenset()
    is_open: bool = False
    pickles: tuple[str, ...] = ()


@attrs.frozen
class Kept:
    """The script of a manifest, and what lies beside it, in a folder.

    Args:
        folder: Where they are.
        script: Path of the script.
    """

    folder: Path
    script: str


def read_script(scoring: str | os.PathLike[str] | Kept) -> Script:
    """Read what the user gave.

    Raises:
        NotFound: There is no such file, or no score.py in the folder.
        InvalidArgument: It is not Python, or has no function `run` that can be called by names of arguments.
    """
    if isinstance(scoring, Kept):
        files: dict[str, Path | str | bytes] = {
            file.path: Path(file.location) for file in scan(scoring.folder, everything=True).files
        }
        return _described(scoring.script, files)
    path = local_path(scoring, what="scoring=...")
    if path.is_dir():
        return _folder(path)
    if not path.is_file():
        raise NotFound(f"scoring={os.fspath(scoring)!r}: there is no file or folder {path.absolute()}")
    if path.suffix != ".py":
        raise InvalidArgument(
            f"scoring={os.fspath(scoring)!r}: a scoring script is a .py file, or a folder with {SCRIPT}"
        )
    return _described(path.name, {path.name: path})


def modules_of(files: Iterable[Path | str | bytes]) -> frozenset[str]:
    """Names that imports in Python files begin with; what can't be read is left to be found by running it."""
    found: set[str] = set()
    for file in files:
        try:
            tree = ast.parse(file.read_bytes() if isinstance(file, Path) else file)
        except (OSError, SyntaxError, ValueError, RecursionError):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module.partition(".")[0])
    return frozenset(found)


def _folder(folder: Path) -> Script:
    tree = scan(folder)
    files: dict[str, Path | str | bytes] = {file.path: Path(file.location) for file in tree.files}
    if SCRIPT not in files:
        raise NotFound(f"scoring={os.fspath(folder)!r}: the folder has no {SCRIPT}, or .amlignore leaves it out")
    if tree.links:
        # A copy of what they lead to: links are made for the models' files.
        files |= {path: (folder / path).resolve() for path in tree.links if (folder / path).is_file()}
    if _RESERVED in files:
        raise InvalidArgument(
            f"scoring={os.fspath(folder)!r}: it has a {_RESERVED}, which is written for each manifest; rename it, or "
            "leave it out by .amlignore"
        )
    return _described(SCRIPT, files)


def _described(path: str, files: dict[str, Path | str | bytes]) -> Script:
    file = files[path]
    try:
        tree = ast.parse(file.read_bytes() if isinstance(file, Path) else file, filename=path)
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None)
        raise InvalidArgument(f"{path} is not Python: {error.args[0]}" + (f" (line {line})" if line else "")) from error
    modules = modules_of(each for name, each in files.items() if name.endswith(".py"))
    run = _run_of(tree)
    if isinstance(run, ast.FunctionDef):
        parameters, required = _parameters(path, run)
        return Script(
            path=path, files=files, parameters=parameters, required=required, modules=modules, pickles=_pickles(files)
        )
    if isinstance(run, ast.AsyncFunctionDef):
        raise InvalidArgument(f"{path}: run() is `async`; a scoring script has a plain function")
    if "run" not in _bound(tree):
        raise InvalidArgument(f"{path} has no function run(); define `def run(data): ...`, which returns the result")
    return Script(path=path, files=files, modules=modules, is_open=True, pickles=_pickles(files))


def _pickles(files: Mapping[str, Path | str | bytes]) -> tuple[str, ...]:
    return tuple(name for name, file in files.items() if isinstance(file, Path) and format_of(file) == "pickle")


def _run_of(tree: ast.Module) -> ast.stmt | None:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    found = [node for node in tree.body if isinstance(node, kinds) and node.name == "run"]
    return found[-1] if found else None


def _bound(tree: ast.Module) -> set[str]:
    """Names that a module's text binds, by assignment or import; anything, where it imports `*`."""
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    for node in ast.walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            names |= {"run" if alias.name == "*" else alias.asname or alias.name for alias in node.names}
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names.add(node.name)
    return names


def _parameters(path: str, run: ast.FunctionDef) -> tuple[tuple[str, ...], tuple[str, ...]]:
    arguments = run.args
    if arguments.posonlyargs or arguments.vararg:
        raise InvalidArgument(
            f"{path}: run() is called with arguments by name; it can't have `/` or `*{_star(arguments)}`"
        )
    by_position = [each.arg for each in arguments.args]
    by_name = [each.arg for each in arguments.kwonlyargs]
    optional = set(by_position[len(by_position) - len(arguments.defaults) :]) if arguments.defaults else set()
    pairs = zip(by_name, arguments.kw_defaults, strict=True)
    optional |= {name for name, default in pairs if default is not None}
    every = (*by_position, *by_name)
    return every, tuple(name for name in every if name not in optional)


def _star(arguments: ast.arguments) -> str:
    return arguments.vararg.arg if arguments.vararg else "arguments"


def check_scoring(scoring: Any) -> None:
    """See what was given as `scoring`.

    Raises:
        InvalidArgument: It is no path, function or None.
    """
    if scoring is None or isinstance(scoring, (str, os.PathLike, Kept)) or callable(scoring):
        return
    raise InvalidArgument(
        f"scoring=... is the path of a script, of a folder with {SCRIPT}, or a function, not {shown(scoring)}"
    )
