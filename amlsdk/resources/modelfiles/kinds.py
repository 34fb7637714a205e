"""Kinds of fitted model, told without importing the libraries they come from."""

from __future__ import annotations

from typing import Any

__all__ = ["is_estimator", "is_onnx_model", "is_torch_module"]


def is_estimator(model: Any) -> bool:
    """Whether this is a scikit-learn estimator or pipeline, or another library's that extends one."""
    return _extends(model, "sklearn.base.", "BaseEstimator")


def is_onnx_model(model: Any) -> bool:
    """Whether this is an `onnx.ModelProto`."""
    return _extends(model, "onnx.", "ModelProto")


def is_torch_module(model: Any) -> bool:
    """Whether this is a `torch.nn.Module`."""
    return _extends(model, "torch.nn.", "Module")


def _extends(model: Any, package: str, name: str) -> bool:
    return any(f"{each.__module__}.".startswith(package) and each.__name__ == name for each in type(model).__mro__)
