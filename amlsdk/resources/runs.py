"""Finding runs: collections of them, and searches that page by themselves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar, overload

import attrs

from amlsdk.errors import InvalidArgument, NotFound
from amlsdk.operations.runs import DeleteRun, GetRun, SearchRuns
from amlsdk.records.names import check_text
from amlsdk.records.pages import Page
from amlsdk.records.runs import ACTIVE, ENDED, RunRecord
from amlsdk.resources.arguments import check_items, check_whole, shown
from amlsdk.resources.client import Client
from amlsdk.resources.resource import Collection, Resource

if TYPE_CHECKING:
    from amlsdk.resources.comparing import Comparison
    from amlsdk.resources.run import Run

__all__ = ["RunCollection", "RunQuery", "Scope"]

D = TypeVar("D")
_PAGE = 1000
_SHOWN = 20
_STATUSES = (*ACTIVE, *sorted(ENDED))


class _Missing:
    """Stands for a default that was not given."""


_MISSING = _Missing()


@attrs.frozen(kw_only=True)
class Scope:
    """Which runs a collection holds: those of an experiment, a project or a parent run; or all."""

    experiment_id: str | None = None
    project_id: str | None = None
    parent_id: str | None = None


class RunQuery:
    """The runs that a search finds, read in pages while they are iterated; each iteration asks anew."""

    def __init__(
        self,
        client: Client,
        scope: Scope,
        *,
        filter: str | None,  # noqa: A002  # the field's word
        order_by: str | None,
        limit: int | None,
    ) -> None:
        for name, text in (("filter", filter), ("order_by", order_by)):
            if text is not None:
                check_text(text, what=f"search({name}=...)")
        check_whole(limit, what="limit")
        self._client = client
        self._scope = scope
        self._filter = filter
        self._order_by = order_by
        self._limit = limit

    def records(self) -> Iterator[RunRecord]:
        """Iterate over the records alone."""
        after: str | None = None
        left = self._limit
        while left is None or left > 0:
            page = self._page(after, _PAGE if left is None else min(left, _PAGE))
            yield from page.items
            after = page.next_token
            left = None if left is None else left - len(page.items)
            if after is None:
                return

    def _page(self, after: str | None, limit: int) -> Page[RunRecord]:
        self._client.deliver()
        scope = attrs.asdict(self._scope)
        request = SearchRuns(**scope, filter=self._filter, order_by=self._order_by, limit=limit, after=after)
        return self._client.send(request)

    def __iter__(self) -> Iterator[Run]:
        """Iterate over the runs."""
        from amlsdk.resources.run import Run

        for record in self.records():
            yield Run(self._client, record)

    @overload
    def first(self) -> Run: ...

    @overload
    def first(self, *, default: D) -> Run | D: ...

    def first(self, *, default: object = _MISSING) -> object:
        """Return the first run.

        Args:
            default: Returned where there is none.

        Raises:
            NotFound: There is none, and no default was given.
        """
        from amlsdk.resources.run import Run

        items = self._page(None, 1).items
        if items:
            return Run(self._client, items[0])
        if isinstance(default, _Missing):
            raise NotFound(f"no run matches {self._filter!r}" if self._filter else "there is no run yet")
        return default

    def to_pandas(self) -> Any:
        """Return a frame: a row a run, indexed by id; columns `metrics.<name>`, `params.<name>`, `tags.<name>`.

        Raises:
            MissingDependency: pandas is not installed.
        """
        from amlsdk.resources.frames import runs_frame

        return runs_frame(self.records())

    def __repr__(self) -> str:
        from amlsdk.resources.views import runs_text

        return runs_text(self._head())

    def _repr_html_(self) -> str:
        from amlsdk.resources.views import runs_html

        return runs_html(self._head(), self._client)

    def _head(self) -> tuple[RunRecord, ...]:
        return self._page(None, min(self._limit or _SHOWN, _SHOWN)).items


class RunCollection(Collection["Run"]):
    """The runs of an experiment, a project, a parent run, or all."""

    what = "run"

    def __init__(self, client: Client, scope: Scope) -> None:
        super().__init__(client)
        self._scope = scope

    def search(
        self,
        filter: str | None = None,  # noqa: A002  # the field's word
        order_by: str | None = None,
        *,
        limit: int | None = None,
    ) -> RunQuery:
        """Find runs.

        Args:
            filter: Like `metrics.loss < 0.3 and params.depth = 4 and status = 'Completed'`; an unquoted number
                compares as a number.
            order_by: Like `metrics.loss asc`; missing and NaN come last. Default: newest first.
            limit: At most so many runs; None means all.

        Returns:
            An iterable of runs with `.first()` and `.to_pandas()`.

        Raises:
            InvalidArgument: While reading: the filter is wrong; the message points at the place.
        """
        return RunQuery(self._client, self._scope, filter=filter, order_by=order_by, limit=limit)

    def get(self, key: str) -> Run:
        """Return the run of an id, or of a name that one run has.

        Raises:
            NotFound: There is none.
            Conflict: Several have this name.
        """
        return self._get(key)

    def list(self, *, status: str | None = None, limit: int | None = None) -> list[Run]:
        """Return the runs, newest first, or those of one status.

        Raises:
            InvalidArgument: There is no such status; the message names those there are.
        """
        if status is not None and status not in _STATUSES:
            known = ", ".join(_STATUSES)
            raise InvalidArgument(f"list(status=...): there is no status {shown(status)}; there are {known}")
        condition = None if status is None else f"status = {_quoted(status)}"
        return list(self.search(condition, limit=limit))

    def delete(self, run: str | Run) -> None:
        """Delete an ended run with all it keeps; an absent one is no error.

        Raises:
            Conflict: It is active, or models or other runs came from it; the message names them.
        """
        run_id = self._id_of(run)
        if run_id is not None:
            self._client.send(DeleteRun(run_id=run_id))

    def compare(self, runs: Iterable[str | Run]) -> Comparison:
        """Compare runs: params, metrics, code and packages side by side.

        Args:
            runs: Two or more runs, or their ids.

        Raises:
            InvalidArgument: Not a list of them, or fewer than two.
            NotFound: There is no such run.
        """
        from amlsdk.resources.comparing import compare_runs

        given = check_items(runs, what="compare(runs=...)", of="runs or their ids")
        return compare_runs([self._given(run) for run in given])

    def _given(self, run: Any) -> Any:
        return self._own(run) if isinstance(run, Resource) else self._get(run)

    def __iter__(self) -> Iterator[Run]:
        """Iterate over the runs, newest first."""
        return iter(self.search())

    def __repr__(self) -> str:
        return repr(self.search())

    def _repr_html_(self) -> str:
        return self.search()._repr_html_()

    def _find(self, *, name: str | None, after: str | None, limit: int) -> Page[Any]:
        self._client.deliver()
        condition = None if name is None else f"name = {_quoted(name)}"
        request = SearchRuns(**attrs.asdict(self._scope), filter=condition, limit=limit, after=after)
        return self._client.send(request)

    def _read(self, identifier: str) -> RunRecord:
        self._client.deliver(identifier)
        return self._client.send(GetRun(run_id=identifier))

    def _make(self, record: RunRecord) -> Run:
        from amlsdk.resources.run import Run

        return Run(self._client, record)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
