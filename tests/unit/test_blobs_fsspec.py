import hashlib
import os
import time
from pathlib import Path

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from amlsdk.errors import InvalidArgument, Unavailable
from amlsdk.records.filesets import PART_BYTES
from amlsdk.records.streams import ByteStream
from amlsdk.storage.blobs.base import BlobStore
from amlsdk.storage.blobs.fsspec import FsspecBlobStore, open_fsspec
from amlsdk.storage.blobs.objects import Found
from amlsdk.testing.blob_store_case import BlobStoreTestCase


def flip_a_byte(store, digest):
    path = f"{store._root}/blobs/{digest}"
    content = bytearray(store._files.cat_file(path))
    content[len(content) // 2] ^= 1
    store._files.pipe_file(path, bytes(content))


class TestInMemory(BlobStoreTestCase):
    @pytest.fixture(autouse=True)
    def _forgotten(self):
        yield
        fsspec.filesystem("memory").store.clear()

    def make_store(self, folder: Path) -> BlobStore:
        return open_fsspec(f"memory:/{folder}", prefix="workspaces/a")

    def damage(self, store, digest):
        flip_a_byte(store, digest)


class TestInFiles(BlobStoreTestCase):
    def make_store(self, folder: Path) -> BlobStore:
        return open_fsspec(f"file://{folder}", prefix="workspaces/a")

    def damage(self, store, digest):
        flip_a_byte(store, digest)


@pytest.fixture
def store(tmp_path):
    return open_fsspec(f"file://{tmp_path}/store", prefix="a")


def put(store, content):
    digest = hashlib.sha256(content).hexdigest()
    store.put(digest, ByteStream.of(content))
    return digest


def names(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_nothing_is_left_beside_what_is_stored(store, tmp_path):
    small, large = put(store, b"x"), put(store, bytes(PART_BYTES + 1))
    assert names(tmp_path / "store" / "a") == sorted([f"blobs/{small}", f"blobs/{large}"])


def test_content_that_breaks_off_leaves_nothing(store, tmp_path):
    def broken():
        yield bytes(PART_BYTES + 1)
        raise ConnectionResetError("the peer is gone")

    with pytest.raises(ConnectionResetError):
        store.put("0" * 64, ByteStream(begin=broken))
    with pytest.raises(InvalidArgument, match="0" * 64):
        store.put("0" * 64, ByteStream.of(bytes(2 * PART_BYTES)))
    assert names(tmp_path) == []


def test_drafts_of_killed_processes_are_removed_once_they_are_old(store, tmp_path):
    drafts = tmp_path / "store" / "a" / "drafts"
    drafts.mkdir(parents=True)
    for name in ("old", "young"):
        (drafts / name).write_bytes(b"part")
    os.utime(drafts / "old", (0, 0))
    assert store.remove_leftovers() == 1
    assert names(drafts) == ["young"]


def test_being_asked_for_marks_an_old_blob_as_used(store, tmp_path):
    """By an object beside it, as not every place can renew a time; it goes with the blob."""
    digest = put(store, b"x")
    os.utime(tmp_path / "store" / "a" / "blobs" / digest, (0, 0))
    [(_, _, used)] = store.digests()
    assert used == 0
    assert store.missing([digest]) == ()
    [(_, _, used)] = store.digests()
    assert time.time() - used < 3600
    assert not store.delete(digest, unless_used_since=time.time() - 3600)
    assert store.delete(digest)
    assert names(tmp_path) == []


def test_a_blob_that_is_found_while_it_is_being_removed_stays(store, tmp_path, monkeypatch):
    """Few places remove a file on a condition, so that it is put aside, and back."""
    digest = put(store, b"x")
    second = open_fsspec(f"file://{tmp_path}/store", prefix="a")

    def found_old(name):
        """The blob is old when it is looked at, and right then somebody else marks it as used."""
        assert second._mark_used(name)
        return Found(size_bytes=1, used_at=0.0)

    monkeypatch.setattr(store, "_find", found_old)
    assert not store.delete(digest, unless_used_since=time.time() - 60)
    assert second.open(digest).read() == b"x"
    assert names(tmp_path / "store" / "a") == [f"blobs/{digest}", f"used/blobs/{digest}"]


def test_a_blob_that_was_removed_is_not_found_by_who_marks_it_then(store, tmp_path):
    digest = put(store, b"x")
    assert store.delete(digest, unless_used_since=time.time() + 60)
    assert not store._mark_used(f"blobs/{digest}")
    assert store.delete(digest, unless_used_since=time.time() + 60)


def test_a_place_that_refuses_is_unavailable(store, tmp_path):
    (tmp_path / "store").write_text("a file where the folder is to be")
    with pytest.raises(Unavailable, match=r"in file:///.*: Not a directory; see that the place is there"):
        put(store, b"x")


class Refusing(MemoryFileSystem):
    """A place whose errors have what is secret in their text."""

    protocol = "refusing"

    def _refuse(self, *_, **__):
        raise PermissionError("denied: https://user:secret@example.com/x?sig=secret")

    info = find = open = pipe_file = rm_file = exists = makedirs = _refuse


def test_errors_of_a_place_are_told_without_what_is_secret():
    store = FsspecBlobStore(Refusing(), "user:secret@bucket/folder")
    content = ByteStream.of(b"x")
    for use in (
        store.check,
        lambda: store.missing(["0" * 64]),
        lambda: list(store.digests()),
        lambda: store.put("0" * 64, content),
        lambda: store.delete("0" * 64),
        lambda: store.put_part("0" * 64, 0, content),
        store.remove_leftovers,
    ):
        with pytest.raises(Unavailable, match="PermissionError: denied") as caught:
            use()
        assert "secret" not in str(caught.value)
