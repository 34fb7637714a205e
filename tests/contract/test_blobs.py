import hashlib

import pytest

from amlsdk.errors import Conflict, InvalidArgument, NotFound
from amlsdk.operations.blobs import FindMissingBlobs, FinishBlob, GetBlob, ListBlobParts, PutBlob, PutBlobPart
from amlsdk.operations.filesets import CreateFileSet
from amlsdk.records.filesets import MOST_PARTS, PART_BYTES, BlobParts, FileEntry
from amlsdk.records.streams import ByteStream

CONTENT = bytes(range(256)) * 10_000
DIGEST = hashlib.sha256(CONTENT).hexdigest()

LARGE = bytes(range(256)) * (PART_BYTES // 256) + b"the last part"
LARGE_DIGEST = hashlib.sha256(LARGE).hexdigest()


def put_part(service, number, content, digest=LARGE_DIGEST):
    service.send(PutBlobPart(digest=digest, number=number, content=ByteStream.of(content)))


def put(service, content, digest=None):
    service.send(PutBlob(digest=digest or hashlib.sha256(content).hexdigest(), content=ByteStream.of(content)))


def test_a_blob_comes_back_as_it_was_sent(service):
    put(service, CONTENT)
    put(service, CONTENT)
    assert service.send(GetBlob(digest=DIGEST)).read() == CONTENT
    assert service.send(GetBlob(digest=DIGEST, start=1_000_001)).read() == CONTENT[1_000_001:]


def test_an_empty_blob_is_one(service):
    put(service, b"")
    assert service.send(GetBlob(digest=hashlib.sha256().hexdigest())).read() == b""


def test_missing_blobs_are_named_in_the_order_asked(service):
    put(service, CONTENT)
    asked = ("f" * 64, DIGEST, "0" * 64)
    assert service.send(FindMissingBlobs(digests=asked)).digests == ("f" * 64, "0" * 64)


def test_content_of_another_digest_is_refused(service):
    with pytest.raises(InvalidArgument, match=DIGEST):
        put(service, b"damaged on the way", DIGEST)
    assert service.send(FindMissingBlobs(digests=(DIGEST,))).digests == (DIGEST,)


def test_an_absent_blob_is_not_found(service):
    with pytest.raises(NotFound, match=DIGEST):
        service.send(GetBlob(digest=DIGEST)).read()


def test_a_start_beyond_the_end_is_refused(service):
    put(service, b"abc")
    with pytest.raises(InvalidArgument, match="from byte 4"):
        service.send(GetBlob(digest=hashlib.sha256(b"abc").hexdigest(), start=4)).read()


@pytest.mark.parametrize("digest", ["..", "A" * 64, "0" * 63])
def test_what_is_no_digest_is_refused(service, digest):
    with pytest.raises(InvalidArgument, match="no digest"):
        service.send(FindMissingBlobs(digests=(digest,)))
    with pytest.raises((InvalidArgument, NotFound)):
        service.send(GetBlob(digest=digest)).read()
    with pytest.raises((InvalidArgument, NotFound)):
        put_part(service, 0, b"x", digest)


def test_a_blob_is_sent_in_parts(service):
    put_part(service, 1, LARGE[PART_BYTES:])
    assert service.send(ListBlobParts(digest=LARGE_DIGEST)) == BlobParts(
        sizes={"1": len(LARGE) - PART_BYTES}, stored=False
    )
    put_part(service, 0, LARGE[:PART_BYTES])
    service.send(FinishBlob(digest=LARGE_DIGEST, parts=2))
    assert service.send(ListBlobParts(digest=LARGE_DIGEST)) == BlobParts(sizes={}, stored=True)
    assert service.send(GetBlob(digest=LARGE_DIGEST, start=PART_BYTES - 1)).read() == LARGE[PART_BYTES - 1 :]
    service.send(FinishBlob(digest=LARGE_DIGEST, parts=2))


def test_a_blob_that_lacks_parts_is_not_finished(service):
    put_part(service, 1, LARGE[PART_BYTES:])
    with pytest.raises(Conflict, match="missing or too short is 0;"):
        service.send(FinishBlob(digest=LARGE_DIGEST, parts=2))


def test_parts_of_another_digest_are_refused(service):
    put_part(service, 0, b"damaged on the way", DIGEST)
    with pytest.raises(InvalidArgument, match=DIGEST):
        service.send(FinishBlob(digest=DIGEST, parts=1))
    assert service.send(ListBlobParts(digest=DIGEST)) == BlobParts(sizes={}, stored=False)


@pytest.mark.parametrize("number", [-1, MOST_PARTS, 1 << 62])
def test_a_part_out_of_range_is_refused(service, number):
    with pytest.raises(InvalidArgument, match=f"parts 0 to {MOST_PARTS - 1}"):
        put_part(service, number, b"x")


@pytest.mark.parametrize("parts", [-1, 0, MOST_PARTS + 1])
def test_a_number_of_parts_out_of_range_is_refused(service, parts):
    with pytest.raises(InvalidArgument, match=f"1 to {MOST_PARTS} parts"):
        service.send(FinishBlob(digest=LARGE_DIGEST, parts=parts))


@pytest.mark.parametrize(
    ("size", "reason"),
    [(0, "part 3 is empty"), (PART_BYTES + 1, f"PutBlobPart: the body has more than {PART_BYTES} bytes")],
)
def test_a_part_of_no_possible_size_is_refused(service, size, reason):
    with pytest.raises(InvalidArgument, match=reason):
        put_part(service, 3, bytes(size))
    assert service.send(ListBlobParts(digest=LARGE_DIGEST)).sizes == {}


def test_a_fileset_that_lies_about_a_size_is_refused(service):
    put(service, b"four")
    entry = FileEntry(path="a.txt", digest=hashlib.sha256(b"four").hexdigest(), size_bytes=5)
    with pytest.raises(InvalidArgument, match=r"'a.txt' \(5 bytes, stored are 4\)"):
        service.send(CreateFileSet(entries=(entry,)))
