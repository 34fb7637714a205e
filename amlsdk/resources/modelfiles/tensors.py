"""Torch modules and mappings of tensors or arrays as safetensors files."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from amlsdk.errors import InvalidArgument
from amlsdk.plugins import require

__all__ = ["is_tensors", "load_safetensors", "save_safetensors"]

_TENSOR = "torch.Tensor"
_ARRAY = "numpy.ndarray"


def is_tensors(value: Any) -> bool:
    """Whether this is a mapping of names to torch tensors, or to numpy arrays."""
    return isinstance(value, Mapping) and bool(value) and _kind_of(value) is not None


def save_safetensors(tensors: Mapping[str, Any], file: Path, *, metadata: Mapping[str, str]) -> None:
    """Write a mapping of torch tensors or of numpy arrays.

    Raises:
        InvalidArgument: A value is of neither kind, they are mixed, or the format has no such type of numbers.
        MissingDependency: `safetensors` is not installed.
    """
    kind = _kind_of(tensors)
    if kind is None:
        wrong = sorted({type(value).__name__ for value in tensors.values()})
        raise InvalidArgument(
            f"tensors of one model are all of torch or all of numpy, not {', '.join(wrong) or 'none'}"
        )
    try:
        if kind == _TENSOR:
            writer = require("safetensors.torch", extra="models")
            writer.save_file(_own_memory(tensors), str(file), metadata={"format": "pt", **metadata})
        else:
            writer = require("safetensors.numpy", extra="models")
            writer.save_file(_contiguous(tensors), str(file), metadata=dict(metadata) or None)
    except InvalidArgument:
        raise
    except Exception as error:  # a codec in Rust: its errors have no common root but this
        raise InvalidArgument(f"these tensors can't be saved as safetensors: {error}") from error


def load_safetensors(file: Path) -> dict[str, Any]:
    """Tensors by name: of torch where the process has imported it, else numpy arrays.

    Raises:
        InvalidArgument: The file is damaged, or has a type of numbers that numpy lacks.
        MissingDependency: `safetensors` is not installed.
    """
    library = "torch" if "torch" in sys.modules else "numpy"
    reader = require(f"safetensors.{library}", extra="models")
    try:
        loaded: dict[str, Any] = reader.load_file(str(file))
    except Exception as error:  # a codec in Rust: its errors have no common root but this
        hint = "" if library == "torch" else "; tensors of types that numpy lacks load after `import torch`"
        raise InvalidArgument(f"{file.name!r} can't be read as safetensors: {error!r}{hint}") from error
    return loaded


def _kind_of(tensors: Mapping[str, Any]) -> str | None:
    for kind in (_TENSOR, _ARRAY):
        if all(isinstance(name, str) and _is_a(value, kind) for name, value in tensors.items()):
            return kind
    return None


def _is_a(value: Any, name: str) -> bool:
    return any(f"{each.__module__}.{each.__qualname__}" == name for each in type(value).__mro__)


def _contiguous(arrays: Mapping[str, Any]) -> dict[str, Any]:
    """Arrays whose memory is in the order of their shape: the library writes memory as it lies."""
    numpy = require("numpy", extra="models")
    wrong = [name for name, array in arrays.items() if array.dtype.kind not in "biufc"]
    if wrong:
        raise InvalidArgument(f"arrays of objects or texts are no tensors: {', '.join(wrong)}")
    return {name: numpy.array(array, order="C", copy=None, subok=False) for name, array in arrays.items()}


def _own_memory(tensors: Mapping[str, Any]) -> dict[str, Any]:
    """Tensors that share no memory: the format has none, so tied weights are written under each of their names."""
    seen: set[tuple[str, int]] = set()
    own = {}
    for name, tensor in tensors.items():
        place = (str(tensor.device), tensor.untyped_storage().data_ptr())
        own[name] = tensor.detach().clone() if place in seen else tensor.detach()
        own[name] = own[name].contiguous()
        seen.add(place)
    return own
