"""What a skops file says of its model, read without loading it.

A skops file is an archive with `schema.json`: a tree of nodes, each with the class and module of an object and its
content. Attributes of an estimator that neither begin nor end in an underscore are its hyperparameters: that is
scikit-learn's rule for all estimators.
"""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

from amlsdk.resources.modelfiles.archives import check_archive
from amlsdk.resources.modelfiles.plain_values import plain

__all__ = ["describe"]

_LIBRARIES = {"sklearn": "scikit-learn"}
_VERSION = "_sklearn_version"
_MAX_DEPTH = 8


def describe(file: Path) -> dict[str, Any]:
    """JSON of the model's `class`, `hyperparameters`, `library`, `library_version`, and `steps` of a pipeline.

    Raises:
        InvalidArgument: The archive is damaged or made up to do harm.
        KeyError, TypeError, ValueError: The schema is none.
    """
    check_archive(file)
    with zipfile.ZipFile(file) as archive:
        root = json.loads(archive.read("schema.json"))
    described = _estimator(root)
    # Pipelines are told by what they hold: their last step is what the model is.
    steps = _attributes(root).get("steps")
    if steps is not None:
        described["steps"] = [{"name": name, **_estimator(step)} for name, step in _pairs(steps)]
        described |= {key: described["steps"][-1][key] for key in ("class", "hyperparameters")}
    # A last step may be a word; only scikit-learn's own estimators state a version.
    library = (described["class"] if "." in described["class"] else _class(root)).partition(".")[0]
    described["library"] = _LIBRARIES.get(library, library)
    described["library_version"] = _value(_attributes(root).get(_VERSION), 1) if library in _LIBRARIES else None
    return described


def _class(node: dict[str, Any]) -> str:
    return f"{node['__module__']}.{node['__class__']}"


def _attributes(node: dict[str, Any]) -> dict[str, Any]:
    content = node.get("content")
    attributes = content.get("content") if isinstance(content, dict) else None
    return attributes if isinstance(attributes, dict) else {}


def _pairs(steps: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [(str(_value(name, 1)), step) for name, step in (pair["content"] for pair in steps["content"])]


def _estimator(node: dict[str, Any], depth: int = _MAX_DEPTH) -> dict[str, Any]:
    values = sorted(_attributes(node).items())
    hyperparameters = {name: _value(each, depth) for name, each in values if _is_hyperparameter(name)}
    return {"class": _said(node), "hyperparameters": hyperparameters}


def _is_hyperparameter(name: str) -> bool:
    # Ensembles keep a list of those that they hand to their members under a name of that form.
    return not name.startswith("_") and not name.endswith("_") and name != "estimator_params"


def _said(node: dict[str, Any]) -> str:
    """Class of an estimator; a step may also be a word such as `passthrough`."""
    return str(_value(node, 1)) if node["__loader__"] == "JsonNode" else _class(node)


def _value(node: Any, depth: int) -> Any:
    if not isinstance(node, dict):
        return None
    loader, content = node.get("__loader__"), node.get("content")
    if loader == "JsonNode":
        return plain(json.loads(str(content)))
    if depth == 0:
        return _class(node)
    if loader in {"ListNode", "TupleNode"} and isinstance(content, list):
        return [_value(each, depth - 1) for each in content]
    if loader == "DictNode" and isinstance(content, dict):
        return {name: _value(each, depth - 1) for name, each in content.items()}
    estimator = _estimator(node, depth - 1)
    return estimator if loader == "ObjectNode" and estimator["hyperparameters"] else _class(node)
