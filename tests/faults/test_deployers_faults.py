"""Workers and supervisors that are killed or hang, scripts that break, services that are away."""

import contextlib
import datetime as dt
import http.client
import json
import os
import shutil
import signal
import socket
import sqlite3
import time

import attrs
import pytest
from deployer_images import recorded, small_image
from supervised import Supervised, until

import amlsdk
from amlsdk.deployers import processes
from amlsdk.deployers.base import Site
from amlsdk.deployers.link import Link, Lost
from amlsdk.deployers.process import ProcessDeployer
from amlsdk.errors import Conflict, Denied, NotFound, OperationFailed, Unavailable
from amlsdk.local import LocalBackend
from amlsdk.processes import is_gone
from amlsdk.records.deployments import DeploymentKeys, DeploymentOrders, DeploymentRecord, TrafficRecord
from amlsdk.records.serving import ScoringSettings
from amlsdk.storage.blobs.folder import FolderBlobStore

ADD = "def run(data):\n    return data + 1\n"
PID = "import os\ndef run(data):\n    return os.getpid()\n"
# A call with 1 never ends.
ENDLESS = """
import asyncio, os

async def never():
    await asyncio.sleep(600)

def run(data):
    return never() if data else os.getpid()
"""


@pytest.fixture
def client(tmp_path):
    with amlsdk.connect(tmp_path / "workspace") as workspace:
        yield workspace._client


def no_manifest(manifest_id):
    raise NotFound(manifest_id)


@pytest.fixture
def site(tmp_path):
    folder = tmp_path / "deployment"
    folder.mkdir(mode=0o700)
    return Site(
        deployment_id="one",
        name="one",
        folder=folder,
        cache=tmp_path / "cache",
        log=tmp_path / "one.log",
        blobs=FolderBlobStore(tmp_path / "blobs"),
        find_manifest=no_manifest,
        settings=ScoringSettings(keys=False, drain_s=1.0, timeout_s=0.5),
        keys=DeploymentKeys(primary="a", secondary="b"),
    )


@pytest.fixture
def opened(site):
    """Open the site, with a script behind it that answers with the number of its process."""
    servings = []

    def open_it(script=PID, replicas=1):
        serving = ProcessDeployer().open(site)
        servings.append(serving)
        serving.switch(serving.start(small_image(site.blobs, script, sample={"data": 0}), replicas))
        return serving

    yield open_it
    for serving in servings:
        serving.close(0)


def ask(serving, data=0):
    connection = http.client.HTTPConnection(serving.uri.split("/")[2], timeout=30)
    try:
        connection.request("POST", "/score", json.dumps({"data": data}))
        return json.loads(connection.getresponse().read())["result"]
    finally:
        connection.close()


def test_a_killed_worker_is_back_within_two_seconds(opened):
    serving = opened()
    before = ask(serving)
    os.kill(before, signal.SIGKILL)
    # A new connection waits in the listening socket for the process that comes.
    begun = time.monotonic()
    assert ask(serving) != before
    assert time.monotonic() - begun < 2
    assert serving.poll().restarts == 1


def test_only_what_was_in_flight_in_a_killed_worker_fails(opened):
    """The other worker goes on, and requests that come meanwhile are answered."""
    serving = opened(ENDLESS, replicas=2)
    port = int(serving.uri.split(":")[2].partition("/")[0])
    body = b'{"data": 1}'
    with socket.create_connection(("127.0.0.1", port)) as hanging:
        hanging.sendall(b"POST /score HTTP/1.1\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body))
        busy = until(lambda: next((k.pid for k in _keepers(serving) if _in_flight(k)), None))
        os.kill(busy, signal.SIGKILL)
        assert hanging.recv(100) == b""
    assert all(ask(serving) != busy for _ in range(20))


def test_a_worker_that_hangs_is_killed_and_replaced(opened, monkeypatch):
    monkeypatch.setattr(processes, "_BEYOND_TIMEOUT_S", 0.0)
    monkeypatch.setattr("amlsdk.deployers.keeper._PING_S", 0.1)
    serving = opened()
    before = ask(serving)
    os.kill(before, signal.SIGSTOP)
    assert ask(serving) != before
    assert "did not answer its supervisor" in _keepers(serving)[0].reason


def test_all_workers_away_is_unhealthy_with_the_reason_and_healthy_again(opened, site, tmp_path):
    """A script that can't load any more is tried again and again, with longer and longer pauses."""
    flag = tmp_path / "flag"
    serving = opened(f"import os, sys\nif os.path.exists({str(flag)!r}): sys.exit('the flag is there')\n" + PID)
    before = ask(serving)
    flag.touch()
    os.kill(before, signal.SIGKILL)
    health = until(lambda: serving.poll() if "the flag is there" in serving.poll().reason else None)
    assert health.status == "Unhealthy"
    assert "exit code 1" in health.reason
    flag.unlink()
    assert ask(serving) != before
    until(lambda: serving.poll().status == "Healthy")
    assert serving.poll().reason == ""


def test_what_a_script_started_ends_with_its_worker(opened):
    script = "import subprocess, os\nchild = subprocess.Popen(['sleep', '600'])\ndef run(data):\n    return child.pid\n"
    serving = opened(script)
    child = ask(serving)
    serving.close(1)
    until(lambda: not _lives(child))


def test_a_child_that_keeps_the_sockets_does_not_keep_the_port(opened, site):
    """A forked child has the worker's sockets; it ends with it, and the port is free."""
    script = (
        "import os, time\npid = os.fork()\nif pid == 0:\n    time.sleep(600)\ndef run(data):\n    return os.getpid()\n"
    )
    serving = opened(script)
    os.kill(ask(serving), signal.SIGKILL)
    assert ask(serving)
    serving.close(1)
    again = ProcessDeployer().open(attrs.evolve(site, scoring_uri=serving.uri))
    again.close(0)


def test_a_lost_cache_is_made_again_for_a_worker_that_is_started_again(opened, site):
    serving = opened("import helpful\n" + PID)
    before = ask(serving)
    shutil.rmtree(site.cache)
    os.kill(before, signal.SIGKILL)
    assert ask(serving) != before


def test_a_damaged_layer_is_found_before_anything_starts(site):
    image = small_image(site.blobs, ADD)
    digest = image.layers[-1].digest
    path = site.blobs.folder / digest[:2] / digest[2:]
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-9] + b"corrupted")
    serving = ProcessDeployer().open(site)
    try:
        with pytest.raises(OperationFailed):
            serving.start(image, 1)
    finally:
        serving.close(0)


def test_workers_of_a_killed_supervisor_end_by_themselves(client):
    image = recorded(client, small_image(client.blobs, PID))
    with Supervised(client, image) as deployment:
        port, worker = deployment.port, deployment.ask(1)[1]["result"]
        os.kill(deployment.supervisor.pid, signal.SIGKILL)
        until(lambda: not _lives(worker))
        record = deployment.record()
        assert record.status == "Failed"
        assert "is gone" in record.reason
        again = deployment.begin()
        assert (again.status, deployment.port) == ("Healthy", port)


def test_a_worker_that_hangs_when_its_supervisor_is_killed_is_ended_by_the_next(client):
    image = recorded(client, small_image(client.blobs, PID))
    with Supervised(client, image) as deployment:
        worker = deployment.ask(1)[1]["result"]
        os.kill(worker, signal.SIGSTOP)
        os.kill(deployment.supervisor.pid, signal.SIGKILL)
        until(lambda: is_gone(deployment.supervisor))
        deployment.record()
        assert deployment.begin().status == "Healthy"
        assert not _lives(worker)


class Away:
    """A service that can't be reached, answers, or refuses."""

    def __init__(self, orders):
        self.orders, self.error, self.requests = orders, None, []

    def send(self, request):
        self.requests.append(request)
        if self.error is not None:
            raise self.error
        return self.orders


@pytest.fixture
def link():
    now = dt.datetime.now(dt.timezone.utc)
    record = DeploymentRecord(
        id="one",
        name="one",
        target="process",
        image_id="i",
        replicas=1,
        generation=1,
        observed=0,
        status="Healthy",
        user="ada",
        created_at=now,
        updated_at=now,
    )
    keys = DeploymentKeys(primary="a", secondary="b")
    return Link(Away(DeploymentOrders(deployment=record, keys=keys, stop=False, news=False, lease_s=60.0)), "one")


def report(link, **requests):
    traffic = TrafficRecord(at=dt.datetime.now(dt.timezone.utc), requests=requests)
    keys = link.service.orders.keys
    return link.report("Healthy", reason="", problem=None, traffic=traffic, keys=keys, wait_s=0)


@pytest.mark.parametrize("error", [Unavailable("away"), Denied("the token has expired")])
def test_a_service_that_does_not_answer_leaves_what_serves_alone(link, error):
    """There are no new orders, and no error; the next report is as good as ever."""
    link.service.error = error
    assert report(link) is None
    link.service.error = None
    assert report(link) is link.service.orders


@pytest.mark.parametrize("error", [Conflict("supervised by another"), NotFound("deleted")])
def test_a_deployment_that_is_anothers_or_gone_is_lost(link, error):
    link.service.error = error
    with pytest.raises(Lost):
        report(link)


def test_traffic_is_told_once_it_has_changed_and_again_where_the_service_was_away(link):
    """An idle deployment does not fill the catalogue."""
    report(link, ok=1)
    report(link, ok=1)
    link.service.error = Unavailable("away")
    report(link, ok=2)
    link.service.error = None
    report(link, ok=2)
    told = [request.traffic and request.traffic.requests for request in link.service.requests]
    assert told == [{"ok": 1}, None, {"ok": 2}, {"ok": 2}]


def test_a_supervisor_hears_sigterm_while_it_waits_for_a_service_that_is_away(tmp_path):
    """It does not wait for the service first."""
    from amlsdk.server.run import ServerThread

    backend = LocalBackend(tmp_path / "workspace")
    try:
        with contextlib.ExitStack() as stack:
            server = stack.enter_context(ServerThread(backend.open()))
            workspace = stack.enter_context(amlsdk.connect(server.url, token=server.token))
            client = workspace._client
            deployment = Supervised(client, recorded(client, small_image(client.blobs, PID)))
            deployment.begin()
            worker = deployment.ask(1)[1]["result"]
            said = client.spool.deployments / deployment.id / "supervisor.log"
            spool = stack.pop_all()
        spool.close()
        os.kill(deployment.supervisor.pid, signal.SIGTERM)
        until(lambda: not _lives(worker), timeout_s=5)
        assert "drains" in said.read_text()
        os.kill(deployment.supervisor.pid, signal.SIGKILL)
    finally:
        backend.close()


def test_a_deployment_that_is_deleted_under_its_supervisor_ends(client):
    image = recorded(client, small_image(client.blobs, ADD))
    with Supervised(client, image) as deployment:
        with contextlib.closing(sqlite3.connect(next(client.spool.runs.parent.glob("*.sqlite*")))) as catalogue:
            catalogue.execute("pragma foreign_keys=on")
            catalogue.execute("delete from deployment")
            catalogue.commit()
        until(lambda: is_gone(deployment.supervisor))


def test_a_supervisor_whose_workspace_is_removed_ends(tmp_path):
    """Nobody could tell it to."""
    with amlsdk.connect(tmp_path / "passing") as workspace:
        client = workspace._client
        deployment = Supervised(client, recorded(client, small_image(client.blobs, PID)))
        deployment.begin()
        worker = deployment.ask(1)[1]["result"]
    (tmp_path / "passing").rename(tmp_path / "gone")
    until(lambda: is_gone(deployment.supervisor) and not _lives(worker))


def _keepers(serving):
    return serving._present.keepers


def _in_flight(keeper):
    return keeper.ask("stats").result(5)["in_flight"]


def _lives(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False
