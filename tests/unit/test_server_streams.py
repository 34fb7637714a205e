"""Bodies of any size pass through without being held."""

import contextlib
import gzip
import hashlib
import random
import tracemalloc

import pytest
from serving import Answering, ask, busy, raw_connection, serving, until

from amlsdk.errors import OperationFailed
from amlsdk.local import LocalBackend
from amlsdk.operations.blobs import GetBlob, PutBlob
from amlsdk.operations.runs import AppendOutput
from amlsdk.records.filesets import PART_BYTES
from amlsdk.records.jobs import OutputPosition
from amlsdk.records.pages import Ack
from amlsdk.records.streams import CHUNK, ByteStream
from amlsdk.remote import RemoteBackend

BLOCK = bytes(range(256)) * (CHUNK // 256)
BLOCKS = 100


@contextlib.contextmanager
def client_of(server):
    backend = RemoteBackend(server.url)
    yield backend.open()
    backend.close()


def blocks(count=BLOCKS, *, known=True):
    return ByteStream(begin=lambda: (BLOCK for _ in range(count)), size_bytes=count * CHUNK if known else None)


@pytest.mark.parametrize("known", [True, False], ids=["length", "chunked"])
def test_100_mib_pass_in_bounded_memory(tmp_path, known):
    """Client, server and blob store together hold less than a fifth of it, up and down."""
    whole = hashlib.sha256()
    for _ in range(BLOCKS):
        whole.update(BLOCK)
    backend = LocalBackend(tmp_path)
    with serving(backend.open()) as server, client_of(server) as client:
        client.send(PutBlob(digest=hashlib.sha256(b"").hexdigest(), content=ByteStream.of(b"")))
        tracemalloc.start()
        client.send(PutBlob(digest=whole.hexdigest(), content=blocks(known=known)))
        stream, found = client.send(GetBlob(digest=whole.hexdigest())), hashlib.sha256()
        for chunk in stream:
            found.update(chunk)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    backend.close()
    assert (stream.size_bytes, found.digest()) == (BLOCKS * CHUNK, whole.digest())
    assert peak < 20 * CHUNK


def test_a_slow_reader_holds_up_nobody():
    """The source is read only as fast as the client takes it, and no longer than the client is there."""
    made = []

    def endless():
        while True:
            made.append(1)
            yield BLOCK

    with serving(GetBlob=lambda _: ByteStream(begin=endless)) as server:
        with raw_connection(server) as connection:
            connection.sendall(b"GET /v1/blobs/x HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert connection.recv(100).startswith(b"HTTP/1.1 200 OK")
            assert [ask(server, "GET", "/v1/workspace")[0] for _ in range(50)] == [200] * 50
            # What the buffers of two sockets take, of a stream without an end.
            assert len(made) < 32
        until(lambda: busy(server) == 0)


def test_an_upload_that_breaks_off_does_nothing():
    """The service is asked only when the whole body has come."""
    service = Answering()
    with serving(service) as server:
        with raw_connection(server) as connection:
            connection.sendall(
                b"PUT /v1/blobs/x HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/octet-stream\r\n"
                b"Content-Length: 1000\r\n\r\nabc"
            )
            until(lambda: busy(server) == 1)
        until(lambda: busy(server) == 0)
    assert service.asked == []


def held(server):
    """What a server holds in memory of bodies."""
    return server._server._app.state.operations.threads.held_bytes


@pytest.mark.parametrize("room", [0, 3 * CHUNK + 5, 1 << 30], ids=["none", "some", "enough"])
@pytest.mark.parametrize("size", [0, 1, CHUNK, 4 * CHUNK + 7, PART_BYTES, PART_BYTES + CHUNK + 1])
def test_a_body_arrives_whole_with_and_without_room_in_memory(monkeypatch, room, size):
    monkeypatch.setattr("amlsdk.server.bodies._HELD_IN_ALL", room)
    content, kept = random.Random(size).randbytes(size), []

    def put(request):
        kept.append((request.content.read(), request.content.read(), held(server)))
        return Ack()

    with serving(PutBlob=put) as server, client_of(server) as client:
        client.send(PutBlob(digest="x", content=ByteStream.of(content)))
        until(lambda: held(server) == 0)
    assert kept[0][:2] == (content, content)
    # A body in a file is not in memory as well.
    assert kept[0][2] == (size if size <= min(room, PART_BYTES) else 0)


def test_a_body_that_breaks_off_is_let_go():
    with serving() as server:
        with raw_connection(server) as connection:
            connection.sendall(
                b"PUT /v1/blobs/x/parts?number=0 HTTP/1.1\r\nHost: localhost\r\n"
                b"Content-Type: application/octet-stream\r\nContent-Length: 5000000\r\n\r\n"
            )
            connection.sendall(BLOCK * 3)
            until(lambda: held(server) >= 2 * CHUNK)
        until(lambda: held(server) == 0)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "identity, gzip"])
def test_an_encoded_part_is_refused(encoding):
    """What is small on the way can't become large here."""
    service = Answering()
    with serving(service) as server:
        headers = {"Content_Type": "application/octet-stream", "Content_Encoding": encoding}
        status, _, body = ask(server, "PUT", "/v1/blobs/x/parts?number=0", gzip.compress(bytes(1000)), **headers)
    assert (status, body["code"]) == (415, "InvalidArgument")
    assert f"encoded as {encoding}" in body["message"]
    assert service.asked == []


@pytest.mark.parametrize("number", ["", "x", "1.5", "true", "99999999999999999999", "1e3"])
def test_a_part_without_a_number_is_refused(number):
    service = Answering()
    with serving(service) as server:
        path = f"/v1/blobs/x/parts?number={number}"
        status, _, body = ask(server, "PUT", path, b"x", Content_Type="application/octet-stream")
    assert (status, body["code"], service.asked) == (400, "InvalidArgument", [])


def test_fields_beside_a_stream_arrive():
    kept = []

    def append(request):
        kept.append((request.run_id, request.offset, request.content.read()))
        return OutputPosition(offset=9)

    with serving(AppendOutput=append) as server, client_of(server) as client:
        assert client.send(AppendOutput(run_id="r", offset=5, content=ByteStream.of(b"four"))).offset == 9
    assert kept == [("r", 5, b"four")]


def broken_after(count):
    def begin():
        for _ in range(count):
            yield BLOCK
        raise OperationFailed("blob x is damaged")

    return ByteStream(begin=begin, size_bytes=(count + 1) * CHUNK)


def test_an_error_at_the_start_of_a_stream_has_a_status():
    with serving(GetBlob=lambda _: broken_after(0)) as server:
        status, _, body = ask(server, "GET", "/v1/blobs/x")
    assert (status, body) == (422, {"code": "OperationFailed", "message": "blob x is damaged"})


def test_an_error_in_the_midst_of_a_stream_is_told():
    """The bytes are cut off, never completed; the client then asks why."""
    with serving(GetBlob=lambda _: broken_after(3)) as server, client_of(server) as client:
        stream, taken = client.send(GetBlob(digest="x")), []
        with pytest.raises(OperationFailed, match="blob x is damaged"):
            taken.extend(map(len, stream))
    assert sum(taken) <= 3 * CHUNK


def test_a_stream_that_is_only_checked_sends_nothing():
    with serving(GetBlob=lambda _: blocks(3)) as server:
        assert ask(server, "GET", "/v1/blobs/x", Aml_Check="stream")[::2] == (204, b"")


def test_a_head_of_a_stream_says_its_length():
    with serving(GetBlob=lambda _: blocks(3)) as server:
        status, headers, body = ask(server, "HEAD", "/v1/blobs/x")
    assert (status, headers["Content-Length"], body) == (200, str(3 * CHUNK), b"")


def test_a_stream_that_is_never_read_leaves_no_socket(recwarn):
    """Dropping it is enough; a warning of an open socket would be an error."""
    with serving(GetBlob=lambda _: blocks(3)) as server, client_of(server) as client:
        for _ in range(3):
            client.send(GetBlob(digest="x"))
        part = iter(client.send(GetBlob(digest="x")))
        next(part)
        del part
        whole = hashlib.sha256(BLOCK * 3).hexdigest()
        assert client.send(GetBlob(digest=whole)).read() == BLOCK * 3
    assert not recwarn
