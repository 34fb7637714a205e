"""Agents, in each mode."""

import time

import attrs
import pytest
from making import build_image, elsewhere, gone_process, make_deployment, make_experiment, other_process, submit

from amlsdk.errors import Conflict, InvalidArgument, NotFound
from amlsdk.operations.agents import AttachAgent, DeleteAgent, GetAgent, HeartbeatAgent, ListAgents
from amlsdk.operations.deployments import (
    ClaimDeployment,
    GetDeployment,
    ReportDeployment,
    StopDeployment,
    UpdateDeployment,
)
from amlsdk.operations.jobs import ClaimRun, SetRunStatus
from amlsdk.processes import this_process
from amlsdk.records.ids import new_id


def attach(service, name="box", identity=None, **fields):
    return service.send(AttachAgent(id=new_id(), name=name, identity=identity or this_process(), **fields))


def beat(service, agent, identity=None, wait_s=0.0):
    return service.send(HeartbeatAgent(agent_id=agent.id, identity=identity or this_process(), wait_s=wait_s))


def test_an_agent_is_read_back(service):
    made = attach(service, slots=3, facts={"gpus": "none"})
    assert (made.name, made.slots, made.facts, made.alive) == ("box", 3, {"gpus": "none"}, True)
    assert made.identity == this_process()
    found = service.send(GetAgent(agent_id=made.id))
    assert found == made
    assert service.send(ListAgents()).items == (found,)
    assert service.send(ListAgents(name="other")).items == ()


def test_agents_are_listed_by_name(service):
    for name in ("b", "a", "c"):
        attach(service, name)
    page = service.send(ListAgents(limit=2))
    rest = service.send(ListAgents(limit=2, after=page.next_token))
    assert [agent.name for agent in (*page.items, *rest.items)] == ["a", "b", "c"]


def test_a_name_is_one_process_s_at_a_time(service):
    made = attach(service)
    assert attach(service, slots=2) == attrs.evolve(service.send(GetAgent(agent_id=made.id)), slots=2)
    with pytest.raises(Conflict, match=rf"'box' is process {this_process().pid} on .* already; end that one"):
        attach(service, identity=other_process())


def test_an_agent_takes_the_place_of_one_that_is_gone_and_its_id(service):
    gone = attach(service, identity=gone_process())
    assert gone.alive is False
    taken = attach(service)
    assert (taken.id, taken.identity, taken.alive) == (gone.id, this_process(), True)
    with pytest.raises(Conflict, match="now, not this process"):
        beat(service, gone, identity=gone_process())


def test_one_that_can_not_be_looked_at_counts_as_alive_for_a_while(service):
    assert attach(service, identity=elsewhere()).alive is True
    with pytest.raises(Conflict, match="on another-host already"):
        attach(service)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"name": "local"}, "no agent can be called 'local'"),
        ({"name": ""}, "can't name an agent"),
        ({"name": "a/b"}, "can't name an agent"),
        ({"slots": 0}, "slots are 1 to"),
        ({"slots": 1_000_000}, "slots are 1 to"),
    ],
)
def test_what_can_not_be_attached_is_refused(service, fields, says):
    with pytest.raises(InvalidArgument, match=says):
        attach(service, **fields)


def test_orders_say_how_many_runs_wait_and_have_a_slot(service):
    experiment = make_experiment(service)
    agent = attach(service, slots=2)
    assert beat(service, agent).queued == 0
    for _ in range(3):
        submit(service, experiment, target="box")
    submit(service, experiment, target="another")
    assert beat(service, agent).queued == 2
    first = service.send(ClaimRun(supervisor=other_process(), target="box")).run
    assert beat(service, agent).queued == 1
    assert service.send(ClaimRun(supervisor=elsewhere(1), target="box")).run is not None
    assert beat(service, agent).queued == 0
    assert service.send(ClaimRun(supervisor=elsewhere(2), target="box")).run is None
    end = SetRunStatus(
        run_id=first.id, supervisor=other_process(), status="Completed", at=first.created_at, exit_code=0
    )
    service.send(end)
    assert beat(service, agent).queued == 1


def test_a_run_of_a_lost_supervisor_frees_its_slot(service):
    experiment = make_experiment(service)
    attach(service, slots=1)
    for _ in range(2):
        submit(service, experiment, target="box")
    assert service.send(ClaimRun(supervisor=gone_process(), target="box")).run is not None
    assert service.send(ClaimRun(supervisor=other_process(), target="box")).run is not None


def test_a_run_for_one_machine_is_claimed_by_no_other(service):
    here, there = this_process().host, elsewhere().host
    first = submit(service, host=there)
    second = submit(service, make_experiment(service, "second", project_of(service, first)), host=here)
    assert service.send(ClaimRun(supervisor=this_process())).run.id == second.id
    assert service.send(ClaimRun(supervisor=other_process())).run is None
    assert service.send(ClaimRun(supervisor=elsewhere())).run.id == first.id


def project_of(service, run):
    return attrs.make_class("Project", ["id"])(run.project_id)


def test_an_answer_is_held_back_until_something_waits(service):
    agent = attach(service)
    begun = time.monotonic()
    assert beat(service, agent, wait_s=0.3).queued == 0
    assert time.monotonic() - begun >= 0.3
    submit(service, target="box")
    begun = time.monotonic()
    assert beat(service, agent, wait_s=30.0).queued == 1
    assert time.monotonic() - begun < 10


def test_deployments_for_an_agent_wait_for_its_supervisors(service):
    agent, image = attach(service), build_image(service)
    mine = make_deployment(service, image, agent="box")
    make_deployment(service, image, name="here")
    assert mine.agent == "box"
    assert beat(service, agent).deployments == (mine.id,)
    service.send(ClaimDeployment(deployment_id=mine.id, supervisor=other_process()))
    assert beat(service, agent).deployments == ()


def test_a_stopped_deployment_waits_for_its_agent_once_it_is_asked_for_again(service):
    agent, image = attach(service), build_image(service)
    made = make_deployment(service, image, agent="box")
    assert service.send(StopDeployment(deployment_id=made.id)).status == "Stopped"
    assert beat(service, agent).deployments == ()
    again = service.send(UpdateDeployment(deployment_id=made.id, image_id=image.id))
    assert (again.status, again.reason) == ("Creating", "waits for its agent")
    assert beat(service, agent).deployments == (made.id,)
    service.send(ClaimDeployment(deployment_id=made.id, supervisor=this_process()))
    failed = ReportDeployment(
        deployment_id=made.id, supervisor=this_process(), status="Failed", reason="no", observed=2
    )
    service.send(failed)
    assert beat(service, agent).deployments == ()
    assert service.send(GetDeployment(deployment_id=made.id)).status == "Failed"


def test_an_agent_is_forgotten_once_it_is_gone(service):
    made = attach(service)
    with pytest.raises(Conflict, match="gives signs of life"):
        service.send(DeleteAgent(agent_id=made.id))
    gone = attach(service, "other", identity=gone_process())
    for _ in range(2):
        service.send(DeleteAgent(agent_id=gone.id))
    for request in (GetAgent(agent_id=gone.id), HeartbeatAgent(agent_id=gone.id, identity=gone_process())):
        with pytest.raises(NotFound, match="this workspace has no agent"):
            service.send(request)
