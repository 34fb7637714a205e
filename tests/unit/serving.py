"""Services for tests of the server and its client: a few operations, answered by functions."""

import contextlib
import datetime as dt
import json
import socket
import threading
import time
from http.client import HTTPConnection
from urllib.parse import urlsplit

from amlsdk.errors import NotFound
from amlsdk.records.runs import RunRecord
from amlsdk.records.workspaces import WorkspaceRecord
from amlsdk.server.run import ServerThread
from amlsdk.server.single import SingleHost

NOW = dt.datetime(2026, 1, 2, tzinfo=dt.timezone.utc)
WORKSPACE = WorkspaceRecord(id="w", name="wine", created_at=NOW, slots=2)


class Answering:
    """A service whose operations are functions by the name of the request; it keeps what it was asked."""

    def __init__(self, **answers):
        self.answers = {"GetWorkspace": lambda _: WORKSPACE, **answers}
        self.asked = []

    def send(self, request):
        self.asked.append(request)
        answer = self.answers.get(type(request).__name__)
        if answer is None:
            raise NotFound(f"nothing answers {type(request).__name__}")
        return answer(request)


def run_record(status="Running", run_id="r"):
    return RunRecord(
        id=run_id, number=1, name="n", project_id="p", experiment_id="e", kind="interactive", status=status, user="u",
        created_at=NOW,
    )  # fmt: skip


class Open(SingleHost):
    """Lets everybody in, so that a test can be about something else."""

    def sign_in(self, token):
        return super().sign_in(self.token)


@contextlib.contextmanager
def serving(service=None, **answers):
    """A server over some answers, for everybody."""
    with ServerThread(Open(service or Answering(**answers))) as server:
        yield server


def ask(server, verb, path, body=None, **headers):
    """Send a request as it is written, and return status, headers and JSON (or bytes)."""
    connection = HTTPConnection(urlsplit(server.url).netloc, timeout=10)
    with contextlib.closing(connection):
        connection.request(verb, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        response = connection.getresponse()
        content = response.read()
        kind = response.headers.get_content_type()
        return (
            response.status,
            response.headers,
            json.loads(content) if kind == "application/json" and content else content,
        )


def raw_connection(server):
    """A bare socket to a server."""
    parts = urlsplit(server.url)
    return socket.create_connection((parts.hostname, parts.port), timeout=10)


def until(fact, timeout_s=15.0):
    """Return as soon as a fact holds; an error where it never does."""
    deadline = time.monotonic() + timeout_s
    while not fact():
        assert time.monotonic() < deadline, "it never came"
        threading.Event().wait(0.005)


def busy(server):
    """Requests that a server is at work on."""
    return len(server._server.server_state.tasks)
