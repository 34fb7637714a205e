"""A disk that refuses: nothing raises but flush and close, and nothing is lost that fits into memory."""

import errno
import logging
import os
import subprocess
import threading

import pytest

from amlsdk.errors import Conflict, Unavailable
from amlsdk.journal.lines import Batch, parse_batch
from amlsdk.journal.syncer import SYNCER
from amlsdk.journal.writer import JournalWriter
from amlsdk.records.ids import new_id

REAL_WRITE = os.write


class InjectedDisk:
    """A disk that takes so many bytes; full, it first takes a part of a line, as real ones do."""

    def __init__(self, folder, monkeypatch):
        self.folder, self.room = folder, 0
        monkeypatch.setattr("amlsdk.journal.appender.os.write", self._write)

    def fill(self):
        self.room = 2000

    def make_room(self):
        self.room = 1 << 40

    def _write(self, fd, data):
        if not self.room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written = REAL_WRITE(fd, data[: self.room])
        self.room -= written
        return written


class MountedDisk:
    """A tmpfs of 512 KiB, full of something else."""

    def __init__(self, folder):
        self.folder = folder

    def fill(self):
        with (self.folder / "else").open("wb", buffering=0) as file:
            file.write(b"x" * (500 << 10))

    def make_room(self):
        (self.folder / "else").unlink()


@pytest.fixture
def disk(tmp_path, monkeypatch):
    if os.geteuid() != 0 or not mounted(tmp_path):
        disk = InjectedDisk(tmp_path, monkeypatch)
        disk.make_room()
        yield disk
        return
    yield MountedDisk(tmp_path)
    subprocess.run(["umount", "-l", tmp_path], check=True)  # found where the system keeps it


@pytest.fixture
def injected(tmp_path, monkeypatch):
    disk = InjectedDisk(tmp_path, monkeypatch)
    disk.make_room()
    return disk


def mounted(folder) -> bool:
    command = ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", folder]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


def read(writer: JournalWriter) -> Batch:
    return parse_batch(writer.path.read_bytes(), first_offset=0)


def warnings(caplog):
    return [record for record in caplog.records if record.name == "amlsdk" and record.levelno >= logging.WARNING]


def test_a_full_disk_stops_no_log_warns_once_and_loses_nothing(disk, caplog):
    writer = JournalWriter(disk.folder, new_id())
    disk.fill()
    for value in range(2000):
        writer.metric("m", value)
    writer.status("Running")
    assert len(warnings(caplog)) == 1
    for _ in range(2):
        with pytest.raises(Unavailable, match=r"metric, 1 status \(still in memory\).*No space left on device"):
            writer.flush()
    disk.make_room()
    writer.flush()
    writer.metric("m", 2000)
    writer.close()
    batch = read(writer)
    assert list(batch.series["m"].values) == list(range(2001))
    assert [entry.kind for entry in batch.others] == ["begin", "status", "end"]
    assert len(warnings(caplog)) == 1
    assert len(batch.bad) <= 1, "only the line that filled the disk may be torn"


def test_a_later_call_writes_what_waited(injected, monkeypatch):
    writer = JournalWriter(injected.folder, new_id())
    injected.room = 300
    writer.metrics({f"m{number}": number for number in range(20)})
    writer.metric("m", 1)
    monkeypatch.setattr(writer._file, "_retry_at", 0.0)  # the time to try again has come
    injected.make_room()
    writer.metric("m", 2)
    batch = read(writer)
    assert [batch.series[f"m{number}"].values[0] for number in range(20)] == list(range(20))
    assert list(batch.series["m"].values) == [1, 2]
    writer.close()


def test_the_background_thread_writes_what_waited_without_another_call(injected, monkeypatch):
    SYNCER.rest()
    monkeypatch.setattr("amlsdk.journal.syncer.PERIOD_S", 0.01)
    monkeypatch.setattr("amlsdk.journal.appender.RETRY_S", 0.0)
    synced = threading.Event()
    monkeypatch.setattr("amlsdk.journal.appender.locks.sync", lambda fd: synced.set())
    writer = JournalWriter(injected.folder, new_id())
    injected.room = 0
    writer.metric("m", 1)
    injected.make_room()
    assert synced.wait(10)
    assert list(read(writer).series["m"].values) == [1]
    writer.close()


def test_the_disk_is_not_asked_at_every_call(injected):
    asked = []
    write = injected._write
    writer = JournalWriter(injected.folder, new_id())
    writer.metric("m", 0)
    injected.room = 0
    injected._write = lambda fd, data: asked.append(1) or write(fd, data)
    os_write, os.write = os.write, injected._write
    try:
        for value in range(1, 5000):
            writer.metric("m", value)
    finally:
        os.write = os_write
    assert len(asked) < 50
    injected.make_room()
    writer.close()
    assert list(read(writer).series["m"].values) == list(range(5000))


def test_beyond_its_memory_the_newest_lines_are_dropped_and_counted_but_not_how_the_run_ended(injected, monkeypatch):
    monkeypatch.setattr("amlsdk.journal.backlog.BACKLOG_BYTES", 100_000)
    monkeypatch.setattr("amlsdk.journal.backlog._RESERVE", 10_000)
    writer = JournalWriter(injected.folder, new_id())
    injected.room = 0
    for value in range(3000):
        writer.metric("m", value)
    writer.status("Failed", error="the disk was full")
    with pytest.raises(Unavailable, match=r"\d+ lines \(dropped") as raised:
        writer.close()
    assert not writer.closed
    injected.make_room()
    writer.close()
    assert writer.closed
    batch = read(writer)
    kept = len(batch.series["m"].values)
    assert list(batch.series["m"].values) == list(range(kept))
    assert f"{3000 - kept} lines (dropped" in str(raised.value)
    assert [entry.kind for entry in batch.others] == ["begin", "status", "end"]


def test_64_mib_wait_in_memory(injected):
    writer = JournalWriter(injected.folder, new_id())
    injected.room = 0
    line = {"a": "x" * 900_000}
    for _ in range(80):
        writer.row("t", line)
    with pytest.raises(Unavailable, match=r"^of run .* 73 row \(still in memory\) and 7 lines \(dropped, 64 MiB"):
        writer.flush()
    injected.make_room()
    writer.close()
    assert sum(entry.kind == "row" for entry in read(writer).others) == 73


def test_close_on_a_full_disk_raises_and_may_be_tried_again(injected):
    writer = JournalWriter(injected.folder, new_id())
    writer.metric("m", 1)
    injected.room = 0
    for _ in range(2):
        with pytest.raises(Unavailable, match="1 end"):
            writer.close()
        with pytest.raises(Conflict):
            writer.metric("m", 2)
    injected.make_room()
    writer.close()
    batch = read(writer)
    assert batch.ended
    assert [entry.kind for entry in batch.others] == ["begin", "end"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EROFS, errno.ESTALE])
def test_whatever_the_disk_says_log_does_not_raise(injected, monkeypatch, number):
    writer = JournalWriter(injected.folder, new_id())

    def refuse(*_):
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patched:
        patched.setattr("amlsdk.journal.appender.os.write", refuse)
        writer.metric("m", 1)
        with pytest.raises(Unavailable, match=os.strerror(number)):
            writer.flush()
    writer.close()
    assert list(read(writer).series["m"].values) == [1]


def test_a_folder_that_can_t_be_made_is_a_disk_that_refuses(tmp_path):
    (tmp_path / "journals").write_text("in the way")
    writer = JournalWriter(tmp_path / "journals", new_id())
    writer.metric("m", 1)
    with pytest.raises(Unavailable, match="journals"):
        writer.flush()
    (tmp_path / "journals").unlink()
    writer.close()
    assert list(read(writer).series["m"].values) == [1]


def test_a_sync_that_fails_is_said_by_the_next_flush(tmp_path, monkeypatch):
    writer = JournalWriter(tmp_path, new_id())
    writer.metric("m", 0)

    def fail(_):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patched:
        patched.setattr("amlsdk.journal.appender.locks.sync", fail)
        with pytest.raises(Unavailable, match="power cut"):
            writer.flush()
    writer.close()
    assert writer.closed
