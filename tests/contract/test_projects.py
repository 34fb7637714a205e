import pytest
from making import make_experiment, make_model, make_project, make_run, submit

from amlsdk.errors import Conflict, InvalidArgument, NotFound
from amlsdk.operations.experiments import GetExperiment
from amlsdk.operations.jobs import CancelRun
from amlsdk.operations.projects import (
    CreateProject,
    DeleteProject,
    GetProject,
    ListProjects,
    PublishProject,
    UpdateProject,
)
from amlsdk.operations.runs import GetRun
from amlsdk.records.ids import new_id


def test_a_created_project_is_read_back(service):
    made = make_project(service, folder="/home/ada/wine", description="red and white")
    assert service.send(GetProject(project_id=made.id)) == made
    assert (made.name, made.folder, made.description) == ("wine", "/home/ada/wine", "red and white")


def test_the_same_request_again_answers_the_same(service):
    request = CreateProject(id=new_id(), name="wine", description="red")
    assert service.send(request) == service.send(request)


@pytest.mark.parametrize("fields", [{"name": "other"}, {"description": "white"}, {"folder": "/elsewhere"}])
def test_an_id_is_not_taken_for_another_project(service, fields):
    made = make_project(service)
    with pytest.raises(Conflict, match=made.id):
        service.send(CreateProject(**{"id": made.id, "name": "wine", **fields}))


def test_a_taken_name_is_a_conflict_that_names_it(service):
    made = make_project(service)
    with pytest.raises(Conflict, match=f"'wine' exists already: {made.id}"):
        make_project(service)


@pytest.mark.parametrize("name", ["", " wine", "a/b", "x" * 129, "01aaaaaaaaaaaaaaaaaaaaaaaa"])
def test_a_project_needs_a_name(service, name):
    with pytest.raises(InvalidArgument, match="can't name a project"):
        make_project(service, name)


def test_a_project_needs_an_id_that_can_name_files(service):
    with pytest.raises(InvalidArgument, match="can't be the id of a project"):
        service.send(CreateProject(id="../../etc", name="wine"))


def test_projects_are_listed_by_name_page_by_page(service):
    for name in ("c", "a", "d", "b"):
        make_project(service, name)
    first = service.send(ListProjects(limit=3))
    rest = service.send(ListProjects(limit=3, after=first.next_token))
    assert [item.name for item in (*first.items, *rest.items)] == ["a", "b", "c", "d"]
    assert rest.next_token is None


def test_a_list_goes_on_though_its_items_come_and_go(service):
    made = {name: make_project(service, name) for name in ("a", "c", "e")}
    first = service.send(ListProjects(limit=2))
    service.send(DeleteProject(project_id=made["c"].id))
    make_project(service, "b")
    make_project(service, "d")
    rest = service.send(ListProjects(after=first.next_token))
    assert [item.name for item in rest.items] == ["d", "e"]


def test_a_project_is_found_by_name(service):
    made = make_project(service)
    make_project(service, "beer")
    assert service.send(ListProjects(name="wine")).items == (made,)
    assert service.send(ListProjects(name="cider")).items == ()


@pytest.mark.parametrize("limit", [0, -1, 10_001])
def test_a_page_has_a_reasonable_limit(service, limit):
    with pytest.raises(InvalidArgument, match="10000"):
        service.send(ListProjects(limit=limit))


def test_a_damaged_token_is_refused(service):
    with pytest.raises(InvalidArgument, match="token"):
        service.send(ListProjects(after="bm8gdG9rZW4"))


def test_an_update_changes_what_is_given(service):
    made = make_project(service, folder="/a", description="old")
    changed = service.send(UpdateProject(project_id=made.id, description="new"))
    assert (changed.folder, changed.description) == ("/a", "new")
    assert service.send(GetProject(project_id=made.id)) == changed


def test_an_absent_project_is_not_found(service):
    missing = new_id()
    with pytest.raises(NotFound, match=missing):
        service.send(GetProject(project_id=missing))
    with pytest.raises(NotFound, match=missing):
        service.send(UpdateProject(project_id=missing, description="x"))


def test_a_deleted_project_takes_all_that_is_in_it(service):
    experiment = make_experiment(service)
    run = submit(service, experiment)
    service.send(CancelRun(run_id=run.id))
    for _ in range(2):
        service.send(DeleteProject(project_id=experiment.project_id))
    for request in (GetExperiment(experiment_id=experiment.id), GetRun(run_id=run.id)):
        with pytest.raises(NotFound):
            service.send(request)


def test_a_project_with_an_active_run_stays(service):
    run = make_run(service)
    with pytest.raises(Conflict, match=rf"active .*: {run.id} \(Running\)"):
        service.send(DeleteProject(project_id=run.project_id))
    assert service.send(GetRun(run_id=run.id)).status == "Running"


def test_a_project_with_a_registered_model_stays(service):
    run = submit(service)
    make_model(service, run_id=run.id)
    service.send(CancelRun(run_id=run.id))
    with pytest.raises(Conflict, match="wine version 1"):
        service.send(DeleteProject(project_id=run.project_id))


def test_where_the_code_was_published_is_noted(service):
    made = make_project(service)
    assert (made.remote, made.branch, made.head, made.published_at) == (None, None, None, None)
    told = PublishProject(project_id=made.id, remote="service", branch="main", head="a" * 40)
    found = service.send(told)
    assert (found.remote, found.branch, found.head) == ("service", "main", "a" * 40)
    assert found.published_at >= made.created_at
    assert service.send(GetProject(project_id=made.id)) == found


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"remote": ""}, "both are needed"),
        ({"branch": ""}, "both are needed"),
        ({"head": "main"}, "'main' is no commit"),
        ({"remote": "https://ada:secret@example.com/x.git"}, "has a password in it"),
        ({"remote": "https://[::1/x"}, "Invalid IPv6 URL|is no remote"),
    ],
)
def test_what_can_not_be_a_publication_is_refused(service, wrong, message):
    made = make_project(service)
    fields = {"remote": "service", "branch": "main", "head": "a" * 40, **wrong}
    with pytest.raises(InvalidArgument, match=message):
        service.send(PublishProject(project_id=made.id, **fields))
    with pytest.raises(NotFound):
        service.send(PublishProject(project_id=new_id(), remote="service", branch="main", head="a" * 40))
