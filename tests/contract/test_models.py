import pytest
from making import make_model, make_run, make_tree

from amlsdk.errors import Conflict, InvalidArgument, NotFound
from amlsdk.operations.models import CreateModel, DeleteModel, GetModel, ListModels, SetModelAlias, UpdateModel
from amlsdk.records.ids import new_id


def versions(service, **fields):
    return [(item.name, item.version) for item in service.send(ListModels(**fields)).items]


def test_a_registered_model_is_read_back(service):
    run = make_run(service)
    algorithm = {"class": "sklearn.SVC", "hyperparameters": {"C": 1.5, "steps": [1, 2], "none": None}}
    made = make_model(service, run_id=run.id, algorithm=algorithm, tags={"stage": "new"}, aliases=("b", "a"))
    assert service.send(GetModel(model_id=made.id)) == made
    assert (made.version, made.size_bytes, made.run_id, made.aliases) == (1, 7, run.id, ("a", "b"))
    assert made.algorithm == algorithm


def test_versions_count_up_per_name(service):
    made = [make_model(service, content, name=name) for content, name in ((b"1", "a"), (b"2", "a"), (b"3", "b"))]
    assert [item.version for item in made] == [1, 2, 1]


def test_the_number_of_a_deleted_version_is_not_given_again(service):
    make_model(service)
    last = make_model(service, b"other")
    for _ in range(2):
        service.send(DeleteModel(model_id=last.id))
    assert make_model(service, b"third").version == 3
    assert versions(service) == [("wine", 3), ("wine", 1)]


def test_the_same_content_again_says_so(service):
    make_model(service)
    assert make_model(service, b"other").same_as is None
    assert make_model(service).same_as == 1
    assert make_model(service, name="beer").same_as is None


def test_the_same_request_again_answers_the_same(service):
    digest = make_tree(service, {"model.bin": b"w"}).digest
    request = CreateModel(id=new_id(), name="wine", digest=digest, format="files", aliases=("a",))
    assert service.send(request) == service.send(request)
    assert versions(service) == [("wine", 1)]


def test_an_id_is_not_taken_for_another_model(service):
    made = make_model(service)
    with pytest.raises(Conflict, match=made.id):
        make_model(service, b"other", id=made.id)


def test_a_model_needs_its_files_its_run_and_a_name(service):
    with pytest.raises(NotFound, match="no FileSet"):
        service.send(CreateModel(id=new_id(), name="wine", digest="0" * 64, format="files"))
    with pytest.raises(NotFound, match="no run"):
        make_model(service, run_id=new_id())
    with pytest.raises(InvalidArgument, match="can't name a model"):
        make_model(service, name="a/b")
    assert versions(service) == []


@pytest.mark.parametrize("alias", ["latest", "7", "", "a/b"])
def test_an_alias_does_not_look_like_a_version(service, alias):
    with pytest.raises(InvalidArgument):
        make_model(service, aliases=(alias,))
    with pytest.raises(InvalidArgument):
        service.send(SetModelAlias(model_id=make_model(service).id, alias=alias))


def test_models_are_listed_by_name_newest_first(service):
    for name in ("b", "a", "b"):
        make_model(service, name.encode() + new_id().encode(), name=name)
    assert versions(service) == [("a", 1), ("b", 2), ("b", 1)]
    first = service.send(ListModels(limit=2))
    rest = service.send(ListModels(limit=2, after=first.next_token))
    assert [(item.name, item.version) for item in rest.items] == [("b", 1)]


def test_each_given_field_narrows_the_list(service):
    run = make_run(service)
    first = make_model(service, b"1", name="a", run_id=run.id, aliases=("best",))
    make_model(service, b"2", name="a")
    make_model(service, b"1", name="b", aliases=("best",))
    assert versions(service, name="a") == [("a", 2), ("a", 1)]
    assert versions(service, name="a", version=2) == [("a", 2)]
    assert versions(service, alias="best") == [("a", 1), ("b", 1)]
    assert versions(service, name="a", alias="best") == [("a", 1)]
    assert versions(service, run_id=run.id) == [("a", 1)]
    assert versions(service, digest=first.digest) == [("a", 1), ("b", 1)]
    assert versions(service, latest=True) == [("a", 2), ("b", 1)]
    assert versions(service, name="absent") == []
    with pytest.raises(InvalidArgument, match="version 0"):
        versions(service, version=0)


def test_description_and_tags_are_changed(service):
    made = make_model(service, tags={"stage": "new", "team": "red"}, description="old")
    changed = service.send(UpdateModel(model_id=made.id, tags={"stage": "good", "team": None, "by": "ada"}))
    assert (changed.tags, changed.description) == ({"stage": "good", "by": "ada"}, "old")
    assert service.send(UpdateModel(model_id=made.id, description="new")).description == "new"


def test_an_alias_moves_within_its_name(service):
    first, second, other = make_model(service), make_model(service, b"2"), make_model(service, name="beer")
    for item in (first, second, other):
        service.send(SetModelAlias(model_id=item.id, alias="best"))
    aliases = {item.id: item.aliases for item in service.send(ListModels()).items}
    assert aliases == {first.id: (), second.id: ("best",), other.id: ("best",)}


def test_an_alias_is_removed_from_where_it_points_only(service):
    first, second = make_model(service, aliases=("best",)), make_model(service, b"2")
    service.send(SetModelAlias(model_id=second.id, alias="best", remove=True))
    assert service.send(GetModel(model_id=first.id)).aliases == ("best",)
    assert service.send(SetModelAlias(model_id=first.id, alias="best", remove=True)).aliases == ()


def test_absent_models_are_not_found(service):
    missing = new_id()
    for request in (
        GetModel(model_id=missing),
        UpdateModel(model_id=missing, description="x"),
        SetModelAlias(model_id=missing, alias="best"),
    ):
        with pytest.raises(NotFound, match=missing):
            service.send(request)
