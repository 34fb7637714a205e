"""Talks to a server as it is told to: requests as they are written, bytes as they are, and what comes back."""

import json
import socket
import threading
import time
from http.client import HTTPConnection
from urllib.parse import urlsplit


def ask(server, verb, path, body=None, *, token=None, **headers):
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    connection = HTTPConnection(urlsplit(server.url).netloc, timeout=20)
    try:
        connection.request(verb, path, body, headers)
        response = connection.getresponse()
        content = response.read()
    finally:
        connection.close()
    is_json = response.headers.get_content_type() == "application/json"
    return response.status, response.headers, json.loads(content) if is_json and content else content


def connect(server):
    parts = urlsplit(server.url)
    return socket.create_connection((parts.hostname, parts.port), timeout=20)


def tell(server, *pieces):
    """Send bytes as they are, and return all that comes until the server closes the connection."""
    with connect(server) as connection:
        try:
            for piece in pieces:
                connection.sendall(piece)
        except (BrokenPipeError, ConnectionResetError):
            pass  # refused already, which is what is read below
        return drained(connection)


def drained(connection):
    said = b""
    try:
        while piece := connection.recv(1 << 16):
            said += piece
    except ConnectionResetError:
        pass
    return said


def dripped(connection, drop):
    """Send a drop again and again until something comes back, and return all that does."""
    connection.settimeout(0.01)
    begun = time.monotonic()
    while time.monotonic() - begun < 10:
        connection.sendall(drop)
        try:
            first = connection.recv(1)
        except TimeoutError:
            continue
        connection.settimeout(10)
        return first + drained(connection)
    raise AssertionError("nothing came back")


def refusal(said):
    """The status, code and message of the last reply."""
    head, _, body = said[said.rindex(b"HTTP/1.1 ") :].partition(b"\r\n\r\n")
    answer = json.loads(body)
    assert set(answer) == {"code", "message"}
    return int(head.split()[1]), answer["code"], answer["message"]


def until(fact, timeout_s=15.0):
    deadline = time.monotonic() + timeout_s
    while not fact():
        assert time.monotonic() < deadline, "it never came"
        threading.Event().wait(0.005)
