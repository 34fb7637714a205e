"""A fitted model becomes a file, without pickle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs

from amlsdk.errors import InvalidArgument
from amlsdk.resources.modelfiles.algorithms import algorithm_of
from amlsdk.resources.modelfiles.kinds import is_estimator, is_onnx_model, is_torch_module
from amlsdk.resources.modelfiles.skops_files import save_skops
from amlsdk.resources.modelfiles.tensors import is_tensors, save_safetensors

__all__ = ["SavedModel", "save_estimator"]


@attrs.frozen
class SavedModel:
    """What was written.

    Args:
        format: `skops`, `onnx` or `safetensors`.
        files: Names of the files in the folder.
        algorithm: JSON of the class and hyperparameters where known, else empty.
    """

    format: str
    files: tuple[str, ...]
    algorithm: dict[str, Any]


def save_estimator(estimator: Any, folder: Path) -> SavedModel:
    """Write a fitted model into a folder, which is created if needed.

    Args:
        estimator: A scikit-learn estimator or pipeline (also those of xgboost and lightgbm) is saved as skops, an
            `onnx.ModelProto` as ONNX, a torch module or a mapping of tensors or numpy arrays as safetensors.
        folder: Where to; a model of the same format in it is overwritten.

    Raises:
        InvalidArgument: It is of another kind, or holds what its format can't keep.
        MissingDependency: The package that writes the format is not installed.
    """
    for name, fits, write in _KINDS:
        if fits(estimator):
            folder.mkdir(parents=True, exist_ok=True)
            file = folder / f"model.{name}"
            write(estimator, file)
            return SavedModel(name, (file.name,), algorithm_of(file if is_tensors(estimator) else estimator))
    kind = f"{type(estimator).__module__}.{type(estimator).__qualname__}"
    raise InvalidArgument(
        f"a {kind} can't be saved as a model: scikit-learn estimators and pipelines are saved as skops, "
        "onnx.ModelProto as ONNX, torch modules and mappings of tensors or arrays as safetensors; "
        "save it to a file yourself and register the path of the file"
    )


def _write_onnx(model: Any, file: Path) -> None:
    try:
        file.write_bytes(model.SerializeToString(deterministic=True))
    except ValueError as error:  # protobuf ends at 2 GiB
        raise InvalidArgument(
            f"this ONNX model can't be written as one file: {error}; save it with external data and register the folder"
        ) from error


def _write_module(module: Any, file: Path) -> None:
    told = {key: str(value) for key, value in algorithm_of(module).items() if key != "hyperparameters"}
    save_safetensors(module.state_dict(), file, metadata=told)


def _write_tensors(tensors: Any, file: Path) -> None:
    save_safetensors(tensors, file, metadata={})


_KINDS = (
    ("skops", is_estimator, save_skops),
    ("onnx", is_onnx_model, _write_onnx),
    ("safetensors", is_torch_module, _write_module),
    ("safetensors", is_tensors, _write_tensors),
)
