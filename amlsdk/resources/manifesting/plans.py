"""What is going to be served: a script, what lies beside it, and a sample."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

import amlsdk
from amlsdk.errors import InvalidArgument
from amlsdk.resources.manifesting.functions import script_of_function
from amlsdk.resources.manifesting.generating import Draft, draft_for
from amlsdk.resources.manifesting.materials import Material
from amlsdk.resources.manifesting.probing import Outcome, Question
from amlsdk.resources.manifesting.runtime import service_modules
from amlsdk.resources.manifesting.samples import Sample, sample_of
from amlsdk.resources.manifesting.scripts import Kept, Script, modules_of, read_script
from amlsdk.resources.manifesting.templates import SCRIPT, TRUSTED
from amlsdk.resources.manifesting.workbench import Workbench
from amlsdk.resources.modelfiles import index_checks, reach
from amlsdk.resources.modelfiles.skops_trust import HARMLESS

__all__ = ["Plan", "plan_for", "question_for"]

_NUMERIC = frozenset({"number", "integer", "boolean"})
# What reads tables as they are must be asked whether arrays do as well; to the others a table is an array.
_OF_TABLES = frozenset({"skops", "joblib", "pickle"})
_KNOWN = frozenset({"xgboost", "xgboost estimator", "lightgbm"})
_CONVERTERS = frozenset({"skl2onnx", "OnnxMLTools", "onnxmltools"})


@attrs.frozen(kw_only=True)
class Plan:
    """What is tried, and then kept.

    Args:
        script: Path of the script in `app`.
        files: What goes into `app`: files to be copied, or texts, by path.
        sample: A request.
        modules: Names of the modules that the script imports, as far as they can be told.
        draft: Of a script that amlsdk writes, else None.
        material: The model that it scores with, else None.
        pickles: Pickle-based files in `app`.
    """

    script: str
    files: Mapping[str, Path | str | bytes]
    sample: Sample
    modules: frozenset[str]
    draft: Draft | None = None
    material: Material | None = None
    pickles: tuple[str, ...] = ()

    def with_outcome(self, outcome: Outcome) -> Plan:
        """Return what is kept once it was tried."""
        plan = attrs.evolve(self, sample=outcome.sample)
        if self.draft is None:
            return plan
        text = self.draft.text(row_wise=outcome.row_wise, types=outcome.types)
        return attrs.evolve(plan, files={**self.files, self.script: text})

    def unsafe(self, outcome: Outcome) -> tuple[str, ...]:
        """Return what else runs code when it is loaded: a skops file of types that need trust, a kept function."""
        app = tuple(f"app/{path}" for path in self.pickles)
        if self.draft is None or HARMLESS.issuperset(outcome.types):
            return app
        return (*app, f"{self.draft.model}/{self.draft.path}")


def plan_for(materials: Sequence[Material], scoring: Any, data: Any) -> Plan:
    """Read or write the script, and make a request of the sample.

    Raises:
        NotFound: There is no such script.
        InvalidArgument: No script can be written for the model, or the sample does not fit; the message says what.
    """
    if scoring is None:
        return _generated(materials, data)
    is_path = isinstance(scoring, (str, os.PathLike, Kept))
    script = read_script(scoring) if is_path else script_of_function(scoring)
    parameters, required = _parameters(script, data)
    sample = _again(data, parameters, required) or sample_of(data, parameters, required=required, tabular=False)
    return Plan(script=script.path, files=script.files, sample=sample, modules=script.modules, pickles=script.pickles)


def question_for(
    root: Path, materials: Sequence[Material], plan: Plan, visible: frozenset[str], *, trusted: bool
) -> Question:
    """Lay out what is to be tried, and say how."""
    Workbench(root).lay(materials, plan.files)
    question = Question(
        service=tuple(sorted(service_modules())),
        root=Path(os.path.realpath(root)),
        script=plan.script,
        sample=plan.sample,
        visible=visible,
        known_folders=(*(str(each.folder.absolute()) for each in materials), str(Path(amlsdk.__file__).parent)),
    )
    draft, material = plan.draft, plan.material
    if draft is None or material is None:
        return question
    is_skops = draft.kind == "skops"
    return attrs.evolve(
        question,
        generated=True,
        skops=material.files[draft.path] if is_skops else None,
        harmless=tuple(sorted(HARMLESS)),
        trusted=trusted,
        placeholder=TRUSTED,
        try_array=_may_be_array(plan),
        compare=draft.kind in _OF_TABLES,
        known=draft.kind in _KNOWN or _is_converted(material, draft),
        check={} if trusted or not is_skops else _checking_modules(),
    )


def _generated(materials: Sequence[Material], data: Any) -> Plan:
    draft = draft_for(materials)
    sample = _again(data, ["data"], ["data"]) or sample_of(data, ["data"], required=["data"], tabular=True)
    text = draft.text()
    modules = modules_of([text]) | frozenset(draft.modules)
    return Plan(
        script=SCRIPT,
        files={SCRIPT: text},
        sample=sample,
        modules=modules | ({"numpy"} if _fits_array(sample, draft) else _modules_of(sample)),
        draft=draft,
        material=materials[0],
    )


def _again(data: Any, parameters: Sequence[str], required: Sequence[str]) -> Sample | None:
    """The sample of the version before, where that is what was given and the script takes it."""
    if not isinstance(data, Sample):
        return None
    # Whether arrays do for tables is found out anew: another script may want tables.
    sample = Sample(inputs=tuple(attrs.evolve(spec, as_array=False) for spec in data.inputs), body=data.body)
    names = [spec.name for spec in sample.inputs]
    if len(names) == 1 and len(required) <= 1 and names[0] not in parameters:
        return sample.renamed((*required, *parameters)[0])
    if not set(required) <= set(names) <= set(parameters):
        raise InvalidArgument(
            f"run() takes {', '.join(parameters)}, the sample of the version before is of {', '.join(names)}; give "
            "another one: sample=..."
        )
    return sample


def _modules_of(sample: Sample) -> frozenset[str]:
    """Modules that the service makes the arguments with."""
    kinds = {spec.kind for spec in sample.inputs}
    return frozenset({"pandas"} if "frame" in kinds else {"numpy"} if "array" in kinds else ())


def _may_be_array(plan: Plan) -> bool:
    is_table = any(spec.kind == "frame" for spec in plan.sample.inputs)
    return is_table and plan.draft is not None and _fits_array(plan.sample, plan.draft)


def _fits_array(sample: Sample, draft: Draft) -> bool:
    return not draft.by_name and all(column.kind in _NUMERIC for spec in sample.inputs for column in spec.columns)


def _parameters(script: Script, data: Any) -> tuple[Sequence[str], Sequence[str]]:
    """What `run` takes; where that can't be read, the sample says it."""
    if not script.is_open or not isinstance(data, (Mapping, Sample)):
        return script.parameters, script.required
    given = data.body if isinstance(data, Sample) else data
    names = [str(name) for name in given]
    if not names or not all(name.isidentifier() for name in names):
        raise InvalidArgument(
            f"{script.path} gets run() from elsewhere, so the sample has to say what it takes: give a mapping whose "
            "keys are names of its arguments"
        )
    return names, names


def _is_converted(material: Material, draft: Draft) -> bool:
    """Whether an ONNX model was one of a library whose predictors take each row by itself."""
    return draft.kind == "onnx" and material.model.algorithm.get("producer") in _CONVERTERS


def _checking_modules() -> dict[str, str]:
    from amlsdk import plugins

    return {module.__name__: str(module.__file__) for module in (plugins, reach, index_checks)}
