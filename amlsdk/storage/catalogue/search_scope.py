"""Whose runs are searched: those of an experiment, a project, a parent run, or all."""

from __future__ import annotations

import attrs
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from amlsdk.errors import NotFound
from amlsdk.storage.catalogue.filter_sql import Clause, opaque
from amlsdk.storage.catalogue.schema import experiment, project, run

__all__ = ["Scope"]


@attrs.frozen
class Scope:
    """Whose runs are searched; what is None does not limit the search."""

    experiment_id: str | None
    project_id: str | None
    parent_id: str | None

    def check(self, connection: Connection) -> None:
        """See that there are such things.

        Raises:
            NotFound: One of them is not there.
        """
        asked = (
            ("experiment", experiment.c.id, self.experiment_id),
            ("project", project.c.id, self.project_id),
            ("run", run.c.id, self.parent_id),
        )
        for what, column, given in asked:
            if given is not None and connection.scalar(sa.select(column).where(column == given)) is None:
                raise NotFound(f"runs of the {what} {given!r} were asked for, but no {what} has this id")

    @property
    def indexed(self) -> tuple[Clause, ...]:
        """The narrowest condition on `run`, such that an index may serve it."""
        return self._conditions[:1]

    @property
    def beside(self) -> tuple[Clause, ...]:
        """The other conditions on `run`, such that no index is tried for them."""
        return tuple(map(opaque, self._conditions[1:]))

    @property
    def unindexed(self) -> tuple[Clause, ...]:
        """All conditions on `run`, such that no index is tried for them."""
        return tuple(map(opaque, self._conditions))

    @property
    def _conditions(self) -> tuple[Clause, ...]:
        narrowest_first = (
            (run.c.parent_id, self.parent_id),
            (run.c.experiment_id, self.experiment_id),
            (run.c.project_id, self.project_id),
        )
        return tuple(column == given for column, given in narrowest_first if given is not None)
