"""Fitted models as files: saved without pickle, recognised by content, loaded without running code from them."""

from amlsdk.resources.modelfiles.algorithms import algorithm_of
from amlsdk.resources.modelfiles.formats import detect_format, pickle_files
from amlsdk.resources.modelfiles.loading import load_files
from amlsdk.resources.modelfiles.onnx_files import OnnxModel
from amlsdk.resources.modelfiles.saving import SavedModel, save_estimator

__all__ = [
    "OnnxModel",
    "SavedModel",
    "algorithm_of",
    "detect_format",
    "load_files",
    "pickle_files",
    "save_estimator",
]
