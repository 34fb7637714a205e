import datetime as dt

import attrs
import pytest
from making import elsewhere, gone_process, make_experiment, make_run, other_process, submit

from amlsdk.errors import Conflict, InvalidArgument, NotFound
from amlsdk.operations.jobs import CancelRun, ClaimRun, HeartbeatRun, SetRunStatus
from amlsdk.operations.runs import GetRun
from amlsdk.operations.workspaces import UpdateWorkspace
from amlsdk.processes import this_process
from amlsdk.records.ids import new_id

AT = dt.datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=dt.timezone.utc)


def claim(service, supervisor=None, **fields):
    return service.send(ClaimRun(supervisor=supervisor or this_process(), **fields)).run


def enter(service, run, status, supervisor=None, at=AT, **fields):
    request = SetRunStatus(run_id=run.id, supervisor=supervisor or this_process(), status=status, at=at, **fields)
    return service.send(request)


def test_the_oldest_queued_run_is_claimed_first(service):
    experiment = make_experiment(service)
    runs = [submit(service, experiment) for _ in range(2)]
    service.send(UpdateWorkspace(slots=2))
    claimed = [claim(service, owner) for owner in (this_process(), other_process())]
    assert [run.id for run in claimed] == [run.id for run in runs]
    assert [run.status for run in claimed] == ["Starting", "Starting"]
    assert claimed[1].owner == other_process()


def test_nothing_waits_is_no_error(service):
    reply = service.send(ClaimRun(supervisor=this_process()))
    assert reply.run is None
    assert reply.lease_s > 0


def test_no_more_runs_are_claimed_than_there_are_slots(service):
    experiment = make_experiment(service)
    submit(service, experiment)
    waiting = submit(service, experiment)
    service.send(UpdateWorkspace(slots=1))
    first = claim(service)
    assert claim(service, other_process()) is None
    assert claim(service, other_process(), run_id=waiting.id) is None
    enter(service, first, "Completed")
    assert claim(service, other_process()).id == waiting.id


def test_slots_are_counted_for_each_host(service):
    experiment = make_experiment(service)
    submit(service, experiment)
    submit(service, experiment)
    service.send(UpdateWorkspace(slots=1))
    assert claim(service) is not None
    assert claim(service, elsewhere()) is not None


def test_a_named_run_is_claimed_before_its_turn(service):
    experiment = make_experiment(service)
    submit(service, experiment)
    named = submit(service, experiment)
    assert claim(service, run_id=named.id).id == named.id
    with pytest.raises(NotFound):
        claim(service, other_process(), run_id=new_id())


def test_a_claim_whose_answer_was_lost_is_answered_again(service):
    experiment = make_experiment(service)
    submit(service, experiment)
    submit(service, experiment)
    assert claim(service) == claim(service)


def test_runs_are_claimed_for_their_target_only(service):
    run = submit(service, target="docker")
    assert claim(service) is None
    assert claim(service, target="docker").id == run.id


def test_a_run_passes_its_states(service):
    run = submit(service)
    claim(service)
    for status in ("Preparing", "Running", "Finalizing"):
        assert enter(service, run, status).status == status
    ended = enter(service, run, "Completed", exit_code=0, at=AT + dt.timedelta(seconds=1))
    assert (ended.started_at, ended.ended_at, ended.exit_code) == (AT, AT + dt.timedelta(seconds=1), 0)
    passed = ["Queued", "Starting", "Preparing", "Running", "Finalizing", "Completed"]
    assert [state.status for state in ended.states] == passed


def test_a_bad_end_says_why(service):
    run = submit(service)
    claim(service)
    ended = enter(service, run, "Failed", reason="exit code 3", exit_code=3)
    assert (ended.status, ended.error, ended.exit_code) == ("Failed", "exit code 3", 3)


def test_a_state_is_entered_once(service):
    run = submit(service)
    claim(service)
    assert enter(service, run, "Running") == enter(service, run, "Running")
    assert enter(service, run, "Completed") == enter(service, run, "Completed")


@pytest.mark.parametrize(
    ("passed", "wanted"), [("Running", "Preparing"), ("Completed", "Failed"), ("Failed", "Running")]
)
def test_a_run_does_not_go_back(service, passed, wanted):
    run = submit(service)
    claim(service)
    enter(service, run, passed)
    with pytest.raises(Conflict, match=passed):
        enter(service, run, wanted)


@pytest.mark.parametrize("status", ["Queued", "NotResponding", "Sleeping"])
def test_only_some_states_are_set(service, status):
    run = submit(service)
    claim(service)
    with pytest.raises(InvalidArgument, match=status):
        enter(service, run, status)


def test_only_the_holder_sets_states_and_keeps_the_claim(service):
    run = submit(service)
    with pytest.raises(Conflict, match="held by nobody"):
        enter(service, run, "Running")
    claim(service)
    for send in (
        lambda: enter(service, run, "Running", supervisor=other_process()),
        lambda: service.send(HeartbeatRun(run_id=run.id, supervisor=other_process())),
    ):
        with pytest.raises(Conflict, match=f"held by process {this_process().pid}"):
            send()


def test_a_heartbeat_tells_of_the_wish_to_cancel(service):
    run = submit(service)
    claim(service)
    beat = HeartbeatRun(run_id=run.id, supervisor=this_process())
    assert service.send(beat).cancel_requested is False
    assert service.send(CancelRun(run_id=run.id)).status == "CancelRequested"
    assert service.send(beat).cancel_requested is True
    assert enter(service, run, "Running").status == "CancelRequested"
    assert enter(service, run, "Canceled", reason="cancelled").status == "Canceled"
    with pytest.raises(Conflict, match="has ended as Canceled"):
        service.send(beat)


def test_a_queued_run_is_cancelled_at_once(service):
    run = submit(service)
    cancelled = service.send(CancelRun(run_id=run.id))
    assert (cancelled.status, cancelled.started_at) == ("Canceled", None)
    assert claim(service) is None
    assert service.send(CancelRun(run_id=run.id)) == cancelled


def test_an_interactive_run_is_ended_by_its_process_only(service):
    run = make_run(service)
    with pytest.raises(InvalidArgument, match=f"kill {this_process().pid}"):
        service.send(CancelRun(run_id=run.id))


def test_a_lost_interactive_run_is_not_cancelled_but_settled(service):
    run = make_run(service, owner=gone_process())
    assert service.send(CancelRun(run_id=run.id)).status == "Failed"


def test_a_run_without_its_supervisor_has_failed_and_frees_its_slot(service):
    experiment = make_experiment(service)
    lost, waiting = submit(service, experiment), submit(service, experiment)
    service.send(UpdateWorkspace(slots=1))
    claim(service, gone_process())
    assert claim(service).id == waiting.id
    ended = service.send(GetRun(run_id=lost.id))
    assert (ended.status, "its supervisor" in ended.error) == ("Failed", True)


def test_a_holder_that_seemed_gone_corrects_the_end(service):
    run = submit(service)
    claim(service, gone_process())
    assert service.send(GetRun(run_id=run.id)).status == "Failed"
    ended = enter(service, run, "Completed", supervisor=gone_process(), exit_code=0)
    assert (ended.status, ended.error) == ("Completed", None)


def test_absent_runs_are_not_found(service):
    missing = attrs.evolve(submit(service), id=new_id())
    with pytest.raises(NotFound):
        enter(service, missing, "Running")
    for request in (CancelRun(run_id=new_id()), HeartbeatRun(run_id=new_id(), supervisor=this_process())):
        with pytest.raises(NotFound):
            service.send(request)
