import os
import time

import pytest

from amlsdk.errors import OperationFailed
from amlsdk.local import LocalBackend
from amlsdk.operations.experiments import CreateExperiment
from amlsdk.operations.filesets import CreateFileSet
from amlsdk.operations.models import CreateModel
from amlsdk.operations.projects import CreateProject
from amlsdk.operations.runs import CreateRun
from amlsdk.operations.workspaces import CollectGarbage
from amlsdk.records.filesets import FileEntry
from amlsdk.records.ids import new_id
from amlsdk.storage.catalogue.schema import run_context, run_file, run_input

LONG_AGO = time.time() - 100_000


@pytest.fixture
def backend(tmp_path):
    backend = LocalBackend(tmp_path / "w")
    yield backend
    backend.close()


@pytest.fixture
def run(backend):
    service = backend.open()
    project = service.send(CreateProject(id=new_id(), name="p"))
    experiment = service.send(CreateExperiment(id=new_id(), project_id=project.id, name="e"))
    return service.send(CreateRun(id=new_id(), experiment_id=experiment.id))


def store(backend, tmp_path, content):
    (tmp_path / "content").write_bytes(content)
    return backend.blobs.put_file(tmp_path / "content")


def age(backend, digest):
    os.utime(backend.folder / "blobs" / digest[:2] / digest[2:], (LONG_AGO, LONG_AGO))


def tree_of(backend, tmp_path, content):
    digest, size = store(backend, tmp_path, content)
    entry = FileEntry(path="a", digest=digest, size_bytes=size)
    return backend.open().send(CreateFileSet(entries=(entry,)))


@pytest.mark.usefixtures("run")
def test_each_kind_of_reference_keeps_a_blob(backend, tmp_path):
    digests = [store(backend, tmp_path, content)[0] for content in (b"file", b"input", b"lost")]
    tree = tree_of(backend, tmp_path, b"in the snapshot")
    with backend.database.write() as connection:
        file = {"run_pk": 1, "path": "outputs/a", "kind": "output", "size_bytes": 4, "mode": "file", "time": 1}
        connection.execute(run_file.insert(), {**file, "digest": digests[0]})
        data = {"run_pk": 1, "name": "raw", "kind": "file", "source": "/a", "size_bytes": 5}
        connection.execute(run_input.insert(), {**data, "digest": digests[1]})
        note = '{"digest":"' + tree.digest + '"}'
        connection.execute(run_context.insert(), {"run_pk": 1, "topic": "snapshot", "value": note})
    found = backend.open().send(CollectGarbage(grace_s=0.0))
    assert (found.blob_count, found.kept_count) == (1, 4)
    assert backend.blobs.missing((*digests, tree.digest, tree.entries[0].digest)) == (digests[2],)


def test_a_blob_that_is_stored_again_is_young_again(backend, tmp_path):
    digest, _ = store(backend, tmp_path, b"content")
    age(backend, digest)
    assert backend.open().send(CollectGarbage(dry_run=True)).blob_count == 1
    store(backend, tmp_path, b"content")
    assert backend.open().send(CollectGarbage(dry_run=True)).blob_count == 0


def test_a_tree_that_is_created_again_is_young_again(backend, tmp_path):
    tree = tree_of(backend, tmp_path, b"content")
    with backend.database.write() as connection:
        connection.exec_driver_sql("UPDATE fileset SET created_at=0")
    for digest in (tree.digest, tree.entries[0].digest):
        age(backend, digest)
    assert backend.open().send(CollectGarbage(dry_run=True)).blob_count == 2
    tree_of(backend, tmp_path, b"content")
    assert backend.open().send(CollectGarbage()).blob_count == 0


def test_a_damaged_listing_of_a_tree_in_use_stops_the_collection(backend, tmp_path):
    tree = tree_of(backend, tmp_path, b"content")
    lost, _ = store(backend, tmp_path, b"lost")
    backend.open().send(CreateModel(id=new_id(), name="m", digest=tree.digest, format="files"))
    backend.blobs.delete(tree.digest)
    with pytest.raises(OperationFailed, match=tree.digest):
        backend.open().send(CollectGarbage(grace_s=0.0))
    assert backend.blobs.missing((lost,)) == ()


def test_folders_of_deleted_runs_go_and_others_stay(backend, run):
    runs = backend.folder / "runs"
    lost = runs / new_id()
    for folder in (lost, runs / run.id, runs / "notes"):
        folder.mkdir()
        os.utime(folder, (LONG_AGO, LONG_AGO))
    backend.open().send(CollectGarbage())
    assert {path.name for path in runs.iterdir()} == {"notes", run.id}
