"""Files become a model again, without running code from them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from amlsdk.errors import InvalidArgument
from amlsdk.resources.modelfiles.formats import format_of
from amlsdk.resources.modelfiles.listing import files_of
from amlsdk.resources.modelfiles.onnx_files import load_onnx
from amlsdk.resources.modelfiles.pickle_loading import load_pickle, refusal
from amlsdk.resources.modelfiles.skops_files import load_skops
from amlsdk.resources.modelfiles.tensors import load_safetensors

__all__ = ["load_files"]

_FORMATS = ("skops", "onnx", "safetensors", "pickle", "files")


def load_files(folder: Path, format: str, *, trusted: bool = False) -> Any:  # noqa: A002  # the word of the records
    """Load a model from its files.

    Args:
        folder: The model's folder, or its one file.
        format: As `detect_format` told it. The content of the files is looked at again.
        trusted: Run code from the files where the format has any.

    Returns:
        For `skops` the estimator; for `onnx` an `OnnxModel` with `predict(rows)`; for `safetensors` tensors by name
        (torch's where the process has imported torch, else numpy arrays); for `pickle` what it holds; for `files`
        the folder's path.

    Raises:
        InvalidArgument: The files are pickle-based, or hold types not known to be harmless, and are not trusted; or
            they are damaged, of another format, or several.
        NotFound: The folder does not exist.
        MissingDependency: A package that reads the format is not installed.
    """
    if format not in _FORMATS:
        raise InvalidArgument(f"{format!r} is no format of a model; there are: {', '.join(_FORMATS)}")
    files = files_of(folder)
    if format == "files":
        return folder
    name = _the_one(files, format)
    if format == "pickle" and not trusted:
        raise refusal(name)
    return _load(files[name], name, format, trusted=trusted)


def _load(file: Path, name: str, kind: str, *, trusted: bool) -> Any:
    if kind == "skops":
        return load_skops(file, name, trusted=trusted)
    if kind == "onnx":
        return load_onnx(file)
    return load_safetensors(file) if kind == "safetensors" else load_pickle(file, name)


def _the_one(files: dict[str, Path], wanted: str) -> str:
    formats = {name: format_of(file) for name, file in files.items()}
    fitting = [name for name, kind in formats.items() if kind == wanted]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise InvalidArgument(
            f"the model has {len(fitting)} {wanted} files ({', '.join(fitting[:8])}) and none of them alone is it; "
            "download it and load the one you mean"
        )
    for name, kind in formats.items():
        if kind == "pickle":
            raise refusal(name)
    raise InvalidArgument(f"none of the model's {len(files)} files is {wanted}: {', '.join(list(files)[:8])}")
