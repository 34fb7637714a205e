"""An image as processes of this machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotInTime
from typing import Any

from amlsdk.deployers.base import Revision
from amlsdk.deployers.keeper import Keeper
from amlsdk.errors import AmlError, OperationFailed
from amlsdk.records.images import ImageRecord

__all__ = ["ProcessRevision", "difference"]

_LOOK_S = 0.1
_ANSWER_S = 10.0


class ProcessRevision(Revision):
    """So many processes, each kept alive.

    Args:
        image: What they serve.
        keep: Begins to keep one process.
        sample: A request that they have to answer.
        expected: What it was answered when the manifest was made.
        timeout_s: Within which they have to.
    """

    def __init__(
        self,
        image: ImageRecord,
        keep: Callable[[], Keeper],
        *,
        sample: Mapping[str, Any],
        expected: Any,
        timeout_s: float,
    ) -> None:
        self.image = image
        self.keepers: tuple[Keeper, ...] = ()
        self._keep = keep
        self._sample, self._expected = sample, expected
        self._timeout_s = timeout_s

    @property
    def restarts(self) -> int:
        """How often one of them was started again."""
        return sum(keeper.restarts for keeper in self.keepers)

    def grow(self, replicas: int, is_unwanted: Callable[[], bool]) -> tuple[Keeper, ...]:
        """Start further processes until there are so many; return the new ones, which have answered the sample.

        Raises:
            OperationFailed: One did not; the new ones are ended.
        """
        new = tuple(self._keep() for _ in range(replicas - len(self.keepers)))
        try:
            _wait(new, is_unwanted)
            self._probe(new)
        except BaseException:
            _end(new)
            raise
        self.keepers += new
        return new

    def shrink(self, replicas: int, grace_s: float) -> None:
        """End processes until there are so many."""
        for keeper in self.keepers[replicas:]:
            keeper.end(grace_s)
        self.keepers = self.keepers[:replicas]

    def accept(self, keepers: Sequence[Keeper]) -> None:
        """Have processes take requests. Those that are just started again do so as soon as they have loaded.

        Raises:
            OperationFailed: None of them does.
        """
        problems = [problem for answer in [keeper.accept() for keeper in keepers] if (problem := _problem(answer))]
        if problems and len(problems) == len(keepers):
            raise OperationFailed(f"no process takes requests: {problems[0]}")

    def stand_by(self, grace_s: float) -> None:
        """Have processes take no more requests; they answer those that they have. Returns once none takes any."""
        for answer in [keeper.stand_by(grace_s) for keeper in self.keepers]:
            # One that is away, or does not answer, can't take requests either.
            _problem(answer)

    def _probe(self, keepers: Sequence[Keeper]) -> None:
        for answer in [keeper.ask("score", body=dict(self._sample)) for keeper in keepers]:
            try:
                reply = answer.result(self._timeout_s + _ANSWER_S)
            except NotInTime as error:
                raise OperationFailed(f"the sample was not answered within {self._timeout_s:g} s") from error
            status, body = reply.get("status"), reply.get("body")
            if status != 200 or not isinstance(body, dict) or "result" not in body:  # noqa: PLR2004  # HTTP
                raise OperationFailed(f"the sample was answered with {status}: {str(body)[:2000]}")
            differs = difference(body["result"], self._expected)
            if differs:
                raise OperationFailed(f"the sample is not answered as it was for the manifest: {differs}")


def _wait(keepers: Sequence[Keeper], is_unwanted: Callable[[], bool]) -> None:
    while not all(keeper.is_loaded for keeper in keepers):
        failed = next((keeper for keeper in keepers if keeper.has_failed), None)
        if failed is not None:
            raise OperationFailed(f"a process ended before it had answered the sample: {failed.reason}")
        if is_unwanted():
            raise OperationFailed("the start was given up: something else is wanted by now")
        next(keeper for keeper in keepers if not keeper.is_loaded).wait(_LOOK_S)


def _end(keepers: Sequence[Keeper]) -> None:
    for keeper in keepers:
        keeper.end(0)
    for keeper in keepers:
        keeper.join()


def _problem(answer: Future[dict[str, Any]]) -> str | None:
    try:
        answer.result(_ANSWER_S)
    except (AmlError, NotInTime) as error:
        return str(error) or "it does not answer"
    return None


def difference(found: Any, expected: Any) -> str | None:
    """Say how the form of a result differs from what it was; its values may."""
    if expected is None or found is None:
        return None
    if _kind(found) != _kind(expected):
        return f"its result is {_kind(found)} where it was {_kind(expected)}"
    if isinstance(found, list) and len(found) != len(expected):
        return f"its result has {len(found)} items where it had {len(expected)}"
    if isinstance(found, dict) and set(found) != set(expected):
        return f"its result has the keys {sorted(found)} where it had {sorted(expected)}"
    if isinstance(found, list) and found:
        return difference(found[0], expected[0])
    return None


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, (int, float)):
        return "a number"
    names = ((str, "a text"), (list, "a list"), (dict, "an object"))
    return next((name for kind, name in names if isinstance(value, kind)), "something else")
