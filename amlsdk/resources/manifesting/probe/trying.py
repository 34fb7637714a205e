"""A scoring script that was loaded, and how it scores."""

from __future__ import annotations

import contextlib
import json
import os
import traceback
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from .checks import agree, is_known, is_row_wise

__all__ = ["Failure", "Trial", "step"]

_MOST_LINES = 30


class Failure(Exception):
    """The script did not do what it has to; `facts` say why, as JSON."""

    def __init__(self, step: str, error: BaseException) -> None:
        super().__init__(step)
        missing = getattr(error, "name", None) if isinstance(error, ModuleNotFoundError) else None
        self.facts = {
            "step": step,
            "kind": type(error).__name__,
            "message": _message(error),
            "trace": _trace(error),
            "missing": missing,
            "file": getattr(error, "filename", None) if isinstance(error, FileNotFoundError) else None,
        }


class Trial:
    """The script, loaded and begun as the service does it.

    Args:
        root: Of the bundle.
        script: Path of the script in `app`.
        inputs: JSON of the arguments of `run`.
    """

    def __init__(self, root: str, script: str, inputs: Sequence[Mapping[str, Any]]) -> None:
        from amlsdk.scoring import scripts

        self.inputs = [dict(each) for each in inputs]
        os.environ[scripts.BUNDLE_VARIABLE] = root
        with step("loading the script"):
            self.module: ModuleType = scripts.import_script(Path(root, "app", script))
            self._run = scripts.run_of(self.module)
        begin = getattr(self.module, "init", None)
        if begin is not None:
            with step("init()"):
                begin()

    @property
    def model(self) -> Any:
        """What a generated script keeps as its model."""
        return getattr(self.module, "model", None)

    def fit_columns(self, body: dict[str, Any]) -> dict[str, Any]:
        """Leave to a table the columns that the model was fitted with, in its order; return the request so changed."""
        for at, spec in enumerate(self.inputs):
            known, columns = _feature_names(self.model), [column["name"] for column in spec["columns"]]
            missing = [name for name in known if name not in columns]
            if spec["kind"] != "frame" or not known or known == columns or len(missing) == len(known):
                continue
            if missing:
                error = ValueError(
                    f"the model was fitted with columns that the sample lacks: {', '.join(missing[:8])}; "
                    f"the sample has {', '.join(columns[:16])}"
                )
                raise Failure("the sample", error)
            by_name = {column["name"]: column for column in spec["columns"]}
            self.inputs[at] = {**spec, "columns": [by_name[name] for name in known]}
            rows = [{name: row[name] for name in known} for row in body[spec["name"]]]
            body = {**body, spec["name"]: rows}
        return body

    def score(self, body: Mapping[str, Any], *, as_array: bool | None = None) -> Any:
        """Return the result for a request, as JSON.

        Args:
            body: The request.
            as_array: Whether tables are passed as arrays; None is as the contract has it.
        """
        from amlsdk.records.converting import CONVERTER
        from amlsdk.records.serving import InputSpec
        from amlsdk.scoring.encoding import encode
        from amlsdk.scoring.reading import Reader

        changed = {} if as_array is None else {"as_array": as_array}
        specs = [CONVERTER.structure({**each, **changed}, InputSpec) for each in self.inputs]
        with step("the sample"):
            reader = Reader(specs)
            values = reader.read(json.dumps(body).encode())
            pairs = zip(reader.inputs, values, strict=True)
            arguments = {each.spec.name: each.join([value]) for each, value in pairs}
        with step("run()"):
            result = self._run(**arguments)
        with step("the result of run()"):
            return json.loads(encode(result))["result"]

    def is_row_wise(self, body: Mapping[str, Any], result: Any, *, known: bool) -> bool:
        """Say whether waiting requests may be scored together."""
        if len(self.inputs) != 1 or self.inputs[0]["kind"] == "json" or not (known or is_known(self.model)):
            return False
        name = self.inputs[0]["name"]
        with contextlib.suppress(Failure):
            return is_row_wise(lambda rows: self.score({name: rows}), body[name], result)
        return False

    def gives_the_same(self, body: Mapping[str, Any], result: Any) -> bool:
        """Say whether tables give what arrays gave."""
        with contextlib.suppress(Failure):
            return agree(self.score(body, as_array=False), result)
        return False


@contextlib.contextmanager
def step(name: str) -> Iterator[None]:
    """Make a Failure of whatever goes wrong."""
    try:
        yield
    except Failure:
        raise
    # A script may end itself, and raise whatever it likes.
    except BaseException as error:  # noqa: BLE001
        raise Failure(name, error) from None


def _message(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return f"it ended itself by sys.exit({error.code!r})"
    reply = getattr(error, "reply", None)
    if reply is not None:
        return str(json.loads(reply.body)["message"])
    return str(error)


def _trace(error: BaseException) -> list[str]:
    here = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120
    told = traceback.TracebackException.from_exception(error)
    frames = [frame for frame in told.stack if not frame.filename.startswith((here, "<frozen importlib"))]
    told.stack = traceback.StackSummary.from_list(frames)
    return "".join(told.format()).splitlines()[-_MOST_LINES:]


def _feature_names(model: Any) -> list[str]:
    """Names of the columns that a model was fitted with, where it tells them."""
    for name in ("feature_names_in_", "feature_names", "feature_name"):
        with contextlib.suppress(Exception):
            found = getattr(model, name)
            found = found() if callable(found) else found
            if found is not None:
                return [str(each) for each in found]
    return []
