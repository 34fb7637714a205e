"""`aml submit`."""

from __future__ import annotations

from pathlib import Path

import click

from amlsdk.cli.app import Connection
from amlsdk.cli.following import run_to_end
from amlsdk.cli.options import pairs, secrets_option
from amlsdk.cli.output import json_option

__all__ = ["submit"]


# What follows the script is the script's own, even where aml has an option of this name.
@click.command(context_settings={"allow_interspersed_args": False})
@click.option("--project", help="Its project. Default: the name of the folder.")
@click.option("--experiment", help="Its experiment. Default: the name of the script.")
@click.option(
    "--folder",
    type=click.Path(exists=True, file_okay=False),
    default=".",
    show_default=True,
    help="What is snapshotted.",
)
@click.option("-t", "--target", default="local", show_default=True, help="Where it executes; also an agent.")
@click.option("--name", help="Name of the run.")
@click.option("--tag", "tags", multiple=True, callback=pairs, metavar="NAME=VALUE", help="A tag; again for more.")
@click.option(
    "--env",
    "variables",
    multiple=True,
    callback=pairs,
    metavar="NAME=VALUE",
    help="An environment variable of the script; again for more.",
)
@secrets_option
@click.option(
    "--input",
    "inputs",
    multiple=True,
    callback=pairs,
    metavar="NAME=PATH|URL",
    help="Data for the script, which finds its path in AMLSDK_INPUT_<NAME>; also run:<id>/outputs/...; again for more.",
)
@click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(0, min_open=True),
    metavar="SECONDS",
    help="The run fails after so many.",
)
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
    secrets: dict[str, str] | list[str],
    inputs: dict[str, str],
    timeout_s: float | None,
    detach: bool,
    as_json: bool,
    script: str,
    arguments: tuple[str, ...],
) -> None:
    """Run a script of a folder, follow its output and end it on Ctrl-C.

    Options of aml come before SCRIPT, the script's own arguments after it. Exit code 0 where the run is Completed, 1
    where it is not, 130 after Ctrl-C.
    """
    workspace = connection.open(create=True)
    place = Path(folder).resolve()
    made = workspace.projects.get_or_create(project or place.name, folder=place)
    within = made.experiments.get_or_create(experiment or Path(script).stem)
    run_to_end(
        lambda: within.submit(
            script,
            arguments=arguments,
            target=target,
            environment_variables=variables,
            secrets=secrets,
            inputs=dict(inputs),
            timeout_s=timeout_s,
            name=name,
            tags=tags,
        ),
        detach=detach,
        as_json=as_json,
    )
