"""Which files of a project folder are left out of its snapshot."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from amlsdk.errors import InvalidArgument
from amlsdk.filesets.hashing import unreadable

if TYPE_CHECKING:
    from collections.abc import Collection

    from pathspec import GitIgnoreSpec

__all__ = ["Ignore", "is_environment"]

_OWN, _GIT = ".amlignore", ".gitignore"
_ALWAYS = frozenset(
    {
        ".git",
        "__pycache__",
        ".ipynb_checkpoints",
        ".mypy_cache",
        ".pytest_cache",
        ".ruff_cache",
        ".hypothesis",
        ".tox",
        ".nox",
        "node_modules",
    }
)
# Files that hold secrets on purpose; their examples are meant to be seen.
_DOTENV = ".env"
_EXAMPLES = (".example", ".sample", ".template")


@attrs.frozen
class _RulesFile:
    prefix: str  # of the folder it lies in, from the top: "" or "a/b/"
    spec: GitIgnoreSpec
    any_line: re.Pattern[str]


@attrs.frozen
class Ignore:
    """The rules that hold in one folder of a tree.

    What `.amlignore` files say wins over what `.gitignore` files say; among the same kind, the file nearest to
    the path wins, and in it the last line that matches. A folder that is left out is not looked into, so that
    nothing below it can be taken back. Rules files above the top of the tree are not read.
    """

    _own: tuple[_RulesFile, ...] = ()
    _git: tuple[_RulesFile, ...] = ()

    def inside(self, folder: str, prefix: str, names: Collection[str]) -> Ignore:
        """Return the rules inside of a folder.

        Args:
            folder: Where it is.
            prefix: Its path from the top with `/` at the end; of the top itself, empty.
            names: What lies in it.
        """
        own, git = (_read(folder, prefix, name) if name in names else () for name in (_OWN, _GIT))
        return Ignore(own + self._own, git + self._git) if own or git else self

    def leaves_out(self, prefix: str, name: str, *, is_folder: bool) -> bool:
        """Say whether a file or folder is left out."""
        if name in _ALWAYS or (is_folder and not prefix and name == "outputs"):
            return True
        if not is_folder and name.startswith(_DOTENV) and _is_secret(name):
            return True
        if not self._own and not self._git:
            return False
        path = f"{prefix}{name}/" if is_folder else prefix + name
        verdict = _verdict(self._own, path)
        return bool(_verdict(self._git, path) if verdict is None else verdict)


def is_environment(names: Collection[str]) -> bool:
    """Say whether a folder is a virtual environment or a conda environment, by the names in it."""
    return "pyvenv.cfg" in names or "conda-meta" in names


def _is_secret(name: str) -> bool:
    return name == _DOTENV or (name.startswith(_DOTENV + ".") and not name.endswith(_EXAMPLES))


def _verdict(files: tuple[_RulesFile, ...], path: str) -> bool | None:
    for file in files:
        below = path[len(file.prefix) :]
        # Most paths match no line: one expression says so in a tenth of the time.
        include = file.spec.check_file(below).include if file.any_line.search(below) else None
        if include is not None:
            return include
    return None


def _read(folder: str, prefix: str, name: str) -> tuple[_RulesFile, ...]:
    from pathspec import GitIgnoreSpec

    path = Path(folder, name)
    try:
        # Never through a link: it may lead to a device, or out of the folder.
        lines = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise unreadable(path, error) from error
    try:
        spec = GitIgnoreSpec.from_lines(lines.decode("utf-8-sig", "surrogateescape").splitlines())
    except ValueError as error:
        raise InvalidArgument(f"{os.fspath(path)!r} has a line that is no gitignore pattern: {error}") from error
    return (_RulesFile(prefix, spec, _any_line(spec)),) if len(spec) else ()


def _any_line(spec: GitIgnoreSpec) -> re.Pattern[str]:
    """Return an expression that finds at least all that the lines of a rules file match."""
    from pathspec.pattern import RegexPattern

    compiled = [line.regex for line in spec.patterns if isinstance(line, RegexPattern) and line.regex]
    # A group's name may be there once only in an expression.
    unnamed = [re.sub(r"\(\?P<\w+>", "(?:", regex.pattern) for regex in compiled]
    return re.compile("|".join(f"(?:{line})" for line in unnamed))
