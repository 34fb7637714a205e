"""Every line arrives exactly once, whoever sends it and however often."""

import shutil
import threading

import attrs
import pytest

from amlsdk.errors import Conflict, InvalidArgument, OperationFailed, Unavailable
from amlsdk.journal.digests import PrefixDigest
from amlsdk.journal.lines import parse_batch
from amlsdk.journal.ship import CHUNK_BYTES, ship
from amlsdk.journal.writer import JournalWriter
from amlsdk.records.ids import new_id
from amlsdk.records.logged import JournalPosition


class Receiver:
    """Keeps journals by the rules of AppendJournal."""

    def __init__(self):
        self.lock = threading.Lock()
        self.prefixes = {}
        self.values = []
        self.bad = []
        self.calls = []

    def append(self, run_id, writer, offset, digest, data):
        with self.lock:
            self.calls.append((offset, len(data)))
            prefix = self.prefixes.setdefault((run_id, writer), PrefixDigest())
            if offset != prefix.offset:
                return JournalPosition(offset=prefix.offset, accepted=False)
            if digest != prefix.hexdigest():
                raise Conflict("another journal of this name began otherwise")
            batch = parse_batch(data, first_offset=offset)
            for points in batch.series.values():
                self.values += points.values
            self.bad += batch.bad
            prefix.update(data[: batch.used])
            return JournalPosition(offset=prefix.offset, accepted=True)


def journal(folder, count, *, close=True):
    writer = JournalWriter(folder, new_id())
    for start in range(0, count, 1000):
        for value in range(start, min(count, start + 1000)):
            writer.metric("m", value)
    if close:
        writer.close()
    return writer


def test_an_ended_journal_is_shipped_whole_and_may_be_deleted(tmp_path):
    receiver, path = Receiver(), journal(tmp_path, 3000).path
    result = ship(path, receiver.append)
    assert result.complete
    assert receiver.values == list(range(3000))
    assert result.offset == result.size_bytes == path.stat().st_size


def test_a_journal_that_is_still_written_is_shipped_up_to_now_and_then_further(tmp_path):
    receiver, writer = Receiver(), journal(tmp_path, 10, close=False)
    first = ship(writer.path, receiver.append)
    assert (first.complete, first.locked, receiver.values) == (False, True, list(range(10)))
    writer.metric("m", 10)
    calls = len(receiver.calls)
    second = ship(writer.path, receiver.append, prefix=first.prefix)
    assert receiver.calls[calls:] == [(first.offset, second.offset - first.offset)]
    writer.close()
    assert ship(writer.path, receiver.append, prefix=second.prefix).complete
    assert receiver.values == list(range(11))


def test_nothing_new_costs_no_request(tmp_path):
    receiver, writer = Receiver(), journal(tmp_path, 10, close=False)
    first = ship(writer.path, receiver.append)
    calls = len(receiver.calls)
    assert ship(writer.path, receiver.append, prefix=first.prefix).offset == first.offset
    assert len(receiver.calls) == calls
    writer.close()


def test_shipping_again_applies_nothing_again(tmp_path):
    receiver, path = Receiver(), journal(tmp_path, 3000).path
    for _ in range(3):
        assert ship(path, receiver.append).complete
    assert receiver.values == list(range(3000))


def test_chunks_are_cut_at_line_ends_and_never_too_long(tmp_path):
    receiver, writer = Receiver(), JournalWriter(tmp_path, new_id())
    for _ in range(12):
        writer.note("x" * 65_000)
        writer.row("t", {"a": "y" * 900_000})
    writer.close()
    assert ship(writer.path, receiver.append).complete
    assert max(size for _, size in receiver.calls) <= CHUNK_BYTES
    assert receiver.bad == []


def test_replies_that_are_lost_cost_nothing(tmp_path):
    receiver, path = Receiver(), journal(tmp_path, 3000).path
    losses = iter(range(1000))

    def append(*args):
        answer = receiver.append(*args)
        if next(losses) % 2 == 0:
            raise Unavailable("the connection was cut")
        return answer

    for _ in range(20):
        try:
            if ship(path, append).complete:
                break
        except Unavailable:
            continue
    assert receiver.values == list(range(3000))


def test_many_who_ship_at_once_apply_each_line_once(tmp_path):
    receiver, path = Receiver(), journal(tmp_path, 20_000).path
    copy = tmp_path / "copy" / path.name
    copy.parent.mkdir()
    shutil.copy(path, copy)
    results, start = [], threading.Barrier(4)

    def work(source):
        start.wait()
        results.append(ship(source, receiver.append))

    threads = [threading.Thread(target=work, args=(source,)) for source in (path, copy, path, copy)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert receiver.values == list(range(20_000))
    assert len(results) == 4
    assert ship(copy, receiver.append).complete


def test_a_copy_made_earlier_adds_nothing_and_is_not_complete(tmp_path):
    receiver, writer = Receiver(), journal(tmp_path, 100, close=False)
    copy = tmp_path / "copy" / writer.path.name
    copy.parent.mkdir()
    shutil.copy(writer.path, copy)
    writer.close()
    ship(writer.path, receiver.append)
    result = ship(copy, receiver.append)
    assert not result.complete
    assert receiver.values == list(range(100))


def test_a_copy_of_the_beginning_may_be_shipped_first(tmp_path):
    receiver, path = Receiver(), journal(tmp_path, 5000).path
    copy = tmp_path / "copy" / path.name
    copy.parent.mkdir()
    copy.write_bytes(path.read_bytes()[:100_001])
    assert not ship(copy, receiver.append).complete
    assert ship(path, receiver.append).complete
    assert receiver.values == list(range(5000))


@pytest.mark.parametrize("kept", [5, 100, 3000])
def test_a_journal_that_began_otherwise_is_a_conflict_and_adds_nothing(tmp_path, kept):
    receiver, path = Receiver(), journal(tmp_path, 3000).path
    other = bytearray(path.read_bytes())
    other[300] ^= 1
    lines = bytes(other).splitlines(keepends=True)
    copy = tmp_path / "copy" / path.name
    copy.parent.mkdir()
    copy.write_bytes(b"".join(lines[:kept]))
    ship(copy, receiver.append)
    before = len(receiver.values)
    with pytest.raises(Conflict):
        ship(path, receiver.append)
    assert len(receiver.values) == before


def test_a_longer_journal_of_the_same_name_does_not_make_this_one_complete(tmp_path):
    path = journal(tmp_path, 10).path
    size = path.stat().st_size
    result = ship(path, lambda *_: JournalPosition(offset=size + 5, accepted=False))
    assert not result.complete


def test_a_torn_tail_is_not_sent(tmp_path):
    receiver, path = Receiver(), journal(tmp_path, 10).path
    whole = path.stat().st_size
    with path.open("ab") as file:
        file.write(b'{"v":1,"k":"met')
    result = ship(path, receiver.append)
    assert (result.offset, result.complete) == (whole, False)


def test_a_long_stretch_without_newline_is_passed_over(tmp_path):
    receiver, path = Receiver(), journal(tmp_path, 10).path
    content = path.read_bytes()
    path.write_bytes(content.replace(b"\n", b"\n" + b"x" * (5 << 20) + b"\n", 1))
    assert ship(path, receiver.append).complete
    assert receiver.values == list(range(10))
    assert {reason for _, reason in receiver.bad} == {"longer than 1 MiB"}


@pytest.mark.parametrize(
    "answer",
    [
        lambda offset, size: JournalPosition(offset=offset, accepted=False),
        lambda offset, size: JournalPosition(offset=-1, accepted=False),
        lambda offset, size: JournalPosition(offset=offset + size + 1, accepted=True),
    ],
)
def test_answers_that_make_no_sense_are_refused(tmp_path, answer):
    path = journal(tmp_path, 10).path
    with pytest.raises(OperationFailed, match="does not follow the rules"):
        ship(path, lambda run, writer, offset, digest, data: answer(offset, len(data)))


def test_a_receiver_that_always_wants_something_else_is_left_alone(tmp_path):
    path = journal(tmp_path, 10).path
    with pytest.raises(Unavailable, match="ship it later"):
        ship(path, lambda run, writer, offset, *_: JournalPosition(offset=7 if offset != 7 else 8, accepted=False))


def test_a_file_of_another_name_is_refused(tmp_path):
    with pytest.raises(InvalidArgument, match="not a journal"):
        ship(tmp_path / "notes.txt", Receiver().append)


def test_a_journal_that_vanishes_is_not_complete(tmp_path):
    """Another shipper was done with it, and deleted it."""
    path = journal(tmp_path, 10).path
    path.unlink()
    result = ship(path, Receiver().append)
    assert attrs.asdict(result, recurse=False) | {"prefix": None} == {
        "prefix": None,
        "size_bytes": 0,
        "ended": False,
        "locked": False,
        "confirmed": False,
    }
