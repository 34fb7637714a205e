"""Journals that are sent: every line once, whoever sends what how often."""

import datetime as dt
import random

import pytest
from making import gone_process, make_run, submit

from amlsdk.errors import Conflict, InvalidArgument, NotFound
from amlsdk.journal.digests import PrefixDigest
from amlsdk.journal.writer import JournalWriter
from amlsdk.operations.jobs import ClaimRun, SetRunStatus
from amlsdk.operations.runs import AppendJournal, GetRun, GetRunContext
from amlsdk.processes import this_process
from amlsdk.records.ids import new_id
from amlsdk.records.logged import JournalPosition
from amlsdk.records.streams import ByteStream


def journal(folder, run, write):
    """Return the writer and the bytes of a journal."""
    writer = JournalWriter(folder, run.id)
    write(writer)
    writer.close()
    return writer.writer, writer.path.read_bytes()


def losses(count):
    def write(writer):
        for number in range(count):
            writer.metric("loss", number)

    return write


def digest_of(content):
    digest = PrefixDigest()
    digest.update(content)
    return digest.hexdigest()


def send(service, run_id, writer, content, start=0, stop=None):  # a piece of a journal
    piece = content[start : len(content) if stop is None else stop]
    return service.send(
        AppendJournal(
            run_id=run_id,
            writer=writer,
            offset=start,
            digest=digest_of(content[:start]),
            content=ByteStream.of(piece),
        )
    )


def nested(depth):
    value = []
    for _ in range(depth):
        value = [value]
    return value


def count(service, run):
    metrics = service.send(GetRun(run_id=run.id)).metrics
    return metrics["loss"].count if metrics else 0


def test_sent_lines_are_read_and_the_offset_is_that_of_all_bytes(service, tmp_path):
    run = make_run(service)
    writer, content = journal(tmp_path, run, losses(10))
    assert send(service, run.id, writer, content) == JournalPosition(offset=len(content), accepted=True)
    assert count(service, run) == 10


def test_what_was_sent_before_is_answered_with_the_wanted_offset_and_changes_nothing(service, tmp_path):
    run = make_run(service)
    writer, content = journal(tmp_path, run, losses(10))
    send(service, run.id, writer, content)
    assert send(service, run.id, writer, content) == JournalPosition(offset=len(content), accepted=False)
    assert count(service, run) == 10


def test_a_gap_is_answered_with_the_wanted_offset(service, tmp_path):
    run = make_run(service)
    writer, content = journal(tmp_path, run, losses(10))
    middle = content.index(b"\n", len(content) // 2) + 1
    assert send(service, run.id, writer, content, middle) == JournalPosition(offset=0, accepted=False)
    assert count(service, run) == 0


def test_any_pieces_apply_each_line_once(service, tmp_path):
    """Each piece begins where the last one was taken to, and ends anywhere."""
    chance = random.Random(7)
    run = make_run(service)
    writer, content = journal(tmp_path, run, losses(50))
    offset, sent = 0, 0
    while offset < len(content):
        sent = min(len(content), max(offset, sent) + chance.randrange(1, 400))
        position = send(service, run.id, writer, content, offset, sent)
        assert position.accepted
        assert content[: position.offset].endswith(b"\n") or position.offset == 0
        offset = position.offset
    assert count(service, run) == 50
    assert service.send(GetRunContext(run_id=run.id)).bad_lines == ()


def test_another_prefix_is_a_conflict_and_applies_nothing(service, tmp_path):
    run = make_run(service)
    writer, content = journal(tmp_path, run, losses(10))
    middle = content.index(b"\n", len(content) // 2) + 1
    send(service, run.id, writer, content, 0, middle)
    before = count(service, run)
    other = content.replace(b'"x":0.0', b'"x":9.0')
    with pytest.raises(Conflict, match="other bytes"):
        send(service, run.id, writer, other, middle)
    assert count(service, run) == before


def test_two_writers_of_one_run_are_told_apart(service, tmp_path):
    run = make_run(service)
    for _ in range(2):
        send(service, run.id, *journal(tmp_path, run, losses(5)))
    assert count(service, run) == 10


def test_a_damaged_line_is_named_and_the_others_are_kept(service, tmp_path):
    run = make_run(service)
    writer, content = journal(tmp_path, run, losses(10))
    place = content.index(b'"x":5.0')
    send(service, run.id, writer, content.replace(b'"x":5.0', b'"x":6.0', 1))
    assert count(service, run) == 9
    line = content.rindex(b"\n", 0, place) + 1
    assert service.send(GetRunContext(run_id=run.id)).bad_lines == (f"{writer}:{line}",)


@pytest.mark.parametrize(
    "write",
    [
        lambda writer: writer._write(
            "file", "a file", x={"path": "../up", "kind": "output", "digest": "a" * 64, "size_bytes": 1, "mode": "file"}
        ),
        lambda writer: writer._write(
            "file", "a file", x={"path": "up", "kind": "output", "digest": "a" * 64, "size_bytes": -1, "mode": "file"}
        ),
        lambda writer: writer._write(
            "file", "a file", x={"path": "up", "kind": "output", "digest": "A", "size_bytes": 1, "mode": "file"}
        ),
        lambda writer: writer._write("context", "context", x={"deep": nested(200)}),
        lambda writer: writer._write("row", "a row", n="table", x={"deep": nested(200)}),
    ],
)
def test_a_line_that_is_sound_but_means_nothing_is_named_and_blocks_no_other(service, tmp_path, write):
    def lines(writer):
        write(writer)
        writer.metric("loss", 1)

    run = make_run(service)
    send(service, run.id, *journal(tmp_path, run, lines))
    assert count(service, run) == 1
    assert len(service.send(GetRunContext(run_id=run.id)).bad_lines) == 1


def test_kinds_of_a_later_version_are_no_fault(service, tmp_path):
    run = make_run(service)
    send(service, run.id, *journal(tmp_path, run, lambda writer: writer._write("hologram", "x", x=1)))
    assert service.send(GetRunContext(run_id=run.id)).bad_lines == ()


def test_a_last_line_that_was_cut_short_is_named_until_its_rest_comes(service, tmp_path):
    run = make_run(service)
    writer, content = journal(tmp_path, run, losses(3))
    start = content.rindex(b"\n", 0, -1) + 1
    send(service, run.id, writer, content, 0, start)
    assert send(service, run.id, writer, content, start, start + 9) == JournalPosition(offset=start, accepted=True)
    assert service.send(GetRunContext(run_id=run.id)).bad_lines == (f"{writer}:{start}",)
    assert send(service, run.id, writer, content, start).offset == len(content)
    assert service.send(GetRunContext(run_id=run.id)).bad_lines == ()


def test_a_line_without_an_end_is_not_waited_for(service, tmp_path):
    run = make_run(service)
    writer, content = journal(tmp_path, run, losses(3))
    assert send(service, run.id, writer, content + b"x" * (2 << 20)).offset == len(content) + (2 << 20)
    assert service.send(GetRunContext(run_id=run.id)).bad_lines == (f"{writer}:{len(content)}",)


def test_a_piece_of_nothing_tells_whether_the_prefix_is_the_same(service, tmp_path):
    run = make_run(service)
    writer, content = journal(tmp_path, run, losses(3))
    send(service, run.id, writer, content)
    assert send(service, run.id, writer, content, len(content)).accepted
    with pytest.raises(Conflict):
        send(service, run.id, writer, content.replace(b"loss", b"lass"), len(content))


def test_a_submitted_run_is_not_ended_by_its_own_word(service, tmp_path):
    run = submit(service)
    send(service, run.id, *journal(tmp_path, run, lambda writer: writer.status("Failed", "no memory")))
    assert service.send(GetRun(run_id=run.id)).status == "Queued"


def test_a_submitted_run_that_says_it_failed_has_not_completed_also_where_that_comes_late(service, tmp_path):
    run = submit(service)
    me = {"run_id": run.id, "supervisor": this_process()}
    service.send(ClaimRun(supervisor=this_process(), run_id=run.id))
    for status in ("Running", "Completed"):
        service.send(SetRunStatus(**me, status=status, at=dt.datetime.now(dt.timezone.utc)))
    send(service, run.id, *journal(tmp_path, run, lambda writer: writer.status("Failed", "no memory")))
    found = service.send(GetRun(run_id=run.id))
    assert (found.status, found.error) == ("Failed", "no memory")


def test_the_word_of_an_interactive_run_overrides_what_was_thought_of_it(service, tmp_path):
    run = make_run(service, owner=gone_process())
    assert service.send(GetRun(run_id=run.id)).status == "Failed"
    send(service, run.id, *journal(tmp_path, run, lambda writer: writer.status("Completed")))
    found = service.send(GetRun(run_id=run.id))
    assert (found.status, found.error) == ("Completed", None)
    send(service, run.id, *journal(tmp_path, run, lambda writer: writer.status("Failed", "another word")))
    assert service.send(GetRun(run_id=run.id)).status == "Completed"


def test_the_journal_of_an_unknown_run_is_not_found(service):
    with pytest.raises(NotFound, match="no run"):
        send(service, new_id(), "0" * 16, b"")


@pytest.mark.parametrize("writer", ["", "0" * 15, "0" * 17, "A" * 16, "x.y"])
def test_what_is_no_writer_is_refused(service, writer):
    run = make_run(service)
    with pytest.raises((InvalidArgument, NotFound)):
        send(service, run.id, writer, b"")


def test_a_piece_of_over_16_mib_is_refused(service):
    run = make_run(service)
    with pytest.raises(InvalidArgument, match="more than 16777216 bytes"):
        send(service, run.id, "0" * 16, b"\n" * ((16 << 20) + 1))
