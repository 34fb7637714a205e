"""Scoring scripts written for models of known kinds: short, plain Python, kept like a user's own."""

from __future__ import annotations

import json

__all__ = ["SCRIPT", "TEMPLATES", "TRUSTED", "as_text", "render"]

# What a script that amlsdk writes is called, and what is looked for in a folder.
SCRIPT = "score.py"

# Stands in a script for the types that its skops file holds: only skops, in the probe, can tell them.
TRUSTED = '["types of the file"]'

_ROW_WISE = "@row_wise\n"

_HEAD = '''"""Scores with the model {model}. Written by amlsdk; where more is wanted, give a changed one: scoring=..."""
'''

_FEATURE_NAMES = """
# Rows come as arrays in the order of the columns that the model was fitted with.
warnings.filterwarnings("ignore", message="X does not have valid feature names")
"""

_SKOPS = (
    _HEAD
    + """
import warnings

import skops.io

from amlsdk.scoring import model_path, row_wise

# The types that the file held when the manifest was made; a file with others is refused.
TRUSTED = {trusted}
"""
    + _FEATURE_NAMES
    + """

def init():
    global model
    model = skops.io.load(model_path(){file}, trusted=TRUSTED)


@row_wise
def run(data):
    return model.predict(data)
"""
)

_PICKLE_HEAD = (
    _HEAD
    + """
import {library}
import warnings

from amlsdk.scoring import model_path, row_wise
"""
    + _FEATURE_NAMES
)

_PICKLE_RUN = """

@row_wise
def run(data):
    return predict(data)
"""

_JOBLIB = (
    _PICKLE_HEAD.replace("import {library}\nimport warnings\n", "import warnings\n\nimport joblib\n")
    + """

def init():
    global model, predict
    model = joblib.load(model_path(){file})
    predict = getattr(model, "predict", model)
"""
    + _PICKLE_RUN
)

_PICKLE = (
    _PICKLE_HEAD.replace("{library}", "pickle")
    + """

def init():
    global model, predict
    with open(model_path(){file}, "rb") as file:
        model = pickle.load(file)
    predict = getattr(model, "predict", model)
"""
    + _PICKLE_RUN
)

_XGBOOST_ESTIMATOR = (
    _HEAD
    + """
import xgboost

from amlsdk.scoring import model_path, row_wise


def init():
    global model
    model = xgboost.{estimator}()
    model.load_model(model_path(){file})


@row_wise
def run(data):
    return model.predict(data)
"""
)

_XGBOOST = (
    _HEAD
    + """
import xgboost

from amlsdk.scoring import model_path, row_wise


def init():
    global model
    model = xgboost.Booster(model_file=model_path(){file})


@row_wise
def run(data):
    return model.predict(xgboost.DMatrix(data, feature_names=model.feature_names))
"""
)

_LIGHTGBM = (
    _HEAD
    + """
import lightgbm

from amlsdk.scoring import model_path, row_wise


def init():
    global model
    model = lightgbm.Booster(model_file=model_path(){file})


@row_wise
def run(data):
    return model.predict(data)
"""
)

_ONNX = (
    _HEAD
    + """
import numpy
import onnxruntime

from amlsdk.scoring import model_path, row_wise

KINDS = {{"float": "float32", "double": "float64", "string": "object"}}


def init():
    global model
    model = onnxruntime.InferenceSession(model_path(){file}, providers=["CPUExecutionProvider"])


def as_input(wanted, values):
    kind = wanted.type.removeprefix("tensor(").removesuffix(")")
    array = numpy.asarray(values).astype(KINDS.get(kind, kind))
    return array.reshape(-1, 1) if len(wanted.shape) == 2 and array.ndim == 1 else array


@row_wise
def run(data):
    wanted = model.get_inputs()
    columns = {{each.name: data[each.name] if len(wanted) > 1 else data for each in wanted}}
    return model.run(None, {{each.name: as_input(each, columns[each.name]) for each in wanted}})[0]
"""
)

_TORCH_RUN = """

@row_wise
def run(data):
    values = torch.as_tensor(numpy.asarray(data))
    # Models are trained in single precision; JSON's numbers are read in double.
    values = values.float() if values.is_floating_point() else values
    with torch.inference_mode():
        return model(values).numpy()
"""

_TORCH_HEAD = (
    _HEAD
    + """
import numpy
import torch

from amlsdk.scoring import model_path, row_wise


def init():
    global model
"""
)

TEMPLATES = {
    "skops": _SKOPS,
    "joblib": _JOBLIB,
    "pickle": _PICKLE,
    "xgboost": _XGBOOST,
    "xgboost estimator": _XGBOOST_ESTIMATOR,
    "lightgbm": _LIGHTGBM,
    "onnx": _ONNX,
    "torchscript": _TORCH_HEAD
    + '    model = torch.jit.load(model_path(){file}, map_location="cpu").eval()\n'
    + _TORCH_RUN,
    "torch export": _TORCH_HEAD + "    model = torch.export.load(model_path(){file}).module()\n" + _TORCH_RUN,
    "torch": _TORCH_HEAD
    + '    model = torch.load(model_path(){file}, map_location="cpu", weights_only=False).eval()\n'
    + _TORCH_RUN,
}


def render(kind: str, *, model: str, file: str, row_wise: bool, trusted: str = TRUSTED, estimator: str = "") -> str:
    """Return the script for a model.

    Args:
        kind: One of `TEMPLATES`.
        model: Name of the model.
        file: Its file below the model's folder; empty where it is the only one.
        row_wise: Whether waiting requests may be scored together.
        trusted: The list of types that a skops file may hold, as `as_text` writes it.
        estimator: Class of XGBoost.
    """
    path = f" / {json.dumps(file, ensure_ascii=False)}" if file else ""
    text = TEMPLATES[kind].format(model=repr(model), file=path, trusted=trusted, estimator=estimator)
    if row_wise:
        return text
    return text.replace(_ROW_WISE, "").replace("import model_path, row_wise", "import model_path")


def as_text(types: list[str]) -> str:
    """Return a list of types as the script has it."""
    lines = "".join(f'    "{name}",\n' for name in types)
    return f"[\n{lines}]" if types else "[]"
