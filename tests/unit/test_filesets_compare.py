import hashlib
import shutil
import subprocess

import pytest

from amlsdk.filesets.compare import compare, text_diff
from amlsdk.filesets.listing import record_of
from amlsdk.records.filesets import FileEntry
from amlsdk.records.streams import ByteStream
from amlsdk.storage.blobs.folder import FolderBlobStore


@pytest.fixture
def store(tmp_path):
    return FolderBlobStore(tmp_path / "store")


@pytest.fixture
def tree(store):
    def make(files, mode="file"):
        entries = []
        for path, content in files.items():
            digest = hashlib.sha256(content).hexdigest()
            store.put(digest, ByteStream.of(content))
            entries.append(FileEntry(path=path, digest=digest, size_bytes=len(content), mode=mode))
        return record_of(entries)

    return make


def test_paths_are_sorted_into_added_removed_and_changed(tree):
    difference = compare(
        tree({"same": b"1", "gone": b"1", "changed": b"1"}), tree({"same": b"1", "new": b"1", "changed": b"2"})
    )
    assert (difference.added, difference.removed, difference.changed) == (("new",), ("gone",), ("changed",))
    assert difference


def test_equal_trees_do_not_differ(tree, store):
    assert not compare(tree({"a": b"1"}), tree({"a": b"1"}))
    assert text_diff(tree({"a": b"1"}), tree({"a": b"1"}), store) == ""


def test_a_mode_is_a_change_without_text(tree, store):
    a, b = tree({"run.sh": b"x"}), tree({"run.sh": b"x"}, "executable")
    assert compare(a, b).changed == ("run.sh",)
    assert text_diff(a, b, store) == "File run.sh changed from file to executable\n"


def test_patch_can_apply_the_difference(tree, store, tmp_path):
    """What is written is a unified diff, also of lines without newline and with form feeds."""
    before = {"a.py": b"one\ntwo\x0cstill two\nthree\n", "end.txt": b"no newline", "gone": b"x\n"}
    after = {"a.py": b"one\n2\x0cstill two\nthree\n", "end.txt": b"now\nwith\n", "new": b"first\nlast"}
    for path, content in before.items():
        (tmp_path / path).write_bytes(content)
    patch = text_diff(tree(before), tree(after), store)
    subprocess.run([shutil.which("patch"), "-p1", "-E"], cwd=tmp_path, input=patch.encode(), check=True)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == after


def test_binary_files_are_named_only(tree, store):
    assert text_diff(tree({"a": b"\0\1"}), tree({"a": b"text"}), store) == "Binary file a differs\n"
    assert text_diff(tree({}), tree({"a": b"\xff\xfe"}), store) == "Binary file a differs\n"


def test_large_files_are_named_only(tree, store):
    diff = text_diff(tree({"big": b"x" * 101}), tree({"big": b"y", "small": b"z\n"}), store, limit_bytes=100)
    assert "File big differs (larger than 100 bytes)" in diff
    assert "+z" in diff


def test_the_result_is_limited(tree, store):
    a = tree({f"f{number}": b"old line\n" for number in range(50)})
    b = tree({f"f{number}": b"new line\n" for number in range(50)})
    diff = text_diff(a, b, store, limit_bytes=300)
    assert diff.count("+new line") in range(1, 6)
    assert all(f"f{number}" in diff for number in range(50))
