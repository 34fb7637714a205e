"""Pickle-based files, loaded only where the caller said so."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

from amlsdk.errors import InvalidArgument, MissingDependency
from amlsdk.plugins import require
from amlsdk.resources.modelfiles.archives import is_zip
from amlsdk.resources.modelfiles.pickles import unwrapped

__all__ = ["load_pickle", "refusal"]

_NPY = b"\x93NUMPY"
# How torch's files began before they were zip archives: the pickle of its magic number.
_OLD_TORCH = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."


def refusal(name: str) -> InvalidArgument:
    """The error that says why a pickle-based file is not loaded, and what to do."""
    return InvalidArgument(
        f"{name!r} is pickle-based: loading it runs code from it. If you trust its author, say trusted=True; "
        "to have it load without, save the model as skops (amlsdk does so when a fitted estimator is registered)"
    )


def load_pickle(file: Path, name: str) -> Any:
    """Unpickle a file with the reader of the library that wrote it. This runs code from the file.

    Raises:
        InvalidArgument: It can't be unpickled.
        MissingDependency: A package that it needs is not installed.
    """
    try:
        return _read(file)
    except MissingDependency:
        raise
    except ImportError as error:
        raise MissingDependency(f"{name!r} needs a package that is not installed: {error}") from error
    except Exception as error:  # a pickle can raise anything
        raise InvalidArgument(f"{name!r} can't be unpickled: {error!r}") from error


def _read(file: Path) -> Any:
    with file.open("rb") as stream:
        head = stream.read(1024)
        if head.startswith(_NPY) or (is_zip(head) and file.suffix == ".npz"):
            return require("numpy", extra="models").load(file, allow_pickle=True)
        if is_zip(head) or head.startswith(_OLD_TORCH):
            return _torch().load(file, map_location="cpu", weights_only=False)
        joblib = _joblib(needed=bool(unwrapped(head)))
        stream.seek(0)
        return pickle.load(stream) if joblib is None else joblib.load(file)  # noqa: S301  # the caller trusts the file


def _joblib(*, needed: bool) -> Any:
    """joblib, which also reads plain pickles; None where it is neither there nor needed."""
    try:
        return require("joblib", extra="models")
    except MissingDependency:
        if needed:
            raise
        return None


def _torch() -> Any:
    try:
        return require("torch", extra="models")
    except MissingDependency as error:
        raise MissingDependency("this file needs the package 'torch': pip install torch") from error
