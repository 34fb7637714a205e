"""`aml submit`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

import amlsdk
from amlsdk.cli.app import Connection
from amlsdk.cli.output import json_option, show_json
from amlsdk.records.runs import RunStatus

__all__ = ["follow_to_end", "submit"]

_INTERRUPTED = 130


def _pairs(_: click.Context, option: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    pairs = {}
    for value in values:
        name, separator, text = value.partition("=")
        if not separator or not name:
            raise click.BadParameter(f"{value!r} is not of the form NAME=VALUE", param=option)
        pairs[name] = text
    return pairs


@click.command(context_settings={"ignore_unknown_options": True})
@click.option("--project", help="Its project. Default: the name of the folder.")
@click.option("--experiment", help="Its experiment. Default: the name of the script.")
@click.option("--folder", type=click.Path(exists=True, file_okay=False), default=".", show_default=True)
@click.option("-t", "--target", default="local", show_default=True, help="Where it executes.")
@click.option("--name", help="Name of the run.")
@click.option("--tag", "tags", multiple=True, callback=_pairs, metavar="NAME=VALUE")
@click.option("--env", "variables", multiple=True, callback=_pairs, metavar="NAME=VALUE")
@click.option("--input", "inputs", multiple=True, callback=_pairs, metavar="NAME=PATH|URL")
@click.option("--timeout", "timeout_s", type=float, help="Seconds after which the run fails.")
@click.option("--detach", is_flag=True, help="Return at once; the run goes on.")
@json_option
@click.argument("script")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_obj
def submit(
    connection: Connection,
    project: str | None,
    experiment: str | None,
    folder: str,
    target: str,
    name: str | None,
    tags: dict[str, str],
    variables: dict[str, str],
    inputs: dict[str, str],
    timeout_s: float | None,
    detach: bool,
    as_json: bool,
    script: str,
    arguments: tuple[str, ...],
) -> None:
    """Run a script of a folder, follow its output and end it on Ctrl-C.

    Options of aml come before SCRIPT, the script's own arguments after it.
    """
    workspace = connection.open(create=True)
    place = Path(folder).resolve()
    made = workspace.projects.get_or_create(project or place.name, folder=place)
    within = made.experiments.get_or_create(experiment or Path(script).stem)
    run = within.submit(
        script,
        arguments=arguments,
        target=target,
        environment_variables=variables,
        inputs=dict(inputs),
        timeout_s=timeout_s,
        name=name,
        tags=tags,
    )
    follow_to_end(run, detach=detach, as_json=as_json)


def follow_to_end(run: amlsdk.Run, *, detach: bool, as_json: bool) -> None:
    """Follow a run; exit code 0 where it is Completed, 1 where not, 130 after Ctrl-C."""
    if not detach:
        _follow(run, sys.stderr if as_json else sys.stdout)
    if as_json:
        show_json(run.record)
    elif detach:
        click.echo(run.id)
    if not detach and run.record.status != RunStatus.COMPLETED:
        sys.exit(1)


def _follow(run: amlsdk.Run, stream: object) -> None:
    click.echo(f"run {run.id}", err=True)
    try:
        run.wait(show_output=stream, raise_on_error=False)  # type: ignore[arg-type]
    except KeyboardInterrupt:
        click.echo("\ncancelling; once more to leave it at that", err=True)
        run.cancel()
        run.wait(show_output=stream, raise_on_error=False)  # type: ignore[arg-type]
        sys.exit(_INTERRUPTED)
