"""The page of results: a row a figure, what was aimed at beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

Results = Mapping[str, Mapping[str, Any]]


@attrs.frozen
class Beside:
    """A figure that a peer has too; smaller is better.

    Args:
        what: For the table.
        reach: How many times quicker was aimed at.
        ours: File and key of amlsdk's figure.
        theirs: File and key of the peer's.
        unit: Of both.
    """

    what: str
    reach: float
    ours: tuple[str, ...]
    theirs: tuple[str, ...]
    unit: str


@attrs.frozen
class Alone:
    """A figure by itself."""

    what: str
    reach: str
    ours: tuple[str, ...]
    unit: str


BESIDE = (
    Beside(
        "10 000 `log` one by one, end, read all back",
        200,
        ("bench_tracking", "log_10000_s"),
        ("mlflow_tracking", "log_10000_s"),
        "s",
    ),
    Beside("import in a new process", 20, ("bench_import", "import_s"), ("mlflow_import", "import_s"), "s"),
    Beside("start and end a run", 10, ("bench_tracking", "start_end_ms"), ("mlflow_tracking", "start_end_ms"), "ms"),
    Beside(
        "the same through a service on loopback, beside MLflow's server with one worker",
        10,
        ("bench_serving_http", "start_end_ms"),
        ("mlflow_serving_http", "start_end_ms"),
        "ms",
    ),
    Beside(
        "a small round trip to it, through the client",
        1,
        ("bench_serving_http", "round_trip_ms"),
        ("mlflow_serving_http", "round_trip_ms"),
        "ms",
    ),
    Beside(
        "start of the service, until it is ready",
        1,
        ("bench_serving_http", "start_s"),
        ("mlflow_serving_http", "start_s"),
        "s",
    ),
    Beside("its memory, idle", 1, ("bench_serving_http", "idle_mb"), ("mlflow_serving_http", "idle_mb"), "MB"),
    Beside(
        "search 10 000 runs by metric, ordered, 1 000 rows with all metrics and params",
        20,
        ("bench_search", "runs_10000_ms", "metric_filter_ordered_1000"),
        ("mlflow_search", "search_10000_ms"),
        "ms",
    ),
    Beside(
        "read a series of 100 000 points",
        30,
        ("bench_tracking", "history_100000_s"),
        ("mlflow_tracking", "history_100000_s"),
        "s",
    ),
    Beside(
        "a one-row scoring request, one core, 32 connections, beside MLServer",
        20,
        ("bench_scoring", "us_a_request_32"),
        ("mlserver_scoring", "us_a_request_32"),
        "us",
    ),
    Beside("its p99", 1, ("bench_scoring", "p99_ms_32"), ("mlserver_scoring", "p99_ms_32"), "ms"),
    Beside(
        "the same, 1 connection, beside MLServer",
        2,
        ("bench_scoring", "us_a_request_1"),
        ("mlserver_scoring", "us_a_request_1"),
        "us",
    ),
    Beside(
        "manifest of the wine model, nothing kept yet, beside `save_model`",
        1,
        ("bench_manifest", "first_asking_index_s"),
        ("mlflow_manifest", "first_s"),
        "s",
    ),
    Beside(
        "the same for a next model", 1, ("bench_manifest", "next_model_s"), ("mlflow_manifest", "next_model_s"), "s"
    ),
    Beside(
        "packages in its image, unpacked, beside those of MLflow's Dockerfile",
        1,
        ("bench_image", "packages_mb"),
        ("mlflow_image", "packages_mb"),
        "MB",
    ),
    Beside("its size as it is stored and sent", 1, ("bench_image", "stored_mb"), ("mlflow_image", "stored_mb"), "MB"),
)
ALONE = (
    Alone(
        "a small round trip to a service on loopback, without amlsdk on the client's side",
        "under 3 ms",
        ("bench_serving_http", "plain_round_trip_ms"),
        "ms",
    ),
    Alone(
        "points a second into a service over SQLite, from 20 processes that log",
        "100 000",
        ("bench_service_points", "sqlite_points_per_s"),
        "",
    ),
    Alone("the same over PostgreSQL", "50 000", ("bench_service_points", "postgresql_points_per_s"), ""),
    Alone(
        "one `run.log` to a service, times one to a folder",
        "the same",
        ("bench_service_points", "log_up_to_folder"),
        "times",
    ),
    Alone("the same while the service is away", "the same", ("bench_service_points", "log_away_to_folder"), "times"),
    Alone(
        "until all points of that time are there, from when it is ready again",
        "under 5 s",
        ("bench_service_points", "there_after_return_s"),
        "s",
    ),
    Alone(
        "search of 100 000 runs in PostgreSQL, 10 clients at once, p99, two servers by HTTP",
        "under 200 ms",
        ("bench_postgres", "http_search_p99_ms"),
        "ms",
    ),
    Alone("its median", "", ("bench_postgres", "http_search_p50_ms"), "ms"),
    Alone("p99 in the clients' own processes, without HTTP", "", ("bench_postgres", "search_p99_ms"), "ms"),
    Alone("one `run.log`, median", "under 6 us", ("bench_tracking", "log_call_us"), "us"),
    Alone(
        "third-party modules loaded by `import amlsdk`", "none but attrs", ("bench_import", "third_party_modules"), ""
    ),
    Alone(
        "the same search over 100 000 runs, times that over 10 000",
        "at most 3",
        ("bench_search", "metric_filter_ordered_growth"),
        "times",
    ),
    Alone("read a series of 1 000 000 points", "under 0.15 s", ("bench_tracking", "history_1000000_s"), "s"),
    Alone("submit to first line of the script, warm", "under 500 ms", ("bench_submit", "first_line_ms"), "ms"),
    Alone("snapshot of 10 000 files, 1 GB: first", "the disk's speed", ("bench_snapshot", "snapshot_first_s"), "s"),
    Alone("`cp -r` and `sync` of the same tree", "", ("bench_snapshot", "cp_r_s"), "s"),
    Alone("snapshot again, one file changed", "under 0.5 s", ("bench_snapshot", "snapshot_second_s"), "s"),
    Alone("blobs that the second snapshot stores", "1", ("bench_snapshot", "second_new_blobs"), ""),
    Alone("memory growth, 10 million points logged", "under 50 MB", ("bench_journal", "growth_10m_points_mib"), "MiB"),
    Alone(
        "memory growth, a 2 GB file kept and restored", "under 100 MB", ("bench_snapshot", "memory_2gb_growth_mb"), "MB"
    ),
    Alone("memory of a run's supervisor, output of 2 GB", "under 100 MB", ("bench_submit", "supervisor_peak_mb"), "MB"),
    Alone("a file of 1 GB to a service on loopback", "2 times plain HTTP", ("bench_blobs", "up_s"), "s"),
    Alone("the same by plain HTTP, which keeps it on no disk for certain", "", ("bench_blobs", "plain_up_s"), "s"),
    Alone("the same again, which is there", "", ("bench_blobs", "up_again_s"), "s"),
    Alone("and back, verified", "2 times plain HTTP", ("bench_blobs", "down_s"), "s"),
    Alone("back by plain HTTP", "", ("bench_blobs", "plain_down_s"), "s"),
    Alone("memory growth of the client", "under 100 MB", ("bench_blobs", "client_mb"), "MB"),
    Alone("memory growth of the server", "under 100 MB", ("bench_blobs", "server_mb"), "MB"),
    Alone("image of the wine model, built from nothing", "under 15 s", ("bench_image", "build_s"), "s"),
    Alone("again, unchanged, with the same digest", "", ("bench_image", "again_s"), "s"),
    Alone("after an edit of score.py", "under 1 s", ("bench_image", "edited_s"), "s"),
    Alone("its size as it is stored and sent, whole", "under 250 MB", ("bench_image", "stored_mb"), "MB"),
    Alone("its size unpacked, whole", "", ("bench_image", "unpacked_mb"), "MB"),
    Alone(
        "deploy to first prediction, nothing laid out yet",
        "under 3 s",
        ("bench_deploy", "first_prediction_cold_s"),
        "s",
    ),
    Alone("deploy to first prediction, later", "under 3 s", ("bench_deploy", "first_prediction_warm_s"), "s"),
    Alone(
        "requests during an update and 5 rollbacks, 1 000 a second asked", "", ("bench_deploy", "update_requests"), ""
    ),
    Alone("of these failed", "none", ("bench_deploy", "update_failed"), ""),
    Alone("rollback, as the client sees it, median", "under 1 s", ("bench_deploy", "rollback_ms"), "ms"),
    Alone("kill -9 of one of two workers: requests", "", ("bench_deploy", "death_requests"), ""),
    Alone("of these failed", "those in flight there", ("bench_deploy", "death_failed"), ""),
    Alone("until it is back, and said to be", "2 s", ("bench_deploy", "death_back_and_told_s"), "s"),
    Alone("memory of a deployment's supervisor", "", ("bench_deploy", "supervisor_mb"), "MB"),
    Alone("its load while idle", "", ("bench_deploy", "supervisor_cpu_percent"), "%"),
)


def page(results: Results) -> str:
    """The whole page."""
    machine = results["machine"]
    lines = [
        "# Benchmarks",
        "",
        "Written by `make bench`. Both sides were measured on one machine in one run, in turn and "
        f"{machine['rounds']} times, the manifests and images once; "
        "the medians stand here. MLflow has its default SQLite store. *Reach* is what was aimed at, *ratio* how much "
        "faster amlsdk was.",
        "",
        f"{machine['date']}, amlsdk {machine['amlsdk']}, MLflow {results['mlflow_import']['version']}, "
        f"MLServer {results['mlserver_scoring']['version']}, "
        f"Python {machine['python']}, {machine['cpu']}, {machine['cores']} cores, {machine['memory_gb']} GB, "
        f"{machine['system']}; load at the end {machine['load']}.",
        "",
        "| what | reach | amlsdk | MLflow, where no other is named | ratio |",
        "|---|---|---|---|---|",
        *(beside_row(figure, results) for figure in BESIDE),
        "",
        "| what | reach | amlsdk |",
        "|---|---|---|",
        *(alone_row(figure, results) for figure in ALONE),
        "",
        "A series is read back after its journal was read in; the first reader after logging pays for that, and the "
        "first row includes it. The runs of the searches were written by SQL on both sides, to save time. "
        "The snapshots of amlsdk are measured below the objects that users touch. "
        "Scoring: server on one core, `wrk` on the other, one row of 13 numbers; amlsdk checks a key and the schema, "
        "MLServer neither, and MLServer counts at the better of its plain and its adaptive batching. "
        "MLflow's image is what its own Dockerfile and the model's requirements install, without base image and nginx; "
        "a first manifest asks the package index for hashes, with an empty cache. "
        "What no peer has beside it was measured once. `benchmarks/run.py --only` measures a part again and keeps the "
        "other figures, so "
        "that rows may stem from different hours of the day named above; each row's two sides never do.",
        "",
    ]
    return "\n".join(lines)


def beside_row(figure: Beside, results: Results) -> str:
    ours, theirs = find(results, figure.ours), find(results, figure.theirs)
    return (
        f"| {figure.what} | {figure.reach:g} times | {shown(ours)} {figure.unit} | {shown(theirs)} {figure.unit} "
        f"| {theirs / ours:.3g} |"
    )


def alone_row(figure: Alone, results: Results) -> str:
    return f"| {figure.what} | {figure.reach} | {shown(find(results, figure.ours))} {figure.unit} |"


def find(results: Results, path: tuple[str, ...]) -> Any:
    """A figure; a missing one is an error, so that no table is silently shorter."""
    value: Any = results
    for key in path:
        if key not in value:
            raise KeyError(f"benchmarks/results has no {'.'.join(path)}: run make bench")
        value = value[key]
    return value


def shown(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(value) or "none"
    return f"{value:.3g}" if isinstance(value, float) else str(value)
