"""Bundles made by hand, and worker processes that serve them."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

from amlsdk.records.converting import CONVERTER
from amlsdk.records.serving import ColumnSpec, InputSpec, ServedModel, ServiceSpec

KEYS = {"primary": "first-key", "secondary": "second-key"}
NUMBERS = InputSpec(
    name="data",
    kind="frame",
    schema={"type": "array", "items": {"type": "object"}},
    as_array=True,
    columns=(
        ColumnSpec(name="alcohol", kind="number", dtype="float64"),
        ColumnSpec(name="malic acid", kind="number", dtype="float64", nullable=True),
    ),
)
SUMS = """
from amlsdk.scoring import row_wise

@row_wise
def run(data):
    return data.sum(axis=1)
"""
ROW = {"alcohol": 1.5, "malic acid": 2}
SAMPLE = {"data": [ROW]}


def make_bundle(folder, script=SUMS, inputs=(NUMBERS,), sample=None, *, models=None, output=None):
    """Make a bundle of a scoring script; `models` has the files of each model by name."""
    app = Path(folder) / "app"
    app.mkdir(parents=True)
    (app / "score.py").write_text(textwrap.dedent(script))
    for name, files in (models or {}).items():
        home = Path(folder) / "models" / name
        home.mkdir(parents=True)
        for file, content in files.items():
            (home / file).write_bytes(content)
    spec = ServiceSpec(
        name="sums",
        script="score.py",
        models=tuple(ServedModel(name=name, version=1, digest="0" * 64, format="files") for name in models or {}),
        inputs=tuple(inputs),
        output=output or {"type": "array"},
        sample=SAMPLE if sample is None else sample,
        sample_result=[3.5],
    )
    (app / "service.json").write_text(json.dumps(CONVERTER.unstructure(spec)))
    return Path(folder)


class Worker:
    """A worker process that serves a bundle and is told what to do over its control socket; a context manager.

    It listens on a port of loopback from its beginning, and accepts when it is told to.
    """

    def __init__(self, root, *, settings=None, keys=KEYS, accept=True, traffic=None, environment=None, wait=True):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        ours, theirs = socket.socketpair()
        self.control, self._lines = ours, ours.makefile("r")
        self.keys_file = Path(root) / "keys.json"
        self.keys_file.write_text(json.dumps(keys or {}))
        arguments = ["--root", root, "--fd", self.listener.fileno(), "--control-fd", theirs.fileno()]
        if keys is not None:
            arguments += ["--keys", self.keys_file]
        settings = {**(settings or {}), "keys": keys is not None}
        (Path(root) / "settings.json").write_text(json.dumps(settings))
        arguments += ["--settings", Path(root) / "settings.json"]
        if traffic is not None:
            arguments += ["--traffic", traffic]
        self.errors = (Path(root) / "stderr").open("wb")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "amlsdk.scoring", *map(str, arguments)],
            pass_fds=(self.listener.fileno(), theirs.fileno()),
            stderr=self.errors,
            env={**os.environ, **(environment or {})},
        )
        theirs.close()
        self._number = 0
        if wait:
            assert self.hear() == {"event": "loaded"}, self.log()
        if accept:
            self.tell("accept")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.control.close()
        self._lines.close()
        self.listener.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(10)
        self.process.kill()
        self.process.wait()
        self.errors.close()

    def hear(self):
        line = self._lines.readline()
        return json.loads(line) if line else None

    def send(self, do, **more):
        self._number += 1
        self.control.sendall(json.dumps({"id": self._number, "do": do, **more}).encode() + b"\n")
        return self._number

    def tell(self, do, **more):
        number = self.send(do, **more)
        reply = self.hear()
        assert reply["id"] == number
        return reply

    def log(self):
        return Path(self.errors.name).read_text()

    def connect(self, timeout=15):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)

    def ask(self, method, path, body=None, headers=None, *, key=KEYS["primary"]):
        """Send a request on a connection of its own; return status, headers and body."""
        connection = self.connect()
        try:
            return exchange(connection, method, path, body, headers, key=key)
        finally:
            connection.close()

    def score(self, body, headers=None, *, key=KEYS["primary"]):
        """Post a body, or a value as JSON; return the status and the answer."""
        if not isinstance(body, (bytes, str)):
            body = json.dumps(body)
        status, _, answer = self.ask(
            "POST", "/score", body, {"content-type": "application/json", **(headers or {})}, key=key
        )
        return status, json.loads(answer)

    def raw(self, *pieces, timeout=15):
        """Send bytes as they are; return all that is answered until the connection is closed."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=timeout) as connection:
            for piece in pieces:
                connection.sendall(piece)
            return read_all(connection)

    def memory(self):
        """Bytes of memory that are in use."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")


def exchange(connection, method, path, body=None, headers=None, *, key=KEYS["primary"]):
    headers = dict(headers or {})
    if key is not None:
        headers["authorization"] = f"Bearer {key}"
    connection.request(method, path, body, headers)
    response = connection.getresponse()
    return response.status, dict(response.getheaders()), response.read()


def read_all(connection):
    received = b""
    while piece := connection.recv(65536):
        received += piece
    return received


def post(body, *, headers=(), key=KEYS["primary"]):
    """A scoring request as bytes."""
    lines = [
        "POST /score HTTP/1.1",
        "host: x",
        "content-type: application/json",
        f"authorization: Bearer {key}",
        f"content-length: {len(body)}",
        *headers,
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
