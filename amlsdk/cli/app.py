"""The command itself: its groups, and how errors, warnings and Ctrl-C look."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Any

import click

import amlsdk
from amlsdk.errors import AmlError, NotFound

if TYPE_CHECKING:
    from amlsdk.resources.client import Client

__all__ = ["Connection", "add_commands", "aml", "main"]

_INTERRUPTED = 130


class Connection:
    """The workspace that a command is for, opened when the command needs it."""

    def __init__(self, location: str | None) -> None:
        self.location = location
        self._workspace: amlsdk.Workspace | None = None
        self._client: Client | None = None

    def open(self, *, create: bool = False) -> amlsdk.Workspace:
        """Return the workspace; only commands that make something make a missing one.

        Raises:
            NotFound: There is none, and none is to be made.
        """
        if self._workspace is None:
            try:
                self._workspace = amlsdk.connect(self.location, create=create)
            except NotFound as error:
                raise self._missing(error) from error
        return self._workspace

    def open_service(self) -> amlsdk.Subscription:
        """Return the subscription of the service, also where no workspace of it is meant."""
        return amlsdk.Subscription.of(self.open_client())

    def open_client(self, location: str | None = None) -> Client:
        """Return a connection to a service or a folder that is there, whichever workspace is meant.

        Args:
            location: By default that of the command.

        Raises:
            NotFound: The folder is no workspace.
        """
        if self._client is None:
            from amlsdk.resources.connecting import client_of

            client = client_of(location or self.location, create=False)
            try:
                _ = client.backend
            except NotFound as error:
                raise self._missing(error) from error
            self._client = client
        return self._client

    def _missing(self, error: NotFound) -> NotFound:
        from amlsdk.resources.connecting import find_location

        place = self.location or find_location()
        if "://" in place:  # a service says better what it has not
            return error
        return NotFound(
            f"there is no workspace in {place!r}: -w FOLDER|URL or AMLSDK_WORKSPACE names one, "
            "`aml submit` and `aml project create` make one"
        )

    def close(self) -> None:
        """Close what was opened."""
        for opened in (self._workspace, self._client):
            if opened is not None:
                opened.close()


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "-w",
    "--workspace",
    metavar="FOLDER|URL",
    help="The workspace. Default: AMLSDK_WORKSPACE, the nearest aml_config/workspace.json, then ~/.amlsdk.",
)
@click.option("-v", "--verbose", is_flag=True, help="Say more of what is done, on standard error.")
@click.version_option(package_name="amlsdk", prog_name="aml")
@click.pass_context
def aml(context: click.Context, workspace: str | None, verbose: bool) -> None:
    """Track, run, register, package and deploy models.

    Every command exits with 0, with 1 after an error, and with 2 where it was not understood.
    """
    logging.getLogger("amlsdk").setLevel(logging.INFO if verbose else logging.WARNING)
    context.obj = Connection(workspace)
    context.call_on_close(context.obj.close)


def add_commands() -> None:
    """Give `aml` its commands; each file of them is imported only now."""
    from amlsdk.cli.agent import agent
    from amlsdk.cli.deploy import deploy
    from amlsdk.cli.deployments import deployment
    from amlsdk.cli.experiments import experiment
    from amlsdk.cli.images import image
    from amlsdk.cli.login import login, logout, whoami
    from amlsdk.cli.manifests import manifest
    from amlsdk.cli.members import member, token
    from amlsdk.cli.models import model
    from amlsdk.cli.projects import project
    from amlsdk.cli.runs import run
    from amlsdk.cli.secrets import secret
    from amlsdk.cli.serve import serve
    from amlsdk.cli.submit import submit
    from amlsdk.cli.sync import sync
    from amlsdk.cli.teams import team, workspace
    from amlsdk.cli.trace import trace
    from amlsdk.cli.workspace import collect_garbage, info

    tracking = (submit, run, experiment, project, model, sync)
    sharing = (login, logout, whoami, team, workspace, member, token, secret, agent)
    serving = (manifest, image, deploy, deployment, trace)
    for command in (*tracking, *serving, *sharing, info, collect_garbage, serve):
        aml.add_command(command)


class _OnStandardError(logging.Handler):
    """Shows what the library has to say: a library is silent, a command is not."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one message."""
        click.echo(f"{record.levelname.lower()}: {record.getMessage()}", err=True)


def main(arguments: list[str] | None = None) -> None:
    """Run the command; an error is one line on standard error and exit code 1."""
    add_commands()
    handler = _OnStandardError()
    logging.getLogger("amlsdk").addHandler(handler)
    try:
        code: Any = aml.main(args=arguments, standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted", err=True)
        sys.exit(_INTERRUPTED)
    except AmlError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(1)
    finally:
        logging.getLogger("amlsdk").removeHandler(handler)
    sys.exit(code if isinstance(code, int) else 0)
