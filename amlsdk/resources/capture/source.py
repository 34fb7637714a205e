"""The source of what runs: a script's file, or the executed cells of a notebook."""

from __future__ import annotations

import ast
import functools
import itertools
import os
import re
import sys
import sysconfig
from pathlib import Path, PurePath
from typing import Any

import attrs

from amlsdk.resources.capture.printable import printable

__all__ = ["SourceFile", "source_of_process"]

_MOST_BYTES = 16 << 20
_COMMAND = re.compile(r"-[A-Za-z]*c")
_SOURCE = frozenset({".py", ".pyw", ".ipy", ""})


@attrs.frozen
class SourceFile:
    """A file of source.

    Args:
        name: Without folder.
        content: As it is on disk; UTF-8 where it was typed.
    """

    name: str
    content: bytes


def source_of_process() -> list[SourceFile]:
    """Return the source that this process executes. Never raises.

    In a script, its file as it is now; in a notebook, the cells executed so far (the running one included) as one
    `.py` file with `# %% [n]` before each; in `python -c`, the command. At a prompt, or where an installed program is
    what runs (pytest, a console script), nothing.
    """
    cells = _notebook_cells()
    if cells is not None:
        text = "\n\n".join(f"# %% [{number}]\n{as_python(cell)}" for number, cell in cells)
        return [SourceFile(_notebook_name(), _encoded(text + "\n"))] if cells else []
    return _script() or _command()


def as_python(cell: str) -> str:
    """Return a cell as Python: lines for IPython (`%magic`, `!command`, `name?`) become comments."""
    cell = cell.rstrip()
    if cell.lstrip().startswith("%%"):
        return "\n".join(f"# {line}" for line in cell.splitlines())
    if _parses(cell):
        return cell
    return "\n".join(f"# {line}" if _is_for_ipython(line) else line for line in cell.splitlines())


def _parses(cell: str) -> bool:
    try:
        ast.parse(cell)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def _is_for_ipython(line: str) -> bool:
    return line.lstrip().startswith(("%", "!", "?")) or line.rstrip().endswith("?")


def _notebook_cells() -> list[tuple[int, str]] | None:
    """The executed cells by number, or None outside of a kernel."""
    try:
        shell: Any = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
        if getattr(shell, "kernel", None) is None:
            return None
        typed = list(shell.history_manager.input_hist_raw)
        return [(number, cell) for number, cell in enumerate(typed) if number and cell.strip()]
    except Exception:  # noqa: BLE001  # a kernel of another maker may lack any of it
        return None


def _notebook_name() -> str:
    # Set by Jupyter Server 2 and later to the path of the notebook.
    session = PurePath(os.environ.get("JPY_SESSION_NAME", ""))
    return f"{session.stem}.py" if session.suffix == ".ipynb" else "notebook.py"


def _script() -> list[SourceFile]:
    file = getattr(sys.modules.get("__main__"), "__file__", None)
    if not isinstance(file, str):
        return []
    path = Path(file)
    try:
        if path.suffix not in _SOURCE or _is_installed(path) or path.stat().st_size > _MOST_BYTES:
            return []
        return [SourceFile(printable(path.name), path.read_bytes())]
    except (OSError, ValueError):
        return []


def _is_installed(path: Path) -> bool:
    real = path.resolve()
    return any(real.is_relative_to(folder) for folder in _installed_folders())


# Once a process: finding them takes half as long as all else that a short run keeps of itself.
@functools.cache
def _installed_folders() -> frozenset[Path]:
    folders = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib", "scripts")}
    return frozenset(Path(folder).resolve() for folder in folders if folder)


def _command() -> list[SourceFile]:
    if getattr(sys, "argv", [""])[:1] != ["-c"]:
        return []
    started_with = sys.orig_argv
    for option, code in itertools.pairwise(started_with):
        if _COMMAND.fullmatch(option):
            return [SourceFile("command.py", _encoded(code + "\n"))]
    return []


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "replace")
