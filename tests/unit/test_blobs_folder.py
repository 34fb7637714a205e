import hashlib
import os
import time
from pathlib import Path

import pytest

from amlsdk.errors import InvalidArgument, OperationFailed
from amlsdk.records.streams import ByteStream
from amlsdk.storage.blobs import copying
from amlsdk.storage.blobs.base import BlobStore
from amlsdk.storage.blobs.folder import FolderBlobStore
from amlsdk.testing.blob_store_case import BlobStoreTestCase


def digest_of(content):
    return hashlib.sha256(content).hexdigest()


def blob_path(store, digest):
    return store.folder / digest[:2] / digest[2:]


def flip_a_byte(path):
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        byte = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte[0] ^ 1]))


class TestFolderBlobStore(BlobStoreTestCase):
    def make_store(self, folder: Path) -> BlobStore:
        return FolderBlobStore(folder)

    def damage(self, store, digest):
        flip_a_byte(blob_path(store, digest))


class Plain(BlobStore):
    """A store with nothing beyond what the contract asks for, so that the defaults of the base are used."""

    def __init__(self, folder):
        self.inner = FolderBlobStore(folder)

    def sizes(self, digests):
        return self.inner.sizes(digests)

    def put(self, digest, content):
        return self.inner.put(digest, content)

    def put_file(self, path, *, digest=None):
        return self.inner.put_file(path, digest=digest)

    def open(self, digest, *, start=0):
        return self.inner.open(digest, start=start)

    def size(self, digest):
        return self.inner.size(digest)

    def digests(self):
        return self.inner.digests()

    def delete(self, digest, *, unless_used_since=None):
        return self.inner.delete(digest, unless_used_since=unless_used_since)

    def put_part(self, digest, number, content):
        self.inner.put_part(digest, number, content)

    def parts(self, digest):
        return self.inner.parts(digest)

    def finish(self, digest, parts):
        return self.inner.finish(digest, parts)

    def remove_leftovers(self, *, older_than_s=86_400):
        return self.inner.remove_leftovers(older_than_s=older_than_s)


class TestDefaultsOfTheBase(BlobStoreTestCase):
    def make_store(self, folder: Path) -> BlobStore:
        return Plain(folder)

    def damage(self, store, digest):
        flip_a_byte(blob_path(store.inner, digest))


@pytest.fixture
def store(tmp_path):
    return FolderBlobStore(tmp_path / "store")


def put(store, content):
    store.put(digest_of(content), ByteStream.of(content))
    return digest_of(content)


def test_making_a_store_touches_nothing(store):
    assert store.missing([digest_of(b"x")]) == (digest_of(b"x"),)
    assert list(store.digests()) == []
    assert not store.folder.exists()


def test_blobs_are_read_only_files_in_a_fan_and_no_temporary_stays(store):
    digest = put(store, b"x")
    assert blob_path(store, digest).stat().st_mode & 0o222 == 0
    assert list((store.folder / "tmp").iterdir()) == []


def test_a_store_stays_where_it_was_when_the_directory_changes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    store = FolderBlobStore("here")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    put(store, b"x")
    assert (tmp_path / "here").is_dir()


def test_being_asked_for_marks_a_blob_as_used(store):
    """A collector with a period of grace must not take what was just found."""
    digest = put(store, b"x")
    long_ago = time.time() - 1e6
    os.utime(blob_path(store, digest), (long_ago, long_ago))
    assert store.missing([digest]) == ()
    [(_, _, used)] = store.digests()
    assert time.time() - used < 3600


def test_an_emptied_blob_counts_as_missing_and_is_stored_again(store):
    digest = put(store, b"lost in a loss of power")
    path = blob_path(store, digest)
    path.chmod(0o644)
    path.write_bytes(b"")
    assert store.missing([digest]) == (digest,)
    put(store, b"lost in a loss of power")
    assert store.open(digest).read() == b"lost in a loss of power"


def test_a_shortened_blob_is_replaced_by_whoever_has_the_content(store):
    digest = put(store, b"whole content")
    path = blob_path(store, digest)
    path.chmod(0o644)
    path.write_bytes(b"whole")
    put(store, b"whole content")
    assert store.open(digest).read() == b"whole content"


def test_a_link_is_not_stored_as_the_file_it_leads_to(store, tmp_path):
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "link").symlink_to("file")
    with pytest.raises(InvalidArgument, match="link"):
        store.put_file(tmp_path / "link")


def test_a_pipe_is_refused_without_waiting(store, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InvalidArgument, match="pipe"):
        store.put_file(tmp_path / "pipe")


def test_leftovers_of_killed_processes_are_removed_once_they_are_old(store):
    put(store, b"x")
    old, young = (store.folder / "tmp" / name for name in ("old", "young"))
    for path in (old, young):
        path.write_bytes(b"part")
    os.utime(old, (time.time() - 1e6, time.time() - 1e6))
    assert store.remove_leftovers() == 1
    assert not old.exists()
    assert young.exists()


def test_other_files_in_the_folder_are_no_blobs(store):
    digest = put(store, b"x")
    (store.folder / "README").write_text("not a blob")
    (store.folder / digest[:2] / "note").write_text("not a blob")
    assert [found for found, _, _ in store.digests()] == [digest]


def test_a_clone_is_what_is_hashed(store, tmp_path, monkeypatch):
    """Where the file system clones, the digest is of the clone, so that a later change of the source can't matter."""

    def clone(source, target):
        os.write(target, os.pread(source, 100, 0))
        os.lseek(target, 0, os.SEEK_SET)
        (tmp_path / "file").write_bytes(b"changed later")
        return True

    (tmp_path / "file").write_bytes(b"cloned")
    monkeypatch.setattr(copying, "_clone", clone)
    digest, size = store.put_file(tmp_path / "file")
    assert (digest, size) == (digest_of(b"cloned"), 6)
    assert store.open(digest).read() == b"cloned"


def test_many_files_in_several_groups(store, tmp_path, monkeypatch):
    monkeypatch.setattr("amlsdk.storage.blobs.folder._GROUP", 7)
    paths = [tmp_path / str(number) for number in range(40)]
    for path in paths:
        path.write_text(f"content of {int(path.name) // 2}")
    stored = store.put_files(paths)
    assert len(stored) == 40
    assert len(list(store.digests())) == 20
    assert list((store.folder / "tmp").iterdir()) == []


def test_a_damaged_blob_names_its_file(store):
    digest = put(store, b"content")
    flip_a_byte(blob_path(store, digest))
    with pytest.raises(OperationFailed, match="delete it and store the content again"):
        store.open(digest).read()
