import contextlib
import hashlib
import os
import tempfile
import threading
import time
from pathlib import Path

import orjson
import pytest

from amlsdk.errors import Conflict, InvalidArgument
from amlsdk.filesets import snapshot as module
from amlsdk.filesets.listing import load_record, parse_listing
from amlsdk.filesets.snapshot import snapshot
from amlsdk.records.streams import CHUNK, ByteStream
from amlsdk.storage.blobs.folder import FolderBlobStore

LONG_AGO = time.time() - 1000


def digest_of(content):
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def store(tmp_path):
    return FolderBlobStore(tmp_path / "store")


@pytest.fixture
def tree(tmp_path):
    folder = tmp_path / "tree"
    for name, content in {"a": b"1", "b/c": b"22", "b/d": b"22", "e": b""}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture
def settled(monkeypatch):
    """Files written just now count as settled: the clock of the snapshot runs an hour ahead."""
    monkeypatch.setattr(module.time, "time_ns", lambda: int((time.time() + 3600) * 1e9))


@pytest.fixture
def reads(monkeypatch):
    """Which files were read: on their way into the store."""
    names = []
    put_files = FolderBlobStore.put_files

    def counted(self, paths):
        names.extend(path.name if path.parent.name == "tree" else f"{path.parent.name}/{path.name}" for path in paths)
        return put_files(self, paths)

    monkeypatch.setattr(FolderBlobStore, "put_files", counted)
    return names


def contents(record, store):
    return {entry.path: store.open(entry.digest).read() for entry in record.entries}


def test_a_snapshot_holds_every_file_once(tree, store):
    taken = snapshot(tree, store)
    assert contents(taken.record, store) == {"a": b"1", "b/c": b"22", "b/d": b"22", "e": b""}
    assert (taken.new_blobs, taken.new_bytes) == (3, 3)
    assert taken.biggest[:3] == (("b/c", 2), ("b/d", 2), ("a", 1))
    assert [entry.size_bytes for entry in taken.record.entries] == [1, 2, 2, 0]


def test_the_listing_is_stored_under_the_digest_of_the_tree(tree, store):
    record = snapshot(tree, store).record
    assert parse_listing(store.open(record.digest).read()) == record.entries
    assert load_record(record.digest, store) == record


def test_equal_trees_have_equal_digests_wherever_they_are(tree, tmp_path, store):
    first = snapshot(tree, store).record
    tree.rename(tmp_path / "moved")
    again = snapshot(tmp_path / "moved", store)
    assert again.record == first
    assert again.new_blobs == 0


def test_modes_and_links_are_part_of_the_tree(tree, store):
    before = snapshot(tree, store).record
    (tree / "a").chmod(0o755)
    (tree / "l").symlink_to("b/c")
    record = snapshot(tree, store).record
    assert {entry.path: entry.mode for entry in record.entries} == {
        "a": "executable",
        "b/c": "file",
        "b/d": "file",
        "e": "file",
        "l": "link",
    }
    assert contents(record, store)["l"] == b"b/c"
    assert record.digest != before.digest


def test_a_single_file_through_a_link(tree, tmp_path, store):
    """What the user names may be a link: the file it leads to is meant, under that file's name."""
    (tmp_path / "link").symlink_to(tree / "a")
    assert contents(snapshot(tmp_path / "link", store).record, store) == {"a": b"1"}


def test_an_empty_folder_is_an_empty_tree(tmp_path, store):
    (tmp_path / "empty" / "below").mkdir(parents=True)
    assert snapshot(tmp_path / "empty", store).record.entries == ()


@pytest.mark.usefixtures("settled")
def test_only_changed_files_are_read_again(tree, tmp_path, store, reads):
    snapshot(tree, store, cache=tmp_path / "cache")
    reads.clear()
    (tree / "b" / "c").write_bytes(b"changed")
    taken = snapshot(tree, store, cache=tmp_path / "cache")
    assert reads == ["b/c"]
    assert taken.new_blobs == 1
    assert contents(taken.record, store) == {"a": b"1", "b/c": b"changed", "b/d": b"22", "e": b""}


@pytest.mark.usefixtures("settled")
def test_a_change_that_keeps_size_and_modification_time_is_seen(tree, tmp_path, store):
    os.utime(tree / "a", (LONG_AGO, LONG_AGO))
    snapshot(tree, store, cache=tmp_path / "cache")
    (tree / "a").write_bytes(b"2")
    os.utime(tree / "a", (LONG_AGO, LONG_AGO))
    assert contents(snapshot(tree, store, cache=tmp_path / "cache").record, store)["a"] == b"2"


def test_files_changed_just_before_they_were_hashed_are_not_trusted(tree, tmp_path, store, reads):
    """Another change within the same tick of the file system's clock could not be told."""
    snapshot(tree, store, cache=tmp_path / "cache")
    reads.clear()
    snapshot(tree, store, cache=tmp_path / "cache")
    assert sorted(reads) == ["a", "b/c", "b/d", "e"]


@pytest.mark.usefixtures("settled")
def test_blobs_collected_meanwhile_are_stored_again(tree, tmp_path, store):
    """What the cache knows is never taken for what the store has."""
    record = snapshot(tree, store, cache=tmp_path / "cache").record
    for digest, _, _ in list(store.digests()):
        store.delete(digest)
    again = snapshot(tree, store, cache=tmp_path / "cache")
    assert again.record == record
    assert contents(again.record, store)["b/c"] == b"22"


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize("damage", [b"", b"not JSON", b"[]", b'{"version":1,"files":[]}', b'{"version":2,"files":{}}'])
def test_a_damaged_cache_costs_only_time(tree, tmp_path, store, damage):
    record = snapshot(tree, store, cache=tmp_path / "cache").record
    [path] = (tmp_path / "cache").iterdir()
    path.write_bytes(damage)
    assert snapshot(tree, store, cache=tmp_path / "cache").record == record


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize("digest", ["../../x", None, 5, "a" * 64])
def test_a_wrong_digest_in_the_cache_is_not_believed(tree, tmp_path, store, digest):
    record = snapshot(tree, store, cache=tmp_path / "cache").record
    [path] = (tmp_path / "cache").iterdir()
    known = orjson.loads(path.read_bytes())
    known["files"]["a"][-1] = digest
    path.write_bytes(orjson.dumps(known))
    assert snapshot(tree, store, cache=tmp_path / "cache").record == record


def test_a_cache_that_can_not_be_written_costs_only_time(tree, tmp_path, store):
    (tmp_path / "cache").write_text("a file where the folder should be")
    assert snapshot(tree, store, cache=tmp_path / "cache").new_blobs == 3


@pytest.mark.usefixtures("settled")
def test_caches_of_two_folders_do_not_mix(tree, tmp_path, store):
    other = tmp_path / "other"
    other.mkdir()
    (other / "a").write_bytes(b"other")
    for _ in range(2):
        assert contents(snapshot(tree, store, cache=tmp_path / "cache").record, store)["a"] == b"1"
        assert contents(snapshot(other, store, cache=tmp_path / "cache").record, store) == {"a": b"other"}


class ChangesOnce(FolderBlobStore):
    """Runs something between hashing and storing."""

    def put_files(self, paths):
        if changes:
            changes.pop()()
        return super().put_files(paths)


changes = []


# Large files are hashed before they are stored, as they may be there already.
LARGE = b"same" * (CHUNK // 4) + b"!"


@pytest.fixture
def twins(tmp_path):
    folder = tmp_path / "twins"
    folder.mkdir()
    for name in "abc":
        (folder / name).write_bytes(LARGE)
    return folder


def test_a_file_that_changes_between_hashing_and_storing_is_kept_as_stored(tree, tmp_path):
    store = ChangesOnce(tmp_path / "store")
    (tree / "large").write_bytes(LARGE)
    changes.extend([lambda: (tree / "large").write_bytes(b"later"), lambda: None])
    taken = snapshot(tree, store)
    assert contents(taken.record, store)["large"] == b"later"
    assert taken.record.entries[-1].size_bytes == 5


def test_a_file_that_loses_its_twin_to_a_change_is_still_stored(twins, tmp_path):
    """`a`, `b` and `c` are one blob: whichever is sent for all, the others must not be left without."""
    store = ChangesOnce(tmp_path / "store")
    changes.append(lambda: (twins / "c").write_bytes(b"new"))
    assert contents(snapshot(twins, store).record, store) == {"a": LARGE, "b": LARGE, "c": b"new"}


def test_twins_that_change_one_after_the_other_leave_none_without_a_blob(twins, tmp_path):
    """Each time one is sent for all, that one changes: the next must be sent."""
    changes.extend([lambda: (twins / "b").write_bytes(b"b"), lambda: (twins / "c").write_bytes(b"c")])
    store = ChangesOnce(tmp_path / "store")
    assert contents(snapshot(twins, store).record, store) == {"a": LARGE, "b": b"b", "c": b"c"}


def test_files_that_change_faster_than_they_are_stored_are_a_conflict(twins, tmp_path):
    for number in range(7):
        (twins / str(number)).write_bytes(LARGE)

    class ChangesAlways(FolderBlobStore):
        def put_files(self, paths):
            for path in paths:
                path.write_bytes(path.name.encode())
            return super().put_files(paths)

    with pytest.raises(Conflict, match="change faster"):
        snapshot(twins, ChangesAlways(tmp_path / "store"))


def test_a_file_that_vanishes_before_it_is_stored_is_left_out(tree, tmp_path):
    store = ChangesOnce(tmp_path / "store")
    changes.append((tree / "a").unlink)
    assert set(contents(snapshot(tree, store).record, store)) == {"b/c", "b/d", "e"}


def test_a_file_that_is_written_all_the_time_is_kept_in_some_state(tree, store):
    """Whatever state it is kept in, its blob has its digest."""
    stop, log = threading.Event(), tree / "log"
    log.write_bytes(b"")

    def write():
        with log.open("ab", buffering=0) as file:
            while not stop.is_set():
                file.write(b"line\n")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        records = [snapshot(tree, store).record for _ in range(5)]
    finally:
        stop.set()
        writer.join()
    for record in records:
        [entry] = [entry for entry in record.entries if entry.path == "log"]
        assert len(store.open(entry.digest).read()) == entry.size_bytes


def test_an_unreadable_file_is_named(store):
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        Path(name).chmod(0o755)
        (Path(name) / "closed").write_text("x")
        (Path(name) / "closed").chmod(0)
        if os.geteuid() == 0:
            os.seteuid(65534)
            stack.callback(os.seteuid, 0)
        with pytest.raises(InvalidArgument, match="closed' can't be read: Permission denied"):
            snapshot(name, store)


def test_progress_ends_at_the_whole(tree, store):
    seen = []
    snapshot(tree, store, progress=lambda done, whole: seen.append((done, whole)))
    assert [whole for _, whole in seen] == [5] * 4
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert seen[-1] == (5, 5)


def test_the_workspace_inside_the_project_is_not_part_of_it(tree):
    store = FolderBlobStore(tree / "workspace" / "blobs")
    first = snapshot(tree, store, exclude=[tree / "workspace"]).record
    assert snapshot(tree, store, exclude=[tree / "workspace"]).record == first


def test_more_files_than_one_slice(tmp_path, store):
    (tmp_path / "many").mkdir()
    for number in range(700):
        (tmp_path / "many" / f"{number:03}").write_text(str(number))
    record = snapshot(tmp_path / "many", store).record
    assert [store.open(entry.digest).read() for entry in record.entries] == [str(n).encode() for n in range(700)]


def test_a_stream_of_nothing_is_a_blob_too(store):
    assert store.put(digest_of(b""), ByteStream.of(b"")) == 0
    assert store.missing([digest_of(b"")]) == ()
