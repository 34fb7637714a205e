"""`aml agent`: this machine executes what others submit to it."""

from __future__ import annotations

import logging
import platform
import signal
from typing import Any

import click

import amlsdk
from amlsdk.cli.app import Connection
from amlsdk.cli.output import json_option, show_json, show_table

__all__ = ["agent"]


@click.group(invoke_without_command=True)
@click.option("--name", help="Under which others submit to it. Default: the name of the machine.")
@click.option("--slots", type=click.IntRange(1), default=1, show_default=True, help="How many runs at once.")
@click.pass_context
def agent(context: click.Context, name: str | None, slots: int) -> None:
    """Let this machine execute runs and serve deployments of the workspace, until it is ended.

    Others submit to it by `target=NAME` and deploy on it by `agent=NAME`: their code runs here, as the user who began
    the agent and with all that this user may do. SIGTERM or Ctrl-C ends the agent; what it has begun goes on.
    """
    if context.invoked_subcommand is None:
        _work(context.obj.open(), name or _host_name(), slots)
    elif name is not None:
        raise click.UsageError(f"--name is for the agent itself, not for `aml agent {context.invoked_subcommand}`")


@agent.command("list")
@json_option
@click.pass_obj
def list_agents(connection: Connection, as_json: bool) -> None:
    """List the agents of the workspace, also those that are gone."""
    records = [each.record for each in connection.open().agents]
    if as_json:
        show_json(records)
        return
    rows = [(r.name, "attached" if r.alive else "gone", r.slots, r.user, r.last_seen_at, r.id) for r in records]
    show_table(["name", "state", "slots", "user", "seen", "id"], rows, empty="no agents")


@agent.command("delete")
@click.argument("name")
@click.pass_obj
def delete_agent(connection: Connection, name: str) -> None:
    """Forget an agent that is gone; an absent one is no error."""
    connection.open().agents.delete(name)


def _work(workspace: amlsdk.Workspace, name: str, slots: int) -> None:
    from amlsdk.execution.agent import Agent, check_agent_name
    from amlsdk.handing.tokens import credential_for
    from amlsdk.places import open_backend
    from amlsdk.processes.stopping import Stopping
    from amlsdk.records.tenancy import TokenKind

    check_agent_name(name)
    logging.getLogger("amlsdk").setLevel(logging.INFO)
    client = workspace._client  # noqa: SLF001  # an agent is a part of this library
    stopping = Stopping(signal.SIGTERM, signal.SIGINT)
    credential = credential_for(client.service, client.place, kind=TokenKind.AGENT, name=f"agent {name}")
    backend = open_backend(client.location, token=credential.source)
    service = backend.open()
    try:
        attached = Agent(service, client.place, credential, name, slots, _facts(), stopping)
        record = attached.attach()
        click.echo(f"agent {record.name} is attached to {client.location} for {slots} at once; end it with Ctrl-C")
        attached.work(record)
        click.echo(f"agent {record.name} ends; what it has begun goes on")
    finally:
        credential.end(service)
        backend.close()


def _host_name() -> str:
    return platform.node().partition(".")[0] or "agent"


def _facts() -> dict[str, str]:
    from amlsdk.machine.state import machine_state, python_state

    machine: dict[str, Any] = machine_state()
    gpus = ", ".join(gpu["name"] for gpu in machine["gpus"])
    known = {
        "host": machine["host"],
        "system": f"{machine['system']} {machine['release']} {machine['architecture']}",
        "processors": str(machine["usable_cpu_count"]),
        "memory_bytes": str(machine["memory_bytes"] or ""),
        "gpus": gpus,
        "python": python_state()["version"],
    }
    return {name: value for name, value in known.items() if value}
