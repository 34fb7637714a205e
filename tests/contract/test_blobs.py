import hashlib

import pytest

from amlsdk.errors import InvalidArgument, NotFound
from amlsdk.operations.blobs import FindMissingBlobs, GetBlob, PutBlob
from amlsdk.records.streams import ByteStream

CONTENT = bytes(range(256)) * 10_000
DIGEST = hashlib.sha256(CONTENT).hexdigest()


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
