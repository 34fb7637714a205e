"""Deleting runs: what forbids it, and what goes with them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from sqlalchemy import ColumnElement, select
from sqlalchemy.engine import Connection

from amlsdk.errors import Conflict
from amlsdk.filesets.removing import remove_tree
from amlsdk.journal import folder as journals
from amlsdk.local.handling import Local
from amlsdk.local.settling import settle
from amlsdk.records.names import listed
from amlsdk.records.runs import ENDED
from amlsdk.storage.catalogue.schema import model, run, run_input
from amlsdk.storage.outputs.base import run_key

__all__ = ["refuse_if_needed", "remove_runs"]

_NAMED = 9


@contextlib.contextmanager
def remove_runs(local: Local, inside: ColumnElement[bool]) -> Iterator[Connection]:
    """Give a connection to delete runs with; once they are gone, remove the files they left.

    Args:
        local: The workspace.
        inside: Which runs.
    """
    settle(local)
    with local.database.write() as connection:
        run_ids = list(connection.execute(select(run.c.id).where(inside)).scalars())
        yield connection
    for run_id in run_ids:
        local.outputs.delete(run_key(run_id))
        remove_tree(local.run_folder(run_id))
        for found in journals.outstanding(local.journals, run_id):
            journals.remove(found.path)


def refuse_if_needed(connection: Connection, what: str, inside: ColumnElement[bool]) -> None:
    """See that nothing needs some runs that are to be deleted.

    Raises:
        Conflict: They are active, models were registered from them, or other runs have them as input or parent.
    """
    ids = select(run.c.id).where(inside)
    active = select(run.c.id, run.c.status).where(inside, run.c.status.not_in(ENDED))
    models = select(model.c.name, model.c.version).where(model.c.run_id.in_(ids)).order_by(model.c.pk)
    readers = select(run.c.id).join(run_input).where(run_input.c.source_run_id.in_(ids), ~inside).distinct()
    children = select(run.c.id).where(run.c.parent_id.in_(ids), ~inside)
    for problem, form, statement in (
        ("runs are active (cancel them or wait for their end)", "{0} ({1})", active),
        ("models were registered from it (delete those first)", "{0} version {1}", models),
        ("other runs read its outputs (delete those first)", "{0}", readers),
        ("other runs are its children (delete those first)", "{0}", children),
    ):
        rows = connection.execute(statement.limit(_NAMED)).all()
        if rows:
            names = listed((form.format(*row) for row in rows), most=_NAMED - 1)
            raise Conflict(f"{what} can't be deleted: {problem}: {names}")
