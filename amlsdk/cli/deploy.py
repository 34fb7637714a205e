"""`aml deploy`: from a model or an image to a scoring service."""

from __future__ import annotations

import click

import amlsdk
from amlsdk.cli.app import Connection
from amlsdk.cli.options import pairs, secrets_option
from amlsdk.cli.output import json_option, show_json
from amlsdk.cli.samples import read_data, sample_option

__all__ = ["deploy"]


@click.command()
@click.argument("name")
@click.option("--model", "model_name", help="Deploy this model. Default: the one called as the deployment.")
@click.option("--alias", help="The version of the model that this alias points at.")
@click.option("--image", "image_name", help="Deploy this image, instead of a model.")
@click.option("--version", type=click.IntRange(1), help="Of the model or the image. Default: the newest.")
@click.option("--scoring", metavar="PATH", help="Scoring script, or a folder with score.py. Default: a generated one.")
@sample_option
@click.option("--trusted", is_flag=True, help="Let pickle-based files of the model run their code.")
@click.option("-t", "--target", default="process", show_default=True, help="Where it serves.")
@click.option("--replicas", type=click.IntRange(1), default=1, show_default=True, help="How many processes serve.")
@click.option(
    "--env", "environment", multiple=True, callback=pairs, metavar="NAME=VALUE", help="A variable; again for more."
)
@secrets_option
@click.option("--agent", metavar="NAME", help="Serve on the machine of this agent. Default: this machine.")
@json_option
@click.pass_obj
def deploy(
    connection: Connection,
    name: str,
    model_name: str | None,
    alias: str | None,
    image_name: str | None,
    version: int | None,
    scoring: str | None,
    sample: str | None,
    trusted: bool,
    target: str,
    replicas: int,
    environment: dict[str, str],
    secrets: dict[str, str] | list[str],
    agent: str | None,
    as_json: bool,
) -> None:
    """Let a model or an image serve as NAME."""
    workspace = connection.open()
    if image_name is not None:
        if model_name or alias or scoring or sample or trusted:
            raise click.UsageError("an image has its model, script and sample; give --image or those, not both")
        image = workspace.images.get(image_name, version)
        made = image.deploy(
            name,
            target=target,
            replicas=replicas,
            environment_variables=environment,
            secrets=secrets,
            agent=agent,
        )
    else:
        model = workspace.models.get(model_name or name, version, alias=alias)
        made = model.deploy(
            name,
            target=target,
            scoring=scoring,
            sample=read_data(sample),
            trusted=trusted,
            replicas=replicas,
            environment_variables=environment,
            secrets=secrets,
            agent=agent,
        )
    _show(made, as_json=as_json)


def _show(made: amlsdk.Deployment, *, as_json: bool) -> None:
    if as_json:
        show_json(made.record)
        return
    click.echo(repr(made)[1:-1])
    click.echo(f"how it is called: aml deployment usage {made.name}")
