"""A disk that takes only a part of what it is given: each line is there once, and a fragment is named."""

import errno
import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from amlsdk.errors import Unavailable
from amlsdk.journal.lines import Batch, parse_batch
from amlsdk.journal.writer import JournalWriter
from amlsdk.records.ids import new_id

REAL_WRITE = os.write


def read(writer: JournalWriter) -> Batch:
    return parse_batch(writer.path.read_bytes(), first_offset=0)


@pytest.mark.parametrize("part", [1, 40, -2])
def test_a_short_write_loses_nothing_and_the_reader_names_the_fragment(tmp_path, monkeypatch, part):
    writer = JournalWriter(tmp_path, new_id())
    writer.metric("m", 0, step=0)
    before = writer.path.stat().st_size
    sizes = [part]

    def short(fd, data):
        return REAL_WRITE(fd, data[: sizes.pop()] if sizes else data)

    monkeypatch.setattr("amlsdk.journal.appender.os.write", short)
    for value in range(1, 5):
        writer.metric("m", value)
    writer.close()
    batch = read(writer)
    assert list(batch.series["m"].values) == [0, 1, 2, 3, 4]
    assert [offset for offset, _ in batch.bad] == [before]


def test_a_line_that_lacks_only_its_newline_is_not_written_twice(tmp_path, monkeypatch):
    writer = JournalWriter(tmp_path, new_id())
    writer.metric("m", 0)

    def all_but_the_newline(fd, data):
        if data == b"\n":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return REAL_WRITE(fd, data[:-1])

    with monkeypatch.context() as patched:
        patched.setattr("amlsdk.journal.appender.os.write", all_but_the_newline)
        writer.metric("m", 1)
        with pytest.raises(Unavailable, match="the end of a line"):
            writer.flush()
    writer.metric("m", 2)
    writer.flush()
    writer.close()
    assert list(read(writer).series["m"].values) == [0, 1, 2]
    assert read(writer).bad == []


@settings(
    max_examples=100, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(answers=st.lists(st.none() | st.integers(0, 400), max_size=25), calls=st.integers(1, 12))
def test_whatever_a_disk_does_for_a_while_each_line_is_there_once(tmp_path, answers, calls):
    """None is an error, a number how many bytes are taken."""
    waiting = list(answers)

    def write(fd, data):
        answer = waiting.pop(0) if waiting else len(data)
        if answer is None:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return REAL_WRITE(fd, data[:answer])

    writer = JournalWriter(tmp_path, new_id())
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("amlsdk.journal.appender.os.write", write)
        patched.setattr("amlsdk.journal.appender.RETRY_S", 0.0)
        for value in range(calls):
            writer.metrics({"a": value, "b": value})
            writer.metric("a", value)
        waiting.clear()
        writer.close()
    batch = read(writer)
    assert list(batch.series["a"].steps) == list(range(2 * calls))
    assert list(batch.series["b"].values) == list(range(calls))
    assert [entry.kind for entry in batch.others] == ["begin", "end"]


def test_a_short_write_of_many_lines_writes_the_whole_ones_once(tmp_path, monkeypatch):
    writer = JournalWriter(tmp_path, new_id())
    writer.metric("m", 0)
    sizes = iter([1000, 1, 500])
    monkeypatch.setattr(
        "amlsdk.journal.appender.os.write", lambda fd, data: REAL_WRITE(fd, data[: next(sizes, 1 << 30)])
    )
    writer.metrics({f"m{number}": number for number in range(100)})
    writer.flush()
    writer.close()
    series = read(writer).series
    assert [list(series[f"m{number}"].values) for number in range(100)] == [[number] for number in range(100)]


def test_a_disk_that_takes_only_parts_of_lines_is_one_that_refuses(tmp_path, monkeypatch):
    writer = JournalWriter(tmp_path, new_id())
    writer.metric("m", 0)
    with monkeypatch.context() as patched:
        patched.setattr("amlsdk.journal.appender.os.write", lambda fd, data: REAL_WRITE(fd, data[:10]))
        writer.metric("m", 1)
        with pytest.raises(Unavailable, match="parts of lines"):
            writer.flush()
    assert writer.path.stat().st_size < 1000
    writer.close()
    assert list(read(writer).series["m"].values) == [0, 1]
