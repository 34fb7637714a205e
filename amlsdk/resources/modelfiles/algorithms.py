"""What algorithm a model is."""

from __future__ import annotations

import io
import sys
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from amlsdk.errors import AmlError
from amlsdk.resources.modelfiles import onnx_header, safetensors_header, skops_schema
from amlsdk.resources.modelfiles.formats import format_of
from amlsdk.resources.modelfiles.kinds import is_estimator, is_onnx_model, is_torch_module
from amlsdk.resources.modelfiles.listing import files_of
from amlsdk.resources.modelfiles.plain_values import class_name, plain

__all__ = ["algorithm_of"]

_LIBRARIES = {"sklearn": "scikit-learn"}
# Keys that a module's class is kept under in a safetensors file.
_TOLD = ("class", "library", "library_version")


def algorithm_of(model: Any) -> dict[str, Any]:
    """JSON of the algorithm of a fitted model or of a model's file or folder, as far as it can be known.

    Nothing is loaded: files are read by their headers, pickles not at all.

    Args:
        model: An estimator, an `onnx.ModelProto`, a torch module, or the path of a file or folder.

    Returns:
        For estimators and skops files `class` (with its module), `hyperparameters`, `library` and `library_version`,
        and for a pipeline those of its last step beside `steps`, each with its `name`; for ONNX `producer`,
        `producer_version` and `inputs`; for safetensors `metadata` and the `class` of the module that was saved;
        else nothing.
    """
    if isinstance(model, (str, Path)):
        return _of_path(Path(model))
    if is_onnx_model(model):
        return onnx_header.describe(io.BytesIO(model.SerializeToString()))
    if is_estimator(model):
        return _of_estimator(model)
    return {**_named(model), "hyperparameters": {}} if is_torch_module(model) else {}


def _of_path(path: Path) -> dict[str, Any]:
    try:
        found = [(format_of(file), file) for file in files_of(path).values()]
        readable = [(_READERS[kind], file) for kind, file in found if kind in _READERS]
        return readable[0][0](readable[0][1]) if len(readable) == 1 else {}
    # A file that can't be described may still be kept; whether it can be loaded is said on loading.
    except (AmlError, KeyError, IndexError, TypeError, ValueError, RecursionError):
        return {}


def _of_onnx(file: Path) -> dict[str, Any]:
    with file.open("rb") as stream:
        return onnx_header.describe(stream)


def _of_safetensors(file: Path) -> dict[str, Any]:
    told = safetensors_header.metadata_of(file)
    rest = {name: text for name, text in told.items() if name not in _TOLD}
    named = {name: told[name] for name in _TOLD if name in told}
    return {**named, "hyperparameters": {}, "metadata": rest} if named else {"metadata": rest} if rest else {}


_READERS = {"skops": skops_schema.describe, "onnx": _of_onnx, "safetensors": _of_safetensors}


def _of_estimator(estimator: Any) -> dict[str, Any]:
    steps = getattr(estimator, "steps", None)
    if not isinstance(steps, list) or not steps:
        return {**_named(estimator), "hyperparameters": _hyperparameters(estimator)}
    listed = [
        {"name": name, "class": _step_class(step), "hyperparameters": _hyperparameters(step)} for name, step in steps
    ]
    named = _named(steps[-1][1]) if is_estimator(steps[-1][1]) else _named(estimator)
    last = {key: listed[-1][key] for key in ("class", "hyperparameters")}
    return {**named, **last, "steps": listed}


def _step_class(step: Any) -> str:
    return str(step) if isinstance(step, str) or step is None else class_name(type(step))


def _hyperparameters(estimator: Any) -> dict[str, Any]:
    if not hasattr(estimator, "get_params"):
        return {}
    values: Mapping[str, Any] = estimator.get_params(deep=False)
    return {name: plain(value) for name, value in values.items()}


def _named(model: Any) -> dict[str, Any]:
    top = type(model).__module__.partition(".")[0]
    library = _LIBRARIES.get(top, top)
    return {"class": class_name(type(model)), "library": library, "library_version": _version(top, library)}


def _version(module: str, library: str) -> str | None:
    version = getattr(sys.modules.get(module), "__version__", None)
    if version is not None:
        return str(version)
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return None
