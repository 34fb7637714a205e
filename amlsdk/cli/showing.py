"""`aml run show` and `aml run compare`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

import amlsdk
from amlsdk.cli.app import Connection
from amlsdk.cli.output import json_option, show_json, show_pairs, show_table, shown_time
from amlsdk.resources.comparing import Comparison
from amlsdk.resources.views import duration_text

__all__ = ["compare_runs", "show_run"]

_FILES = 20
_PACKAGES = 20
_DIGEST = 12


@click.command("show")
@click.argument("run_id", metavar="RUN")
@json_option
@click.pass_obj
def show_run(connection: Connection, run_id: str, as_json: bool) -> None:
    """Show one run: states, params, metrics, tags, inputs, files."""
    found = connection.open().runs.get(run_id)
    files, inputs = found.files.list(), found.inputs
    if as_json:
        records = {name: data.record for name, data in inputs.items()}
        show_json({"run": found.record, "inputs": records, "files": files, "context": found.context})
        return
    show_pairs(_facts(connection, found))
    _section("states", ["at", "status", "reason"], [[s.at, s.status, _first_line(s.reason)] for s in found.states])
    _section(
        "inputs",
        ["name", "source", "size_bytes", "digest"],
        [[name, data.source, data.record.size_bytes, data.digest[:_DIGEST]] for name, data in inputs.items()],
    )
    _section("files", ["path", "size_bytes"], [[file.path, file.size_bytes] for file in files[:_FILES]])
    if len(files) > _FILES:
        click.echo(f"... {len(files) - _FILES} more files; --json names all")


def _section(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    if rows:
        click.echo(f"\n{title}")
        show_table(columns, rows)


def _first_line(text: str | None) -> str:
    return (text or "").partition("\n")[0]


def _facts(connection: Connection, found: amlsdk.Run) -> dict[str, Any]:
    record = found.record
    workspace = connection.open()
    facts: dict[str, Any] = {
        "id": record.id,
        "name": record.name,
        "project": workspace.projects.get(record.project_id).name,
        "experiment": workspace.experiments.get(record.experiment_id).name,
        "parent": record.parent_id,
        "kind": record.kind,
        "status": record.status,
        "error": record.error,
        "exit code": record.exit_code,
        "started": shown_time(record.started_at),
        "ended": shown_time(record.ended_at),
        "duration": duration_text(record),
        "user": record.user,
        **_job(found),
        **_commits(found.context.get("git")),
    }
    facts = {name: value for name, value in facts.items() if value not in (None, "")}
    facts |= {f"params.{name}": value for name, value in sorted(record.params.items())}
    facts |= {f"metrics.{name}": value.last for name, value in sorted(record.metrics.items())}
    return facts | {f"tags.{name}": value for name, value in sorted(record.tags.items())}


def _job(found: amlsdk.Run) -> dict[str, Any]:
    job = found.record.job
    if job is None:
        return {}
    return {"script": " ".join([job.script, *job.arguments]), "target": job.target, "snapshot": job.snapshot}


def _commits(git: object) -> dict[str, Any]:
    if not isinstance(git, Mapping):
        return {}
    commit, history = git.get("commit"), git.get("history")
    return {"git commit": commit, "not committed": history if history != commit else None}


@click.command("compare")
@click.argument("run_ids", metavar="RUN RUN...", nargs=-1, required=True)
@click.option("--code", is_flag=True, help="Print what changed in the code from the first to the second, line by line.")
@json_option
@click.pass_obj
def compare_runs(connection: Connection, run_ids: tuple[str, ...], code: bool, as_json: bool) -> None:
    """Show runs side by side: params, metrics, and which packages, inputs and files of code differ."""
    if len(run_ids) == 1:
        raise click.UsageError("two or more runs are compared, not 1")
    comparison = connection.open().runs.compare(run_ids)
    if as_json:
        show_json(_document(comparison, code=code))
        return
    if code:
        click.echo(comparison.code() or "the code is the same", nl=False)
        return
    columns, rows = comparison.table()
    rows += [[f"inputs.{name}", *map(_short, row)] for name, row in comparison.inputs().items()]
    packages = [[f"packages.{name}", *row] for name, row in comparison.packages().items()]
    show_table(columns, [*rows, *packages[:_PACKAGES]], whole=("",))
    if len(packages) > _PACKAGES:
        click.echo(f"... {len(packages) - _PACKAGES} more packages that differ; --json names all")
    click.echo(f"\n{_code_told(comparison)}")


def _short(digest: str | None) -> str | None:
    return None if digest is None else digest[:_DIGEST]


def _code_told(comparison: Comparison) -> str:
    first, second = (run.name for run in comparison.runs[:2])
    changed = comparison.differences().code
    if not changed:
        return f"the code of {first} and {second} is the same"
    kinds = (("changed", changed.changed), ("added", changed.added), ("removed", changed.removed))
    told = "; ".join(f"{kind} {', '.join(paths)}" for kind, paths in kinds if paths)
    return f"code from {first} to {second}: {told}\n--code shows the lines"


def _document(comparison: Comparison, *, code: bool) -> dict[str, Any]:
    document = {
        "runs": [run.id for run in comparison.runs],
        "names": [run.name for run in comparison.runs],
        "statuses": comparison.statuses,
        "params": comparison.params,
        "metrics": comparison.metrics,
        "packages": comparison.packages(),
        "inputs": comparison.inputs(),
        "code": comparison.differences().code,
    }
    return document | ({"diff": comparison.code()} if code else {})
