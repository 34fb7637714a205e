"""What a script wrote beside its outputs, whatever the clock and the folder say."""

import os
import subprocess
import time

import pytest

from amlsdk.execution.collecting import collect_outputs
from amlsdk.execution.strays import find_strays
from amlsdk.filesets.removing import remove_tree
from amlsdk.filesets.snapshot import snapshot
from amlsdk.journal.lines import parse_batch
from amlsdk.journal.writer import JournalWriter
from amlsdk.records.ids import new_id
from amlsdk.storage.blobs.folder import FolderBlobStore

HOUR_NS = 3600 * 10**9


@pytest.fixture
def folder(tmp_path):
    work = tmp_path / "work"
    (work / "outputs").mkdir(parents=True)
    (work / "a.txt").write_text("a")
    (work / "b.txt").write_text("b")
    return work


@pytest.fixture
def tree(folder, tmp_path):
    return snapshot(folder, FolderBlobStore(tmp_path / "blobs"), everything=True).record


@pytest.fixture
def deep(folder):
    """A path in the working folder that no system call takes, made step by step."""
    before = os.open(".", os.O_RDONLY)
    try:
        os.chdir(folder)
        for _ in range(3000):
            os.mkdir("d")
            os.chdir("d")
    finally:
        os.chdir(before)
        os.close(before)
    yield folder
    # Not even the standard library removes such a tree.
    subprocess.run(["rm", "-rf", folder], check=True)  # found where the system keeps it


def test_a_change_is_seen_though_the_clock_was_set_back_after_the_folder_was_written(folder, tree):
    """The files have times long before those between which the folder was written."""
    later = time.time_ns() + HOUR_NS
    (folder / "b.txt").write_text("B")
    assert find_strays(folder, tree, begun_ns=later, since_ns=later + 1) == ["b.txt"]


def test_files_of_the_time_in_which_the_folder_was_written_are_not_read(folder, tree, monkeypatch):
    now = time.time_ns()
    monkeypatch.setattr("amlsdk.execution.strays.hash_file", lambda path: pytest.fail(f"{path} was read"))
    assert find_strays(folder, tree, begun_ns=now - HOUR_NS, since_ns=now + HOUR_NS) == []


def test_a_folder_that_can_not_be_looked_into_is_named_as_a_whole(tree, deep):
    (deep / "new").touch()
    too_deep, new = find_strays(deep, tree, since_ns=time.time_ns())
    assert too_deep == "d/" * (len(too_deep) // 2)
    assert len(too_deep) > 1000
    assert new == "new"


def test_a_folder_that_is_gone_or_a_link_has_no_strays(folder, tree, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "precious").touch()
    (tmp_path / "link").symlink_to("elsewhere")
    assert find_strays(tmp_path / "link", tree, since_ns=0) == []
    assert find_strays(tmp_path / "none", tree, since_ns=0) == []


@pytest.mark.parametrize("linked", ["work", "work/outputs"])
def test_outputs_behind_a_link_are_not_taken_for_the_run_s(folder, tmp_path, linked):
    folder.rename(tmp_path / "moved") if linked == "work" else (folder / "outputs").rename(tmp_path / "moved")
    (tmp_path / linked).symlink_to(tmp_path / "moved")
    (tmp_path / "moved" / "precious").touch()
    journal = JournalWriter(tmp_path / "journals", new_id())
    assert collect_outputs(folder, FolderBlobStore(tmp_path / "blobs"), journal) == []
    journal.close()
    entries = parse_batch(journal.path.read_bytes(), first_offset=0).others
    assert [entry.kind for entry in entries] == ["begin", "note", "end"]
    assert "(a link)" in entries[1].data["x"]


def test_removing_a_tree_that_is_too_deep_or_gone_is_no_error(deep, tmp_path):
    remove_tree(deep)
    remove_tree(tmp_path / "none")
