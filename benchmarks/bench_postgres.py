"""A service in PostgreSQL: the search of 100 000 runs by 10 clients at once, in process and by two servers."""

from __future__ import annotations

import contextlib
import gc
import json
import multiprocessing
import os
import random
import statistics
import struct
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "tests")]

from bench_search import METRICS, PARAMS, SEARCHES, metric_rows, param_rows, run_row  # noqa: E402  # found beside this
from postgres_server import postgres  # noqa: E402
from served import serving  # noqa: E402

from amlsdk.operations.experiments import CreateExperiment  # noqa: E402
from amlsdk.operations.projects import CreateProject  # noqa: E402
from amlsdk.operations.runs import SearchRuns  # noqa: E402
from amlsdk.operations.workspaces import GetWorkspace  # noqa: E402
from amlsdk.records.ids import new_id  # noqa: E402
from amlsdk.remote import RemoteBackend  # noqa: E402
from amlsdk.tenancy import TenantHost  # noqa: E402

RUNS = 100_000
CLIENTS = 10
SEARCHING_S = 20.0
# A page of a thousand runs is for scripts; what people look at has a hundred.
EVERY = {name.removesuffix("_1000"): {**asked, "limit": min(asked["limit"], 100)} for name, asked in SEARCHES.items()}
# No index helps with these: all runs of the experiment are looked at. They are measured by themselves.
SCANS = ("ordered_by_two_keys_100", "nothing_found")
PAGES = {name: asked for name, asked in EVERY.items() if name not in SCANS}
SCAN_REPEATS = 5
SERVERS = 2


def main() -> dict[str, Any]:
    """Return milliseconds of searches."""
    with postgres(durable=True) as server, tempfile.TemporaryDirectory() as folder:
        url = server.new_database()
        host = TenantHost(Path(folder) / "first", database=url)
        token, service = host.first_token, host.service(host.sign_in(host.first_token), None)
        project = service.send(CreateProject(id=new_id(), name="p"))
        experiment = service.send(CreateExperiment(id=new_id(), project_id=project.id, name="e"))
        place = {"url": url, "token": token, "experiment_id": experiment.id}
        workspace = service.send(GetWorkspace())
        fill(host.estate.local(workspace.id, workspace.name, None).database, experiment)
        # As the server does by itself where runs come one by one, within a minute.
        server.execute("VACUUM ANALYZE", database=url.rpartition("/")[2])
        host.close()
        results = searches([place], Path(folder)) | {"scan_alone_ms": scans(place, Path(folder) / "scans")}
        with servers(place, Path(folder)) as places:
            return results | {f"http_{name}": value for name, value in searches(places, Path(folder)).items()}


@contextlib.contextmanager
def service_of(place: dict[str, Any], folder: Path) -> Iterator[Any]:
    """A service of a process of its own, as another server process has one, or by HTTP where there is a server."""
    if "server" in place:
        remote = RemoteBackend(place["server"], token=place["token"])
        yield remote.open()
        remote.close()
        return
    host = TenantHost(folder, database=place["url"])
    yield host.service(host.sign_in(place["token"]), None)
    host.close()


@contextlib.contextmanager
def servers(place: dict[str, Any], folder: Path) -> Iterator[list[dict[str, Any]]]:
    """Places of server processes over the database."""
    with contextlib.ExitStack() as opened:
        roots = [folder / f"server-{number}" for number in range(SERVERS)]
        options = ("--rate", "0", "--access-log", os.devnull, "--database", place["url"])
        yield [{**place, "server": opened.enter_context(serving(root, *options)).url} for root in roots]


def at_once(work: Callable[..., Any], arguments: list[tuple[Any, ...]]) -> tuple[list[Any], float]:
    """Begin work in as many processes at the same moment; return what each gave, and the seconds until all had."""
    context = multiprocessing.get_context("spawn")
    ready, results = context.Barrier(len(arguments) + 1), context.Queue()
    processes = [context.Process(target=work, args=(ready, results, *each)) for each in arguments]
    for process in processes:
        process.start()
    ready.wait(300)
    begun = time.perf_counter()
    found = [results.get(timeout=300) for _ in processes]
    took = time.perf_counter() - begun
    for process in processes:
        process.join()
    return found, took


def searches(places: list[dict[str, Any]], folder: Path) -> dict[str, Any]:
    """Return p50 and p99 in milliseconds of clients that are shared among places, and each search by itself."""
    clients = [(places[number % len(places)], folder / f"client-{number}", number) for number in range(CLIENTS)]
    found, _ = at_once(search, clients)
    by_name = {name: [took for each in found for took in each[name]] for name in PAGES}
    every = [took for times in by_name.values() for took in times]
    return {
        "search_p50_ms": quantile(every, 0.5),
        "search_p99_ms": quantile(every, 0.99),
        "searches": len(every),
        "search_p99_by_kind_ms": {name: quantile(times, 0.99) for name, times in by_name.items()},
    }


def scans(place: dict[str, Any], folder: Path) -> dict[str, float]:
    """Return the median milliseconds of each search that looks at all runs, with nobody beside it."""
    found = {}
    with service_of(place, folder) as service:
        for name in SCANS:
            request, times = SearchRuns(experiment_id=place["experiment_id"], **EVERY[name]), []
            for _ in range(SCAN_REPEATS):
                begun = time.perf_counter()
                service.send(request)
                times.append((time.perf_counter() - begun) * 1000)
            found[name] = round(statistics.median(times), 1)
    return found


def search(ready: Any, results: Any, place: dict[str, Any], folder: Path, number: int) -> None:
    """Search again and again, one kind after the other in an order of one's own."""
    chance, times = random.Random(number), {name: [] for name in PAGES}
    with service_of(place, folder) as service:
        asked = {name: SearchRuns(experiment_id=place["experiment_id"], **page) for name, page in PAGES.items()}
        for request in asked.values():
            service.send(request)
        # A process that has served for a while looks through all that was imported once in a long time.
        gc.collect()
        gc.freeze()
        ready.wait(300)
        end = time.perf_counter() + SEARCHING_S
        while time.perf_counter() < end:
            name = chance.choice(list(PAGES))
            begun = time.perf_counter()
            service.send(asked[name])
            times[name].append((time.perf_counter() - begun) * 1000)
    results.put(times)


def fill(database: Any, experiment: Any) -> None:
    """Write so many runs, past the handlers."""
    random.seed(7)
    place = {"experiment_id": experiment.id}
    with database.write() as connection:
        raw = connection.connection.driver_connection
        raw.execute("DELETE FROM run")
        metrics = [list(metric_rows(key)) for key in range(1, RUNS + 1)]
        params = [list(param_rows(key)) for key in range(1, RUNS + 1)]
        copy(raw, "run", (run_row(key, experiment) for key in range(1, RUNS + 1)))
        copy(raw, "metric", (row | place for rows in metrics for row in rows))
        copy(raw, "param", (row | place for rows in params for row in rows))
        copy(raw, "run_summary", map(summary, metrics, params))


def copy(raw: Any, table: str, rows: Iterator[dict[str, Any]]) -> None:
    first = next(rows)
    names = ", ".join(f'"{name}"' for name in first)
    with raw.cursor() as cursor, cursor.copy(f"COPY {table} ({names}) FROM STDIN") as target:
        target.write_row(list(first.values()))
        for row in rows:
            target.write_row(list(row.values()))


def summary(metrics: list[dict[str, Any]], params: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what `summaries.refresh` would write of a run."""
    metrics = sorted(metrics, key=lambda row: row["name"])
    names, kept = [row["name"] for row in metrics], {row["name"]: row["value"] for row in params}
    numbers = [row[key] for key in ("count", "last_step", "last", "min", "max") for row in metrics]
    packed = struct.pack(f"<{2 * len(names)}q{3 * len(names)}d", *numbers)
    texts = json.dumps({"metrics": names, "params": kept, "tags": {}})
    return {"run_pk": metrics[0]["run_pk"], "texts": texts, "numbers": packed}


def quantile(values: list[float], part: float) -> float:
    return round(statistics.quantiles(values, n=1000, method="inclusive")[round(part * 1000) - 1], 2)


if __name__ == "__main__":
    assert (len(METRICS), len(PARAMS)) == (10, 5)
    print(json.dumps(main()))
