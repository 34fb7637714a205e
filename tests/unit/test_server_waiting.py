"""Requests that wait for a fact hold up nobody."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from serving import Answering, Open, ask, busy, raw_connection, run_record, serving, until

from amlsdk.operations import TABLE
from amlsdk.operations.runs import GetRun, ReadOutput
from amlsdk.records.streams import ByteStream
from amlsdk.remote import RemoteBackend
from amlsdk.server.limits import Limits
from amlsdk.server.run import ServerThread
from amlsdk.server.single import SingleHost
from amlsdk.server.waiting import READY


class Runs(Answering):
    """Runs that go on until they are told to end."""

    def __init__(self):
        super().__init__(GetRun=self.get, ReadOutput=lambda _: ByteStream.of(self.output))
        self.ended = threading.Event()
        self.output = b""

    def get(self, request):
        return run_record("Completed" if self.ended.is_set() else "Running", request.run_id)


@pytest.fixture
def runs():
    return Runs()


@pytest.fixture
def server(runs):
    with serving(runs) as running:
        yield running


@pytest.fixture
def client(server):
    backend = RemoteBackend(server.url)
    yield backend.open()
    backend.close()


def test_every_operation_that_waits_has_its_fact():
    assert READY.keys() == {cls for cls, operation in TABLE.items() if operation.waits}


def test_64_that_wait_do_not_block_others(runs, server, client):
    """They are twice as many as the threads of the server."""
    with ThreadPoolExecutor(64) as pool:
        waiting = [pool.submit(client.send, GetRun(run_id=f"r{number}", wait_s=60.0)) for number in range(64)]
        until(lambda: len({request.run_id for request in runs.asked}) == 64)
        assert busy(server) == 64
        begun = time.monotonic()
        assert [ask(server, "GET", "/v1/workspace")[0] for _ in range(20)] == [200] * 20
        # Were they behind those that wait, it would take a minute.
        assert time.monotonic() - begun < 20
        assert not any(one.done() for one in waiting)
        runs.ended.set()
        assert {one.result().status for one in waiting} == {"Completed"}


def test_the_service_itself_is_asked_not_to_wait(runs, client):
    runs.ended.set()
    client.send(GetRun(run_id="r", wait_s=60.0))
    assert [request.wait_s for request in runs.asked] == [0.0]


def test_output_that_comes_is_sent_at_once(runs, client):
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(client.send, ReadOutput(run_id="r", wait_s=60.0))
        until(lambda: len(runs.asked) > 4)
        runs.output = b"epoch 1\n"
        assert waiting.result().read() == b"epoch 1\n"


def test_the_last_output_of_a_run_is_not_lost(runs, client):
    """What is printed just before the end is in the reply that the end brings."""

    def end_after_output(request):
        record = Runs.get(runs, request)
        runs.output = b"done\n"
        return record

    runs.ended.set()
    runs.answers["GetRun"] = end_after_output
    assert client.send(ReadOutput(run_id="r", wait_s=60.0)).read() == b"done\n"


def test_nothing_is_asked_for_who_has_left(runs, server):
    """A client that disconnects is noticed while it waits."""
    with raw_connection(server) as connection:
        connection.sendall(b"GET /v1/runs/r?wait_s=60 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        until(lambda: len(runs.asked) > 2)
        assert busy(server) == 1
    until(lambda: busy(server) == 0)


def test_a_server_that_stops_answers_those_that_wait(runs, server, client):
    """With what there is: a wait never outlives the server by its length."""
    with ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(client.send, GetRun(run_id=f"r{number}", wait_s=60.0)) for number in range(4)]
        until(lambda: busy(server) == 4 and len(runs.asked) > 4)
        begun = time.monotonic()
        server.stop()
        assert time.monotonic() - begun < 5
        assert {one.result().status for one in waiting} == {"Running"}


@pytest.mark.parametrize("wait_s", ["-1", "%22nan%22", "soon"])
def test_a_wait_that_can_not_be_meant_is_for_the_service_to_refuse(runs, server, wait_s):
    status, _, _ = ask(server, "GET", f"/v1/runs/r?wait_s={wait_s}")
    assert status == (400 if wait_s == "soon" else 200)
    assert [request.wait_s for request in runs.asked] != [0.0]


def test_only_so_many_wait_at_once(runs):
    """One too many is told when to come back; the client does."""
    with ServerThread(Open(runs), limits=Limits(waiting=2)) as server, ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(ask, server, "GET", f"/v1/runs/r{number}?wait_s=60") for number in range(2)]
        until(lambda: busy(server) == 2 and len(runs.asked) > 4)
        status, headers, answer = ask(server, "GET", "/v1/runs/r?wait_s=60")
        assert (status, answer["code"], headers["Retry-After"]) == (503, "Unavailable", "1")
        assert ask(server, "GET", "/v1/runs/r")[0] == 200
        runs.ended.set()
        assert [one.result()[0] for one in waiting] == [200, 200]
        assert ask(server, "GET", "/v1/runs/r?wait_s=60")[0] == 200


def test_who_is_shut_out_waits_no_longer(runs):
    """A token that was revoked meanwhile is not waited with to the end."""
    host = Closing(runs)
    with ServerThread(host) as server, ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(ask, server, "GET", "/v1/runs/r?wait_s=60")
        until(lambda: len(runs.asked) > 2)
        host.is_closed = True
        assert waiting.result()[0] == 401


class Closing(Open):
    """Lets everybody in, until it does not."""

    is_closed = False

    def sign_in(self, token):
        return super().sign_in(token) if not self.is_closed else SingleHost.sign_in(self, None)
