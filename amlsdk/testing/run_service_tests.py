"""What every service must pass that keeps runs: who holds them, what they logged, and what came of them."""

from __future__ import annotations

import datetime as dt
import hashlib
import time
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest

from amlsdk.errors import Conflict, NotFound
from amlsdk.journal.writer import JournalWriter
from amlsdk.operations.blobs import PutBlob
from amlsdk.operations.experiments import DeleteExperiment, GetExperiment, ListExperiments, UpdateExperiment
from amlsdk.operations.filesets import CreateFileSet
from amlsdk.operations.jobs import CancelRun, ClaimRun, HeartbeatRun, SetRunStatus
from amlsdk.operations.models import CreateModel, GetModel, ListModels, SetModelAlias, UpdateModel
from amlsdk.operations.runs import (
    AppendJournal,
    CreateRun,
    DeleteRun,
    GetRun,
    GetRunContext,
    ListRunFiles,
    ListRunInputs,
    ListRunRows,
    ResumeRun,
)
from amlsdk.operations.workspaces import UpdateWorkspace
from amlsdk.processes import this_process
from amlsdk.records.filesets import FileEntry, FileSetRecord
from amlsdk.records.ids import new_id
from amlsdk.records.jobs import JobSpec
from amlsdk.records.logged import InputRecord, RunFileRecord
from amlsdk.records.projects import ExperimentRecord
from amlsdk.records.runs import RunRecord
from amlsdk.records.streams import ByteStream
from amlsdk.service import Service

__all__ = ["RunServiceTests"]

_SCRIPT = b"print('hello')"
_DIGEST = hashlib.sha256(_SCRIPT).hexdigest()
_WAIT_S, _SOON_S = 50.0, 20.0


class RunServiceTests:
    """A part of `ServiceTestCase`."""

    @pytest.fixture
    def tree(self, service: Service) -> FileSetRecord:
        """A stored tree of one script."""
        service.send(PutBlob(digest=_DIGEST, content=ByteStream.of(_SCRIPT)))
        entry = FileEntry(path="train.py", digest=_DIGEST, size_bytes=len(_SCRIPT))
        return service.send(CreateFileSet(entries=(entry,)))

    @pytest.fixture
    def experiment(self, service: Service, run: RunRecord) -> ExperimentRecord:
        """The experiment of the interactive run."""
        return service.send(GetExperiment(experiment_id=run.experiment_id))

    @pytest.fixture
    def queued(self, service: Service, experiment: ExperimentRecord, tree: FileSetRecord) -> RunRecord:
        """A submitted run."""
        job = JobSpec(script="train.py", snapshot=tree.digest, arguments=("--depth", "4"), timeout_s=1.5)
        return service.send(CreateRun(id=new_id(), experiment_id=experiment.id, job=job))

    def test_a_run_is_created_once(self, service: Service, run: RunRecord) -> None:
        """The same create again answers with the run; another under its id is a conflict."""
        same = CreateRun(id=run.id, experiment_id=run.experiment_id, owner=this_process(), params={"depth": "4"})
        assert service.send(same) == run
        with pytest.raises(Conflict, match=run.id):
            service.send(attrs.evolve(same, name="another"))

    def test_experiments_are_listed_changed_and_kept_while_in_use(
        self, service: Service, experiment: ExperimentRecord
    ) -> None:
        """One with an active run can't be deleted."""
        assert service.send(ListExperiments(project_id=experiment.project_id)).items == (experiment,)
        changed = service.send(UpdateExperiment(experiment_id=experiment.id, description="deeper"))
        assert changed == attrs.evolve(experiment, description="deeper")
        with pytest.raises(Conflict):
            service.send(DeleteExperiment(experiment_id=experiment.id))

    def test_a_job_is_claimed_once_and_brought_to_its_end(self, service: Service, queued: RunRecord) -> None:
        """Its holder keeps it, sets its states with their times, and ends it."""
        service.send(UpdateWorkspace(slots=1))
        assert (queued.status, queued.owner, queued.job and queued.job.timeout_s) == ("Queued", None, 1.5)
        claim = ClaimRun(supervisor=this_process())
        held = service.send(claim).run
        assert held is not None
        assert (held.id, held.owner, held.job) == (queued.id, this_process(), queued.job)
        # Its answer was lost, so it is asked again.
        assert service.send(claim).run == held
        assert service.send(HeartbeatRun(run_id=held.id, supervisor=this_process())).cancel_requested is False
        at = dt.datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=dt.timezone.utc)
        said = SetRunStatus(run_id=held.id, supervisor=this_process(), status="Running", at=at)
        assert service.send(said).started_at == at
        ended = service.send(attrs.evolve(said, status="Failed", reason="exit code 3", exit_code=3))
        assert (ended.status, ended.error, ended.exit_code, ended.ended_at) == ("Failed", "exit code 3", 3, at)
        with pytest.raises(Conflict, match="Failed"):
            service.send(said)

    def test_a_queued_run_is_cancelled_at_once(self, service: Service, queued: RunRecord) -> None:
        """Whoever waits for its end is told at once, and nobody is given it any more."""
        assert service.send(CancelRun(run_id=queued.id)).status == "Canceled"
        began = time.monotonic()
        assert service.send(GetRun(run_id=queued.id, wait_s=_WAIT_S)).status == "Canceled"
        assert time.monotonic() - began < _SOON_S
        assert service.send(ClaimRun(supervisor=this_process(), run_id=queued.id)).run is None
        with pytest.raises(Conflict):
            service.send(HeartbeatRun(run_id=queued.id, supervisor=this_process()))

    def test_a_wait_ends_with_its_time(self, service: Service, queued: RunRecord) -> None:
        """A reply is held back no longer than was asked."""
        assert service.send(GetRun(run_id=queued.id, wait_s=0.05)).status == "Queued"

    def test_an_ended_run_is_resumed_or_deleted(self, service: Service, run: RunRecord, tmp_path: Path) -> None:
        """An interactive one goes on; a deleted one is not found; an active one is in use."""
        with pytest.raises(Conflict, match=run.id):
            service.send(DeleteRun(run_id=run.id))
        _send(service, tmp_path, run, lambda journal: journal.status("Completed"))
        assert service.send(GetRun(run_id=run.id)).status == "Completed"
        resumed = service.send(ResumeRun(run_id=run.id, owner=this_process()))
        assert [state.status for state in resumed.states] == ["Running", "Completed", "Running"]
        _send(service, tmp_path, run, lambda journal: journal.status("Failed", "no memory"))
        assert service.send(GetRun(run_id=run.id)).error == "no memory"
        for _ in range(2):
            service.send(DeleteRun(run_id=run.id))
        with pytest.raises(NotFound, match=run.id):
            service.send(GetRun(run_id=run.id))

    def test_what_a_run_logged_is_listed(self, service: Service, run: RunRecord, tmp_path: Path) -> None:
        """Context by topic, rows in order, files by path, inputs by name."""
        file = RunFileRecord(path="outputs/a", kind="output", digest=_DIGEST, size_bytes=3)
        read = InputRecord(name="raw", digest=_DIGEST, kind="file", source="/data/a.csv", profile={"rows": 2})

        def write(journal: JournalWriter) -> None:
            journal.context({"git": {"commit": "abc"}})
            journal.row("table", {"x": 1})
            journal.row("table", {"x": None})
            journal.file(file)
            journal.input(read)

        _send(service, tmp_path, run, write)
        assert service.send(GetRunContext(run_id=run.id)).values["git"] == {"commit": "abc"}
        rows = service.send(ListRunRows(run_id=run.id, name="table")).items
        assert [dict(row.values) for row in rows] == [{"x": 1}, {"x": None}]
        assert service.send(ListRunFiles(run_id=run.id, prefix="outputs/")).items == (file,)
        assert service.send(ListRunInputs(run_id=run.id)).items == (read,)

    def test_an_alias_points_at_one_version(self, service: Service, tree: FileSetRecord) -> None:
        """Set again it moves; tags and description change, and each narrows a list."""
        made = [
            service.send(CreateModel(id=new_id(), name="wine", digest=tree.digest, format="files")) for _ in range(2)
        ]
        for version in made:
            assert service.send(SetModelAlias(model_id=version.id, alias="best")).aliases == ("best",)
        assert service.send(GetModel(model_id=made[0].id)).aliases == ()
        changed = service.send(UpdateModel(model_id=made[1].id, description="reds", tags={"stage": "live"}))
        assert (changed.description, changed.tags) == ("reds", {"stage": "live"})
        assert service.send(ListModels(name="wine", alias="best")).items == (changed,)
        assert [found.version for found in service.send(ListModels(name="wine")).items] == [2, 1]


def _send(service: Service, folder: Path, run: RunRecord, write: Callable[[JournalWriter], None]) -> None:
    """Send what a journal of the run has."""
    journal = JournalWriter(folder, run.id)
    write(journal)
    journal.close()
    content = ByteStream.from_file(journal.path)
    empty = hashlib.sha256().hexdigest()
    sent = AppendJournal(run_id=run.id, writer=journal.writer, offset=0, digest=empty, content=content)
    assert service.send(sent).accepted
