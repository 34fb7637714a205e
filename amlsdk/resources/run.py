"""A run: what it logs, what it keeps, how it goes on and ends."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

from amlsdk.errors import InvalidArgument
from amlsdk.operations.runs import DeleteRun, GetRun
from amlsdk.records.runs import ENDED, RunRecord
from amlsdk.resources.arguments import check_run_name, check_texts, shown, telling
from amlsdk.resources.client import Client
from amlsdk.resources.resource import Resource
from amlsdk.resources.run_following import RunFollowing
from amlsdk.resources.run_logging import RunLogging
from amlsdk.resources.run_reading import RunReading

if TYPE_CHECKING:
    from amlsdk.resources.comparing import Comparison
    from amlsdk.resources.interactive import Interactive
    from amlsdk.resources.model import Model
    from amlsdk.resources.runs import RunCollection

__all__ = ["Run"]


class Run(RunLogging, RunReading, RunFollowing, Resource[RunRecord]):
    """One execution of code, in this process or submitted; the same methods either way. Safe across threads."""

    what = "run"

    # Set where this process began the run, and ends it.
    _interactive: Interactive | None = None

    def __init__(self, client: Client, record: RunRecord | None = None, *, run_id: str | None = None) -> None:
        # A script's own run is known by its id alone until something else is asked of it.
        self._client = client
        self._known = record
        self._run_id = record.id if record is not None else str(run_id)

    @property
    def id(self) -> str:
        """Its id."""
        return self._run_id

    @property
    def record(self) -> RunRecord:
        """All that was known when this run was last read."""
        if self._known is None:
            self._known = self._read()
        return self._known

    def refresh(self) -> Run:
        """Read the record again and return this run.

        Raises:
            NotFound: It was deleted.
        """
        self._known = self._read()
        return self

    @staticmethod
    def current(create: bool = True) -> Run | None:  # noqa: FBT002  # `Run.current(False)` reads well enough
        """Return the run that this code belongs to.

        Inside a submitted script that is its run; inside `with experiment.start_run()`, that one. Elsewhere it is
        one interactive run of the process, begun now in the configured workspace and ended at exit.

        Args:
            create: Where there is no run yet: begin one, or return None.
        """
        from amlsdk.resources.current import current_run

        return current_run(create=create)

    def _read(self) -> RunRecord:
        self._client.deliver(self.id)
        return self._client.send(GetRun(run_id=self.id))

    def _now(self) -> RunRecord:
        """The record as it is now: read again while it may change."""
        if self._known is None or self._known.status not in ENDED or self._has_logged:
            self.refresh()
        return self.record

    @property
    def number(self) -> int:
        """Counts the runs of the project, from 1."""
        return self.record.number

    @property
    def experiment_id(self) -> str:
        """Id of its experiment."""
        return self.record.experiment_id

    @property
    def project_id(self) -> str:
        """Id of its project."""
        return self.record.project_id

    @property
    def kind(self) -> str:
        """`interactive` or `submitted`."""
        return self.record.kind

    @property
    def status(self) -> str:
        """One of the states: Queued, Starting, Preparing, Running, Finalizing, Completed, Failed, Canceled, ..."""
        return self._now().status

    @property
    def error(self) -> str | None:
        """Why it Failed or was Canceled, else None."""
        return self._now().error

    @property
    def started_at(self) -> dt.datetime | None:
        """When its code began (UTC), or None."""
        return self._now().started_at

    @property
    def ended_at(self) -> dt.datetime | None:
        """When it ended (UTC), or None."""
        return self._now().ended_at

    @property
    def duration(self) -> dt.timedelta | None:
        """How long it ran, until now where it still does; None before it began."""
        record = self._now()
        if record.started_at is None:
            return None
        return (record.ended_at or dt.datetime.now(dt.timezone.utc)) - record.started_at

    @property
    def children(self) -> RunCollection:
        """Runs that were begun inside this one."""
        from amlsdk.resources.runs import RunCollection, Scope

        return RunCollection(self._client, Scope(parent_id=self.id))

    def child(self, name: str | None = None, *, tags: Mapping[str, str] | None = None) -> Run:
        """Begin an interactive run below this one, in this process; use it as a context manager.

        Raises:
            InvalidArgument: Not a name, or not tags.
        """
        from amlsdk.resources.interactive import start_run

        check_run_name(name, call="child")
        texts = check_texts(tags, what="child(tags=...)")
        return start_run(self._client, self.experiment_id, name=name, tags=texts, parent_id=self.id)

    def complete(self) -> None:
        """End this run as Completed; what was logged is on disk when this returns.

        In a submitted script the run's end is decided by the script's, and this only flushes.

        Raises:
            Unavailable: Something could not be written.
        """
        if self._interactive is not None:
            self._interactive.end("Completed", None)
        else:
            self._refuse_unless_submitted("complete")
            self.flush()

    def fail(self, error: BaseException | str) -> None:
        """End this run as Failed.

        Args:
            error: An exception, whose traceback's end is kept, or a text.

        Raises:
            InvalidArgument: Neither of them; or another process began this run.
            Unavailable: Something could not be written.
        """
        from amlsdk.resources.interactive import error_text

        if not isinstance(error, (str, BaseException)):
            raise InvalidArgument(f"fail(error=...) is an exception or a text, not {shown(error)}")
        text = error if isinstance(error, str) else error_text(error)
        if self._interactive is not None:
            self._interactive.end("Failed", text)
        else:
            self._refuse_unless_submitted("fail")
            self._writer.status("Failed", error=text)
            self.flush()

    def _refuse_unless_submitted(self, verb: str) -> None:
        from amlsdk.resources.current import submitted_run_id

        if submitted_run_id() != self.id:
            raise InvalidArgument(f"{verb}(): only the process that began run {self.id} ends it")

    def _at_exit(self, error: BaseException | None) -> None:
        if self._interactive is not None:
            self._interactive.leave(error)
        elif self._log is not None:
            self._log.close()

    def __enter__(self) -> Run:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._interactive is not None:
            self._interactive.leave(error)

    def delete(self) -> None:
        """Delete this run with all it keeps; an absent one is no error.

        Raises:
            Conflict: It is active, or models or other runs came from it; the message names them.
        """
        self._client.send(DeleteRun(run_id=self.id))

    def compare(self, other: Run | str) -> Comparison:
        """Compare with another run, or the one of an id: params, metrics, code and packages.

        Raises:
            NotFound: There is no such run.
        """
        from amlsdk.resources.runs import RunCollection, Scope

        return RunCollection(self._client, Scope()).compare([self, other])

    def resubmit(
        self,
        *,
        arguments: Sequence[object] | None = None,
        target: str | None = None,
        name: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> Run:
        """Submit the same snapshot, command, dependencies and inputs again.

        Nothing but this run's id is needed: not the project's folder, not the original data. After the new run has
        ended, `new.compare(old)` says what differs.

        Args:
            arguments: Other arguments of the script.
            target: Another target.
            name: Name of the new run.
            tags: Texts by name.

        Raises:
            InvalidArgument: This run was not submitted, or a target or argument can't be meant.
        """
        from amlsdk.resources.submitting import resubmit

        check_run_name(name, call="resubmit")
        texts = check_texts(tags, what="resubmit(tags=...)")
        record = self.refresh().record
        return resubmit(self._client, record, arguments=arguments, target=target, name=name, tags=texts)

    def register_model(  # what a model may be given
        self,
        name: str,
        model: object,
        *,
        tags: Mapping[str, str] | None = None,
        aliases: Sequence[str] = (),
        description: str = "",
    ) -> Model:
        """Register a model that this run made: the next version of its name.

        Args:
            name: Of the model.
            model: A file or folder among the run's outputs (`outputs/model.skops`), a path on this machine, or a
                fitted estimator, which is saved as skops, ONNX or safetensors by its kind.
            tags: Texts by name.
            aliases: Names that shall point at this version.
            description: Free text.

        Raises:
            NotFound: The run keeps no such file.
            InvalidArgument: This kind of object is not saved safely; the message says what to do.
        """
        from amlsdk.resources.registering import register_from_run

        with telling("register_model"):
            return register_from_run(self, name, model, tags=tags, aliases=aliases, description=description)

    def __repr__(self) -> str:
        record = self.record
        return f"<Run {record.name!r} {record.status} {record.id}>"

    def _repr_html_(self) -> str:
        from amlsdk.resources.views import run_html

        return run_html(self)

    def __reduce__(self) -> tuple[Any, ...]:
        # The end of a run stays with the process that began it.
        return (Run, (self._client, self.record))
