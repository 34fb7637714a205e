"""What a deployment was asked, and how fast it answered."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import TYPE_CHECKING

import attrs

from amlsdk.operations.deployments import ListTraffic
from amlsdk.records.deployments import TrafficRecord
from amlsdk.sketches.counters import read_traffic
from amlsdk.sketches.histogram import Histogram

if TYPE_CHECKING:
    from amlsdk.resources.client import Client

__all__ = ["DeploymentMetrics", "metrics_of"]

_FIRST_ERROR = 400
_EMPTY = TrafficRecord(at=dt.datetime.fromtimestamp(0, dt.timezone.utc))


@attrs.frozen(kw_only=True)
class DeploymentMetrics:
    """Scoring requests of a stretch of time.

    Args:
        requests: How many were answered.
        errors: How many of them with a status from 400 on.
        by_status: How many, by HTTP status.
        p50_s: Half of them were answered within so many seconds (2.5 % error); None where there were none.
        p99_s: 99 of 100 were.
        batches: How many calls of `run` there were.
        rows: How many rows these had.
        since: Begin of the stretch (UTC); None for all of it.
    """

    requests: int
    errors: int
    by_status: Mapping[int, int]
    p50_s: float | None
    p99_s: float | None
    batches: int
    rows: int
    since: dt.datetime | None = None

    def __repr__(self) -> str:
        times = "" if self.p50_s is None else f", p50 {1000 * self.p50_s:.2f} ms, p99 {1000 * (self.p99_s or 0):.2f} ms"
        return f"<{self.requests} requests, {self.errors} errors{times}>"


def metrics_of(client: Client, deployment_id: str, since: dt.datetime | None) -> DeploymentMetrics:
    """Count what a deployment was asked since a time; ten seconds exactly for a day, ten minutes before that."""
    now = _now(client, deployment_id)
    before = _EMPTY if since is None else _last(client, deployment_id, since)
    requests = {int(status): count - before.requests.get(status, 0) for status, count in now.requests.items()}
    requests = {status: count for status, count in sorted(requests.items()) if count}
    latency = Histogram.from_counts({key: n - before.latency.get(key, 0) for key, n in now.latency.items()})
    return DeploymentMetrics(
        requests=sum(requests.values()),
        errors=sum(count for status, count in requests.items() if status >= _FIRST_ERROR),
        by_status=requests,
        p50_s=latency.quantile(0.5),
        p99_s=latency.quantile(0.99),
        batches=now.batches - before.batches,
        rows=now.rows - before.rows,
        since=since,
    )


def _now(client: Client, deployment_id: str) -> TrafficRecord:
    """Return the counts of the processes themselves where they are on this machine, else the last that was reported."""
    folder = client.spool.deployments / deployment_id / "traffic"
    if not folder.is_dir():
        return _last(client, deployment_id, None)
    traffic = read_traffic(folder)
    return TrafficRecord(
        at=dt.datetime.now(dt.timezone.utc),
        requests={str(status): count for status, count in traffic.requests.items()},
        latency=traffic.latency.to_counts(),
        batches=traffic.batches,
        rows=traffic.rows,
    )


def _last(client: Client, deployment_id: str, before: dt.datetime | None) -> TrafficRecord:
    found = client.send(ListTraffic(deployment_id=deployment_id, before=before, limit=1)).items
    return found[0] if found else _EMPTY
