"""Counters of a server process, in the text format of Prometheus.

The format is that of prometheus.io/docs/instrumenting/exposition_formats, version 0.0.4. No label names a workspace,
a user or anything else that a caller chose: routes are those of the table, and all others are `other`.
"""

from __future__ import annotations

import bisect
from collections import Counter
from collections.abc import Callable, Iterable, Iterator

import attrs
import psutil

from amlsdk.server.visits import Visit

__all__ = ["CONTENT_TYPE", "Metrics"]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

# Seconds.
_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_OTHER = "other"


@attrs.define
class _Durations:
    counts: list[int] = attrs.field(factory=lambda: [0] * (len(_BOUNDS) + 1))
    sum_s: float = 0.0

    def add(self, took_s: float) -> None:
        self.counts[bisect.bisect_left(_BOUNDS, took_s)] += 1
        self.sum_s += took_s


@attrs.define
class Metrics:
    """What a server process has done. For one event loop.

    Attributes:
        in_flight: Requests that are being answered now.
        waiting: Those of them that wait for a fact.
        connections: Counts the connections that are open now.
        journal_lines: Lines of journals that came: calls of `log` and other things that runs noted.
    """

    in_flight: int = 0
    waiting: int = 0
    connections: Callable[[], int] = lambda: 0
    journal_lines: int = 0
    _requests: Counter[tuple[str, str, int]] = attrs.field(factory=Counter, init=False)
    _durations: dict[str, _Durations] = attrs.field(factory=dict, init=False)
    _bytes: Counter[str] = attrs.field(factory=Counter, init=False)

    def count(self, visit: Visit, took_s: float) -> None:
        """Count a request that was answered."""
        route = visit.route or _OTHER
        method = visit.method if visit.method in _METHODS else _OTHER
        self._requests[method, route, visit.status] += 1
        self._durations.setdefault(route, _Durations()).add(took_s)
        self.journal_lines += visit.journal_lines
        self._bytes["in"] += visit.bytes_in
        self._bytes["out"] += visit.bytes_out

    def text(self) -> str:
        """Return all of it, as Prometheus reads it."""
        return "".join(f"{line}\n" for line in self._lines())

    def _lines(self) -> Iterator[str]:
        requests = (
            (_labels(method=method, route=route, status=str(status)), count)
            for (method, route, status), count in sorted(self._requests.items())
        )
        yield from _family("amlsdk_requests_total", "counter", "Requests answered.", requests)
        yield from self._histogram()
        moved = [(_labels(direction=way), self._bytes[way]) for way in ("in", "out")]
        yield from _family("amlsdk_body_bytes_total", "counter", "Bytes of bodies.", moved)
        taken = "Lines of journals that came."
        yield from _family("amlsdk_journal_lines_total", "counter", taken, [("", self.journal_lines)])
        for name, value, told in self._now():
            yield from _family(name, "gauge", told, [("", value)])
        used = psutil.Process().cpu_times()
        spent = [("", used.user + used.system)]
        yield from _family("process_cpu_seconds_total", "counter", "Processor time used.", spent)

    def _histogram(self) -> Iterator[str]:
        name = "amlsdk_request_duration_seconds"
        yield from _head(name, "histogram", "Time from the head of a request to the end of its reply.")
        for route, durations in sorted(self._durations.items()):
            total = 0
            for bound, count in zip((*map(str, _BOUNDS), "+Inf"), durations.counts, strict=True):
                total += count
                yield f"{name}_bucket{_labels(route=route, le=bound)} {total}"
            yield f"{name}_sum{_labels(route=route)} {durations.sum_s:.6f}"
            yield f"{name}_count{_labels(route=route)} {total}"

    def _now(self) -> Iterator[tuple[str, float, str]]:
        process = psutil.Process()
        yield "amlsdk_requests_in_flight", self.in_flight, "Requests being answered."
        yield "amlsdk_requests_waiting", self.waiting, "Requests that wait for a fact."
        yield "amlsdk_connections", self.connections(), "Connections open."
        yield "process_resident_memory_bytes", process.memory_info().rss, "Memory in use."
        yield "process_start_time_seconds", process.create_time(), "When the process began, since 1970."


def _family(name: str, kind: str, told: str, values: Iterable[tuple[str, float]]) -> Iterator[str]:
    yield from _head(name, kind, told)
    for labels, value in values:
        yield f"{name}{labels} {value:.15g}"


def _head(name: str, kind: str, told: str) -> Iterator[str]:
    yield f"# HELP {name} {told}"
    yield f"# TYPE {name} {kind}"


def _labels(**values: str) -> str:
    # Nothing here has quotes, backslashes or ends of lines: names of routes and numbers.
    inner = ",".join(f'{name}="{value}"' for name, value in values.items())
    return f"{{{inner}}}"
