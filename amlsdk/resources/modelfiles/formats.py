"""What format model files have, told by content."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path

from amlsdk.resources.modelfiles import safetensors_header
from amlsdk.resources.modelfiles.archives import is_skops, is_zip
from amlsdk.resources.modelfiles.listing import files_of
from amlsdk.resources.modelfiles.onnx_header import is_onnx
from amlsdk.resources.modelfiles.pickles import PICKLE_SUFFIXES, is_pickle

__all__ = ["detect_format", "format_of", "pickle_files"]

_MODELS = frozenset({"skops", "onnx", "safetensors"})
_ONNX_START = b"\x08"


def detect_format(paths: Path | str | Iterable[Path]) -> str:
    """Format of a model: `skops`, `onnx`, `safetensors`, `pickle` or `files`.

    A model is `pickle` when any of its files is pickle-based; else it has the format of its one model file, and is
    `files` when it has none or several. Files are judged by content; a file whose content says nothing is
    pickle-based when it is named so.

    Args:
        paths: A file, a folder, or several of them.

    Raises:
        NotFound: A path does not exist.
        InvalidArgument: A link leads outside a folder.
    """
    several = [Path(paths)] if isinstance(paths, (str, Path)) else [Path(path) for path in paths]
    formats = [format_of(file) for path in several for file in files_of(path).values()]
    if "pickle" in formats:
        return "pickle"
    models = [each for each in formats if each in _MODELS]
    return models[0] if len(models) == 1 else "files"


def pickle_files(folder: Path) -> list[str]:
    """Names of pickle-based files at a path, relative to it, sorted.

    Raises:
        NotFound: The path does not exist.
        InvalidArgument: A link leads outside the folder.
    """
    return [name for name, file in files_of(folder).items() if format_of(file) == "pickle"]


def format_of(file: Path) -> str:
    """Format of one file."""
    if is_pickle(file):
        return "pickle"
    with file.open("rb") as stream:
        head = stream.read(9)
    if is_zip(head):
        return "skops" if _holds_skops(file) else _by_name(file)
    if head[8:] == b"{" and safetensors_header.is_safetensors(file):
        return "safetensors"
    # Writers of protobuf put the first field first, which spares a look at most files.
    if (head[:1] == _ONNX_START or file.suffix == ".onnx") and is_onnx(file):
        return "onnx"
    return _by_name(file)


def _by_name(file: Path) -> str:
    return "pickle" if file.suffix.lower() in PICKLE_SUFFIXES else "files"


def _holds_skops(file: Path) -> bool:
    try:
        with zipfile.ZipFile(file) as archive:
            return is_skops(archive)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError):
        return False
