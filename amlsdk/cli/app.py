"""The command itself: its groups, and how errors and Ctrl-C look."""

from __future__ import annotations

import sys
from typing import Any

import click

import amlsdk
from amlsdk.errors import AmlError

__all__ = ["aml", "main"]

_INTERRUPTED = 130


class Connection:
    """The workspace that a command is for, opened when the command needs it."""

    def __init__(self, location: str | None) -> None:
        self._location = location
        self._workspace: amlsdk.Workspace | None = None

    def open(self, *, create: bool = False) -> amlsdk.Workspace:
        """Return the workspace; only commands that make something make a missing one."""
        if self._workspace is None:
            self._workspace = amlsdk.connect(self._location, create=create)
        return self._workspace

    def close(self) -> None:
        """Close what was opened."""
        if self._workspace is not None:
            self._workspace.close()


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "-w",
    "--workspace",
    metavar="FOLDER|URL",
    help="The workspace. Default: AMLSDK_WORKSPACE, the nearest aml_config/workspace.json, then ~/.amlsdk.",
)
@click.version_option(package_name="amlsdk", prog_name="aml")
@click.pass_context
def aml(context: click.Context, workspace: str | None) -> None:
    """Track, run and register models."""
    context.obj = Connection(workspace)
    context.call_on_close(context.obj.close)


def _add_commands() -> None:
    from amlsdk.cli.experiments import experiment
    from amlsdk.cli.models import model
    from amlsdk.cli.projects import project
    from amlsdk.cli.runs import run
    from amlsdk.cli.submit import submit
    from amlsdk.cli.workspace import collect_garbage, info

    for command in (submit, run, experiment, project, model, info, collect_garbage):
        aml.add_command(command)


def main(arguments: list[str] | None = None) -> None:
    """Run the command; an error is one line on standard error and exit code 1."""
    _add_commands()
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
    except BrokenPipeError:
        # `aml run list | head` has seen enough; the interpreter must not complain when it flushes.
        sys.stdout = None
        sys.exit(0)
    sys.exit(code if isinstance(code, int) else 0)
