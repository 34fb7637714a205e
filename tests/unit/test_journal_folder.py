"""What a folder of journals holds."""

import fcntl

import pytest

from amlsdk.journal.folder import JournalFile, is_locked, outstanding, read_from, remove
from amlsdk.journal.writer import JournalWriter
from amlsdk.records.ids import new_id


def test_outstanding_names_journals_and_nothing_else(tmp_path):
    run, other = sorted([new_id(), new_id()])
    good = [f"{run}.{'0' * 16}.jsonl", f"{run}.{'f' * 16}.jsonl", f"{other}.{'a' * 16}.jsonl"]
    for name in [*good, "x", f"{run}.output", f"{run}.{'0' * 15}.jsonl", f"{run}.{'0' * 16}.jsonl~", f".{good[0]}"]:
        (tmp_path / name).touch()
    assert [file.path.name for file in outstanding(tmp_path)] == good
    assert outstanding(tmp_path, other) == [JournalFile(tmp_path / good[2], other, "a" * 16)]


def test_a_folder_that_is_not_there_holds_nothing(tmp_path):
    assert outstanding(tmp_path / "none") == []


def test_asking_for_the_lock_does_not_disturb_its_holder(tmp_path):
    writer = JournalWriter(tmp_path, new_id())
    writer.metric("m", 1)
    assert is_locked(writer.path)
    assert is_locked(writer.path)
    writer.metric("m", 2)
    writer.close()
    assert not is_locked(writer.path)
    assert not is_locked(tmp_path / "none")


def test_two_who_ask_at_once_do_not_see_each_other(tmp_path):
    path = tmp_path / "journal"
    path.touch()
    with path.open() as other:
        fcntl.flock(other, fcntl.LOCK_SH)
        assert not is_locked(path)


def test_a_journal_whose_lock_was_taken_before_its_writer_had_it_gets_another_name(tmp_path, monkeypatch):
    taken = iter([False, False, True])
    monkeypatch.setattr("amlsdk.journal.appender.locks.take", lambda fd: next(taken))
    writer = JournalWriter(tmp_path, new_id())
    before = writer.writer
    writer.metric("m", 1)
    assert writer.writer != before
    assert [file.path for file in outstanding(tmp_path)] == [writer.path]
    writer.close()


@pytest.mark.parametrize(("offset", "limit", "found"), [(0, 3, b"abc"), (2, 9, b"cdef"), (6, 9, b""), (9, 9, b"")])
def test_read_from_reads_up_to_the_end(tmp_path, offset, limit, found):
    (tmp_path / "x").write_bytes(b"abcdef")
    assert read_from(tmp_path / "x", offset, limit) == found


def test_a_journal_that_is_gone_reads_as_nothing_and_may_be_removed_again(tmp_path):
    (tmp_path / "x").touch()
    remove(tmp_path / "x")
    remove(tmp_path / "x")
    assert read_from(tmp_path / "x", 0, 9) == b""
