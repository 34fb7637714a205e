"""Requests that wait for their turn, and their scoring: together where rows are independent, one call at a time."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor

from amlsdk.records.serving import ScoringSettings
from amlsdk.scoring.pace import INLINE_S, Pace
from amlsdk.scoring.replies import Refused, Reply, refusal
from amlsdk.scoring.service import Scored, Service, Values
from amlsdk.sketches.counters import Counters

__all__ = ["FutureTicket", "ScoringQueue", "Ticket"]


class Ticket:
    """A request from its last byte to its answer.

    Attributes:
        values: What its arguments are made of.
        rows: How many rows they have.
        began: When its last byte was there, by `time.perf_counter`.
        answered: Whether it was.
        gone: Whether nobody waits for the answer any more.
        counted: Whether it is a caller's; what the supervisor asks is no traffic.
    """

    __slots__ = ("answered", "began", "counted", "gone", "rows", "values")

    values: Values
    rows: int
    began: float

    def __init__(self) -> None:
        self.answered = False
        self.gone = False
        self.counted = True

    def answer(self, reply: Reply) -> None:
        """Take the answer."""
        raise NotImplementedError


class FutureTicket(Ticket):
    """A request whose answer is awaited."""

    __slots__ = ("reply",)

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self.reply: asyncio.Future[Reply] = loop.create_future()

    def answer(self, reply: Reply) -> None:
        """Take the answer."""
        if not self.reply.done():
            self.reply.set_result(reply)


class ScoringQueue:
    """Scores requests by a service, in the order they came.

    Args:
        settings: Limits.
        counters: Where requests and calls are counted.
        thread: Where calls are made that would hold up the event loop.
        loop: The event loop, from which alone this may be used.
    """

    def __init__(
        self,
        settings: ScoringSettings,
        counters: Counters,
        *,
        thread: ThreadPoolExecutor,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._settings, self._counters, self._thread, self._loop = settings, counters, thread, loop
        self._service: Service | None = None
        self._in_thread = False
        self._pace = Pace()
        self._waiting: deque[Ticket] = deque()
        self._called: list[Ticket] = []
        self._scheduled = False

    @property
    def is_loaded(self) -> bool:
        """Whether there is a service to score by."""
        return self._service is not None

    @property
    def waiting(self) -> int:
        """How many requests wait for their turn."""
        return len(self._waiting)

    @property
    def in_flight(self) -> int:
        """How many requests are being scored."""
        return len(self._called)

    def begin(self, service: Service, *, in_thread: bool, sample_s: float) -> None:
        """Begin to score.

        Args:
            service: It was loaded, and has scored its sample.
            in_thread: Whether all calls are to be made in the thread that loaded it.
            sample_s: How long the sample took.
        """
        self._service, self._in_thread = service, in_thread
        self._pace.saw(1, sample_s)

    def submit(self, ticket: Ticket, body: bytes | bytearray) -> None:
        """Read a request, and have it scored in its turn; a wrong one is answered at once."""
        ticket.began = time.perf_counter()
        service = self._service
        if service is None:
            self._finish(ticket, refusal(503, "Unavailable", "the service is loading its model; try again soon"))
        elif len(self._waiting) >= self._settings.max_waiting:
            self._finish(ticket, _BUSY)
        else:
            try:
                ticket.values, ticket.rows = service.read(body)
            except Refused as refused:
                self._finish(ticket, refused.reply)
            else:
                self._waiting.append(ticket)
                self._schedule()

    def refuse(self, ticket: Ticket, reply: Reply) -> None:
        """Answer a request that is not to be scored."""
        ticket.began = time.perf_counter()
        self._finish(ticket, reply)

    def expire(self) -> None:
        """Answer those that have waited for too long."""
        latest = time.perf_counter() - self._settings.timeout_s
        late = [ticket for ticket in (*self._called, *self._waiting) if ticket.began < latest]
        for ticket in late:
            self._finish(ticket, refusal(503, "Unavailable", f"not answered within {self._settings.timeout_s:g} s"))

    def _schedule(self) -> None:
        # All requests that came in this turn of the loop are there when the call is made.
        if not self._scheduled and not self._called:
            self._scheduled = True
            self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        self._scheduled = False
        began = time.perf_counter()
        # Where calls are short several are made in a turn, for a turn of the loop costs as much as some of them.
        while self._waiting and not self._called and time.perf_counter() - began < INLINE_S / 4:
            self._call(self._take())
        if self._waiting:
            self._schedule()

    def _take(self) -> list[Ticket]:
        service, waiting = self._service, self._waiting
        most = self._settings.max_batch if service is not None and service.batches else 1
        taken: list[Ticket] = []
        rows = 0
        while waiting and (not taken or rows + waiting[0].rows <= most):
            ticket = waiting.popleft()
            if not ticket.answered and not ticket.gone:
                taken.append(ticket)
                rows += ticket.rows
        return taken

    def _call(self, tickets: list[Ticket]) -> None:
        service = self._service
        if not tickets or service is None:
            return
        requests, rows = [ticket.values for ticket in tickets], [ticket.rows for ticket in tickets]
        if self._in_thread or not self._pace.is_short(sum(rows)):
            self._called = tickets
            call = self._loop.run_in_executor(self._thread, _timed, service, requests, rows)
            call.add_done_callback(self._called_back)
        else:
            self._answer(tickets, *_timed(service, requests, rows))

    def _called_back(self, call: asyncio.Future[tuple[Scored, float]]) -> None:
        tickets, self._called = self._called, []
        if not call.cancelled():
            self._answer(tickets, *call.result())
        self._schedule()

    def _answer(self, tickets: list[Ticket], scored: Scored, seconds: float) -> None:
        self._pace.saw(sum(scored.calls), seconds)
        if any(ticket.counted for ticket in tickets):
            for rows in scored.calls:
                self._counters.count_batch(rows)
        for ticket, reply in zip(tickets, scored.replies, strict=True):
            self._finish(ticket, reply)

    def _finish(self, ticket: Ticket, reply: Reply) -> None:
        if ticket.answered:
            return
        ticket.answered = True
        if ticket.counted:
            self._counters.count_request(reply.status, time.perf_counter() - ticket.began)
        ticket.answer(reply)


_BUSY = refusal(
    429, "TooManyRequests", "too many requests wait for their turn; try again in a second", ((b"retry-after", b"1"),)
)


def _timed(service: Service, requests: list[Values], rows: list[int]) -> tuple[Scored, float]:
    began = time.perf_counter()
    scored = service.score(requests, rows)
    return scored, time.perf_counter() - began
