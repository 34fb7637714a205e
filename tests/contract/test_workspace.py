import pytest
from making import make_model, make_tree, submit

from amlsdk.errors import InvalidArgument, NotFound
from amlsdk.operations.blobs import GetBlob
from amlsdk.operations.filesets import GetFileSet
from amlsdk.operations.models import DeleteModel
from amlsdk.operations.workspaces import CollectGarbage, GetWorkspace, UpdateWorkspace


def test_the_workspace_says_what_it_is(service):
    found = service.send(GetWorkspace())
    assert found.slots >= 1
    assert found.version
    assert service.send(GetWorkspace()) == found


def test_slots_are_changed(service):
    before = service.send(GetWorkspace())
    assert service.send(UpdateWorkspace(slots=7)).slots == 7
    assert service.send(UpdateWorkspace()).slots == 7
    assert service.send(GetWorkspace()).id == before.id


@pytest.mark.parametrize("slots", [0, -1, 10_001])
def test_slots_are_a_reasonable_number(service, slots):
    with pytest.raises(InvalidArgument, match=str(slots)):
        service.send(UpdateWorkspace(slots=slots))


def test_what_nothing_refers_to_is_collected(service):
    lost = make_tree(service, {"a": b"lost"})
    found = service.send(CollectGarbage(grace_s=0.0))
    assert (found.blob_count, found.kept_count) == (2, 0)
    for request in (GetFileSet(digest=lost.digest), GetBlob(digest=lost.entries[0].digest)):
        with pytest.raises(NotFound):
            service.send(request)


def test_what_is_young_is_kept(service):
    tree = make_tree(service, {"a": b"young"})
    found = service.send(CollectGarbage())
    assert (found.blob_count, found.kept_count) == (0, 2)
    assert service.send(GetFileSet(digest=tree.digest)) == tree


def test_a_trial_removes_nothing(service):
    tree = make_tree(service, {"a": b"lost"})
    found = service.send(CollectGarbage(grace_s=0.0, dry_run=True))
    assert found.blob_count == 2
    assert found.size_bytes > 4
    assert service.send(GetBlob(digest=tree.entries[0].digest)).read() == b"lost"


def test_what_runs_and_models_need_is_kept(service):
    inputs = make_tree(service, {"data.csv": b"1,2"})
    run = submit(service, inputs={"raw": inputs.digest})
    model = make_model(service)
    assert service.send(CollectGarbage(grace_s=0.0)).blob_count == 0
    for digest in (inputs.digest, run.job.snapshot, model.digest):
        for entry in service.send(GetFileSet(digest=digest)).entries:
            assert len(service.send(GetBlob(digest=entry.digest)).read()) == entry.size_bytes


def test_the_files_of_a_deleted_model_are_collected(service):
    model = make_model(service)
    service.send(DeleteModel(model_id=model.id))
    assert service.send(CollectGarbage(grace_s=0.0)).blob_count == 2


@pytest.mark.parametrize("grace_s", [-1.0, float("nan"), float("inf")])
def test_the_grace_is_a_time(service, grace_s):
    with pytest.raises(InvalidArgument, match="grace_s"):
        service.send(CollectGarbage(grace_s=grace_s))
