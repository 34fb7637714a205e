import attrs
import pytest
from making import build_image, make_image, make_manifest, make_model, make_tree

from amlsdk.errors import Conflict, InvalidArgument, NotFound
from amlsdk.operations.filesets import GetFileSet
from amlsdk.operations.images import DeleteImage
from amlsdk.operations.manifests import CreateManifest, DeleteManifest, GetManifest, ListManifests
from amlsdk.operations.models import DeleteModel
from amlsdk.operations.workspaces import CollectGarbage
from amlsdk.records.ids import new_id
from amlsdk.records.manifests import Dependency


def versions(service, **fields):
    return [(item.name, item.version) for item in service.send(ListManifests(**fields)).items]


def dependency(service, content=b"code"):
    tree = make_tree(service, {"numpy/__init__.py": content})
    return Dependency(name="numpy", version="2.0", files=tree.digest, size_bytes=4, wheel="n.whl", sha256="0" * 64)


def test_a_manifest_is_read_back(service):
    model = make_model(service)
    needed = dependency(service)
    made = make_manifest(service, model, dependencies=(needed,), unsafe=("wine/m.pkl",), notes=("a note",))
    assert service.send(GetManifest(manifest_id=made.id)) == made
    assert (made.version, made.same_as, made.python, made.unsafe) == (1, None, "3.11", ("wine/m.pkl",))
    assert made.dependencies == (needed,)
    assert [(one.id, one.name, one.version, one.digest) for one in made.models] == [(model.id, "wine", 1, model.digest)]


def test_versions_count_up_and_are_not_used_again(service):
    model = make_model(service)
    made = [make_manifest(service, model, name=name) for name in ("a", "a", "b")]
    assert [one.version for one in made] == [1, 2, 1]
    for _ in range(2):
        service.send(DeleteManifest(manifest_id=made[1].id))
    assert make_manifest(service, model, name="a").version == 3
    assert versions(service) == [("a", 3), ("a", 1), ("b", 1)]
    assert versions(service, latest=True) == [("a", 3), ("b", 1)]
    assert versions(service, name="a", version=1) == [("a", 1)]
    assert versions(service, model_id=model.id, limit=1) == [("a", 3)]
    assert versions(service, model_id=new_id()) == []


def test_the_digest_is_that_of_all_that_an_image_is_made_of(service):
    """A name or description makes no other image; a model, a script or a dependency does."""
    model, other = make_model(service), make_model(service, b"other", name="beer")
    first = make_manifest(service, model)
    assert make_manifest(service, model, description="other words").same_as == 1
    script = make_tree(service, {"score.py": b"def run(data): return 1"}).digest
    changed = [
        make_manifest(service, other),
        make_manifest(service, model, files=script),
        make_manifest(service, model, python="3.12"),
        make_manifest(service, model, dependencies=(dependency(service),)),
        make_manifest(service, model, dependencies=(dependency(service, b"patched"),)),
    ]
    assert len({one.digest for one in [first, *changed]}) == 6
    assert [one.same_as for one in changed] == [None] * 5


def test_the_same_request_again_answers_the_same(service):
    model = make_model(service)
    tree = make_tree(service, {"score.py": b"x"})
    request = CreateManifest(
        id=new_id(), name="wine", model_ids=(model.id,), files=tree.digest, script="score.py", python="3", platform="x"
    )
    assert service.send(request) == service.send(request)
    with pytest.raises(Conflict, match="exists already with other fields"):
        service.send(attrs.evolve(request, python="4"))
    assert versions(service) == [("wine", 1)]


def test_a_manifest_needs_what_it_names(service):
    model = make_model(service)
    with pytest.raises(NotFound, match="no FileSet"):
        make_manifest(service, model, files="0" * 64)
    with pytest.raises(NotFound, match="no FileSet"):
        make_manifest(service, model, dependencies=(Dependency(name="n", version="1", files="0" * 64, size_bytes=1),))
    with pytest.raises(NotFound, match="no model"):
        make_manifest(service, model, model_ids=(new_id(),))
    with pytest.raises(InvalidArgument, match="at least one model"):
        make_manifest(service, model, model_ids=())
    with pytest.raises(InvalidArgument, match="twice"):
        make_manifest(service, model, model_ids=(model.id, model.id))
    with pytest.raises(InvalidArgument, match="can't name a manifest"):
        make_manifest(service, model, name="a/b")
    with pytest.raises(InvalidArgument, match="no version 0"):
        versions(service, version=0)
    assert versions(service) == []


def test_what_is_needed_is_not_deleted(service):
    """A model that a manifest holds, and a manifest that an image was made of."""
    model = make_model(service)
    manifest = make_manifest(service, model)
    image = build_image(service, manifest)
    with pytest.raises(Conflict, match="manifests hold it .*: wine version 1"):
        service.send(DeleteModel(model_id=model.id))
    with pytest.raises(Conflict, match="images were made of it .*: wine version 1"):
        service.send(DeleteManifest(manifest_id=manifest.id))
    service.send(DeleteImage(image_id=image.id))
    service.send(DeleteManifest(manifest_id=manifest.id))
    service.send(DeleteModel(model_id=model.id))
    with pytest.raises(NotFound):
        service.send(GetManifest(manifest_id=manifest.id))


def test_what_it_is_made_of_is_no_garbage(service):
    needed = dependency(service)
    manifest = make_manifest(service, dependencies=(needed,))
    image = build_image(service, manifest)
    make_image(service, manifest)
    service.send(CollectGarbage(grace_s=0))
    for digest in (manifest.files, manifest.models[0].digest, needed.files, image.files):
        assert service.send(GetFileSet(digest=digest)).entries
    service.send(DeleteImage(image_id=image.id))
    service.send(CollectGarbage(grace_s=0))
    with pytest.raises(NotFound):
        service.send(GetFileSet(digest=image.files))
