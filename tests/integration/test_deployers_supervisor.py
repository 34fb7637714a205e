"""Deployments from their creation to their end, driven by their own supervisor."""

import json
import os
import signal
import socket

import pytest
from deployer_images import recorded, small_image
from supervised import Supervised, until

from amlsdk.operations.deployments import ReadDeploymentLog, RollBackDeployment, RotateDeploymentKey, UpdateDeployment
from amlsdk.processes import is_gone

ADD = "def run(data):\n    return data + {}\n"
BROKEN = "import no_such_package_anywhere\n" + ADD.format(1)


@pytest.fixture
def client(folder_workspace):
    return folder_workspace._client


@pytest.fixture
def make(client):
    """Record an image of a script."""
    return lambda script, **fields: recorded(client, small_image(client.blobs, script, **fields))


def test_a_deployment_serves_and_says_what_it_serves(client, make):
    image = make(ADD.format(1))
    with Supervised(client, image, replicas=2) as deployment:
        record = deployment.record()
        assert (record.status, record.serving_id, record.observed) == ("Healthy", image.id, 1)
        assert [served.reason for served in record.history] == ["deployed"]
        assert deployment.ask(1) == (200, {"result": 2})


def test_a_first_start_that_fails_is_failed_with_the_last_lines(client, make):
    with Supervised(client, make(BROKEN)) as deployment:
        record = deployment.record()
        assert record.status == "Failed"
        assert "no_such_package_anywhere" in record.reason
        until(lambda: is_gone(deployment.supervisor))


def test_update_and_rollback_change_what_serves_at_the_same_address(workspace):
    """The same for a folder and for a service over HTTP."""
    client = workspace._client
    first, second = (recorded(client, small_image(client.blobs, ADD.format(number))) for number in (1, 2))
    with Supervised(client, first) as deployment:
        before = deployment.record().scoring_uri
        for request, fields, image, result in [
            (None, {"image_id": second.id}, second, 3),
            (RollBackDeployment, {}, first, 2),
            (RollBackDeployment, {}, second, 3),
        ]:
            record = deployment.change(request, **fields) if request else deployment.change(**fields)
            assert (record.status, record.problem, record.serving_id) == ("Healthy", None, image.id)
            assert deployment.ask(1) == (200, {"result": result})
        assert record.scoring_uri == before
        assert [served.reason for served in record.history] == ["deployed", "updated", "rolled back", "rolled back"]


def test_an_update_that_does_not_start_leaves_what_serves(client, make):
    image = make(ADD.format(1))
    with Supervised(client, image) as deployment:
        record = deployment.change(image_id=make(BROKEN).id)
        assert (record.status, record.serving_id, record.observed) == ("Healthy", image.id, 2)
        assert "no_such_package_anywhere" in record.problem
        assert deployment.ask(1) == (200, {"result": 2})
        assert deployment.change(image_id=make(ADD.format(2)).id).problem is None


def test_an_update_whose_result_has_another_form_is_not_switched_to(client, make):
    with Supervised(client, make(ADD.format(1), result=2)) as deployment:
        record = deployment.change(image_id=make("def run(data):\n    return [data]\n", result=2).id)
        assert "not answered as it was" in record.problem
        assert deployment.ask(1) == (200, {"result": 2})


def test_something_newer_gives_up_a_start_that_is_under_way(client, make):
    image = make(ADD.format(1))
    with Supervised(client, image) as deployment:
        endless = make("import time\ntime.sleep(600)\n" + ADD.format(2))
        deployment.send(UpdateDeployment(deployment_id=deployment.id, image_id=endless.id))
        record = deployment.change(image_id=image.id)
        assert (record.status, record.serving_id, record.observed, record.problem) == ("Healthy", image.id, 3, None)


def test_replicas_are_added_and_taken_away(client, make):
    with Supervised(client, make("import os\ndef run(data):\n    return os.getpid()\n")) as deployment:
        record = deployment.change(replicas=3)
        assert (record.problem, record.replicas) == (None, 3)
        until(lambda: len({deployment.ask(1)[1]["result"] for _ in range(20)}) > 1)
        deployment.change(replicas=1)
        until(lambda: len({deployment.ask(1)[1]["result"] for _ in range(20)}) == 1)


def test_a_rotated_key_is_refused_and_the_new_one_accepted(client, make):
    with Supervised(client, make(ADD.format(1))) as deployment:
        old = deployment.keys
        new = deployment.send(RotateDeploymentKey(deployment_id=deployment.id, key="primary"))
        until(lambda: deployment.ask(1, key=new.primary)[0] == 200, timeout_s=2)
        until(lambda: deployment.ask(1, key=old.primary)[0] == 401, timeout_s=2)
        assert deployment.ask(1, key=old.secondary)[0] == 200


def test_a_stopped_deployment_starts_again_at_its_address(client, make):
    image = make(ADD.format(1))
    with Supervised(client, image) as deployment:
        before = deployment.record().scoring_uri
        stopped = deployment.stop()
        assert (stopped.status, stopped.serving_id) == ("Stopped", None)
        with pytest.raises(ConnectionRefusedError):
            deployment.ask(1)
        record = deployment.begin()
        assert (record.status, record.scoring_uri, record.serving_id) == ("Healthy", before, image.id)
        assert deployment.ask(1) == (200, {"result": 2})
        assert record.history[-1].reason == "started again"


def test_an_address_that_is_taken_by_something_else_is_said(client, make):
    with Supervised(client, make(ADD.format(1))) as deployment:
        port = deployment.port
        deployment.stop()
        with socket.create_server(("127.0.0.1", port)):
            record = deployment.begin()
        assert record.status == "Failed"
        assert f"the port {port}" in record.reason


def test_a_supervisor_that_is_told_to_end_drains_and_says_stopped(client, make):
    with Supervised(client, make(ADD.format(1))) as deployment:
        os.kill(deployment.supervisor.pid, signal.SIGTERM)
        until(lambda: is_gone(deployment.supervisor))
        assert deployment.record().status == "Stopped"


def test_what_a_script_says_can_be_read_through_the_service(workspace):
    """Over HTTP, the supervisor sends the log."""
    client = workspace._client
    speaking = "print('the script speaks', flush=True)\n" + ADD.format(1)
    with Supervised(client, recorded(client, small_image(client.blobs, speaking))) as deployment:
        read = ReadDeploymentLog(deployment_id=deployment.id)
        until(lambda: b"the script speaks" in deployment.send(read).read())


def test_a_worker_sees_nothing_of_its_supervisors_environment(client, make, monkeypatch):
    monkeypatch.setenv("AMLSDK_TOKEN", "secret")
    monkeypatch.setenv("DATABASE_PASSWORD", "secret")
    script = "import os\ndef run(data):\n    return sorted(os.environ)\n"
    with Supervised(client, make(script), environment_variables={"COLOUR": "blue"}) as deployment:
        names = deployment.ask(1)[1]["result"]
        assert "COLOUR" in names
        assert not {"AMLSDK_TOKEN", "DATABASE_PASSWORD", "VIRTUAL_ENV", "PYTHONPATH"} & set(names)


def test_keys_are_in_no_command_line_and_in_a_file_of_their_owner(client, make):
    script = "def run(data):\n    return open('/proc/self/cmdline').read().split(chr(0))\n"
    with Supervised(client, make(script)) as deployment:
        command = deployment.ask(1)[1]["result"]
        assert not any(key in part for part in command for key in (deployment.keys.primary, deployment.keys.secondary))
        file = client.spool.deployments / deployment.id / "keys.json"
        assert file.stat().st_mode & 0o777 == 0o600
        assert json.loads(file.read_text())["primary"] == deployment.keys.primary
        assert file.parent.stat().st_mode & 0o777 == 0o700
