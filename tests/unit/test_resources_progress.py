"""What `wait` shows of a run."""

import datetime as dt
import io

import pytest

from amlsdk.records.runs import RunRecord
from amlsdk.resources.progress import Progress

BEGAN = dt.datetime(2026, 1, 1, tzinfo=dt.timezone.utc)


def record(status, error=None):
    ended = BEGAN + dt.timedelta(seconds=2) if status in {"Completed", "Failed"} else None
    return RunRecord(
        id="r1",
        number=1,
        name="train-1",
        project_id="p1",
        experiment_id="e1",
        kind="submitted",
        status=status,
        user="ada",
        created_at=BEGAN,
        started_at=BEGAN,
        ended_at=ended,
        error=error,
    )


def shown(*looks):
    stream = io.StringIO()
    with Progress(stream) as progress:
        for status, content in looks:
            progress.show(record(*status) if isinstance(status, tuple) else record(status), content)
    return stream.getvalue()


def test_each_state_is_a_line_and_the_output_stands_between():
    looks = ("Queued", b""), ("Running", b""), ("Running", b"one\ntwo\n"), ("Completed", b"")
    assert shown(*looks) == "[train-1] Queued\n[train-1] Running\none\ntwo\n[train-1] Completed after 2.0 s\n"


def test_a_state_begins_on_a_line_of_its_own():
    assert shown(("Running", b"no end"), ("Completed", b"")).endswith("no end\n[train-1] Completed after 2.0 s\n")


def test_a_character_that_comes_in_two_pieces_is_one():
    assert "ä" in shown(("Running", "ä".encode()[:1]), ("Running", "ä".encode()[1:]))


def test_half_a_character_at_the_end_is_not_lost():
    assert "�\n[train-1] Completed" in shown(("Running", "ä".encode()[:1]), ("Completed", b""))


def test_of_an_error_only_its_first_line_follows_the_output_that_has_the_rest():
    text = shown((("Failed", "exit code 1: ValueError: no\nTraceback ..."), b""))
    assert text == "[train-1] Failed after 2.0 s: exit code 1: ValueError: no\n"


@pytest.mark.parametrize("content", [b"", b"output\n"])
def test_without_a_stream_nothing_is_written(capsys, content):
    with Progress(None) as progress:
        progress.show(record("Running"), content)
        progress.show(record("Completed"), b"")
    assert capsys.readouterr() == ("", "")
