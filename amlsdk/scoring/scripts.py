"""The scoring script: what it may use, and how it is imported."""

from __future__ import annotations

import importlib.util
import inspect
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from amlsdk.errors import InvalidArgument

__all__ = ["BUNDLE_VARIABLE", "import_script", "is_row_wise", "model_path", "row_wise", "run_of"]

# Where the bundle is that is being served, for `model_path`.
BUNDLE_VARIABLE = "AMLSDK_BUNDLE"

_MARK = "__amlsdk_row_wise__"

Run = TypeVar("Run", bound=Callable[..., Any])


def model_path(name: str | None = None) -> Path:
    """Return where the files of a model are.

    Args:
        name: Of the model; not needed where the service has only one.

    Returns:
        The model's only file, or its folder where it has several.

    Raises:
        InvalidArgument: The service has no model of this name, or several and none was named.

    Example:
        >>> model = joblib.load(model_path())  # doctest: +SKIP
    """
    root = os.environ.get(BUNDLE_VARIABLE)
    models = (Path(root) if root else Path.cwd().parent) / "models"
    names = sorted(path.name for path in models.iterdir()) if models.is_dir() else []
    if name is None and len(names) == 1:
        name = names[0]
    if name not in names:
        asked = "no model was named" if name is None else f"there is no model {name!r}"
        raise InvalidArgument(f"model_path: {asked}; this service has {', '.join(names) or 'none'}")
    return _only_file(models / name)


def row_wise(run: Run) -> Run:
    """Say that the rows given to `run` are independent, so that waiting requests may be scored in one call.

    The result has to have one entry for each row: a list, an array or a table.

    Example:
        >>> @row_wise
        ... def run(data):
        ...     return model.predict(data)
    """
    setattr(run, _MARK, True)
    return run


def is_row_wise(run: Callable[..., Any]) -> bool:
    """Return whether `run` was marked by `row_wise`."""
    return bool(getattr(run, _MARK, False))


def import_script(path: Path) -> ModuleType:
    """Import a scoring script by its path, under its own name, so that files beside it can import it too."""
    folder = os.fspath(path.parent)
    if folder not in sys.path:
        sys.path.append(folder)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise InvalidArgument(f"the scoring script {path.name} is not a Python file that is there")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


def run_of(module: ModuleType) -> Callable[..., Any]:
    """Return the function `run` of a script.

    Raises:
        InvalidArgument: It has none, or one that can't be called as it is.
    """
    run = getattr(module, "run", None)
    if not callable(run):
        raise InvalidArgument(f"the scoring script {module.__name__}.py has no function `run`")
    if inspect.iscoroutinefunction(run):
        raise InvalidArgument(f"`run` of {module.__name__}.py is `async`; a scoring script has a plain function")
    return run  # type: ignore[no-any-return]


def _only_file(folder: Path) -> Path:
    entries = list(folder.iterdir())
    return entries[0] if len(entries) == 1 and entries[0].is_file() else folder
