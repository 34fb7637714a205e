"""A bundle that was loaded: reads requests, calls `run`, writes results. No HTTP here."""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import attrs
import msgspec

from amlsdk.errors import InvalidArgument
from amlsdk.records.converting import CONVERTER
from amlsdk.records.serving import ServiceSpec
from amlsdk.scoring.encoding import encode, rows_of
from amlsdk.scoring.reading import Reader
from amlsdk.scoring.replies import Refused, Reply, refusal
from amlsdk.scoring.scripts import BUNDLE_VARIABLE, import_script, is_row_wise, run_of

__all__ = ["Scored", "Service", "load_service", "read_spec"]

Values = tuple[Any, ...]


@attrs.define
class Scored:
    """What became of requests that were scored.

    Args:
        replies: One a request, in order.
        calls: The number of rows of each call of `run`.
    """

    replies: list[Reply]
    calls: list[int]


class Service:
    """A scoring script and its contract.

    Args:
        spec: The contract.
        run: The function of the script.

    Attributes:
        batches: Whether requests may be scored together.
    """

    def __init__(self, spec: ServiceSpec, run: Callable[..., Any]) -> None:
        self.spec = spec
        self._run = run
        self._reader = Reader(spec.inputs)
        self._inputs = self._reader.inputs
        self._names = [each.spec.name for each in self._inputs]
        self.batches = is_row_wise(run) and len(self._inputs) == 1 and self._inputs[0].batches

    def read(self, body: bytes | bytearray) -> tuple[Values, int]:
        """Return what the arguments are made of, and how many rows they have.

        Raises:
            Refused: The body is no JSON, or not as the contract has it.
        """
        values = self._reader.read(body)
        return values, self._inputs[0].count(values[0]) if values else 1

    def score(self, requests: Sequence[Values], rows: Sequence[int]) -> Scored:
        """Score requests: in one call of `run` where rows are independent, else each for itself.

        Args:
            requests: What `read` returned.
            rows: How many rows each has.
        """
        if len(requests) > 1 and self.batches:
            replies = self._score_together(requests, rows)
            if replies is not None:
                return Scored(replies, [sum(rows)])
        return Scored([self._score_one(values) for values in requests], list(rows))

    def score_body(self, body: bytes | bytearray) -> Reply:
        """Read and score one request."""
        try:
            values, _ = self.read(body)
        except Refused as refused:
            return refused.reply
        return self._score_one(values)

    def check_sample(self) -> None:
        """Score the sample once.

        Raises:
            InvalidArgument: It was not answered with a result; the message is what was answered.
        """
        if not self.spec.sample and self.spec.inputs:
            return
        reply = self.score_body(msgspec.json.encode(self.spec.sample))
        if reply.status != 200:  # noqa: PLR2004
            raise InvalidArgument(f"the sample was not scored: {msgspec.json.decode(reply.body)['message']}")

    def _score_together(self, requests: Sequence[Values], rows: Sequence[int]) -> list[Reply] | None:
        """Return the replies, or None where each has to be scored for itself."""
        total = sum(rows)
        try:
            result = self._run(**{self._names[0]: self._inputs[0].join([values[0] for values in requests])})
            each = rows_of(result, total)
            if each is None:
                self._give_up_batches(total)
                return None
            replies, at = [], 0
            for count in rows:
                replies.append(Reply(200, encode(each[at : at + count])))
                at += count
        except Exception:  # noqa: BLE001  # a bad request among them: each is scored alone, and the bad one says why
            return None
        return replies

    def _score_one(self, values: Values) -> Reply:
        try:
            arguments = {
                name: each.join([value]) for name, each, value in zip(self._names, self._inputs, values, strict=True)
            }
            return Reply(200, encode(self._run(**arguments)))
        except InvalidArgument as error:
            return refusal(422, InvalidArgument.code, str(error))
        except BaseException as error:  # noqa: BLE001  # whatever a script raises is its failure, not the service's
            return _failure(error)

    def _give_up_batches(self, rows: int) -> None:
        self.batches = False
        _log(f"`run` is marked row_wise, but its result for {rows} rows has not one entry for each: scoring one by one")


def load_service(root: Path) -> Service:
    """Load a bundle: import its script and call `init`. The working folder becomes `app`, as in an image.

    Raises:
        InvalidArgument: The script has no function `run`.
    """
    root = root.resolve()
    app = root / "app"
    os.environ[BUNDLE_VARIABLE] = os.fspath(root)
    os.chdir(app)
    if os.fspath(app) not in sys.path:
        sys.path.append(os.fspath(app))
    spec = read_spec(root)
    module = import_script(app / spec.script)
    run = run_of(module)
    init = getattr(module, "init", None)
    if init is not None:
        init()
    return Service(spec, run)


def read_spec(root: Path) -> ServiceSpec:
    """Return the contract of a bundle."""
    return CONVERTER.structure(msgspec.json.decode((root / "app" / "service.json").read_bytes()), ServiceSpec)


def _failure(error: BaseException) -> Reply:
    reference = secrets.token_hex(6)
    trace = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    _log(f"error {reference} in `run`:\n{trace.rstrip()}")
    message = f"the scoring script failed; the log of the service says why beside the reference {reference}"
    return refusal(500, "ScoringFailed", message)


def _log(line: str) -> None:
    # Nobody may be reading the log any more: requests are answered all the same.
    with contextlib.suppress(OSError):
        print(f"amlsdk: {line}", file=sys.stderr, flush=True)  # noqa: T201  # the log of a service is its standard error
