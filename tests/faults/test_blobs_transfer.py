"""Large blobs on a way that breaks: whole or not at all in the end, and little of them is sent twice."""

import asyncio
import contextlib
import hashlib
import random
import signal
import subprocess
import sys
import threading

import pytest
from bad_network import BadNetwork
from served import serving

from amlsdk.errors import NotFound, OperationFailed, Unavailable
from amlsdk.operations.blobs import FindMissingBlobs, ListBlobParts, PutBlobPart
from amlsdk.records.filesets import PART_BYTES
from amlsdk.records.streams import ByteStream
from amlsdk.remote import RemoteBackend
from amlsdk.storage.blobs.fetching import unfinished
from amlsdk.storage.blobs.through_service import ServiceBlobs

MIB = 1 << 20
SIZE = 6 * PART_BYTES + 12_345
CUTS = 8

SEND = """
import sys
from amlsdk.remote import RemoteBackend
from amlsdk.storage.blobs.through_service import ServiceBlobs
blobs = ServiceBlobs(RemoteBackend(sys.argv[1], token=sys.argv[2]).open())
getattr(blobs, sys.argv[3])(*sys.argv[4:])
"""


class Cutting(BadNetwork):
    """Resets every connection once so many bytes have passed, again and again, as often as it is told to.

    Args:
        port: Of the server.
        after: Makes the next number of bytes.
        times: How often.
    """

    def __init__(self, port, *, after, times):
        self.passed, self._after, self._times, self._left = 0, after, times, after()
        self.reached = threading.Event()
        super().__init__(port)

    async def _pass(self, reader, writer):
        while piece := await reader.read(16 << 10):
            self.passed += len(piece)
            self._left -= len(piece)
            if self._left < 0 and self._times:
                self._times, self._left = self._times - 1, self._after()
                self.reached.set()
                self._reset()
                return
            writer.write(piece)
            await writer.drain()
        writer.write_eof()


class Halting(Cutting):
    """Passes nothing on any more once so many bytes have passed, so that whoever waits can be killed there."""

    async def _pass(self, reader, writer):
        while piece := await reader.read(16 << 10):
            self.passed += len(piece)
            if self.passed > self._left and self._times:
                self.reached.set()
                await asyncio.Event().wait()
            writer.write(piece)
            await writer.drain()
        writer.write_eof()


@pytest.fixture(scope="module")
def content():
    return random.Random(11).randbytes(SIZE)


@pytest.fixture(scope="module")
def digest(content):
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def source(tmp_path, content):
    (tmp_path / "source").write_bytes(content)
    return tmp_path / "source"


@pytest.fixture
def server(tmp_path):
    with serving(tmp_path / "service", "--rate", "0") as running:
        yield running


@contextlib.contextmanager
def client_of(server, url=None, **options):
    backend = RemoteBackend(url or server.url, token=server.token, **options)
    yield backend.open()
    backend.close()


@contextlib.contextmanager
def way(server, kind=Cutting, *, after, times=CUTS):
    network = kind(server.port, after=after, times=times)
    yield network
    network.close()


def randomly(seed, least, most):
    chance = random.Random(seed)
    return lambda: chance.randrange(least, most)


def begun(server, url, *arguments):
    """Begin to send or fetch in another process."""
    return subprocess.Popen([sys.executable, "-c", SEND, url, server.token, *map(str, arguments)])


def temporaries(folder):
    return [path.name for path in folder.iterdir() if path.name.startswith(".aml-")]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("how", ["file", "stream"])
def test_an_upload_goes_on_after_each_cut(server, source, content, digest, seed, how):
    """Of each connection that was reset, at most the parts that were on their way are sent again."""
    with (
        way(server, after=randomly(seed, MIB // 2, 3 * PART_BYTES)) as network,
        client_of(server, network.url) as service,
    ):
        blobs = ServiceBlobs(service)
        if how == "file":
            assert blobs.put_file(source) == (digest, SIZE)
        else:
            assert blobs.put(digest, ByteStream.of(content)) == SIZE
        cuts = CUTS - network._times
    assert cuts
    assert network.passed < SIZE + cuts * 2 * PART_BYTES + MIB
    with client_of(server) as service:
        assert ServiceBlobs(service).open(digest).read() == content


@pytest.mark.parametrize("seed", range(3))
def test_a_download_goes_on_after_each_cut(server, source, content, digest, tmp_path, seed):
    """It goes on at the byte where it was cut off: what is asked for again is what lay in buffers."""
    with client_of(server) as service:
        ServiceBlobs(service).put_file(source)
    with way(server, after=randomly(seed, MIB, 2 * PART_BYTES)) as network, client_of(server, network.url) as service:
        assert ServiceBlobs(service).open(digest).read() == content
        ServiceBlobs(service).copy_to(digest, tmp_path / "target")
        cuts = CUTS - network._times
    assert cuts > 3
    assert (tmp_path / "target").read_bytes() == content
    assert temporaries(tmp_path) == []
    assert network.passed < 2 * SIZE + cuts * 8 * MIB


def test_a_server_that_is_killed_in_the_midst_has_all_in_the_end(server, source, content, digest):
    """Killed three times at random while a blob comes: nothing of it is to be seen before it is whole."""
    with (
        way(server, Halting, after=randomly(5, PART_BYTES, 3 * PART_BYTES), times=1) as network,
        client_of(server, network.url) as service,
    ):
        sending = threading.Thread(target=ServiceBlobs(service).put_file, args=(source,))
        sending.start()
        network.reached.wait()
        server.kill()
        server.begin()
        with client_of(server) as other:
            assert other.send(FindMissingBlobs(digests=(digest,))).digests == (digest,)
            assert other.send(ListBlobParts(digest=digest)).sizes
        network._times = 0
        network.mend(reset=True)
        sending.join()
        assert network.passed < SIZE + 4 * PART_BYTES
    with client_of(server) as service:
        assert ServiceBlobs(service).open(digest).read() == content


def test_a_server_that_is_killed_while_it_sends_goes_on(server, source, content, digest, tmp_path):
    with client_of(server) as service:
        ServiceBlobs(service).put_file(source)
    with (
        way(server, Halting, after=lambda: 3 * PART_BYTES, times=1) as network,
        client_of(server, network.url) as service,
    ):
        taking = threading.Thread(target=ServiceBlobs(service).copy_to, args=(digest, tmp_path / "target"))
        taking.start()
        network.reached.wait()
        assert not (tmp_path / "target").exists()
        server.kill()
        server.begin()
        network._times = 0
        network.mend(reset=True)
        taking.join()
        assert network.passed < SIZE + 16 * MIB
    assert (tmp_path / "target").read_bytes() == content


def test_a_client_that_is_killed_is_followed_by_another(server, source, content, digest):
    """A process that sends what another one has begun to send sends only the rest."""
    with way(server, Halting, after=lambda: 4 * PART_BYTES, times=1) as network:
        with begun(server, network.url, "put_file", source) as first:
            network.reached.wait()
            first.send_signal(signal.SIGKILL)
        with client_of(server) as service:
            there = service.send(ListBlobParts(digest=digest)).sizes
            assert len(there) >= 2
            assert set(there.values()) == {PART_BYTES}
            counted = Counted(service)
            ServiceBlobs(counted).put_file(source)
            missing = set(range(7)) - {int(number) for number in there}
            # What was on its way when its sender was killed may have come after that look.
            assert missing - set(counted.parts) <= set(sorted(missing)[:2])
            assert set(counted.parts) <= missing
            assert ServiceBlobs(service).open(digest).read() == content


class Counted:
    """A service that notes which parts it is sent."""

    def __init__(self, service):
        self._service, self.parts = service, []

    def send(self, request):
        if isinstance(request, PutBlobPart):
            self.parts.append(request.number)
        return self._service.send(request)


def kept_after_a_kill(server, source, digest, target):
    """Kill a process that fetches a blob, and return the file that it leaves."""
    with client_of(server) as service:
        ServiceBlobs(service).put_file(source)
    with (
        way(server, Halting, after=lambda: 4 * PART_BYTES, times=1) as network,
        begun(server, network.url, "copy_to", digest, target) as first,
    ):
        network.reached.wait()
        first.send_signal(signal.SIGKILL)
    assert not target.exists()
    kept = unfinished(digest, target)
    assert temporaries(target.parent) == [kept.name]
    assert 2 * PART_BYTES < kept.stat().st_size < SIZE
    return kept


def test_a_download_goes_on_after_the_process_was_killed(server, source, content, digest, tmp_path):
    size = kept_after_a_kill(server, source, digest, tmp_path / "target").stat().st_size
    with way(server, after=lambda: SIZE, times=0) as network, client_of(server, network.url) as service:
        ServiceBlobs(service).copy_to(digest, tmp_path / "target")
        # One reply from the first byte on was begun, and left alone.
        assert network.passed < SIZE - size + 8 * MIB
    assert (tmp_path / "target").read_bytes() == content
    assert temporaries(tmp_path) == []


@pytest.mark.parametrize("damage", ["changed", "longer"])
def test_what_was_kept_and_is_wrong_is_fetched_anew(server, source, content, digest, tmp_path, damage):
    kept = kept_after_a_kill(server, source, digest, tmp_path / "target")
    if damage == "changed":
        kept.write_bytes(bytes(len(kept.read_bytes())))
    else:
        kept.write_bytes(content + b"and more")
    with client_of(server) as service:
        ServiceBlobs(service).copy_to(digest, tmp_path / "target")
    assert (tmp_path / "target").read_bytes() == content
    assert temporaries(tmp_path) == []


def test_two_fetch_the_same_blob_to_the_same_file(server, source, content, digest, tmp_path):
    """They don't write into each other's file."""
    with client_of(server) as service:
        ServiceBlobs(service).put_file(source)
        with begun(server, server.url, "copy_to", digest, tmp_path / "target") as other:
            ServiceBlobs(service).copy_to(digest, tmp_path / "target")
            assert other.wait(60) == 0
    assert (tmp_path / "target").read_bytes() == content
    assert temporaries(tmp_path) == []


def test_a_damaged_blob_is_no_file(server, source, digest, tmp_path):
    """Damage at its beginning is told in the service's own words, and nothing is left of what came."""
    with client_of(server) as service:
        ServiceBlobs(service).put_file(source)
        (stored,) = server.root.rglob(f"{digest[:2]}/{digest[2:]}")
        stored.chmod(0o644)
        with stored.open("r+b") as file:
            file.write(b"damaged")
        with pytest.raises(OperationFailed, match=f"blob {digest} is damaged: the bytes in .* delete it"):
            ServiceBlobs(service).copy_to(digest, tmp_path / "target")
    assert not (tmp_path / "target").exists()
    assert temporaries(tmp_path) == []


def test_a_blob_that_is_not_there_leaves_no_file(server, digest, tmp_path):
    with client_of(server) as service, pytest.raises(NotFound, match=digest):
        ServiceBlobs(service).copy_to(digest, tmp_path / "target")
    assert list(tmp_path.glob(".aml-*")) == []


def test_a_service_that_stays_away_is_unavailable_and_what_came_is_kept(server, source, content, digest, tmp_path):
    with client_of(server) as service:
        ServiceBlobs(service).put_file(source)
    with (
        way(server, after=lambda: 2 * PART_BYTES, times=1000) as network,
        client_of(server, network.url, deadline_s=0.5) as service,
    ):
        network._after = lambda: 0
        with pytest.raises(Unavailable, match="GetBlob was tried"):
            ServiceBlobs(service).copy_to(digest, tmp_path / "target")
        network._times = 0
        assert unfinished(digest, tmp_path / "target").stat().st_size > MIB
        ServiceBlobs(service).copy_to(digest, tmp_path / "target")
    assert (tmp_path / "target").read_bytes() == content
