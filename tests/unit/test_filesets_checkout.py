import hashlib
import os
import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from amlsdk.errors import Conflict, InvalidArgument, NotFound
from amlsdk.filesets.checkout import checkout
from amlsdk.filesets.listing import record_of
from amlsdk.filesets.snapshot import snapshot
from amlsdk.records.filesets import FileEntry, FileSetRecord
from amlsdk.records.streams import ByteStream
from amlsdk.storage.blobs.folder import FolderBlobStore


@pytest.fixture
def store(tmp_path):
    return FolderBlobStore(tmp_path / "store")


def entry(store, path, content, mode="file"):
    digest = hashlib.sha256(content).hexdigest()
    store.put(digest, ByteStream.of(content))
    return FileEntry(path=path, digest=digest, size_bytes=len(content), mode=mode)


def tree_of(store, files, links=()):
    entries = [entry(store, path, content) for path, content in files.items()]
    return record_of(entries + [entry(store, path, target.encode(), "link") for path, target in dict(links).items()])


def forged(*entries):
    """A record whose digest fits entries that are no tree."""
    return FileSetRecord(digest="0" * 64, entries=entries)


def files_below(folder):
    below = [path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir()]
    return {path.relative_to(folder).as_posix() for path in below}


def test_a_snapshot_comes_back_as_it_was(tmp_path, store):
    tree, out = tmp_path / "tree", tmp_path / "new" / "out"
    (tree / "a" / "b").mkdir(parents=True)
    (tree / "a" / "b" / "data").write_bytes(random.Random(1).randbytes(3_000_000))
    (tree / "run.sh").write_text("#!/bin/sh\n")
    (tree / "run.sh").chmod(0o755)
    (tree / "empty").touch()
    (tree / "latest").symlink_to("a/b")
    record = snapshot(tree, store).record
    checkout(record, store, out)
    assert snapshot(out, store).record == record
    assert (out / "latest").readlink().as_posix() == "a/b"
    assert os.access(out / "run.sh", os.X_OK)


names = st.text(st.characters(codec="utf-8", exclude_characters="/\0:"), min_size=1, max_size=6).filter(
    lambda name: name not in {".", ".."}
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(names, st.tuples(names, st.binary(max_size=30)), max_size=5))
def test_any_tree_comes_back_as_it_was(tmp_path_factory, files):
    folder = tmp_path_factory.mktemp("any")
    store = FolderBlobStore(folder / "store")
    record = tree_of(store, {f"{name}/{below}": content for name, (below, content) in files.items()})
    checkout(record, store, folder / "out")
    assert snapshot(folder / "out", store, everything=True).record == record


def test_files_written_may_be_changed_without_changing_the_store(tmp_path, store):
    record = tree_of(store, {"a": b"content"})
    checkout(record, store, tmp_path / "out")
    with (tmp_path / "out" / "a").open("r+b") as file:
        file.write(b"CHANGED")
    assert store.open(record.entries[0].digest).read() == b"content"


def test_the_same_again_and_other_files_are_no_conflict(tmp_path, store):
    record = tree_of(store, {"a": b"1", "b/c": b"2"}, {"l": "a"})
    checkout(record, store, tmp_path / "out")
    (tmp_path / "out" / "mine").write_text("stays")
    (tmp_path / "out" / "a").touch()
    before = (tmp_path / "out" / "a").stat()
    checkout(record, store, tmp_path / "out")
    assert (tmp_path / "out" / "a").stat().st_ino == before.st_ino
    assert (tmp_path / "out" / "mine").read_text() == "stays"


def test_different_files_are_named_and_nothing_is_written(tmp_path, store):
    record = tree_of(store, {f"f{number}": b"stored" for number in range(8)} | {"new": b"x"}, {"l": "new"})
    out = tmp_path / "out"
    out.mkdir()
    for number in range(8):
        (out / f"f{number}").write_text("edited")
    (out / "l").symlink_to("elsewhere")
    with pytest.raises(Conflict, match=r"'f0', 'f1', 'f2', 'f3', 'f4' and 4 more.*ask to overwrite them"):
        checkout(record, store, out)
    assert files_below(out) == {*(f"f{number}" for number in range(8)), "l"}
    assert (out / "f0").read_text() == "edited"
    checkout(record, store, out, overwrite=True)
    assert (out / "f0").read_text() == "stored"
    assert (out / "l").read_text() == "x"


def test_a_mode_that_differs_is_a_difference(tmp_path, store):
    record = record_of([entry(store, "run.sh", b"x", "executable")])
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "run.sh").write_text("x")
    with pytest.raises(Conflict, match=r"run\.sh"):
        checkout(record, store, tmp_path / "out")
    checkout(record, store, tmp_path / "out", overwrite=True)
    assert os.access(tmp_path / "out" / "run.sh", os.X_OK)


@pytest.mark.parametrize("overwrite", [False, True])
def test_folders_and_files_are_never_replaced_by_each_other(tmp_path, store, overwrite):
    out = tmp_path / "out"
    (out / "a").mkdir(parents=True)
    (out / "a" / "mine").write_text("stays")
    (out / "b").write_text("stays")
    with pytest.raises(Conflict, match=r"'a'.*folders where the tree has files"):
        checkout(tree_of(store, {"a": b"x", "new": b"x"}), store, out, overwrite=overwrite)
    with pytest.raises(Conflict, match="b' is a file where the tree has a folder"):
        checkout(tree_of(store, {"b/c": b"x", "new": b"x"}), store, out, overwrite=overwrite)
    assert files_below(out) == {"a/mine", "b"}


@pytest.mark.parametrize("overwrite", [False, True])
def test_nothing_is_written_through_a_link_in_the_folder(tmp_path, store, overwrite):
    """`out/link` leads elsewhere; the tree's `link/x` must not land there."""
    elsewhere, out = tmp_path / "elsewhere", tmp_path / "out"
    elsewhere.mkdir()
    (out / "deep").mkdir(parents=True)
    (out / "deep" / "link").symlink_to(elsewhere)
    record = tree_of(store, {"deep/link/sub/x": b"evil", "a-new/fine": b"x"})
    with pytest.raises(InvalidArgument, match="link' is a link where the tree has a folder"):
        checkout(record, store, out, overwrite=overwrite)
    assert list(elsewhere.iterdir()) == []
    assert sorted(path.name for path in out.iterdir()) == ["deep"]
    assert files_below(out) == {"deep/link"}


def test_overwriting_replaces_a_link_not_what_it_leads_to(tmp_path, store):
    out = tmp_path / "out"
    out.mkdir()
    (tmp_path / "precious").write_text("stays")
    (out / "a").symlink_to(tmp_path / "precious")
    checkout(tree_of(store, {"a": b"stored"}), store, out, overwrite=True)
    assert (tmp_path / "precious").read_text() == "stays"
    assert not (out / "a").is_symlink()
    assert (out / "a").read_text() == "stored"


def test_the_folder_itself_may_be_a_link(tmp_path, store):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    checkout(tree_of(store, {"a": b"x"}), store, tmp_path / "link")
    assert (tmp_path / "real" / "a").read_bytes() == b"x"


@pytest.mark.parametrize("path", ["../x", "/tmp/amlsdk-evil", "a/../../x", "C:/x", "a\0b", "", "./x", "a//b"])
def test_unsafe_paths_are_refused_before_anything_is_written(tmp_path, store, path):
    with pytest.raises(InvalidArgument):
        checkout(forged(entry(store, "fine", b"x"), entry(store, path, b"x")), store, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["store"]


@pytest.mark.parametrize("target", ["/etc", "..", "a/../../x", "\0", ""])
def test_links_that_leave_are_refused_before_anything_is_written(tmp_path, store, target):
    record = tree_of(store, {"fine": b"x"}, {"l": target})
    with pytest.raises(InvalidArgument, match="'l'"):
        checkout(record, store, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_links_that_leave_together_are_refused(tmp_path, store):
    """Each target alone stays inside; through the other, one does not."""
    record = tree_of(store, {"a/b/x": b"x"}, {"s": "a", "a/out": "../s/../.."})
    with pytest.raises(InvalidArgument, match="leaves the folder"):
        checkout(record, store, tmp_path / "out")


def test_a_file_below_a_link_of_the_same_tree_is_refused(tmp_path, store):
    record = forged(entry(store, "l", b"/tmp", "link"), entry(store, "l/x", b"evil"))
    with pytest.raises(InvalidArgument, match="'l' as a file or link"):
        checkout(record, store, tmp_path / "out")


def test_a_link_with_a_target_no_path_can_be_is_refused(tmp_path, store):
    record = tree_of(store, {}, {"l": "x" * 5000})
    with pytest.raises(InvalidArgument, match="'l' has a target of 5000 bytes"):
        checkout(record, store, tmp_path / "out")


def test_entries_changed_after_the_digest_was_taken_are_refused(tmp_path, store):
    record = tree_of(store, {"a": b"x"})
    changed = FileSetRecord(digest=record.digest, entries=(entry(store, "a", b"y"),))
    with pytest.raises(InvalidArgument, match="does not have this digest"):
        checkout(changed, store, tmp_path / "out")


def test_a_tree_with_missing_blobs_is_not_begun(tmp_path, store):
    record = tree_of(store, {"a": b"1", "b": b"2"})
    store.delete(record.entries[1].digest)
    with pytest.raises(NotFound, match=r"1 files .* the first 'b'"):
        checkout(record, store, tmp_path / "out")
    assert not (tmp_path / "out").exists()
