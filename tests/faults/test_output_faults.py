"""Output that is endless, has no lines or is no text: shown whole, in little memory, and nobody is held up by it."""

import io
import os
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest

import amlsdk
from amlsdk.errors import OperationFailed
from amlsdk.operations.runs import GetRun, ReadOutput
from amlsdk.records.streams import ByteStream
from amlsdk.resources import lines, run_following

GIB = 1 << 30
SHOW = "from amlsdk.cli import main; main()"
MEASURE = """
import atexit, sys, tracemalloc
tracemalloc.start()
atexit.register(lambda: print(tracemalloc.get_traced_memory()[1], file=sys.stderr))
"""


class Counting(io.TextIOBase):
    """A stream that keeps nothing of what it is given."""

    def __init__(self):
        self.characters = 0

    def write(self, text):
        self.characters += len(text)
        return len(text)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    with amlsdk.connect(tmp_path_factory.mktemp("faults") / "workspace") as workspace:
        yield workspace


@pytest.fixture(scope="module")
def experiment(workspace, tmp_path_factory):
    code = tmp_path_factory.mktemp("code")
    (code / "train.py").write_text("print('hello')\n")
    return workspace.projects.get_or_create("p", folder=code).experiments.get_or_create("e")


@pytest.fixture
def ended(workspace, experiment):
    """Make a run that has ended and printed these bytes, or so many NUL bytes: `ended(b"...")`."""

    def make(printed):
        run = experiment.submit("train.py").wait(60)
        output = Path(workspace.location) / "runs" / run.id / "output.log"
        if isinstance(printed, bytes):
            output.write_bytes(printed)
        else:
            output.write_bytes(b"")
            os.truncate(output, printed)
        return run

    return make


@pytest.fixture
def never_quiet(experiment, monkeypatch):
    """A run that prints faster than anybody can read."""
    run = experiment.start_run()
    send = run._client.send

    def answer(request):
        if isinstance(request, ReadOutput):
            return ByteStream.of(b"x" * min(request.limit_bytes, 1 << 20))
        return send(GetRun(run_id=run.id)) if isinstance(request, GetRun) else send(request)

    monkeypatch.setattr(run._client, "send", answer)
    yield run
    monkeypatch.undo()
    run.complete()


def test_a_gigabyte_without_a_newline_is_read_in_little_memory(ended):
    run = ended(GIB)
    tracemalloc.start()
    try:
        sizes = [len(part) for part in run.logs()]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert sum(sizes) == GIB
    assert max(sizes) == 1 << 20
    assert peak < 32 << 20


def test_a_gigabyte_without_a_newline_is_shown_in_little_memory(ended):
    run, stream = ended(GIB), Counting()
    tracemalloc.start()
    try:
        run.wait(60, show_output=stream)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert stream.characters >= GIB
    assert peak < 48 << 20


def test_the_command_prints_a_long_line_whole_in_little_memory(ended, workspace, tmp_path):
    run = ended(100 << 20)
    command = [sys.executable, "-c", MEASURE + SHOW, "-w", workspace.location, "run", "logs", run.id]
    with (tmp_path / "printed").open("wb") as printed:
        done = subprocess.run(command, stdout=printed, stderr=subprocess.PIPE, check=True)
    assert (tmp_path / "printed").read_bytes().count(b"\0") == 100 << 20
    assert int(done.stderr) < 64 << 20


def test_a_line_that_comes_in_parts_loses_no_character(ended, monkeypatch):
    monkeypatch.setattr(lines, "_LONGEST_LINE", 10)
    monkeypatch.setattr(lines, "READ_BYTES", 7)
    monkeypatch.setattr(run_following, "READ_BYTES", 7)
    text = "äöü€😀" * 20 + "\n\nshort\n" + "x" * 10 + "\n" + "y" * 11 + "\nlast €"
    parts = list(ended(text.encode()).logs())
    assert "".join(parts) == text.replace("\n", "")
    assert all(len(part.encode()) <= 10 for part in parts)
    assert parts[-6:] == ["", "short", "x" * 10, "y" * 10, "y", "last €"]


def test_bytes_that_are_no_characters_come_in_parts_too(ended, monkeypatch):
    monkeypatch.setattr(lines, "_LONGEST_LINE", 10)
    parts = list(ended(b"\x80" * 25 + b"\nend").logs())
    assert [len(part) for part in parts] == [10, 10, 5, 3]


def test_bytes_that_are_no_text_harm_neither_reader_nor_command(ended, workspace):
    printed = b"caf\xc3\xa9 \xff\xfe\n\x00\x1b[31mred\nhalf \xe2\x82"
    run, shown = ended(printed), io.StringIO()
    run.wait(60, show_output=shown)
    text = printed.decode(errors="replace")
    assert text[:-1] in shown.getvalue()
    assert list(run.logs()) == text.split("\n")
    command = [sys.executable, "-c", SHOW, "-w", workspace.location, "run", "logs", run.id]
    for encoding in ("utf-8", "ascii"):
        done = subprocess.run(
            command, capture_output=True, check=True, env={**os.environ, "PYTHONIOENCODING": encoding}
        )
        assert done.stdout.startswith(b"caf")
        assert done.stdout.count(b"\n") == 3


def test_a_stream_of_another_encoding_shows_what_it_can(ended):
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    ended("grün\n".encode()).wait(60, show_output=stream)
    assert raw.getvalue().startswith(b"gr?n\n")


def test_a_run_that_never_stops_printing_holds_up_no_wait(never_quiet):
    stream = Counting()
    with pytest.raises(TimeoutError, match="it goes on"):
        never_quiet.wait(0.05, show_output=stream)
    assert stream.characters > 0


def test_a_run_that_prints_a_part_of_a_line_holds_up_no_reader(experiment, ended):
    """Without `follow`, what is there by now is all that is asked for."""
    run = experiment.start_run()
    folder = Path(experiment._client.location) / "runs" / run.id
    folder.mkdir(parents=True)
    (folder / "output.log").write_bytes(b"one\ntw")
    assert list(run.logs()) == ["one", "tw"]
    run.complete()


def test_all_that_an_ended_run_printed_is_shown_also_when_the_time_is_over(ended):
    stream = io.StringIO()
    ended(b"a line\n" * (1 << 20)).wait(0, show_output=stream)
    assert stream.getvalue().count("a line\n") == 1 << 20


def test_the_end_of_a_huge_output_is_in_the_error(experiment):
    folder = Path(experiment._folder(None))
    (folder / "loud.py").write_text(
        "import os\nfor _ in range(50): os.write(1, b'x' * (1 << 20))\nraise ValueError('the last word')\n"
    )
    with pytest.raises(OperationFailed, match="the last word") as raised:
        experiment.submit("loud.py").wait(60)
    assert len(str(raised.value)) < 10_000
