import attrs
import pytest
from making import build_image, elsewhere, gone_process, make_deployment, make_image, make_manifest, other_process

from amlsdk.errors import Conflict, InvalidArgument, NotFound
from amlsdk.operations.images import (
    AppendImageLog,
    CancelImage,
    CreateImage,
    DeleteImage,
    EndImage,
    GetImage,
    HeartbeatImage,
    ListImages,
    ReadImageLog,
)
from amlsdk.processes import this_process
from amlsdk.records.ids import new_id
from amlsdk.records.streams import ByteStream


def versions(service, **fields):
    return [(item.name, item.version) for item in service.send(ListImages(**fields)).items]


def beat(service, image, owner=None, step=""):
    return service.send(HeartbeatImage(image_id=image.id, owner=owner or this_process(), step=step))


def end(service, image, status, owner=None, **fields):
    return service.send(EndImage(image_id=image.id, owner=owner or this_process(), status=status, **fields))


def test_an_image_that_was_built_is_read_back(service):
    manifest = make_manifest(service)
    image = build_image(service, manifest)
    assert service.send(GetImage(image_id=image.id, wait_s=50.0)) == image
    assert (image.status, image.version, image.manifest_id, image.base) == ("Completed", 1, manifest.id, "host")
    assert (image.size_bytes, image.unpacked_bytes, image.layers[0].kind) == (7, 9, "base")
    assert image.ended_at >= image.created_at


def test_a_build_tells_its_step_and_hears_of_a_cancellation(service):
    image = make_image(service)
    assert not beat(service, image, step="dependencies").cancel_requested
    beat(service, image)
    assert service.send(GetImage(image_id=image.id)).step == "dependencies"
    assert service.send(CancelImage(image_id=image.id)).status == "CancelRequested"
    assert beat(service, image).cancel_requested
    canceled = end(service, image, "Canceled", error="by request")
    assert (canceled.status, canceled.error, canceled.step) == ("Canceled", "by request", "dependencies")
    assert service.send(CancelImage(image_id=image.id)) == canceled


def test_only_its_owner_ends_a_build_and_once(service):
    image = make_image(service)
    with pytest.raises(Conflict, match="is held by process"):
        end(service, image, "Failed", owner=other_process())
    failed = end(service, image, "Failed", error="disk full")
    assert end(service, image, "Failed", error="disk full") == failed
    with pytest.raises(Conflict, match="has ended as Failed"):
        end(service, image, "Canceled")
    with pytest.raises(Conflict, match="has ended as Failed"):
        beat(service, image)


def test_an_end_is_one_of_those_there_are(service):
    image = make_image(service)
    with pytest.raises(InvalidArgument, match="ends as Canceled, Completed, Failed, not as 'Done'"):
        end(service, image, "Done")
    with pytest.raises(InvalidArgument, match="has a digest and files"):
        end(service, image, "Completed")
    with pytest.raises(NotFound, match="no FileSet"):
        end(service, image, "Completed", digest="0" * 64, files="0" * 64)


def test_a_build_whose_process_is_gone_has_failed(service):
    """At the next contact, and by name of the step."""
    lost = make_image(service, owner=gone_process())
    kept = make_image(service, owner=elsewhere())
    found = service.send(GetImage(image_id=lost.id))
    assert found.status == "Failed"
    assert f"its builder (process {this_process().pid} on " in found.error
    assert service.send(GetImage(image_id=kept.id)).status == "Building"


def test_versions_are_listed_newest_first(service):
    manifest = make_manifest(service)
    for name in ("a", "b", "a"):
        build_image(service, manifest, name=name)
    make_image(service, manifest, name="c")
    assert versions(service) == [("a", 2), ("a", 1), ("b", 1), ("c", 1)]
    assert versions(service, latest=True, status="Completed") == [("a", 2), ("b", 1)]
    assert versions(service, name="a", version=1) == [("a", 1)]
    assert versions(service, manifest_id=manifest.id, limit=1) == [("a", 2)]
    assert versions(service, manifest_id=new_id()) == []
    first = service.send(ListImages(limit=3))
    assert [one.name for one in service.send(ListImages(after=first.next_token)).items] == ["c"]


def test_the_same_request_again_answers_the_same(service):
    manifest = make_manifest(service)
    request = CreateImage(id=new_id(), name="wine", manifest_id=manifest.id, owner=this_process())
    assert service.send(request) == service.send(request)
    with pytest.raises(Conflict, match="exists already with other fields"):
        service.send(attrs.evolve(request, name="beer"))
    with pytest.raises(NotFound, match="no manifest"):
        service.send(attrs.evolve(request, id=new_id(), manifest_id=new_id()))
    with pytest.raises(InvalidArgument, match="can't name an image"):
        service.send(attrs.evolve(request, id=new_id(), name="a/b"))


def test_an_image_in_use_is_not_deleted(service):
    building = make_image(service)
    with pytest.raises(Conflict, match="is being built by process"):
        service.send(DeleteImage(image_id=building.id))
    image = build_image(service)
    make_deployment(service, image)
    with pytest.raises(Conflict, match="deployments need it .*: wine"):
        service.send(DeleteImage(image_id=image.id))
    free = build_image(service)
    for _ in range(2):
        service.send(DeleteImage(image_id=free.id))
    with pytest.raises(NotFound):
        service.send(GetImage(image_id=free.id))


def test_a_build_log_is_read_while_it_grows(service):
    image = make_image(service)

    def append(offset, content):
        return service.send(AppendImageLog(image_id=image.id, offset=offset, content=ByteStream.of(content))).offset

    assert append(0, b"base\n") == 5
    assert append(3, b"e\npython\n") == 12
    assert append(99, b"lost") == 12
    assert service.send(ReadImageLog(image_id=image.id, after=5, wait_s=50.0)).read() == b"python\n"
    end(service, image, "Failed", error="disk full")
    assert service.send(ReadImageLog(image_id=image.id, after=12, wait_s=50.0)).read() == b""
    with pytest.raises(InvalidArgument, match="byte 0 or later"):
        service.send(ReadImageLog(image_id=image.id, after=-1))
