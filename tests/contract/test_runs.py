import datetime as dt

import pytest
from making import elsewhere, gone_process, make_experiment, make_model, make_project, make_run, other_process, submit

from amlsdk.errors import Conflict, InvalidArgument, NotFound
from amlsdk.operations.jobs import CancelRun
from amlsdk.operations.runs import CreateRun, DeleteRun, GetRun, ResumeRun, SearchRuns
from amlsdk.processes import this_process
from amlsdk.records.ids import new_id
from amlsdk.records.jobs import JobSpec


def test_an_interactive_run_is_running_at_once(service):
    run = make_run(service)
    assert (run.kind, run.status, run.number, run.name) == ("interactive", "Running", 1, "run-1")
    assert run.owner == this_process()
    assert run.started_at == run.created_at
    assert run.created_at.utcoffset() == dt.timedelta(0)
    assert [state.status for state in run.states] == ["Running"]


def test_a_submitted_run_waits_in_the_queue(service):
    run = submit(service, arguments=("--depth", "4"), environment_variables={"A": "1"}, timeout_s=1.5)
    assert (run.kind, run.status, run.name, run.started_at, run.owner) == ("submitted", "Queued", "train-1", None, None)
    assert service.send(GetRun(run_id=run.id)).job == run.job
    assert run.job.arguments == ("--depth", "4")


def test_a_run_is_read_back_whole(service):
    run = make_run(service, name="the first", params={"depth": "4"}, tags={"owner": "ada"})
    assert service.send(GetRun(run_id=run.id)) == run
    assert (run.params, run.tags) == ({"depth": "4"}, {"owner": "ada"})


def test_runs_are_numbered_per_project(service):
    wine, beer = make_experiment(service), make_experiment(service, project=make_project(service, "beer"))
    assert [make_run(service, experiment).number for experiment in (wine, wine, beer, wine)] == [1, 2, 1, 3]


def test_the_same_request_again_answers_the_same(service):
    experiment = make_experiment(service)
    request = CreateRun(id=new_id(), experiment_id=experiment.id, owner=this_process(), params={"a": "1"})
    assert service.send(request) == service.send(request)
    assert make_run(service, experiment).number == 2


@pytest.mark.parametrize("fields", [{"name": "other"}, {"owner": None}, {"parent": True}])
def test_an_id_is_not_taken_for_another_run(service, fields):
    experiment = make_experiment(service)
    run, parent = make_run(service, experiment), make_run(service, experiment)
    fields = {"parent_id": parent.id} if "parent" in fields else fields
    with pytest.raises(Conflict, match=run.id):
        make_run(service, experiment, id=run.id, **fields)


def test_a_run_needs_its_experiment_and_parent(service):
    with pytest.raises(NotFound, match="no experiment"):
        service.send(CreateRun(id=new_id(), experiment_id=new_id()))
    with pytest.raises(NotFound, match="no run"):
        make_run(service, parent_id=new_id())


def test_a_submitted_run_needs_its_snapshot_script_and_inputs(service):
    digest, run = "0" * 64, submit(service)
    experiment, snapshot = run.experiment_id, run.job.snapshot
    for job, error in (
        (JobSpec(script="train.py", snapshot=digest), NotFound),
        (JobSpec(script="lost.py", snapshot=snapshot), InvalidArgument),
        (JobSpec(script="train.py", snapshot=snapshot, inputs={"raw": digest}), NotFound),
        (JobSpec(script="train.py", snapshot=snapshot, timeout_s=0.0), InvalidArgument),
        (JobSpec(script="train.py", snapshot="../etc/passwd"), InvalidArgument),
    ):
        with pytest.raises(error):
            service.send(CreateRun(id=new_id(), experiment_id=experiment, job=job))


def test_a_submitted_run_has_no_owner_yet(service):
    job = submit(service).job
    with pytest.raises(InvalidArgument, match="supervisor that claims it"):
        service.send(CreateRun(id=new_id(), experiment_id=new_id(), job=job, owner=this_process()))


@pytest.mark.parametrize("fields", [{"id": "x"}, {"name": ""}, {"tags": {" a": "1"}}, {"params": {"a": "\0"}}])
def test_what_can_not_be_kept_is_refused(service, fields):
    with pytest.raises(InvalidArgument):
        make_run(service, **fields)


def test_an_absent_run_is_not_found(service):
    missing = new_id()
    for request in (GetRun(run_id=missing), ResumeRun(run_id=missing, owner=this_process())):
        with pytest.raises(NotFound, match=missing):
            service.send(request)


def test_a_reply_is_held_back_until_the_run_has_ended(service):
    run = submit(service)
    service.send(CancelRun(run_id=run.id))
    assert service.send(GetRun(run_id=run.id, wait_s=30.0)).status == "Canceled"


def test_a_reply_is_not_held_back_longer_than_asked(service):
    run = make_run(service)
    assert service.send(GetRun(run_id=run.id, wait_s=0.05)).status == "Running"
    with pytest.raises(InvalidArgument, match="wait_s"):
        service.send(GetRun(run_id=run.id, wait_s=-1.0))


def test_a_run_whose_process_is_gone_has_failed(service):
    run = make_run(service, owner=gone_process())
    ended = service.send(GetRun(run_id=run.id))
    assert (ended.status, "ended without ending the run" in ended.error) == ("Failed", True)
    assert [state.status for state in ended.states] == ["Running", "Failed"]
    assert service.send(GetRun(run_id=run.id)) == ended


def test_a_search_finds_runs_newest_first(service):
    experiment = make_experiment(service)
    runs = [make_run(service, experiment) for _ in range(3)]
    found = service.send(SearchRuns(experiment_id=experiment.id)).items
    assert [run.id for run in found] == [run.id for run in reversed(runs)]


def test_a_search_settles_what_it_shows(service):
    run = make_run(service, owner=gone_process())
    assert [item.status for item in service.send(SearchRuns(experiment_id=run.experiment_id)).items] == ["Failed"]


def test_a_lost_run_goes_on_under_a_new_owner(service):
    run = make_run(service, owner=gone_process())
    resumed = service.send(ResumeRun(run_id=run.id, owner=this_process()))
    assert (resumed.status, resumed.owner, resumed.error, resumed.ended_at) == ("Running", this_process(), None, None)
    assert [state.status for state in resumed.states] == ["Running", "Failed", "Running"]
    assert service.send(ResumeRun(run_id=run.id, owner=this_process())) == resumed


@pytest.mark.parametrize("owner", [other_process(), elsewhere()])
def test_a_run_of_a_living_process_is_not_taken_away(service, owner):
    run = make_run(service, owner=owner)
    with pytest.raises(Conflict, match=f"process {owner.pid} on {owner.host}"):
        service.send(ResumeRun(run_id=run.id, owner=this_process()))


def test_a_submitted_run_is_not_resumed(service):
    run = submit(service)
    with pytest.raises(InvalidArgument, match="resubmit"):
        service.send(ResumeRun(run_id=run.id, owner=this_process()))


def test_an_ended_run_is_deleted_once_and_for_all(service):
    run = make_run(service, owner=gone_process())
    service.send(DeleteRun(run_id=run.id))
    service.send(DeleteRun(run_id=run.id))
    with pytest.raises(NotFound):
        service.send(GetRun(run_id=run.id))


def test_numbers_of_deleted_runs_are_not_given_again(service):
    run = make_run(service, owner=gone_process())
    service.send(DeleteRun(run_id=run.id))
    assert service.send(CreateRun(id=new_id(), experiment_id=run.experiment_id)).number == 2


def test_a_run_in_use_is_not_deleted(service):
    active = make_run(service)
    with pytest.raises(Conflict, match="active"):
        service.send(DeleteRun(run_id=active.id))


def test_a_run_with_models_or_children_is_not_deleted(service):
    parent = make_run(service, owner=gone_process())
    child = service.send(CreateRun(id=new_id(), experiment_id=parent.experiment_id, parent_id=parent.id))
    with pytest.raises(Conflict, match=child.id):
        service.send(DeleteRun(run_id=parent.id))
    make_model(service, run_id=parent.id)
    with pytest.raises(Conflict, match="wine version 1"):
        service.send(DeleteRun(run_id=parent.id))
