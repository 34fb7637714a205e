"""`aml sync`: what processes logged while the service was away, sent now."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import click

from amlsdk.cli.app import Connection
from amlsdk.cli.output import json_option, show_json
from amlsdk.errors import AmlError, Conflict, InvalidArgument, NotFound, OperationFailed
from amlsdk.journal.folder import outstanding
from amlsdk.journal.forwarding import Forwarded, Forwarder, State
from amlsdk.journal.spools import location_of, spools_in
from amlsdk.logins import token_for
from amlsdk.places import home
from amlsdk.resources.client import Address, Client
from amlsdk.resources.config import Config
from amlsdk.resources.connecting import find_location
from amlsdk.service import Spool
from amlsdk.urls import is_within, normal

if TYPE_CHECKING:
    from amlsdk.service import Service

__all__ = ["sync"]

_UNREACHED = "unreached"


@attrs.frozen
class _Told:
    """A journal, as it is told of."""

    run_id: str
    journal: str
    sent_bytes: int
    state: str
    reason: str


@click.command()
@click.argument("folder", required=False, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--remove", is_flag=True, help="Remove from FOLDER what the service has.")
@json_option
@click.pass_obj
def sync(connection: Connection, folder: Path | None, remove: bool, as_json: bool) -> None:
    """Send the journals that wait on this machine, or in a FOLDER that was copied from another, to their service.

    Each line is taken once, however often and from wherever it is sent. A FOLDER is a folder of journals, the spool of
    a service, or a whole ~/.amlsdk; it stays as it is. The service is that of `aml -w URL`, else the one that the spool
    was made for. Exits with 1 where something was refused, or a service can't be reached.
    """
    told = []
    for spool in _spools(folder):
        location = _location(connection, spool, folder)
        if location is not None:
            told += _send(location, spool, keeps=folder is not None and not remove, is_copy=folder is not None)
    if as_json:
        show_json(told)
    else:
        _show(told)
    if any(each.state in (State.REFUSED, _UNREACHED) for each in told):
        click.get_current_context().exit(1)


def _spools(folder: Path | None) -> list[Spool]:
    found = spools_in(home() if folder is None else folder)
    if folder is not None and not found:
        raise NotFound(
            f"{folder} has no journals, which are named <run id>.<writer>.jsonl; name the folder they are in"
        )
    return found


def _location(connection: Connection, spool: Spool, folder: Path | None) -> str | None:
    """Return the service that a spool is for; None where another one is meant."""
    own, meant = location_of(spool), connection.location
    if folder is None:
        return own if own is None or meant is None or is_within(own, normal(meant)) else None
    place = meant or own or find_location()
    if "://" not in place:
        raise InvalidArgument(f"{folder} does not say which service it is for: aml -w URL sync {folder}")
    return place


def _send(location: str, spool: Spool, *, keeps: bool, is_copy: bool) -> list[_Told]:
    told: list[_Told] = []
    try:
        with _connected(location) as client:
            told += map(_told, _forward(client.service, spool, keeps=keeps))
            if not is_copy:
                _tend(client)
    except (AmlError, OSError) as error:
        known = {each.journal for each in told}
        rest = [file for file in outstanding(spool.journals) if str(file.path) not in known]
        reason = str(error) if location in str(error) else f"{location}: {error}"
        told += [_Told(file.run_id, str(file.path), 0, _UNREACHED, reason) for file in rest]
        if not rest:
            raise
    return told


@contextlib.contextmanager
def _connected(location: str) -> Iterator[Client]:
    client = Client(Address(location=location, token=token_for(location)), Config(retry_s=5.0))
    try:
        yield client
    finally:
        client.close()


def _forward(service: Service, spool: Spool, *, keeps: bool) -> Iterator[Forwarded]:
    forwarder = Forwarder(spool, keeps=keeps)
    for file in forwarder.outstanding():
        try:
            yield forwarder.forward(service, file)
        except (NotFound, Conflict, OperationFailed) as error:
            # What is wrong with one journal must not hold up the others.
            yield Forwarded(file=file, sent_bytes=0, state=State.REFUSED, reason=str(error))
    forwarder.end_orphans(service)


def _tend(client: Client) -> None:
    """See after submitted runs, whose supervisors here may be gone, or have a token that opens nothing any more."""
    from amlsdk.execution.lost import end_lost
    from amlsdk.handing.tokens import leave_newer
    from amlsdk.records.tenancy import TokenKind

    runs = client.spool.runs
    if runs.is_dir() and any((folder / "work").is_dir() for folder in runs.iterdir()):
        leave_newer(client.service, client.spool, kind=TokenKind.RUN)
        end_lost(client.service, client.place)


def _told(each: Forwarded) -> _Told:
    return _Told(each.file.run_id, str(each.file.path), each.sent_bytes, each.state, each.reason)


def _show(told: list[_Told]) -> None:
    for each in told:
        what = f"{each.sent_bytes} bytes sent" if each.sent_bytes else "nothing new"
        how = {State.DONE: "complete", State.OPEN: "still written"}.get(each.state, f"{each.state}: {each.reason}")
        click.echo(f"run {each.run_id}: {what}, {how}")
    count = sum(each.state == State.DONE for each in told)
    click.echo(f"{count} of {len(told)} journals are complete" if told else "nothing waits")
