import pytest
from making import make_experiment, make_model, make_project, make_run, submit

from amlsdk.errors import Conflict, InvalidArgument, NotFound
from amlsdk.operations.experiments import (
    CreateExperiment,
    DeleteExperiment,
    GetExperiment,
    ListExperiments,
    UpdateExperiment,
)
from amlsdk.operations.jobs import CancelRun
from amlsdk.operations.runs import GetRun
from amlsdk.records.ids import new_id


def test_a_created_experiment_is_read_back(service):
    made = make_experiment(service)
    assert service.send(GetExperiment(experiment_id=made.id)) == made


def test_the_same_request_again_answers_the_same(service):
    request = CreateExperiment(id=new_id(), project_id=make_project(service).id, name="train")
    assert service.send(request) == service.send(request)


def test_an_id_is_not_taken_for_another_experiment(service):
    made = make_experiment(service)
    with pytest.raises(Conflict, match=made.id):
        service.send(CreateExperiment(id=made.id, project_id=made.project_id, name="other"))


def test_a_name_is_unique_in_its_project_only(service):
    made = make_experiment(service)
    make_experiment(service, project=make_project(service, "beer"))
    with pytest.raises(Conflict, match=f"'train' exists already in this project: {made.id}"):
        service.send(CreateExperiment(id=new_id(), project_id=made.project_id, name="train"))


def test_an_experiment_needs_a_project_and_a_name(service):
    with pytest.raises(NotFound, match="no project"):
        service.send(CreateExperiment(id=new_id(), project_id=new_id(), name="train"))
    with pytest.raises(InvalidArgument, match="can't name an experiment"):
        service.send(CreateExperiment(id=new_id(), project_id=make_project(service).id, name="?"))


def test_experiments_of_a_project_or_of_all_are_listed(service):
    wine, beer = make_project(service), make_project(service, "beer")
    made = [make_experiment(service, name, project) for name, project in (("b", wine), ("a", wine), ("b", beer))]
    listed = service.send(ListExperiments(project_id=wine.id)).items
    assert [item.name for item in listed] == ["a", "b"]
    assert {item.id for item in service.send(ListExperiments()).items} == {item.id for item in made}
    assert {item.project_id for item in service.send(ListExperiments(name="b")).items} == {wine.id, beer.id}


def test_pages_part_experiments_of_one_name(service):
    for number in range(3):
        make_experiment(service, "same", make_project(service, f"p{number}"))
    found, token = [], None
    for _ in range(3):
        page = service.send(ListExperiments(limit=1, after=token))
        found += page.items
        token = page.next_token
    assert token is None
    assert len({item.id for item in found}) == 3


def test_experiments_of_an_absent_project_are_not_found(service):
    with pytest.raises(NotFound):
        service.send(ListExperiments(project_id=new_id()))


def test_a_description_is_changed(service):
    made = make_experiment(service)
    changed = service.send(UpdateExperiment(experiment_id=made.id, description="deeper trees"))
    assert service.send(GetExperiment(experiment_id=made.id)) == changed
    assert changed.description == "deeper trees"
    with pytest.raises(NotFound):
        service.send(UpdateExperiment(experiment_id=new_id(), description="x"))


def test_a_deleted_experiment_takes_its_runs(service):
    run = submit(service)
    service.send(CancelRun(run_id=run.id))
    for _ in range(2):
        service.send(DeleteExperiment(experiment_id=run.experiment_id))
    with pytest.raises(NotFound):
        service.send(GetRun(run_id=run.id))
    with pytest.raises(NotFound):
        service.send(GetExperiment(experiment_id=run.experiment_id))


def test_an_experiment_in_use_stays(service):
    experiment = make_experiment(service)
    run = make_run(service, experiment)
    with pytest.raises(Conflict, match=run.id):
        service.send(DeleteExperiment(experiment_id=experiment.id))


def test_an_experiment_with_a_registered_model_stays(service):
    run = submit(service)
    service.send(CancelRun(run_id=run.id))
    make_model(service, run_id=run.id)
    with pytest.raises(Conflict, match="wine version 1"):
        service.send(DeleteExperiment(experiment_id=run.experiment_id))


def test_an_experiment_with_a_child_run_elsewhere_stays(service):
    parent = submit(service)
    other = make_experiment(service, project=make_project(service, "beer"))
    child = submit(service, other)
    service.send(CancelRun(run_id=parent.id))
    service.send(CancelRun(run_id=child.id))
    grandchild = make_run(service, other, parent_id=parent.id)
    with pytest.raises(Conflict, match=f"children .*: {grandchild.id}"):
        service.send(DeleteExperiment(experiment_id=parent.experiment_id))
