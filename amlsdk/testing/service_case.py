"""What every service must pass, whichever backend it is of."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from amlsdk.errors import Conflict, InvalidArgument, NotFound
from amlsdk.journal.writer import JournalWriter
from amlsdk.operations.blobs import FindMissingBlobs, GetBlob, PutBlob
from amlsdk.operations.experiments import CreateExperiment
from amlsdk.operations.filesets import CreateFileSet, GetFileSet
from amlsdk.operations.models import CreateModel, DeleteModel, GetModel
from amlsdk.operations.projects import CreateProject, DeleteProject, GetProject, ListProjects, UpdateProject
from amlsdk.operations.runs import AppendJournal, AppendOutput, CreateRun, GetRun, ReadOutput, ReadSeries, SearchRuns
from amlsdk.operations.workspaces import CollectGarbage, GetWorkspace
from amlsdk.processes import this_process
from amlsdk.records.filesets import FileEntry
from amlsdk.records.ids import is_id, new_id
from amlsdk.records.projects import ProjectRecord
from amlsdk.records.runs import RunRecord
from amlsdk.records.series import unpack
from amlsdk.records.streams import CHUNK, ByteStream
from amlsdk.service import Service
from amlsdk.testing.run_service_tests import RunServiceTests

__all__ = ["ServiceTestCase"]

_BIG = bytes(range(256)) * (2 * CHUNK // 256) + b"and a part of a chunk"
_ABSENT = "0" * 64
_LIMIT = 3


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class ServiceTestCase(RunServiceTests):
    """Subclass it as `TestMyService` with a fixture `service`, and pytest runs the contract of `Service`."""

    @pytest.fixture
    def service(self) -> Service:
        """A service of an empty workspace, for a caller who is its owner."""
        raise NotImplementedError

    @pytest.fixture
    def project(self, service: Service) -> ProjectRecord:
        """A project."""
        return service.send(CreateProject(id=new_id(), name="wine", folder="/work/wine"))

    @pytest.fixture
    def run(self, service: Service, project: ProjectRecord) -> RunRecord:
        """An interactive run of this process."""
        experiment = service.send(CreateExperiment(id=new_id(), project_id=project.id, name="train"))
        return service.send(
            CreateRun(id=new_id(), experiment_id=experiment.id, owner=this_process(), params={"depth": "4"})
        )

    def test_the_workspace_says_what_it_is(self, service: Service) -> None:
        """A workspace has an id, at least one slot, and a time with its zone."""
        record = service.send(GetWorkspace())
        assert is_id(record.id)
        assert record.slots >= 1
        assert record.created_at.utcoffset() is not None

    def test_what_is_created_is_read_back(self, service: Service, project: ProjectRecord) -> None:
        """A create answers with the record that a get then reads."""
        assert service.send(GetProject(project_id=project.id)) == project
        assert (project.name, project.folder, project.description) == ("wine", "/work/wine", "")

    def test_the_same_create_again_answers_the_same(self, service: Service, project: ProjectRecord) -> None:
        """A create may be sent again, because the client makes the id."""
        again = CreateProject(id=project.id, name="wine", folder="/work/wine")
        assert service.send(again) == project
        assert len(service.send(ListProjects()).items) == 1

    def test_an_id_is_not_taken_for_something_else(self, service: Service, project: ProjectRecord) -> None:
        """Another create under an id that is taken is a conflict that names it."""
        with pytest.raises(Conflict, match=project.id):
            service.send(CreateProject(id=project.id, name="beer"))

    def test_a_name_is_taken_once(self, service: Service, project: ProjectRecord) -> None:
        """Another thing of the same name is a conflict that names it."""
        with pytest.raises(Conflict, match=project.name):
            service.send(CreateProject(id=new_id(), name=project.name))

    def test_a_wrong_name_is_refused(self, service: Service) -> None:
        """A name with a slash is an invalid argument."""
        with pytest.raises(InvalidArgument, match="a/b"):
            service.send(CreateProject(id=new_id(), name="a/b"))

    @pytest.mark.parametrize("absent", ["01aaaaaaaaaaaaaaaaaaaaaaaa", "", ".", "..", "a/b", "~", "%2e", "?", "å"])
    def test_what_is_absent_is_not_found(self, service: Service, absent: str) -> None:
        """An id that nothing has is not found, whatever characters it is of; the message shows it."""
        with pytest.raises(NotFound) as caught:
            service.send(GetProject(project_id=absent))
        assert absent in str(caught.value)

    @pytest.mark.parametrize(
        ("wrong", "message"),
        [
            (ListProjects(limit=1.9), "ListProjects.limit: a whole number is expected, not float 1.9"),  # type: ignore[arg-type]
            (CollectGarbage(dry_run="false"), "CollectGarbage.dry_run: true or false is expected, not str 'false'"),  # type: ignore[arg-type]
            (CreateProject(id=new_id(), name=7), "CreateProject.name: a text is expected, not int 7"),  # type: ignore[arg-type]
            (FindMissingBlobs(digests=["a"]), "FindMissingBlobs.digests: a sequence is expected, not list ['a']"),  # type: ignore[arg-type]
        ],
    )
    def test_types_are_strict(self, service: Service, wrong: Any, message: str) -> None:
        """A value of another type is refused with the same words by every service."""
        with pytest.raises(InvalidArgument) as caught:
            service.send(wrong)
        assert str(caught.value) == message

    def test_pages_hold_all_items_once_in_order(self, service: Service) -> None:
        """Following `next_token` gives every item once, by name; the last page has no token."""
        names = [f"p{number:02}" for number in range(7)]
        for name in reversed(names):
            service.send(CreateProject(id=new_id(), name=name))
        found, token = [], None
        while True:
            page = service.send(ListProjects(limit=_LIMIT, after=token))
            assert isinstance(page.items, tuple)
            assert 1 <= len(page.items) <= _LIMIT
            found += [project.name for project in page.items]
            token = page.next_token
            if token is None:
                break
        assert found == names

    def test_a_limit_and_a_token_are_checked(self, service: Service) -> None:
        """A page of no items, and a token that no page had, are refused."""
        for wrong in (ListProjects(limit=0), ListProjects(after="no token")):
            with pytest.raises(InvalidArgument):
                service.send(wrong)

    def test_none_leaves_a_field_and_a_text_changes_it(self, service: Service, project: ProjectRecord) -> None:
        """An update changes what is given and nothing else."""
        changed = service.send(UpdateProject(project_id=project.id, description="reds\n\u2028 and \u00e5"))
        assert (changed.description, changed.folder) == ("reds\n\u2028 and \u00e5", "/work/wine")
        assert service.send(UpdateProject(project_id=project.id)) == changed

    def test_deleting_what_is_absent_is_no_error(self, service: Service, project: ProjectRecord) -> None:
        """A delete may be sent again; afterwards nothing is found."""
        for _ in range(2):
            service.send(DeleteProject(project_id=project.id))
        with pytest.raises(NotFound):
            service.send(GetProject(project_id=project.id))

    def test_a_run_is_read_back(self, service: Service, run: RunRecord) -> None:
        """A run is Running, has its params, and is found by them."""
        assert service.send(GetRun(run_id=run.id)) == run
        assert (run.status, run.params) == ("Running", {"depth": "4"})
        found = service.send(SearchRuns(filter="params.depth = 4")).items
        assert [one.id for one in found] == [run.id]

    def test_a_journal_is_applied_exactly_once(self, service: Service, run: RunRecord, tmp_path: Path) -> None:
        """Lines sent twice count once; a gap is answered with the offset that is wanted."""
        writer, content = _journal(tmp_path, run.id)
        whole = _append(run.id, writer, content)
        assert service.send(whole).offset == len(content)
        assert not service.send(whole).accepted
        end = service.send(_append(run.id, writer, b"", before=content))
        assert (end.offset, end.accepted) == (len(content), True)
        ahead = service.send(_append(run.id, writer, b"x\n", before=content + b"lost\n"))
        assert (ahead.offset, ahead.accepted) == (len(content), False)
        loss = service.send(GetRun(run_id=run.id)).metrics["loss"]
        assert (loss.count, loss.last_step, loss.min, loss.max) == (3, 2, 0.5, float("inf"))

    def test_a_journal_with_another_beginning_is_a_conflict(
        self, service: Service, run: RunRecord, tmp_path: Path
    ) -> None:
        """Bytes that do not follow those that were sent before are refused."""
        writer, content = _journal(tmp_path, run.id)
        service.send(_append(run.id, writer, content))
        with pytest.raises(Conflict, match=writer):
            service.send(_append(run.id, writer, b"x\n", before=b"y" * len(content)))

    def test_points_come_back_in_order(self, service: Service, run: RunRecord, tmp_path: Path) -> None:
        """A series has all points, those that are not finite too."""
        writer, content = _journal(tmp_path, run.id)
        service.send(_append(run.id, writer, content))
        series = unpack(service.send(ReadSeries(run_id=run.id, name="loss")).read())
        assert list(series.steps) == [0, 1, 2]
        assert [str(value) for value in series.values] == ["0.5", "nan", "inf"]

    @pytest.mark.parametrize("content", [b"", b"\xff\x00", _BIG], ids=["empty", "bytes", "chunks"])
    def test_a_blob_is_read_back(self, service: Service, content: bytes) -> None:
        """A blob is stored, no longer missing, and read whole, twice, and from a byte on."""
        digest = _digest(content)
        wanted = FindMissingBlobs(digests=(_ABSENT, digest))
        assert service.send(wanted).digests == (_ABSENT, digest)
        service.send(PutBlob(digest=digest, content=ByteStream.of(content)))
        assert service.send(wanted).digests == (_ABSENT,)
        stream = service.send(GetBlob(digest=digest))
        assert stream.read() == stream.read() == content
        assert service.send(GetBlob(digest=digest, start=len(content) // 2)).read() == content[len(content) // 2 :]

    def test_a_blob_with_another_digest_is_not_kept(self, service: Service) -> None:
        """What was damaged on its way is refused, and is still missing."""
        digest = _digest(b"right")
        with pytest.raises(InvalidArgument, match=digest):
            service.send(PutBlob(digest=digest, content=ByteStream.of(b"wrong")))
        with pytest.raises(NotFound, match=digest):
            service.send(GetBlob(digest=digest))

    def test_a_tree_needs_its_blobs(self, service: Service) -> None:
        """A FileSet of stored blobs is read back by its digest; one of absent blobs is refused."""
        service.send(PutBlob(digest=_digest(b"x"), content=ByteStream.of(b"x")))
        tree = service.send(CreateFileSet(entries=(FileEntry(path="a/b", digest=_digest(b"x"), size_bytes=1),)))
        assert service.send(GetFileSet(digest=tree.digest)) == tree
        with pytest.raises(InvalidArgument):
            service.send(CreateFileSet(entries=(FileEntry(path="a", digest=_ABSENT, size_bytes=1),)))

    def test_output_is_appended_once(self, service: Service, run: RunRecord) -> None:
        """Output that overlaps is cut, a gap is answered with the end, and it is read from any byte."""
        service.send(AppendOutput(run_id=run.id, offset=0, content=ByteStream.of(b"one\n")))
        service.send(AppendOutput(run_id=run.id, offset=2, content=ByteStream.of(b"e\ntwo\n")))
        gap = service.send(AppendOutput(run_id=run.id, offset=100, content=ByteStream.of(b"lost")))
        assert gap.offset == len(b"one\ntwo\n")
        assert service.send(ReadOutput(run_id=run.id, after=3)).read() == b"\ntwo\n"
        assert service.send(ReadOutput(run_id=run.id, after=8)).read() == b""

    def test_versions_count_up_and_are_not_used_again(self, service: Service) -> None:
        """Models of a name are numbered from 1; the number of a deleted version is gone."""
        service.send(PutBlob(digest=_digest(b"x"), content=ByteStream.of(b"x")))
        tree = service.send(CreateFileSet(entries=(FileEntry(path="m", digest=_digest(b"x"), size_bytes=1),)))
        made = [CreateModel(id=new_id(), name="wine", digest=tree.digest, format="files") for _ in range(3)]
        first, second = service.send(made[0]), service.send(made[1])
        assert service.send(GetModel(model_id=second.id)) == second
        service.send(DeleteModel(model_id=second.id))
        assert (first.version, second.version, service.send(made[2]).version) == (1, 2, 3)


def _journal(folder: Path, run_id: str) -> tuple[str, bytes]:
    """Return the writer and the bytes of a journal with three points."""
    journal = JournalWriter(folder, run_id)
    for value in (0.5, float("nan"), float("inf")):
        journal.metric("loss", value)
    journal.close()
    return journal.writer, journal.path.read_bytes()


def _append(run_id: str, writer: str, content: bytes, *, before: bytes = b"") -> AppendJournal:
    return AppendJournal(
        run_id=run_id,
        writer=writer,
        offset=len(before),
        digest=_digest(before),
        content=ByteStream.of(content),
    )
