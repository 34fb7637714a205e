"""scikit-learn estimators as skops files."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from amlsdk.errors import InvalidArgument, MissingDependency
from amlsdk.plugins import require
from amlsdk.resources.modelfiles.archives import check_archive
from amlsdk.resources.modelfiles.canonical import write_canonical
from amlsdk.resources.modelfiles.index_checks import check_indices
from amlsdk.resources.modelfiles.skops_trust import HARMLESS

__all__ = ["load_skops", "save_skops"]


def save_skops(estimator: Any, file: Path) -> None:
    """Write an estimator as a skops file; the same fitted state gives the same bytes.

    Raises:
        InvalidArgument: It holds something that skops can't save, or that could not be loaded again.
        MissingDependency: `skops` is not installed.
    """
    skops = require("skops.io", extra="models")
    kind = type(estimator).__name__
    try:
        data = skops.dumps(estimator)
        types = skops.get_untrusted_types(data=data)
    except Exception as error:  # skops raises whatever a part's own reduction raises
        raise InvalidArgument(
            f"this {kind} can't be saved as skops: {error}; save it to a file yourself and register the file"
        ) from error
    unnamed = [each for each in types if "<" in each]
    if unnamed:
        raise InvalidArgument(
            f"this {kind} holds {', '.join(unnamed)}, which could not be found again on loading; "
            "use a function that a module has by name"
        )
    write_canonical(data, file)


def load_skops(file: Path, name: str, *, trusted: bool) -> Any:
    """Load a skops file that holds only known types.

    Args:
        file: Where it is.
        name: What to call it in messages.
        trusted: Load types of any module; that imports and runs them.

    Raises:
        InvalidArgument: It holds other types and is not trusted, or it is damaged or made up to do harm.
        MissingDependency: `skops`, or a package whose types it holds, is not installed.
    """
    skops = require("skops.io", extra="models")
    check_archive(file)
    types = _read(skops.get_untrusted_types, name, file=file)
    unknown = [each for each in types if each not in HARMLESS]
    if unknown and not trusted:
        raise InvalidArgument(
            f"{name!r} holds types that are not known to be harmless: {', '.join(unknown)}; "
            "loading it runs their code. If you trust its author, say trusted=True"
        )
    model = _read(skops.load, name, file=file, trusted=types)
    if not trusted:
        check_indices(model, name=name)
    return model


def _read(reader: Any, name: str, **arguments: Any) -> Any:
    try:
        with warnings.catch_warnings():
            # Numpy says so of the old names of its own functions, which the file's author can't change any more.
            warnings.filterwarnings("ignore", message="numpy.core", category=DeprecationWarning)
            return reader(**arguments)
    except ImportError as error:
        raise MissingDependency(f"{name!r} holds types of a package that is not installed: {error}") from error
    except (Exception, RecursionError) as error:  # a made-up file can make skops raise anything
        raise InvalidArgument(f"{name!r} is not a skops file that can be loaded here: {error!r}") from error
