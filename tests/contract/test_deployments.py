import datetime as dt

import attrs
import pytest
from making import build_image, elsewhere, gone_process, make_deployment, make_image, make_manifest, other_process

from amlsdk.errors import Conflict, InvalidArgument, NotFound
from amlsdk.local import LocalBackend
from amlsdk.operations.deployments import (
    AppendDeploymentLog,
    ClaimDeployment,
    CreateDeployment,
    DeleteDeployment,
    GetDeployment,
    GetDeploymentKeys,
    ListDeployments,
    ListTraffic,
    ReadDeploymentLog,
    ReportDeployment,
    RollBackDeployment,
    RotateDeploymentKey,
    StopDeployment,
    UpdateDeployment,
)
from amlsdk.operations.images import DeleteImage
from amlsdk.processes import this_process
from amlsdk.records.deployments import TrafficRecord
from amlsdk.records.ids import new_id
from amlsdk.records.serving import ScoringSettings
from amlsdk.records.streams import ByteStream
from amlsdk.testing.modes import WireBackend

NOW = dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.timezone.utc)


def get(service, deployment, **fields):
    return service.send(GetDeployment(deployment_id=deployment.id, **fields))


def claim(service, deployment, supervisor=None):
    return service.send(ClaimDeployment(deployment_id=deployment.id, supervisor=supervisor or this_process()))


def report(service, deployment, status="Healthy", supervisor=None, **fields):
    return service.send(
        ReportDeployment(deployment_id=deployment.id, supervisor=supervisor or this_process(), status=status, **fields)
    )


def serve(service, deployment, image, observed=1, **fields):
    """Report that an image serves, with the present keys unless others are given."""
    keys = service.send(GetDeploymentKeys(deployment_id=deployment.id)).digest
    given = {"keys_seen": keys, "observed": observed, "serving_id": image.id, **fields}
    return report(service, deployment, **given)


@pytest.fixture
def images(service):
    manifest = make_manifest(service)
    return [build_image(service, manifest, content) for content in (b"1", b"2", b"3")]


def test_a_deployment_is_read_back(service, images):
    settings = ScoringSettings(max_waiting=7, timeout_s=0.5)
    made = make_deployment(service, images[0], replicas=2, settings=settings, environment_variables={"A": "b"})
    assert get(service, made) == made
    assert (made.status, made.generation, made.observed, made.image_id) == ("Creating", 1, 0, images[0].id)
    assert (made.settings, made.environment_variables, made.history) == (settings, {"A": "b"}, ())


def test_a_name_is_taken_once(service, images):
    request = CreateDeployment(id=new_id(), name="wine", image_id=images[0].id)
    assert service.send(request) == service.send(request)
    with pytest.raises(Conflict, match="'wine' exists already"):
        make_deployment(service, images[0])
    with pytest.raises(Conflict, match="exists already with other fields"):
        service.send(attrs.evolve(request, name="beer"))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"name": "Wine"}, "lower-case"),
        ({"name": "-w"}, "a letter or digit at both ends"),
        ({"name": "w" * 64}, "1 to 63"),
        ({"replicas": 0}, "replicas are 1 to"),
        ({"environment_variables": {"": "x"}}, "environment variable"),
        ({"settings": ScoringSettings(timeout_s=-1.0)}, "settings.timeout_s is a number above 0, not -1.0"),
        ({"settings": ScoringSettings(max_batch=0)}, "settings.max_batch is a number above 0"),
        ({"settings": ScoringSettings(drain_s=float("nan"))}, "settings.drain_s is a number above 0"),
    ],
)
def test_what_can_not_be_deployed_is_refused(service, images, fields, message):
    with pytest.raises(InvalidArgument, match=message):
        make_deployment(service, images[0], **fields)


def test_only_an_image_that_was_built_is_deployed(service):
    with pytest.raises(Conflict, match="it is Building"):
        make_deployment(service, make_image(service))
    with pytest.raises(NotFound, match="no image"):
        service.send(CreateDeployment(id=new_id(), name="wine", image_id=new_id()))


def test_a_supervisor_claims_reports_and_is_told_what_is_wanted(service, images):
    made = make_deployment(service, images[0])
    orders = claim(service, made)
    assert (orders.deployment.image_id, orders.stop, orders.news) == (images[0].id, False, True)
    assert orders.keys == service.send(GetDeploymentKeys(deployment_id=made.id))
    known = {"keys_seen": orders.keys.digest, "scoring_uri": "http://127.0.0.1:1/score"}
    assert not serve(service, made, images[0], reason="2 of 2 answer", **known).news
    found = get(service, made, wait_s=50.0)
    assert (found.status, found.reason, found.serving_id) == ("Healthy", "2 of 2 answer", images[0].id)
    assert (found.observed, found.scoring_uri, found.owner) == (1, "http://127.0.0.1:1/score", this_process())
    assert [(one.image_id, one.reason, one.ended_at) for one in found.history] == [(images[0].id, "deployed", None)]


def test_what_served_when_is_kept(service, images):
    made = make_deployment(service, images[0])
    claim(service, made)
    serve(service, made, images[0])
    asked = service.send(UpdateDeployment(deployment_id=made.id, image_id=images[1].id, replicas=3))
    assert (asked.generation, asked.observed, asked.image_id, asked.replicas) == (2, 1, images[1].id, 3)
    orders = serve(service, made, images[0], wait_s=50.0)
    assert (orders.news, orders.deployment.generation) == (True, 2)
    serve(service, made, images[1], observed=2)
    back = service.send(RollBackDeployment(deployment_id=made.id))
    assert (back.generation, back.image_id) == (3, images[0].id)
    serve(service, made, images[0], observed=3)
    history = get(service, made).history
    assert [(one.image_id, one.reason) for one in history] == [
        (images[0].id, "deployed"),
        (images[1].id, "updated"),
        (images[0].id, "rolled back"),
    ]
    assert [one.ended_at is None for one in history] == [False, False, True]
    assert service.send(RollBackDeployment(deployment_id=made.id)).image_id == images[1].id


def test_what_could_not_be_brought_about_is_wanted_no_more(service, images):
    made = make_deployment(service, images[0])
    claim(service, made)
    serve(service, made, images[0])
    service.send(UpdateDeployment(deployment_id=made.id, image_id=images[1].id))
    serve(service, made, images[0], observed=2, problem="it did not load")
    found = get(service, made, wait_s=50.0)
    assert (found.status, found.problem, found.image_id) == ("Healthy", "it did not load", images[0].id)
    assert len(found.history) == 1


def test_there_is_nothing_to_roll_back_to_at_first(service, images):
    made = make_deployment(service, images[0])
    with pytest.raises(Conflict, match="nothing else served before"):
        service.send(RollBackDeployment(deployment_id=made.id))
    claim(service, made)
    serve(service, made, images[0])
    with pytest.raises(Conflict, match="nothing else served before"):
        service.send(RollBackDeployment(deployment_id=made.id))


def test_a_key_is_replaced_and_its_supervisor_told(service, images):
    made = make_deployment(service, images[0])
    old = claim(service, made).keys
    new = service.send(RotateDeploymentKey(deployment_id=made.id, key="primary"))
    assert (new.secondary == old.secondary, new.primary == old.primary) == (True, False)
    orders = serve(service, made, images[0], keys_seen=old.digest, wait_s=50.0)
    assert (orders.news, orders.keys) == (True, new)
    assert not get(service, made).keys_accepted
    assert not serve(service, made, images[0]).news
    assert get(service, made, wait_s=50.0).keys_accepted
    with pytest.raises(InvalidArgument, match="none named 'third'"):
        service.send(RotateDeploymentKey(deployment_id=made.id, key="third"))
    assert repr(new) == "DeploymentKeys()"


def test_one_supervisor_at_a_time(service, images):
    made = make_deployment(service, images[0])
    claim(service, made)
    assert claim(service, made).deployment.owner == this_process()
    with pytest.raises(Conflict, match="is supervised by process"):
        claim(service, made, other_process())
    with pytest.raises(Conflict, match="is held by process"):
        report(service, made, supervisor=other_process())
    with pytest.raises(InvalidArgument, match="not 'Fine'"):
        report(service, made, status="Fine")


def test_one_that_lost_its_supervisor_says_so_and_is_claimed_again(service, images):
    made = make_deployment(service, images[0])
    claim(service, made, gone_process())
    report(service, made, supervisor=gone_process(), observed=1, serving_id=images[0].id)
    found = get(service, made)
    assert found.status == "Failed"
    assert "is gone, and its processes with it; start it again" in found.reason
    assert found.history[0].ended_at is not None
    assert claim(service, made).deployment.status == "Creating"
    serve(service, made, images[0])
    assert [one.reason for one in get(service, made).history] == ["deployed", "started again"]


def test_a_restart_of_the_machine_is_said(service, images, backend):
    """Where it is this machine; one behind a URL may only have its name, and is believed while its lease lasts."""
    made = make_deployment(service, images[0])
    before = attrs.evolve(this_process(), boot_id="an earlier one")
    claim(service, made, before)
    if not isinstance(backend, (LocalBackend, WireBackend)):
        assert get(service, made).status == "Creating"
    else:
        assert "this machine was restarted since it served" in get(service, made).reason


def test_one_that_is_elsewhere_is_believed_until_its_lease_ends(service, images):
    made = make_deployment(service, images[0])
    claim(service, made, elsewhere())
    assert get(service, made).status == "Creating"


def test_a_stop_is_heard_and_then_it_can_be_deleted(service, images):
    made = make_deployment(service, images[0])
    claim(service, made)
    serve(service, made, images[0])
    with pytest.raises(Conflict, match="stop it first"):
        service.send(DeleteDeployment(deployment_id=made.id))
    service.send(StopDeployment(deployment_id=made.id))
    assert serve(service, made, images[0], wait_s=50.0).stop
    report(service, made, status="Stopped", reason="stopped", observed=1)
    found = get(service, made, wait_s=50.0)
    assert (found.status, found.owner, found.serving_id) == ("Stopped", None, None)
    for _ in range(2):
        service.send(DeleteDeployment(deployment_id=made.id))
    with pytest.raises(NotFound):
        get(service, made)
    service.send(DeleteImage(image_id=images[0].id))


def test_one_that_nobody_supervises_is_stopped_at_once(service, images):
    made = make_deployment(service, images[0])
    assert service.send(StopDeployment(deployment_id=made.id)).status == "Stopped"


def test_deployments_are_listed_by_name(service, images):
    for name, image in (("b", images[0]), ("a", images[1]), ("c", images[0])):
        make_deployment(service, image, name=name)
    listed = service.send(ListDeployments(limit=2))
    rest = service.send(ListDeployments(after=listed.next_token))
    assert [one.name for one in (*listed.items, *rest.items)] == ["a", "b", "c"]
    assert [one.name for one in service.send(ListDeployments(image_id=images[0].id)).items] == ["b", "c"]
    assert [one.name for one in service.send(ListDeployments(name="a")).items] == ["a"]


def test_traffic_is_kept_by_time(service, images):
    """The last count of each ten seconds; after a day one of each ten minutes."""
    made = make_deployment(service, images[0])
    claim(service, made)

    def count(at, number):
        traffic = TrafficRecord(at=at, requests={"200": number}, latency={"3": number}, batches=1, rows=number)
        report(service, made, traffic=traffic)
        return traffic

    count(NOW, 1)
    second = count(NOW + dt.timedelta(seconds=1), 2)
    third = count(NOW + dt.timedelta(seconds=60), 3)
    assert service.send(ListTraffic(deployment_id=made.id)).items == (third, second)
    before = service.send(ListTraffic(deployment_id=made.id, before=NOW + dt.timedelta(seconds=30), limit=1))
    assert before.items == (second,)
    last = count(NOW + dt.timedelta(days=3), 4)
    assert service.send(ListTraffic(deployment_id=made.id)).items == (last,)


def test_a_log_is_read_while_it_grows(service, images):
    made = make_deployment(service, images[0])
    content = ByteStream.of(b"loaded\n")
    assert service.send(AppendDeploymentLog(deployment_id=made.id, offset=0, content=content)).offset == 7
    assert service.send(ReadDeploymentLog(deployment_id=made.id, after=2, wait_s=50.0)).read() == b"aded\n"
    service.send(StopDeployment(deployment_id=made.id))
    assert service.send(ReadDeploymentLog(deployment_id=made.id, after=7, wait_s=50.0)).read() == b""
