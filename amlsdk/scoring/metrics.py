"""What a service was asked, in the text format of Prometheus (exposition format 0.0.4)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from amlsdk.sketches.counters import Traffic
from amlsdk.sketches.histogram import Histogram

__all__ = ["metrics_text"]

_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 1024, 4096)


def metrics_text(traffic: Traffic, *, waiting: int, in_flight: int) -> str:
    """Return metrics as text.

    Args:
        traffic: Of all processes of the deployment.
        waiting: Requests that wait for their turn in this process.
        in_flight: Requests that are being scored in this process.
    """
    return "\n".join(
        [
            *_head("amlsdk_requests_total", "counter", "Scoring requests by HTTP status of their answer."),
            *(f'amlsdk_requests_total{{code="{code}"}} {count}' for code, count in sorted(traffic.requests.items())),
            *_histogram(
                "amlsdk_request_seconds",
                "Seconds from the last byte of a request to its answer, within 2.5 %.",
                traffic.latency,
                _SECONDS,
            ),
            *_histogram("amlsdk_batch_rows", "Rows of a call of run, within 2.5 %.", traffic.batch_sizes, _ROWS),
            *_head("amlsdk_waiting", "gauge", "Requests that wait for their turn in the process that answers this."),
            f"amlsdk_waiting {waiting}",
            *_head("amlsdk_in_flight", "gauge", "Requests being scored in the process that answers this."),
            f"amlsdk_in_flight {in_flight}",
            "",
        ]
    )


def _head(name: str, kind: str, text: str) -> Iterable[str]:
    return (f"# HELP {name} {text}", f"# TYPE {name} {kind}")


def _histogram(name: str, text: str, histogram: Histogram, bounds: Sequence[float]) -> Iterable[str]:
    yield from _head(name, "histogram", text)
    for bound in bounds:
        # The middle of a bucket is up to 2.5 % above the value it stands for.
        yield f'{name}_bucket{{le="{bound:g}"}} {histogram.count_up_to(bound * 1.025)}'
    yield f'{name}_bucket{{le="+Inf"}} {histogram.count}'
    yield f"{name}_sum {histogram.sum!r}"
    yield f"{name}_count {histogram.count}"
