"""Request bodies: from bytes to the arguments of `run`, held against the contract on the way.

msgspec reads and checks in one pass what is right, which is nearly all. What it refuses is read again by hand, to say
which row and field is wrong, or to accept what it is too strict for (1.0 for an integer).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import msgspec

from amlsdk.records.serving import InputSpec
from amlsdk.scoring.arrays import ArrayInput
from amlsdk.scoring.frames import FrameInput
from amlsdk.scoring.plain import PlainInput
from amlsdk.scoring.replies import Problem, Refused, refusal
from amlsdk.scoring.scalars import json_name

__all__ = ["Input", "Reader"]

Body = bytes | bytearray


class Input(Protocol):
    """How an argument is read."""

    type: Any
    batches: bool
    spec: InputSpec

    def take(self, value: Any, /) -> Any:
        """Return what is kept of a value that msgspec read by `type`."""

    def take_by_hand(self, value: Any, /) -> Any:
        """Return the same of any value, or raise a Problem that says where it is wrong."""

    def count(self, taken: Any, /) -> int:
        """Return how many rows it has."""

    def join(self, parts: Sequence[Any], /) -> Any:
        """Return the argument for `run`, of what was taken of one or more requests."""


_INPUTS: dict[str, Callable[[InputSpec], Input]] = {"frame": FrameInput, "array": ArrayInput, "json": PlainInput}


class Reader:
    """Reads request bodies by the contract of a service.

    Attributes:
        inputs: The arguments of `run`, in order.
    """

    def __init__(self, specs: Sequence[InputSpec]) -> None:
        self.inputs = [_INPUTS[spec.kind](spec) for spec in specs]
        self._names = [spec.name for spec in specs]
        self._takes = [each.take for each in self.inputs]
        fields = [(f"i{at}", each.type) for at, each in enumerate(self.inputs)]
        renamed = {f"i{at}": name for at, name in enumerate(self._names)}
        request = msgspec.defstruct("Request", fields, rename=renamed, forbid_unknown_fields=True, gc=False)
        self._decode = msgspec.json.Decoder(request).decode

    def read(self, body: Body) -> tuple[Any, ...]:
        """Return what each argument is made of.

        Raises:
            Refused: The body is no JSON (400), or not as the contract has it (422).
        """
        try:
            request = self._decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return self._read_by_hand(body)
        values = msgspec.structs.astuple(request)
        try:
            return tuple([take(value) for take, value in zip(self._takes, values, strict=True)])
        except Problem as problem:
            raise _mismatch(problem) from None

    def _read_by_hand(self, body: Body, *, again: bool = True) -> tuple[Any, ...]:
        value = _parse(body)
        if isinstance(value, str) and again:
            # Clients of 2017 sent a JSON string that holds JSON.
            return self._read_inner(value)
        try:
            return self._take_by_hand(value)
        except Problem as problem:
            raise _mismatch(problem) from None

    def _read_inner(self, text: str) -> tuple[Any, ...]:
        body = text.encode(errors="replace")
        try:
            request = self._decode(body)
            values = msgspec.structs.astuple(request)
            return tuple([take(value) for take, value in zip(self._takes, values, strict=True)])
        except (msgspec.DecodeError, RecursionError, Problem):
            return self._read_by_hand(body, again=False)

    def _take_by_hand(self, value: Any) -> tuple[Any, ...]:
        if not isinstance(value, dict):
            expected = ", ".join(self._names)
            raise Problem(f"the body: an object with {expected or 'nothing in it'} is expected, not {json_name(value)}")
        for name in self._names:
            if name not in value:
                raise Problem(f"{name}: a value is missing")
        for name in value:
            if name not in self._names:
                raise Problem(f"the body: there is no input {name[:64]!r}")
        return tuple([each.take_by_hand(value[each.spec.name]) for each in self.inputs])


def _parse(body: Body) -> Any:
    try:
        return msgspec.json.decode(body)
    except UnicodeDecodeError as error:
        message = f"the body is not UTF-8: {error.reason}"
    except RecursionError:
        message = "the body is nested too deeply"
    except msgspec.DecodeError as error:
        reason = str(error).removeprefix("JSON is malformed: ")
        # Since msgspec 0.23 this is no UnicodeDecodeError.
        message = f"the body is not {'UTF-8' if 'UTF-8' in reason else 'JSON'}: {reason}"
        if b"NaN" in body or b"Infinity" in body:
            message += "; JSON has no NaN and no Infinity (send null where the schema accepts it)"
    raise Refused(refusal(400, "InvalidBody", message))


def _mismatch(problem: Problem) -> Refused:
    return Refused(refusal(422, "SchemaMismatch", str(problem)))
