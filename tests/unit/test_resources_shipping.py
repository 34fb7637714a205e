"""What a connection does beside its caller's code: signs of life, and threads that end."""

import gc
import hashlib
import threading

import attrs
import pytest
from serving import until
from sqlalchemy import select

import amlsdk
from amlsdk.local import LocalBackend
from amlsdk.local.lookup import find_run
from amlsdk.resources.capture.source import SourceFile
from amlsdk.server.run import ServerThread
from amlsdk.storage.blobs.through_service import ServiceBlobs
from amlsdk.storage.catalogue.schema import run as run_table

QUIET = amlsdk.Config(capture_context=False, capture_source=False, system_metrics_s=None)


@pytest.fixture
def backend(tmp_path, monkeypatch):
    monkeypatch.setenv("AMLSDK_HOME", str(tmp_path / "home"))
    backend = LocalBackend(tmp_path / "w")
    backend._local = attrs.evolve(backend._local, served=True)
    yield backend
    backend.close()


@pytest.fixture
def server(backend):
    with ServerThread(backend.open()) as server:
        yield server


def lease_of(backend, run):
    with backend.database.read() as connection:
        return find_run(connection, run.id).lease_until


def shippers():
    return [thread for thread in threading.enumerate() if thread.name == "amlsdk-shipper"]


def begin(workspace):
    return workspace.projects.get_or_create("p").experiments.get_or_create("e").start_run()


def test_a_run_gives_signs_of_life_until_its_end(backend, server, monkeypatch):
    """Also one that logs nothing."""
    monkeypatch.setattr("amlsdk.resources.run_log._SIGN_EVERY_S", 0.0)
    with amlsdk.connect(server.url, token=server.token, config=QUIET) as workspace:
        run = begin(workspace)
        first = lease_of(backend, run)
        until(lambda: lease_of(backend, run) > first)
        run.complete()
        assert lease_of(backend, run) is None
        assert run.status == "Completed"


def test_signs_end_where_the_run_was_deleted(backend, server, monkeypatch):
    monkeypatch.setattr("amlsdk.resources.run_log._SIGN_EVERY_S", 0.0)
    with amlsdk.connect(server.url, token=server.token, config=QUIET) as workspace:
        run = begin(workspace)
        log = workspace._client.log_of(run.id)
        with backend.database.write() as connection:
            connection.execute(run_table.delete())
            assert connection.execute(select(run_table.c.pk)).all() == []
        until(lambda: not log._is_alive)


def test_a_folder_needs_no_thread_and_no_note(tmp_path):
    with amlsdk.connect(tmp_path / "w", config=QUIET) as workspace, begin(workspace) as run:
        run.log("loss", 1)
        assert shippers() == []
        assert list((tmp_path / "w" / "journals").glob("*.begun.json")) == []


def test_a_connection_that_nobody_has_any_more_ends_its_thread(server):
    workspace = amlsdk.connect(server.url, token=server.token, config=QUIET)
    run = begin(workspace)
    run.log("loss", 1)
    run.complete()
    assert len(shippers()) == 1
    client = workspace._client
    backends = client._backend, client._carrier
    del workspace, run, client
    until(lambda: gc.collect() >= 0 and shippers() == [])
    for opened in backends:
        opened.close()


def test_connecting_starts_no_thread_where_nothing_is_left(server):
    with amlsdk.connect(server.url, token=server.token, config=QUIET):
        assert shippers() == []


@pytest.mark.parametrize(("kept_s", "sent"), [(60.0, 1), (0.0, 3)])
def test_the_script_of_many_runs_is_sent_once_in_a_while(backend, server, monkeypatch, kept_s, sent):
    monkeypatch.setattr("amlsdk.resources.client._SURELY_THERE_S", kept_s)
    content = b"print('train')\n"
    monkeypatch.setattr("amlsdk.resources.interactive.source_of_process", lambda: [SourceFile("train.py", content)])
    put = ServiceBlobs.put
    digests = []
    monkeypatch.setattr(
        ServiceBlobs, "put", lambda self, digest, content: digests.append(digest) or put(self, digest, content)
    )
    with amlsdk.connect(server.url, token=server.token, config=attrs.evolve(QUIET, capture_source=True)) as workspace:
        for _ in range(3):
            with begin(workspace) as run:
                pass
            assert run.files.read_text("source/train.py") == content.decode()
    assert digests == [hashlib.sha256(content).hexdigest()] * sent
