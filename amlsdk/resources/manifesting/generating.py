"""Which script scores with a model when none is given, told by the model's files."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import attrs

from amlsdk.errors import InvalidArgument
from amlsdk.resources.manifesting.materials import Material
from amlsdk.resources.manifesting.templates import TRUSTED, as_text, render
from amlsdk.resources.modelfiles.archives import is_zip
from amlsdk.resources.modelfiles.pickles import HEAD_BYTES, unwrapped

__all__ = ["Draft", "draft_for"]

_XGBOOST_CLASSES = {"classifier": "XGBClassifier", "regressor": "XGBRegressor", "ranker": "XGBRanker"}
_GIVE = "give a script: create_manifest(..., scoring='score.py')"


@attrs.frozen(kw_only=True)
class Draft:
    """A script still to be tried on the sample.

    Args:
        kind: One of `templates.TEMPLATES`.
        model: Name of the model.
        path: Of its file below the model's folder.
        file: The same, where the script has to say it.
        modules: That it imports, with those of the types that the file names.
        estimator: Class of XGBoost.
        by_name: It holds a part that chooses columns by their names.
    """

    kind: str
    model: str
    path: str
    file: str
    by_name: bool = False
    modules: tuple[str, ...] = ()
    estimator: str = ""

    def text(self, *, row_wise: bool = False, types: Sequence[str] | None = None) -> str:
        """Return the script."""
        trusted = TRUSTED if types is None else as_text(list(types))
        return render(
            self.kind,
            model=self.model,
            file=self.file,
            row_wise=row_wise,
            trusted=trusted,
            estimator=self.estimator,
        )


def draft_for(materials: Sequence[Material]) -> Draft:
    """Return the script for the files of a model.

    Raises:
        InvalidArgument: There are several models, or this one's files are of no kind that a script is written for.
    """
    if len(materials) > 1:
        raise InvalidArgument(f"a manifest of {len(materials)} models needs a script that says how they score; {_GIVE}")
    material = materials[0]
    kinds = {name: _kind_of(file, material.formats[name]) for name, file in material.files.items()}
    found = {name: kind for name, kind in kinds.items() if kind}
    if len(found) != 1:
        raise InvalidArgument(_what_is_wrong(material, found))
    name, kind = next(iter(found.items()))
    file = material.files[name]
    estimator = _xgboost_class(file) if kind == "xgboost" else ""
    return Draft(
        kind="xgboost estimator" if estimator else kind,
        model=material.model.name,
        path=name,
        file=name if len(material.files) > 1 or "/" in name else "",
        estimator=estimator,
        by_name=kind == "skops" and _holds(file, b"ColumnTransformer"),
        modules=(*(("sklearn",) if estimator else ()), *_modules_of(kind, file)),
    )


def _what_is_wrong(material: Material, found: Mapping[str, str]) -> str:
    name = material.model.name
    if found:
        return f"model {name!r} has {len(found)} files that could be it ({', '.join(list(found)[:8])}); {_GIVE}"
    if material.of_format("safetensors"):
        return (
            f"model {name!r} is safetensors: numbers without the code that computes with them. Export the module with "
            f"torch.jit.script or to ONNX and register that file, or {_GIVE} that builds the module and loads them"
        )
    return (
        f"no script can be written for model {name!r} ({', '.join(list(material.files)[:8])}): scripts are for skops, "
        f"joblib and pickle files, ONNX, TorchScript, and models saved by XGBoost and LightGBM; {_GIVE}"
    )


def _kind_of(file: Path, format_: str) -> str | None:
    if format_ in {"skops", "onnx"}:
        return format_
    if format_ == "pickle":
        return _kind_of_pickle(file)
    with file.open("rb") as stream:
        head = stream.read(512)
    if head.startswith(b"tree\n") and b"version=" in head:
        return "lightgbm"
    # JSON, and the binary form of it (UBJSON) where a length stands before the name.
    if re.match(rb'\{\s*"learner"\s*:', head) or (head.startswith(b"{L") and b"learner{" in head):
        return "xgboost"
    return None


def _kind_of_pickle(file: Path) -> str:
    with file.open("rb") as stream:
        head = stream.read(HEAD_BYTES)
    if is_zip(head):
        with zipfile.ZipFile(file) as archive:
            names = [name.partition("/")[2] for name in archive.namelist()]
        if "constants.pkl" in names:
            return "torchscript"
        return "torch export" if any(name.startswith(("archive_format", "models/")) for name in names) else "torch"
    is_joblib = b"joblib" in head or unwrapped(head) or file.suffix == ".joblib"
    return "joblib" if is_joblib else "pickle"


def _xgboost_class(file: Path) -> str:
    """The class of XGBoost whose scikit-learn estimator was saved, or nothing where a Booster was."""
    content = file.read_bytes()
    place = content.find(b"_estimator_type")
    words = re.findall(rb"[a-z]+", content[place + len("_estimator_type") : place + 64]) if place >= 0 else []
    return _XGBOOST_CLASSES.get(words[0].decode(), "") if words else ""


def _modules_of(kind: str, file: Path) -> tuple[str, ...]:
    """Modules that loading a file will import, told without loading it; too many do no harm, too few cost time."""
    if kind == "skops":
        with zipfile.ZipFile(file) as archive:
            names = _named_in(json.loads(archive.read("schema.json")))
        return tuple(sorted(names))
    if kind in {"pickle", "joblib"}:
        with file.open("rb") as stream:
            head = stream.read(HEAD_BYTES)
        text = unwrapped(head) or head
        return tuple(sorted({each.decode() for each in re.findall(rb"[A-Za-z_][A-Za-z0-9_]{2,}", text)}))
    return ()


def _holds(file: Path, word: bytes) -> bool:
    with zipfile.ZipFile(file) as archive:
        return word in archive.read("schema.json")


def _named_in(node: object) -> set[str]:
    found: set[str] = set()
    waiting = [node]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            module = item.get("__module__")
            found |= {module.partition(".")[0]} if isinstance(module, str) else set()
            waiting += item.values()
        elif isinstance(item, list):
            waiting += item
    return found
