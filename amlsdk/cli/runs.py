"""`aml run`: found, followed, cancelled, run again, written out, deleted."""

from __future__ import annotations

import click

from amlsdk.cli.app import Connection
from amlsdk.cli.following import run_to_end
from amlsdk.cli.options import pairs
from amlsdk.cli.output import json_option, show_json, show_table
from amlsdk.cli.showing import compare_runs, show_run
from amlsdk.errors import InvalidArgument
from amlsdk.resources.views import runs_table

__all__ = ["run"]


@click.group()
def run() -> None:
    """Runs: executions of code."""


@run.command("list")
@click.option("--experiment", help="Only those of this experiment (name or id).")
@click.option("--project", help="Only those of this project.")
@click.option("--filter", "condition", help="Like \"metrics.loss < 0.3 and status = 'Completed'\".")
@click.option("--order-by", help='Like "metrics.loss asc".')
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="At most so many runs.")
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
    columns, rows = runs_table(records)
    show_table(["id", *columns], [[r.id, *row] for r, row in zip(records, rows, strict=True)], empty="no runs")


@run.command("logs")
@click.argument("run_id", metavar="RUN")
@click.option("-f", "--follow", is_flag=True, help="Go on until the run ends.")
@click.pass_obj
def show_logs(connection: Connection, run_id: str, follow: bool) -> None:
    """Print a run's output; that of an interactive run stayed in its own terminal."""
    for line in connection.open().runs.get(run_id).logs(follow=follow):
        click.echo(line)


@run.command("cancel")
@click.argument("run_ids", metavar="RUN...", nargs=-1, required=True)
@json_option
@click.pass_obj
def cancel_runs(connection: Connection, run_ids: tuple[str, ...], as_json: bool) -> None:
    """Ask that runs be cancelled."""
    found = [connection.open().runs.get(run_id) for run_id in run_ids]
    for each in found:
        each.cancel()
        if not as_json:
            click.echo(f"{each.name} {each.record.status}")
    if as_json:
        show_json([each.record for each in found])


@run.command("resubmit")
@click.option("-t", "--target", help="Another target.")
@click.option("--name", help="Name of the new run.")
@click.option("--tag", "tags", multiple=True, callback=pairs, metavar="NAME=VALUE", help="A tag; again for more.")
@click.option("--detach", is_flag=True, help="Return at once.")
@json_option
@click.argument("run_id", metavar="RUN")
@click.argument("arguments", metavar="[-- ARGUMENTS...]", nargs=-1, type=click.UNPROCESSED)
@click.pass_obj
def resubmit_run(
    connection: Connection,
    run_id: str,
    arguments: tuple[str, ...],
    target: str | None,
    name: str | None,
    tags: dict[str, str],
    detach: bool,
    as_json: bool,
) -> None:
    """Submit the same snapshot, command and inputs again, follow it, and say what differs in the results.

    ARGUMENTS take the place of those that the script had.
    """
    first = connection.open().runs.get(run_id)
    again = run_to_end(
        lambda: first.resubmit(arguments=arguments or None, target=target, name=name, tags=tags),
        detach=detach,
        as_json=as_json,
    )
    if not detach and not as_json:
        click.echo(repr(first.compare(again).differences()))


@run.command("download")
@click.argument("run_id", metavar="RUN")
@click.argument("folder", type=click.Path(file_okay=False))
@click.option("--overwrite", is_flag=True, help="Replace files that are there.")
@json_option
@click.pass_obj
def download_outputs(connection: Connection, run_id: str, folder: str, overwrite: bool, as_json: bool) -> None:
    """Write a run's outputs into a folder."""
    written = connection.open().runs.get(run_id).outputs.download(folder, overwrite=overwrite)
    if as_json:
        show_json([str(path) for path in written])
        return
    click.echo("\n".join(map(str, written)) if written else "the run keeps no outputs")


@run.command("checkout")
@click.argument("run_id", metavar="RUN")
@click.argument("folder", type=click.Path(file_okay=False))
@click.option("--overwrite", is_flag=True, help="Replace files that are there.")
@json_option
@click.pass_obj
def checkout_snapshot(connection: Connection, run_id: str, folder: str, overwrite: bool, as_json: bool) -> None:
    """Write the code that a submitted run executed into a folder."""
    found = connection.open().runs.get(run_id)
    snapshot = found.snapshot
    if snapshot is None:
        raise InvalidArgument(
            f"run {found.name!r} is interactive and has no snapshot; `aml run show {run_id}` names the source it kept"
        )
    snapshot.checkout(folder, overwrite=overwrite)
    facts = {"folder": folder, "snapshot": snapshot.digest, "files": len(snapshot.files)}
    show_json(facts) if as_json else click.echo(f"{facts['files']} files of {snapshot.digest[:12]} are in {folder}")


@run.command("delete")
@click.argument("run_ids", metavar="RUN...", nargs=-1, required=True)
@click.confirmation_option(prompt="Delete the runs with all they keep?")
@json_option
@click.pass_obj
def delete_runs(connection: Connection, run_ids: tuple[str, ...], as_json: bool) -> None:
    """Delete ended runs."""
    # All are found before the first one goes, so that a slip in the last name deletes none.
    found = [connection.open().runs.get(run_id) for run_id in run_ids]
    for each in found:
        each.delete()
        if not as_json:
            click.echo(f"deleted {each.name} {each.id}")
    if as_json:
        show_json({"deleted": [each.id for each in found]})


run.add_command(show_run)
run.add_command(compare_runs)
