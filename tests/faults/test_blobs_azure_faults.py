"""What Azure Blob Storage refuses, and what it does not answer."""

import hashlib
import random
import re

import pytest
import responses
from azure.core.pipeline.transport import HttpTransport
from azurite import azurite, why_not
from bad_network import BadNetwork

from amlsdk.errors import InvalidArgument, OperationFailed, Unavailable
from amlsdk.records.filesets import PART_BYTES
from amlsdk.records.streams import ByteStream
from amlsdk.remote import RemoteBackend
from amlsdk.server.run import ServerThread
from amlsdk.storage.blobs import objects
from amlsdk.storage.blobs.opening import open_store
from amlsdk.storage.blobs.through_service import ServiceBlobs
from amlsdk.tenancy import TenantHost

needs_azurite = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))

MIB = 1 << 20
KEY = "c2VjcmV0"
HERE = re.compile(r"https://account\.blob\.core\.windows\.net/wine/.*")
DIGEST = hashlib.sha256(b"x").hexdigest()


@pytest.fixture(scope="module")
def server():
    with azurite() as started:
        yield started


@pytest.fixture
def container(server, monkeypatch):
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", server.connection_string)
    return server.new_container()


@pytest.fixture
def slept(monkeypatch):
    """How long was waited, without waiting."""
    found = []
    monkeypatch.setattr(HttpTransport, "sleep", lambda _, seconds: found.append(seconds))
    return found


@pytest.fixture
def net():
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


@pytest.fixture
def account(monkeypatch):
    monkeypatch.setenv("AZURE_STORAGE_KEY", KEY)
    return open_store("azure://wine@account")


def uses(store):
    content = ByteStream.of(b"x")
    return (
        store.check,
        lambda: store.missing([DIGEST]),
        lambda: list(store.digests()),
        lambda: store.put(DIGEST, content),
        lambda: store.put_part(DIGEST, 0, content),
        lambda: store.delete(DIGEST),
        store.remove_leftovers,
    )


@needs_azurite
def test_a_container_that_is_not_there_is_named_and_not_made(container):
    for use in uses(open_store("azure://not-made")):
        with pytest.raises(
            Unavailable, match=r"'not-made' of wineaccount: status 404 ContainerNotFound; make it first"
        ):
            use()


@needs_azurite
@pytest.mark.parametrize(
    ("key", "reason"),
    [("AAAA", "status 403 AuthorizationFailure; see that the key"), ("zzz", "nothing signs the request in")],
)
def test_a_wrong_key_is_told_and_not_shown(server, container, monkeypatch, key, reason):
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", server.string_with(key))
    for use in uses(open_store(f"azure://{container}")):
        with pytest.raises(Unavailable, match=reason) as caught:
            use()
        assert key not in str(caught.value).replace("wineaccount", "")


@pytest.mark.parametrize("status", [429, 503])
def test_a_throttled_request_waits_as_long_as_it_is_told(account, net, slept, status):
    net.add(responses.HEAD, HERE, status=status, headers={"Retry-After": "7"})
    net.add(responses.HEAD, HERE, status=404, headers={"x-ms-error-code": "BlobNotFound"})
    assert account.missing([DIGEST]) == (DIGEST,)
    assert slept == [7]


def test_a_request_that_is_put_off_for_long_is_unavailable(account, net, slept):
    net.add(responses.HEAD, HERE, status=503, headers={"Retry-After": "600", "x-ms-error-code": "ServerBusy"})
    with pytest.raises(Unavailable, match="status 503 ServerBusy; the account takes no more requests now"):
        account.missing([DIGEST])
    assert slept == []


def test_an_account_that_fails_for_ever_is_unavailable(account, net, slept):
    net.add(responses.HEAD, HERE, status=500, headers={"x-ms-error-code": "InternalError"})
    with pytest.raises(Unavailable, match="status 500 InternalError; try again"):
        account.missing([DIGEST])
    assert 3 < len(slept) < 10
    assert sum(slept) < 30


def test_an_account_that_can_t_be_reached_is_told_without_the_signature(monkeypatch, slept):
    monkeypatch.setenv("AZURE_STORAGE_SAS_TOKEN", "sv=2024&sig=secret")
    store = open_store("azure://wine@aml.invalid")
    for use in uses(store):
        with pytest.raises(Unavailable, match="see that the account's name is right") as caught:
            use()
        assert "secret" not in str(caught.value)


@needs_azurite
def test_a_network_that_is_cut_is_unavailable_and_then_goes_on(server, container, monkeypatch, slept):
    network = BadNetwork(int(server.address.rpartition(":")[2]))
    try:
        monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", server.string_with(server.key, network.url))
        store = open_store(f"azure://{container}")
        store.put(DIGEST, ByteStream.of(b"x"))
        network.cut()
        for use in uses(store):
            with pytest.raises(Unavailable, match=r"can't be|is no|reached"):
                use()
        with pytest.raises(Unavailable):
            store.open(DIGEST).read()
        network.mend()
        assert store.open(DIGEST).read() == b"x"
    finally:
        network.close()


@needs_azurite
def test_content_of_several_blocks_that_is_wrong_is_no_blob(container):
    """Blocks that were sent before the digest was known are committed by nobody."""
    store = open_store(f"azure://{container}")
    content = random.Random(3).randbytes(2 * PART_BYTES + 7)
    digest = hashlib.sha256(content).hexdigest()
    with pytest.raises(InvalidArgument, match=digest):
        store.put(digest, ByteStream.of(content[:-1]))
    assert list(store.digests()) == []
    assert store.put(digest, ByteStream.of(content)) == len(content)
    assert hashlib.sha256(store.open(digest).read()).hexdigest() == digest


@needs_azurite
def test_being_asked_for_marks_an_old_blob_as_used(server, container, monkeypatch):
    store = open_store(f"azure://{container}")
    store.put(DIGEST, ByteStream.of(b"x"))
    blob = server.blob(container, f"blobs/{DIGEST}")
    young = blob.get_blob_properties().etag
    assert store.missing([DIGEST]) == ()
    assert blob.get_blob_properties().etag == young
    monkeypatch.setattr(objects, "USED_AGAIN_AFTER_S", -60)
    assert store.missing([DIGEST]) == ()
    assert blob.get_blob_properties().etag != young
    assert store.open(DIGEST).read() == b"x"


@needs_azurite
def test_other_blobs_of_the_container_are_left_alone(server, container):
    """Whatever else is kept there is neither listed nor removed."""
    store = open_store(f"azure://{container}", prefix="workspaces/a")
    for name in ("report.csv", "workspaces/a/blobs/note", f"workspaces/b/blobs/{DIGEST}", "workspaces/b/parts/x"):
        server.blob(container, name).upload_blob(b"somebody's")
    assert list(store.digests()) == []
    assert store.remove_leftovers(older_than_s=-2) == 0
    assert server.blob(container, f"workspaces/b/blobs/{DIGEST}").exists()


@needs_azurite
def test_a_team_s_service_keeps_its_blobs_there(server, container, tmp_path, monkeypatch):
    """A large file goes there in parts and comes back whole; damage there is told."""
    monkeypatch.setenv("AMLSDK_HOME", str(tmp_path / "home"))
    content = random.Random(4).randbytes(3 * PART_BYTES + 5)
    (tmp_path / "source").write_bytes(content)
    host = TenantHost(tmp_path / "service", blobs=f"azure://{container}")
    with ServerThread(host) as running:
        backend = RemoteBackend(running.url, token=host.first_token)
        blobs = ServiceBlobs(backend.open())
        digest, size = blobs.put_file(tmp_path / "source")
        blobs.copy_to(digest, tmp_path / "target")
        [kept] = [blob for blob in server.blobs(container) if blob.name.endswith(digest)]
        damaged = bytearray(content)
        damaged[0] ^= 1
        server.blob(container, kept.name).upload_blob(bytes(damaged), overwrite=True)
        with pytest.raises(OperationFailed, match=f"blob {digest} is damaged: the bytes in the container"):
            blobs.open(digest).read()
        backend.close()
    host.close()
    assert size == kept.size == len(content)
    assert (tmp_path / "target").read_bytes() == content
