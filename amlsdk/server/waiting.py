"""Requests that wait for a fact, without a thread each.

The service is asked without waiting, again and again; in between only the event loop knows of the request.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import anyio
import attrs

from amlsdk.operations import Request
from amlsdk.operations.agents import HeartbeatAgent
from amlsdk.operations.deployments import GetDeployment, ReadDeploymentLog, ReportDeployment
from amlsdk.operations.images import GetImage, ReadImageLog
from amlsdk.operations.runs import GetRun, ReadOutput
from amlsdk.records.deployments import OVER
from amlsdk.records.images import BUILT
from amlsdk.records.runs import ENDED
from amlsdk.server.limits import Busy
from amlsdk.server.metrics import Metrics
from amlsdk.server.threads import Threads

__all__ = ["READY", "Gone", "Waiter"]

_MAX_WAIT_S = 60.0
_FIRST_PAUSE_S = 0.02
_LONGEST_PAUSE_S = 0.25

# Carries out an operation, in a thread.
Ask = Callable[[Request[Any]], Any]

# Whether a reply is worth sending before the time is over, for each operation that waits.
READY: Mapping[type[Request[Any]], Callable[[Any], bool]] = {
    GetRun: lambda run: run.status in ENDED,
    GetImage: lambda image: image.status in BUILT,
    GetDeployment: lambda deployment: deployment.is_settled,
    HeartbeatAgent: lambda orders: bool(orders.queued or orders.deployments),
    ReportDeployment: lambda orders: orders.news,
    ReadOutput: lambda output: output.size_bytes != 0,
    ReadImageLog: lambda log: log.size_bytes != 0,
    ReadDeploymentLog: lambda log: log.size_bytes != 0,
}

# What to ask whether more output will come, for each operation that reads some, and when it will not.
_ENDS: Mapping[type[Request[Any]], tuple[Callable[[Any], Request[Any]], Callable[[Any], bool]]] = {
    ReadOutput: (lambda read: GetRun(run_id=read.run_id), READY[GetRun]),
    ReadImageLog: (lambda read: GetImage(image_id=read.image_id), READY[GetImage]),
    ReadDeploymentLog: (
        lambda read: GetDeployment(deployment_id=read.deployment_id),
        lambda deployment: deployment.status in OVER,
    ),
}


class Gone(Exception):
    """The client has disconnected."""


class Waiter:
    """Answers requests that wait.

    Args:
        threads: Where services are asked.
        most: How many may wait at once.
        metrics: Where they are counted.
    """

    def __init__(self, threads: Threads, *, most: int, metrics: Metrics) -> None:
        self._threads, self._most, self._metrics = threads, most, metrics
        self._stopping = anyio.Event()

    def stop(self) -> None:
        """Answer all that wait with what there is; to be called in the event loop."""
        self._stopping.set()

    async def send(self, ask: Ask, request: Any, *, gone: Callable[[], Any]) -> Any:
        """Carry out one operation, held back until its reply is ready or its time is over.

        Args:
            ask: Carries it out, in a thread.
            request: With a `wait_s` above 0, of which at most 60 s are waited.
            gone: Awaited now and then: whether the client has disconnected.

        Raises:
            Busy: Too many wait already.
            Gone: It has.
        """
        if self._metrics.waiting >= self._most:
            raise Busy("too many requests wait already; try again in a moment, or ask without wait_s")
        self._metrics.waiting += 1
        try:
            return await self._wait(ask, request, gone)
        finally:
            self._metrics.waiting -= 1

    async def _wait(self, ask: Ask, request: Any, gone: Callable[[], Any]) -> Any:
        deadline = time.monotonic() + min(request.wait_s, _MAX_WAIT_S)
        at_once = attrs.evolve(request, wait_s=0.0)
        pause_s = _FIRST_PAUSE_S
        while True:
            # The end is asked for first: what a run prints, it prints before its end.
            over = await self._is_over(ask, request)
            reply = await self._threads.run(ask, at_once)
            left_s = deadline - time.monotonic()
            if over or READY[type(request)](reply) or left_s <= 0 or self._stopping.is_set():
                return reply
            with anyio.move_on_after(min(pause_s, left_s)):
                await self._stopping.wait()
            if await gone():
                raise Gone
            pause_s = min(1.5 * pause_s, _LONGEST_PAUSE_S)

    async def _is_over(self, ask: Ask, request: Any) -> bool:
        """Say whether what prints has ended, after which it prints no more."""
        if type(request) not in _ENDS:
            return False
        asking, has_ended = _ENDS[type(request)]
        return has_ended(await self._threads.run(ask, asking(request)))
