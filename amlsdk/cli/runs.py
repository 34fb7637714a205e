"""`aml run`."""

from __future__ import annotations

from typing import Any

import click

import amlsdk
from amlsdk.cli.app import Connection
from amlsdk.cli.output import json_option, show_json, show_pairs, show_table

__all__ = ["run"]

_METRICS = 6


@click.group()
def run() -> None:
    """Runs: executions of code."""


@run.command("list")
@click.option("--experiment", help="Only those of this experiment (name or id).")
@click.option("--project", help="Only those of this project.")
@click.option("--filter", "condition", help="Like \"metrics.loss < 0.3 and status = 'Completed'\".")
@click.option("--order-by", help='Like "metrics.loss asc".')
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True)
@json_option
@click.pass_obj
def list_runs(
    connection: Connection,
    experiment: str | None,
    project: str | None,
    condition: str | None,
    order_by: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """List runs, newest first."""
    workspace = connection.open()
    runs = workspace.runs
    if experiment is not None:
        within = workspace.projects.get(project).experiments if project else workspace.experiments
        runs = within.get(experiment).runs
    elif project is not None:
        runs = workspace.projects.get(project).runs
    records = list(runs.search(condition, order_by, limit=limit).records())
    if as_json:
        show_json(records)
        return
    metrics = list(dict.fromkeys(name for record in records for name in sorted(record.metrics)))[:_METRICS]
    rows = [
        [r.id, r.name, r.status, r.started_at, *(r.metrics[m].last if m in r.metrics else None for m in metrics)]
        for r in records
    ]
    show_table(["id", "name", "status", "started", *metrics], rows)


@run.command("show")
@click.argument("run_id", metavar="RUN")
@json_option
@click.pass_obj
def show_run(connection: Connection, run_id: str, as_json: bool) -> None:
    """Show one run: states, params, metrics, tags, files."""
    found = connection.open().runs.get(run_id)
    files = found.files.list()
    if as_json:
        show_json({"run": found.record, "files": files, "context": found.context})
        return
    show_pairs(_facts(found))
    for state in found.states:
        click.echo(f"  {state.at.astimezone():%Y-%m-%d %H:%M:%S}  {state.status}  {state.reason or ''}".rstrip())
    if files:
        click.echo("files")
        show_table(["path", "size_bytes"], [[file.path, file.size_bytes] for file in files])


def _facts(found: amlsdk.Run) -> dict[str, Any]:
    record = found.record
    facts: dict[str, Any] = {"id": record.id, "name": record.name, "status": record.status}
    if record.error:
        facts["error"] = record.error
    facts |= {"started": record.started_at, "ended": record.ended_at, "user": record.user}
    if record.job is not None:
        facts |= {"script": " ".join([record.job.script, *record.job.arguments]), "target": record.job.target}
        facts |= {"snapshot": record.job.snapshot}
    facts |= {f"params.{name}": value for name, value in sorted(record.params.items())}
    facts |= {f"metrics.{name}": value.last for name, value in sorted(record.metrics.items())}
    facts |= {f"tags.{name}": value for name, value in sorted(record.tags.items())}
    return facts


@run.command("logs")
@click.argument("run_id", metavar="RUN")
@click.option("-f", "--follow", is_flag=True, help="Go on until the run ends.")
@click.pass_obj
def show_logs(connection: Connection, run_id: str, follow: bool) -> None:
    """Print a run's output."""
    for line in connection.open().runs.get(run_id).logs(follow=follow):
        click.echo(line)


@run.command("compare")
@click.argument("run_ids", metavar="RUN RUN...", nargs=-1, required=True)
@click.option("--code", is_flag=True, help="Print what changed in the code between the first two.")
@json_option
@click.pass_obj
def compare_runs(connection: Connection, run_ids: tuple[str, ...], code: bool, as_json: bool) -> None:
    """Show runs side by side."""
    comparison = connection.open().runs.compare(run_ids)
    if code:
        click.echo(comparison.code())
        return
    columns, rows = comparison.table()
    if as_json:
        show_json({"runs": run_ids, "params": comparison.params, "metrics": comparison.metrics})
        return
    show_table(columns, rows)


@run.command("cancel")
@click.argument("run_ids", metavar="RUN...", nargs=-1, required=True)
@click.pass_obj
def cancel_runs(connection: Connection, run_ids: tuple[str, ...]) -> None:
    """Ask that runs be cancelled."""
    for run_id in run_ids:
        found = connection.open().runs.get(run_id)
        found.cancel()
        click.echo(f"{found.name} {found.record.status}")


@run.command("resubmit")
@click.argument("run_id", metavar="RUN")
@click.option("--detach", is_flag=True, help="Return at once.")
@json_option
@click.pass_obj
def resubmit_run(connection: Connection, run_id: str, detach: bool, as_json: bool) -> None:
    """Submit the same snapshot, command and inputs again."""
    from amlsdk.cli.submit import follow_to_end

    again = connection.open().runs.get(run_id).resubmit()
    follow_to_end(again, detach=detach, as_json=as_json)


@run.command("download")
@click.argument("run_id", metavar="RUN")
@click.argument("folder", type=click.Path(file_okay=False))
@click.option("--overwrite", is_flag=True, help="Replace files that are there.")
@click.pass_obj
def download_outputs(connection: Connection, run_id: str, folder: str, overwrite: bool) -> None:
    """Write a run's outputs into a folder."""
    for path in connection.open().runs.get(run_id).outputs.download(folder, overwrite=overwrite):
        click.echo(path)


@run.command("delete")
@click.argument("run_ids", metavar="RUN...", nargs=-1, required=True)
@click.confirmation_option(prompt="Delete the runs with all they keep?")
@click.pass_obj
def delete_runs(connection: Connection, run_ids: tuple[str, ...]) -> None:
    """Delete ended runs."""
    for run_id in run_ids:
        connection.open().runs.delete(run_id)
        click.echo(f"deleted {run_id}")
