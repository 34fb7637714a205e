import hashlib
import random
import time
from pathlib import Path

import pytest
from bad_network import BadNetwork
from botocore.exceptions import ClientError
from s3_server import s3_server
from s3fs import S3FileSystem
from s3fs.errors import translate_boto_error

from amlsdk.errors import InvalidArgument, NotFound, Unavailable
from amlsdk.records.filesets import MOST_PARTS, PART_BYTES
from amlsdk.records.streams import ByteStream
from amlsdk.storage.blobs import fsspec_s3, objects
from amlsdk.storage.blobs.base import BlobStore
from amlsdk.storage.blobs.opening import open_store
from amlsdk.testing.blob_store_case import BlobStoreTestCase

DIGEST = hashlib.sha256(b"x").hexdigest()
PLACE = "team/workspaces/a"
MIB = 1 << 20


@pytest.fixture(scope="module")
def server():
    S3FileSystem.clear_instance_cache()
    with s3_server() as started:
        yield started
    S3FileSystem.clear_instance_cache()


@pytest.fixture(autouse=True)
def bucket(server, monkeypatch):
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    return server.new_bucket()


@pytest.fixture
def _other_environment():
    """s3fs has one file system a process, which knows the environment of its first use."""
    S3FileSystem.clear_instance_cache()
    yield
    S3FileSystem.clear_instance_cache()


@pytest.fixture
def store(bucket):
    return open_store(f"s3://{bucket}/team", prefix="workspaces/a")


@pytest.fixture
def s3(server):
    """The place past any store."""
    return server.client


class TestS3BlobStore(BlobStoreTestCase):
    @pytest.fixture(autouse=True)
    def _place(self, s3, bucket):
        self.s3, self.bucket = s3, bucket

    def make_store(self, folder: Path) -> BlobStore:
        return open_store(f"s3://{self.bucket}/team", prefix="workspaces/a")

    def damage(self, store, digest):
        at = {"Bucket": self.bucket, "Key": f"{PLACE}/blobs/{digest}"}
        content = bytearray(self.s3.get_object(**at)["Body"].read())
        content[len(content) // 2] ^= 1
        self.s3.put_object(**at, Body=bytes(content))


def uses(store):
    content, large = ByteStream.of(b"x"), ByteStream.of(bytes(17 * MIB))
    return (
        store.check,
        lambda: store.missing([DIGEST]),
        lambda: list(store.digests()),
        lambda: store.open(DIGEST),
        lambda: store.put(DIGEST, content),
        lambda: store.put(hashlib.sha256(bytes(17 * MIB)).hexdigest(), large),
        lambda: store.put_part(DIGEST, 0, content),
        lambda: store.delete(DIGEST),
        lambda: store.delete(DIGEST, unless_used_since=time.time()),
        store.remove_leftovers,
    )


def put(store, content):
    digest = hashlib.sha256(content).hexdigest()
    assert store.put(digest, ByteStream.of(content)) == len(content)
    return digest


def test_a_bucket_that_is_not_there_is_named_and_not_made(s3):
    for use in uses(open_store("s3://not-made/team")):
        with pytest.raises(
            Unavailable, match=r"in s3://not-made/team: status 404 NoSuchBucket; make it first: aws s3 mb "
        ):
            use()
    assert "not-made" not in [found["Name"] for found in s3.list_buckets()["Buckets"]]


@pytest.mark.usefixtures("_other_environment")
@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"AWS_SECRET_ACCESS_KEY": "mistyped"}, "SignatureDoesNotMatch; see that AWS_SECRET_ACCESS_KEY is right"),
        ({"AWS_ACCESS_KEY_ID": "mistyped"}, "InvalidAccessKeyId; see that AWS_ACCESS_KEY_ID is right"),
    ],
)
def test_a_wrong_key_is_told_and_not_shown(server, bucket, monkeypatch, changed, reason):
    for name, value in changed.items():
        monkeypatch.setenv(name, value)
    store = open_store(f"s3://{bucket}")
    with pytest.raises(Unavailable, match=f"status 403 {reason}"):
        store.check()
    for use in uses(store):
        with pytest.raises(Unavailable, match="status 403 .*AWS_") as caught:
            use()
        for secret in ("mistyped", server.secret):
            assert secret not in str(caught.value)


@pytest.mark.usefixtures("_other_environment")
def test_requests_that_nothing_signs_are_told_what_signs_them(bucket, monkeypatch, tmp_path):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    for use in uses(open_store(f"s3://{bucket}")):
        with pytest.raises(
            Unavailable, match=r"nothing signs the requests in \(NoCredentialsError\); set AWS_ACCESS_KEY_ID"
        ):
            use()


@pytest.mark.parametrize(
    "url",
    [
        "s3://",
        "s3:///folder",
        "s3://key:secret@bucket/folder",
        "s3://key:secret/folder",
        "s3://bucket/folder?secret=secret",
        "s3://bucket/folder#secret",
        "s3://bucket/../secret",
        "s3://bucket//secret",
    ],
)
def test_what_names_no_bucket_is_refused_and_keys_are_not_repeated(url):
    with pytest.raises(InvalidArgument, match="names no bucket: write s3://bucket") as caught:
        open_store(url)
    assert "secret" not in str(caught.value)


def test_a_store_may_have_a_whole_bucket(server, bucket):
    store = open_store(f"S3://{bucket}/")
    digest = put(store, b"x")
    assert server.keys(bucket) == [f"blobs/{digest}"]
    assert [found for found, _, _ in store.digests()] == [digest]


def test_what_others_write_and_remove_is_seen_at_once(store, s3, bucket):
    """No listing and no look-up from before is believed."""
    second = open_store(f"s3://{bucket}/team", prefix="workspaces/a")
    blob = {"Bucket": bucket, "Key": f"{PLACE}/blobs/{DIGEST}"}
    part = {"Bucket": bucket, "Key": f"{PLACE}/parts/{DIGEST}/000000"}
    for _ in range(2):
        for each in (store, second):
            assert list(each.digests()) == []
            assert each.missing([DIGEST]) == (DIGEST,)
            assert each.parts(DIGEST) == {}
        s3.put_object(**part, Body=b"x")
        s3.put_object(**blob, Body=b"x")
        for each in (store, second):
            assert [found for found, _, _ in each.digests()] == [DIGEST]
            assert each.missing([DIGEST]) == ()
            assert each.parts(DIGEST) == {0: 1}
            assert each.open(DIGEST).read() == b"x"
        s3.delete_object(**part)
        s3.delete_object(**blob)
    with pytest.raises(NotFound, match=DIGEST):
        second.open(DIGEST)


def test_a_listing_of_many_pages_is_whole(store):
    digests = {put(store, bytes([number])) for number in range(23)}
    assert {found for found, _, _ in store.digests()} == digests


def test_a_large_blob_is_one_object_of_parts_that_grow(store, s3, bucket, server, monkeypatch):
    """S3 takes no more than 10 000 parts, and none but the last below 5 MiB."""
    monkeypatch.setattr(fsspec_s3, "_BLOCK_BYTES", 5 * MIB)
    monkeypatch.setattr(fsspec_s3, "_GROW_AFTER", 1)
    content = random.Random(5).randbytes(16 * MIB)
    digest = put(store, content)
    key = f"{PLACE}/blobs/{digest}"
    assert server.keys(bucket) == [key]
    # The end of its ETag is the number of parts: 5, 10 and 1 MiB.
    assert s3.head_object(Bucket=bucket, Key=key)["ETag"].endswith('-3"')
    assert s3.head_object(Bucket=bucket, Key=key, PartNumber=2)["ContentLength"] == 10 * MIB
    assert store.open(digest).read() == content
    assert store.open(digest, start=7 * MIB).read() == content[7 * MIB :]


def test_the_most_parts_hold_the_largest_blob():
    sizes = (fsspec_s3._BLOCK_BYTES << number // fsspec_s3._GROW_AFTER for number in range(10_000))
    assert sum(sizes) >= MOST_PARTS * PART_BYTES


def test_large_content_that_is_wrong_or_breaks_off_leaves_nothing(store, server, bucket):
    def broken():
        yield bytes(17 * MIB)
        raise ConnectionResetError("the peer is gone")

    with pytest.raises(InvalidArgument, match=DIGEST):
        store.put(DIGEST, ByteStream.of(bytes(33 * MIB)))
    with pytest.raises(ConnectionResetError):
        store.put(DIGEST, ByteStream(begin=broken))
    assert server.keys(bucket) == []
    assert server.uploads(bucket) == []


def test_an_answer_that_is_lost_is_no_failure_where_the_blob_is_there(store, monkeypatch):
    """It is asked for again, and then S3 may know no such upload any more."""
    call = store._files.call_s3

    def lose(request, **arguments):
        if request != "complete_multipart_upload":
            return call(request, **arguments)
        call(request, **arguments)
        # moto would complete it once more; of giving it up it says what S3 says.
        return call("abort_multipart_upload", **{**arguments, "UploadId": "gone"})

    monkeypatch.setattr(store._files, "call_s3", lose)
    content = random.Random(6).randbytes(17 * MIB)
    assert store.open(put(store, content)).read() == content


def test_uploads_of_killed_processes_are_given_up_once_they_are_old(store, s3, server, bucket):
    """Nobody sees them, and S3 would keep them for ever; what is not of this store is left alone."""
    others = ["report.csv", f"team/workspaces/b/blobs/{DIGEST}", f"{PLACE}/notes/x"]
    for key in (f"{PLACE}/blobs/{DIGEST}", f"{PLACE}/drafts/1", *others):
        begun = s3.create_multipart_upload(Bucket=bucket, Key=key)
        s3.upload_part(Bucket=bucket, Key=key, UploadId=begun["UploadId"], PartNumber=1, Body=b"begin")
    # All that this server has was begun in 2010.
    assert store.remove_leftovers(older_than_s=time.time()) == 0
    assert store.remove_leftovers() == 2
    assert sorted(server.uploads(bucket)) == sorted(others)


def refusing_uploads(store, monkeypatch, status, code):
    """Let the store answer like one that lists no unfinished uploads."""
    call, answer = store._files.call_s3, {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}

    def refuse(request, **arguments):
        if request == "list_multipart_uploads":
            raise translate_boto_error(ClientError(answer, request))
        return call(request, **arguments)

    monkeypatch.setattr(store._files, "call_s3", refuse)


def test_a_store_that_lists_no_uploads_has_its_other_leftovers_removed(store, monkeypatch):
    refusing_uploads(store, monkeypatch, 501, "NotImplemented")
    store.put_part(DIGEST, 0, ByteStream.of(b"begin"))
    assert store.remove_leftovers(older_than_s=-2) == 1


def test_what_a_key_must_be_allowed_is_told(store, monkeypatch):
    refusing_uploads(store, monkeypatch, 403, "AccessDenied")
    with pytest.raises(Unavailable, match=r"status 403 AccessDenied; allow this key .* s3:ListBucketMultipartUploads"):
        store.remove_leftovers()


def test_other_objects_of_the_bucket_are_left_alone(store, s3, server, bucket):
    names = ["report.csv", f"{PLACE}/blobs/note", f"team/workspaces/b/blobs/{DIGEST}", "team/workspaces/b/parts/x"]
    for name in names:
        s3.put_object(Bucket=bucket, Key=name, Body=b"somebody's")
    assert list(store.digests()) == []
    assert store.remove_leftovers(older_than_s=-2) == 0
    assert server.keys(bucket) == sorted(names)


def test_being_asked_for_marks_an_old_blob_as_used(store, server, bucket, monkeypatch):
    put(store, b"x")
    assert store.missing([DIGEST]) == ()
    assert server.keys(bucket) == [f"{PLACE}/blobs/{DIGEST}"]
    monkeypatch.setattr(objects, "USED_AGAIN_AFTER_S", -60)
    assert store.missing([DIGEST]) == ()
    assert server.keys(bucket) == [f"{PLACE}/blobs/{DIGEST}", f"{PLACE}/used/blobs/{DIGEST}"]
    assert store.delete(DIGEST)
    assert server.keys(bucket) == []


def test_a_blob_that_is_found_while_it_is_being_removed_stays(store, server, bucket, monkeypatch):
    """S3 removes an object on no condition of time, so that it is put back."""
    put(store, b"x")
    second = open_store(f"s3://{bucket}/team", prefix="workspaces/a")

    def found_old(name):
        """The blob is old when it is looked at, and right then somebody else marks it as used."""
        assert second._mark_used(name)
        return objects.Found(size_bytes=1, used_at=0.0)

    monkeypatch.setattr(store, "_find", found_old)
    assert not store.delete(DIGEST, unless_used_since=time.time() - 60)
    assert second.open(DIGEST).read() == b"x"
    assert server.keys(bucket) == [f"{PLACE}/blobs/{DIGEST}", f"{PLACE}/used/blobs/{DIGEST}"]


def test_a_blob_that_is_unused_is_removed_without_a_trace(store, server, bucket):
    put(store, b"x")
    assert store._mark_used(f"blobs/{DIGEST}")
    assert store.delete(DIGEST, unless_used_since=time.time() + 60)
    assert server.keys(bucket) == []
    assert not store._mark_used(f"blobs/{DIGEST}")


@pytest.mark.usefixtures("_other_environment")
@pytest.mark.parametrize("address", ["http://somebody:hidden@127.0.0.1:9", "somebody:hidden@127.0.0.1:9"])
def test_an_address_that_can_t_be_used_is_told_without_its_password(bucket, monkeypatch, address):
    monkeypatch.setenv("AWS_ENDPOINT_URL", address)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    for use in uses(open_store(f"s3://{bucket}")):
        with pytest.raises(Unavailable, match="see that AWS_ENDPOINT_URL, if it is set, is right") as caught:
            use()
        assert "hidden" not in str(caught.value)


@pytest.mark.usefixtures("_other_environment")
def test_a_network_that_is_cut_is_unavailable_and_then_goes_on(server, bucket, monkeypatch):
    network = BadNetwork(int(server.address.rpartition(":")[2]))
    try:
        monkeypatch.setenv("AWS_ENDPOINT_URL", network.url)
        monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
        store = open_store(f"s3://{bucket}")
        digest = put(store, random.Random(7).randbytes(9 * MIB))
        chunks = iter(store.open(digest))
        next(chunks)
        network.cut()
        with pytest.raises(Unavailable, match="can't be read"):
            list(chunks)
        for use in uses(store):
            with pytest.raises(
                Unavailable, match="see that AWS_ENDPOINT_URL, if it is set, is right and can be reached"
            ):
                use()
        network.mend()
        assert hashlib.sha256(store.open(digest).read()).hexdigest() == digest
    finally:
        network.close()
