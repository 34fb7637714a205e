"""Update, rollback, scaling and the death of a worker under load, with the real scoring service."""

import os
import signal
import time

import pytest
from deployer_images import JSON_SPEC, recorded, scoring_image
from load_client import LoadThread
from supervised import Supervised, until

import amlsdk
from amlsdk.operations.deployments import ListTraffic, RollBackDeployment, RotateDeploymentKey
from amlsdk.records.serving import ScoringSettings

SCRIPT = "def run(data):\n    return data + {}\n"
# What a small machine that does other things at the same time can send.
RATE = 200.0


@pytest.fixture
def client(tmp_path):
    with amlsdk.connect(tmp_path / "workspace") as workspace:
        yield workspace._client


def image_of(client, number):
    return recorded(client, scoring_image(client.blobs, SCRIPT.format(number), JSON_SPEC))


def load_on(deployment):
    return LoadThread(deployment.port, b'{"data": 1}', key=deployment.keys.secondary, rate=RATE)


def test_no_request_fails_while_revisions_keys_and_replicas_change(client):
    """Kept and new connections, over an update, several rollbacks, scaling and a rotated key; all are counted."""
    first, second = image_of(client, 1), image_of(client, 2)
    with Supervised(client, first) as deployment:
        with load_on(deployment) as load:
            until(lambda: load.answers[b'{"result":2}'] > 20)
            assert deployment.change(image_id=second.id).problem is None
            until(lambda: load.answers[b'{"result":3}'] > 20)
            for result in (b'{"result":2}', b'{"result":3}', b'{"result":2}'):
                before = load.answers[result]
                begun = time.monotonic()
                assert deployment.change(RollBackDeployment).problem is None
                assert time.monotonic() - begun < 1
                until(lambda result=result, before=before: load.answers[result] > before + 20)
            deployment.send(RotateDeploymentKey(deployment_id=deployment.id, key="primary"))
            deployment.change(replicas=2)
            deployment.change(replicas=1)
        assert load.failures == []
        assert set(load.answers) == {b'{"result":2}', b'{"result":3}'}
        deployment.stop()
        traffic = deployment.send(ListTraffic(deployment_id=deployment.id)).items[0]
        # The samples that new processes answered are counted too.
        assert traffic.requests["200"] >= sum(load.answers.values())


def test_a_connection_that_was_kept_over_a_rollback_is_not_cut_by_the_drain_before_it(client):
    """What drains and is wanted again before it is done goes on as if it had never drained."""
    first, second = image_of(client, 1), image_of(client, 2)
    with Supervised(client, first, settings=ScoringSettings(drain_s=1.0)) as deployment, load_on(deployment) as load:
        until(lambda: load.answers[b'{"result":2}'] > 20)
        deployment.change(image_id=second.id)
        deployment.change(RollBackDeployment)
        begun = time.monotonic()
        until(lambda: time.monotonic() - begun > 2.5)
    assert load.failures == []


def test_a_killed_worker_fails_only_what_it_had(client):
    """With two workers the other goes on; the killed one is back within two seconds."""
    pids = recorded(
        client, scoring_image(client.blobs, "import os\ndef run(data):\n    return os.getpid()\n", JSON_SPEC)
    )
    with Supervised(client, pids, replicas=2) as deployment:
        with load_on(deployment) as load:
            until(lambda: sum(load.answers.values()) > 50)
            killed = deployment.ask(1)[1]["result"]
            os.kill(killed, signal.SIGKILL)
            begun = time.monotonic()
            until(lambda: deployment.record().restarts == 1 and deployment.record().reason == "")
            assert time.monotonic() - begun < 10
            until(lambda: sum(load.answers.values()) > 300)
        # At most the connections that were kept open to it, each with one request.
        assert len(load.failures) <= 5, load.failures
