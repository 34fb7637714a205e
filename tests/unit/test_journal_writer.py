"""What a JournalWriter puts on the disk."""

import logging
import math
import subprocess
import sys
import threading

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from amlsdk.errors import Conflict, InvalidArgument
from amlsdk.journal.folder import is_locked
from amlsdk.journal.lines import Batch, parse_batch
from amlsdk.journal.syncer import SYNCER
from amlsdk.journal.text import MAX_LINE
from amlsdk.journal.writer import JournalWriter
from amlsdk.records.ids import new_id
from amlsdk.records.logged import InputRecord, RunFileRecord

SHARED = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, derandomize=True)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@pytest.fixture
def writer(tmp_path):
    writer = JournalWriter(tmp_path / "journals", new_id())
    yield writer
    writer.close()


def read(writer: JournalWriter) -> Batch:
    return parse_batch(writer.path.read_bytes(), first_offset=0)


def points(writer: JournalWriter, name: str) -> list[tuple[int, float]]:
    found = read(writer).series[name]
    return list(zip(found.steps, found.values, strict=True))


def others(writer: JournalWriter, kind: str) -> list[dict]:
    return [dict(entry.data) for entry in read(writer).others if entry.kind == kind]


def test_a_line_is_on_the_disk_when_the_call_returns(writer):
    writer.metric("loss", 0.31, step=1, time_us=1700000000123456)
    line = writer.path.read_bytes().splitlines()[1]
    assert line.startswith(b'{"v":1,"k":"metric","n":"loss","x":0.31,"s":1,"t":1700000000123456,"c":')


def test_the_first_line_says_who_writes(writer):
    writer.note("hello")
    first = read(writer).others[0]
    assert first.kind == "begin"
    assert first.data["r"] == writer.path.name[:26]
    assert first.data["w"] == writer.writer == writer.path.name[27:43]


def test_no_file_is_made_before_the_first_line(writer):
    assert not writer.path.exists()
    writer.flush()
    assert not writer.path.parent.exists()


def test_each_kind_of_line_comes_back_as_it_was_logged(writer):
    file = RunFileRecord(path="outputs/a", kind="output", digest="0" * 64, size_bytes=3)
    data = InputRecord(name="raw", digest="1" * 64, kind="frame", source="x.csv", profile={"a": {"mean": math.nan}})
    writer.param("depth", "4")
    writer.tag("owner", "ä\u2028\n")
    writer.tag("owner", None)
    writer.row("t", {"a": 1, "b": [None, True, 0.5]})
    writer.file(file)
    writer.input(data)
    writer.context({"command": ["a"], "git": {"dirty": False}})
    writer.status("Failed", error="why", exit_code=3)
    writer.note("done")
    assert others(writer, "param") == [{"n": "depth", "x": "4"}]
    assert others(writer, "tag") == [{"n": "owner", "x": "ä\u2028\n"}, {"n": "owner", "x": None}]
    assert others(writer, "row") == [{"n": "t", "x": {"a": 1, "b": [None, True, 0.5]}}]
    assert RunFileRecord(**others(writer, "file")[0]["x"]) == file
    assert others(writer, "input")[0]["x"]["profile"] == {"a": {"mean": "nan"}}
    assert [entry["x"] for entry in others(writer, "context")] == [{"command": ["a"]}, {"git": {"dirty": False}}]
    assert others(writer, "status") == [{"x": "Failed", "e": "why", "code": 3}]
    assert others(writer, "note") == [{"x": "done"}]
    assert read(writer).bad == []


@SHARED
@given(row=st.dictionaries(st.text(), JSON, max_size=4))
def test_a_row_is_kept_or_refused_never_damaged(tmp_path, row):
    writer = JournalWriter(tmp_path, new_id())
    writer.row("t", row)
    writer.close()
    [entry] = others(writer, "row")
    assert entry["x"] == as_kept(row)


def as_kept(value):
    if isinstance(value, dict):
        return {key: as_kept(item) for key, item in value.items()}
    if isinstance(value, list):
        return [as_kept(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


def test_rows_take_the_scalars_of_numpy_and_nothing_that_json_lacks(writer):
    writer.row("t", {"a": np.float32(0.5), "b": np.int64(3), "c": (1, 2)})
    assert others(writer, "row")[0]["x"] == {"a": 0.5, "b": 3, "c": [1, 2]}
    deep = []
    for _ in range(100):
        deep = [deep]
    for bad in ({"a": object()}, {"a": 2**64}, {1: 2}, {"a": deep}, {"a": "\ud800"}, {"a": {1, 2}}, [1]):
        with pytest.raises(InvalidArgument, match="row of table 't'"):
            writer.row("t", bad)


def test_a_line_of_more_than_1_mib_is_refused(writer):
    with pytest.raises(InvalidArgument, match="at most 1048576"):
        writer.row("t", {"a": "x" * MAX_LINE})
    writer.context({"a": "x" * (MAX_LINE - 1000), "b": "y" * (MAX_LINE - 1000)})
    assert read(writer).bad == []


def test_an_error_is_never_refused(writer):
    writer.status("Failed", error="\udcff\0" + "\x01" * 200_000 + "the end")
    [status] = others(writer, "status")
    assert status["e"].endswith("the end")
    assert len(status["e"]) == 65536


def test_the_lock_is_held_until_close(writer):
    writer.metric("m", 1)
    assert is_locked(writer.path)
    writer.close()
    assert not is_locked(writer.path)


def test_close_writes_the_last_line_once_and_what_follows_is_refused(writer):
    writer.metric("m", 1)
    writer.close()
    writer.close()
    assert writer.closed
    assert read(writer).ended
    assert len(others(writer, "end")) == 1
    for call in (lambda: writer.metric("m", 2), lambda: writer.metrics({"m": 2}), lambda: writer.note("late")):
        with pytest.raises(Conflict, match="closed"):
            call()
    assert points(writer, "m") == [(0, 1.0)]


def test_close_of_a_journal_without_lines_leaves_no_file(tmp_path):
    writer = JournalWriter(tmp_path, new_id())
    writer.close()
    assert writer.closed
    assert list(tmp_path.iterdir()) == []


def test_a_run_id_that_is_none_is_refused(tmp_path):
    with pytest.raises(InvalidArgument, match="not the id of a run"):
        JournalWriter(tmp_path, "../x")


def test_the_background_thread_serves_all_journals_and_rests_when_none_is_open(tmp_path):
    def alive():
        return [thread for thread in threading.enumerate() if thread.name == "amlsdk-journal"]

    SYNCER.rest()
    first, second = JournalWriter(tmp_path, new_id()), JournalWriter(tmp_path, new_id())
    assert alive() == []
    first.metric("m", 1)
    second.metric("m", 1)
    [thread] = alive()
    first.close()
    SYNCER.rest()
    assert alive() == [thread]
    second.close()
    SYNCER.rest()
    assert alive() == []


def test_the_background_thread_ends_by_itself_when_no_journal_is_open(tmp_path, monkeypatch):
    SYNCER.rest()
    monkeypatch.setattr("amlsdk.journal.syncer.PERIOD_S", 0.01)
    writer = JournalWriter(tmp_path, new_id())
    writer.metric("m", 1)
    [thread] = [thread for thread in threading.enumerate() if thread.name == "amlsdk-journal"]
    writer.close()
    thread.join(10)
    assert not thread.is_alive()


def test_the_background_thread_syncs_what_was_written(tmp_path, monkeypatch):
    synced = threading.Event()
    monkeypatch.setattr("amlsdk.journal.appender.locks.sync", lambda fd: synced.set())
    SYNCER.rest()
    monkeypatch.setattr("amlsdk.journal.syncer.PERIOD_S", 0.01)
    writer = JournalWriter(tmp_path, new_id())
    writer.metric("m", 1)
    assert synced.wait(10)
    writer.close()


def test_a_journal_that_is_dropped_unclosed_gives_its_lock_back_and_ends_the_thread(tmp_path, monkeypatch):
    SYNCER.rest()
    monkeypatch.setattr("amlsdk.journal.syncer.PERIOD_S", 0.01)
    writer = JournalWriter(tmp_path, new_id())
    writer.metric("m", 1)
    path = writer.path
    [thread] = [thread for thread in threading.enumerate() if thread.name == "amlsdk-journal"]
    del writer
    thread.join(10)
    assert not thread.is_alive()
    assert not is_locked(path)


def test_a_handler_of_the_logger_may_log_to_the_run(tmp_path):
    """The warning about a disk that refuses is given outside all locks."""
    (tmp_path / "file").write_text("")
    writer = JournalWriter(tmp_path / "file", new_id())

    class Handler(logging.Handler):
        def emit(self, record):
            writer.note(record.getMessage())

    handler = Handler()
    logging.getLogger("amlsdk").addHandler(handler)
    try:
        writer.metric("m", 1)
    finally:
        logging.getLogger("amlsdk").removeHandler(handler)
    (tmp_path / "file").unlink()
    writer.close()
    assert [entry.kind for entry in read(writer).others] == ["begin", "note", "end"]
    assert points(writer, "m") == [(0, 1.0)]


def test_writing_needs_no_third_party_module_but_attrs():
    code = (
        "import sys; before = set(sys.modules); import amlsdk.journal.writer;"
        "print(sorted({name.partition('.')[0] for name in set(sys.modules) - before}))"
    )
    names = eval(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout)  # noqa: S307
    assert {name for name in names if name not in sys.stdlib_module_names} <= {"amlsdk", "attr", "attrs"}
