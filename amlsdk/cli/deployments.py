"""`aml deployment`."""

from __future__ import annotations

import datetime as dt

import click
import orjson

import amlsdk
from amlsdk.cli.app import Connection
from amlsdk.cli.output import json_option, show_json, show_pairs, show_table, shown_time
from amlsdk.cli.samples import read_data

__all__ = ["deployment"]


@click.group()
def deployment() -> None:
    """Deployments: images that serve."""


@deployment.command("list")
@json_option
@click.pass_obj
def list_deployments(connection: Connection, as_json: bool) -> None:
    """List deployments."""
    records = [each.record for each in connection.open().deployments]
    if as_json:
        show_json(records)
        return
    rows = [[r.name, r.status, r.replicas, r.target, r.scoring_uri, r.created_at] for r in records]
    columns = ["name", "status", "replicas", "target", "url", "created"]
    show_table(columns, rows, empty="no deployments", whole=("name", "url"))


@deployment.command("show")
@click.argument("name")
@json_option
@click.pass_obj
def show_deployment(connection: Connection, name: str, as_json: bool) -> None:
    """Show one deployment: state, image, what served when."""
    found = connection.open().deployments.get(name)
    record = found.record
    if as_json:
        show_json(record)
        return
    image = found.image
    facts = {
        "name": record.name,
        "id": record.id,
        "status": record.status,
        "reason": record.reason,
        "problem": record.problem,
        "url": record.scoring_uri,
        "image": f"{image.name} version {image.version}",
        "replicas": record.replicas,
        "restarts": record.restarts,
        "target": record.target,
        "user": record.user,
        "created": record.created_at,
    }
    show_pairs({key: value for key, value in facts.items() if value not in (None, "")})
    click.echo("\nhistory")
    rows = [[one.began_at, shown_time(one.ended_at), one.reason, one.image_id] for one in record.history]
    show_table(["from", "to", "reason", "image"], rows, empty="nothing served yet", whole=("image",))


@deployment.command("logs")
@click.argument("name")
@click.option("-f", "--follow", is_flag=True, help="Go on until it is stopped.")
@click.pass_obj
def show_logs(connection: Connection, name: str, follow: bool) -> None:
    """Print what its processes and its supervisor wrote."""
    for line in connection.open().deployments.get(name).logs(follow=follow):
        click.echo(line)


@deployment.command("keys")
@click.argument("name")
@click.option("--key", type=click.Choice(["primary", "secondary"]), help="Print this one alone.")
@click.option("--rotate", type=click.Choice(["primary", "secondary"]), help="Replace this one by a new one first.")
@json_option
@click.pass_obj
def show_keys(connection: Connection, name: str, key: str | None, rotate: str | None, as_json: bool) -> None:
    """Print the keys, either of which callers send as `Authorization: Bearer KEY`."""
    found = connection.open().deployments.get(name)
    keys = found.rotate_key(rotate) if rotate else found.keys()
    if key is not None:
        click.echo(getattr(keys, key))
        return
    pairs = {"primary": keys.primary, "secondary": keys.secondary}
    show_json(pairs) if as_json else show_pairs(pairs)


@deployment.command("usage")
@click.argument("name")
@click.pass_obj
def show_usage(connection: Connection, name: str) -> None:
    """Print how it is called from elsewhere: URL, headers, curl and Python with the sample."""
    click.echo(str(connection.open().deployments.get(name).usage()))


@deployment.command("predict")
@click.argument("name")
@click.argument("data", metavar="FILE")
@click.pass_obj
def predict(connection: Connection, name: str, data: str) -> None:
    """Score the rows of a file (.json, .csv or .parquet) and print the results as JSON."""
    rows = read_data(data)
    result = connection.open().deployments.get(name).predict(rows)
    click.echo(orjson.dumps(result, option=orjson.OPT_INDENT_2).decode())


@deployment.command("update")
@click.argument("name")
@click.option("--model", "model_name", help="Serve this model, with the present manifest made anew.")
@click.option("--alias", help="The version of the model that this alias points at.")
@click.option("--image", "image_name", help="Serve this image.")
@click.option("--version", type=click.IntRange(1), help="Of the model or the image. Default: the newest.")
@json_option
@click.pass_obj
def update_deployment(
    connection: Connection,
    name: str,
    model_name: str | None,
    alias: str | None,
    image_name: str | None,
    version: int | None,
    as_json: bool,
) -> None:
    """Let another image or model serve, at the same URL and with the same keys."""
    if (model_name is None) == (image_name is None):
        raise click.UsageError("say what is to serve: --model NAME or --image NAME")
    workspace = connection.open()
    found = workspace.deployments.get(name)
    if image_name is not None:
        found.update(workspace.images.get(image_name, version))
    elif model_name is not None:
        found.update(workspace.models.get(model_name, version, alias=alias))
    _done(found, as_json=as_json)


@deployment.command("rollback")
@click.argument("name")
@json_option
@click.pass_obj
def roll_back_deployment(connection: Connection, name: str, as_json: bool) -> None:
    """Let the image serve that served before."""
    _done(connection.open().deployments.get(name).rollback(), as_json=as_json)


@deployment.command("scale")
@click.argument("name")
@click.argument("replicas", type=click.IntRange(1))
@json_option
@click.pass_obj
def scale_deployment(connection: Connection, name: str, replicas: int, as_json: bool) -> None:
    """Change how many processes or containers serve."""
    _done(connection.open().deployments.get(name).scale(replicas), as_json=as_json)


@deployment.command("start")
@click.argument("name")
@json_option
@click.pass_obj
def start_deployment(connection: Connection, name: str, as_json: bool) -> None:
    """Let it serve again after it was stopped or lost."""
    _done(connection.open().deployments.get(name).start(), as_json=as_json)


@deployment.command("stop")
@click.argument("name")
@json_option
@click.pass_obj
def stop_deployment(connection: Connection, name: str, as_json: bool) -> None:
    """Let it cease to serve; it can be started again."""
    _done(connection.open().deployments.get(name).stop(), as_json=as_json)


@deployment.command("metrics")
@click.argument("name")
@click.option("--minutes", type=click.FloatRange(0, min_open=True), help="Only the last so many. Default: all.")
@json_option
@click.pass_obj
def show_metrics(connection: Connection, name: str, minutes: float | None, as_json: bool) -> None:
    """Print how many requests there were, how many errors, and how fast they were answered."""
    since = None if minutes is None else dt.datetime.now(dt.timezone.utc) - dt.timedelta(minutes=minutes)
    found = connection.open().deployments.get(name).metrics(since)
    if as_json:
        show_json(found)
        return
    facts: dict[str, object] = {"requests": found.requests, "errors": found.errors}
    facts |= {f"status {status}": count for status, count in found.by_status.items()}
    if found.p50_s is not None and found.p99_s is not None:
        facts |= {"p50": f"{1000 * found.p50_s:.2f} ms", "p99": f"{1000 * found.p99_s:.2f} ms"}
    show_pairs(facts | {"calls of run": found.batches, "rows": found.rows})


@deployment.command("delete")
@click.argument("name")
@click.confirmation_option(prompt="Stop and delete it?")
@json_option
@click.pass_obj
def delete_deployment(connection: Connection, name: str, as_json: bool) -> None:
    """Stop a deployment and delete it with its logs and counts."""
    found = connection.open().deployments.get(name)
    found.delete()
    show_json({"deleted": found.id}) if as_json else click.echo(f"deleted {name}")


def _done(found: amlsdk.Deployment, *, as_json: bool) -> None:
    show_json(found.record) if as_json else click.echo(repr(found)[1:-1])
