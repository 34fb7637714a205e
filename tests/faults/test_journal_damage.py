"""Damage of a journal costs the lines it hit, and a clock that is set back costs nothing."""

import itertools
import random

import pytest

from amlsdk.journal.lines import parse_batch
from amlsdk.journal.writer import JournalWriter
from amlsdk.records.ids import new_id

LINES = 1000


@pytest.fixture(scope="module")
def journal(tmp_path_factory):
    writer = JournalWriter(tmp_path_factory.mktemp("journals"), new_id())
    for value in range(LINES):
        writer.metric("loss/ä", value * 0.37)
    writer.flush()
    data = writer.path.read_bytes()
    writer.close()
    return data[data.index(b"\n") + 1 :]


def line_starts(data: bytes) -> list[int]:
    return [0, *(at + 1 for at in range(len(data) - 1) if data[at] == 10)]


def test_a_wrong_byte_anywhere_loses_its_line_only_and_names_it(journal):
    seeded = random.Random(7)
    starts = line_starts(journal)
    newlines = [start - 1 for start in starts[1:]]
    places = [*seeded.sample(range(len(journal) - 1), 120), *seeded.sample(newlines, 15)]
    for place in places:
        damaged = bytearray(journal)
        damaged[place] ^= seeded.randrange(1, 256)
        batch = parse_batch(bytes(damaged), first_offset=0)
        hit = max(start for start in starts if start <= place)
        points = batch.series["loss/ä"]
        lost = set(starts) - set(points.offsets)
        if place in newlines:
            assert lost == {hit, place + 1}
        else:
            assert lost == {hit}
        # A line that was broken in two is named by both its pieces, unless one of them is empty.
        pieces = {hit, place + 1} if damaged[place] == 10 else {hit}
        named = {offset for offset, _ in batch.bad}
        assert named
        assert named <= pieces
        assert all(points.steps[at] * 0.37 == points.values[at] for at in range(len(points.steps)))


def test_the_tail_cut_anywhere_loses_the_last_line_only(journal):
    for cut in range(1, 85):
        batch = parse_batch(journal[:-cut], first_offset=0)
        assert len(batch.series["loss/ä"].steps) == LINES - 1
        assert batch.bad == []


def test_a_piece_that_is_missing_loses_only_the_lines_it_touched(journal):
    batch = parse_batch(journal[:4000] + journal[9000:], first_offset=0)
    assert len(batch.bad) == 1
    touched = journal.count(b"\n", 4000, 9000) + 1
    assert len(batch.series["loss/ä"].steps) == LINES - touched


def test_a_block_of_zeros_after_a_power_cut_is_one_bad_line(journal):
    batch = parse_batch(journal + b"\0" * 4000 + b"\n" + journal, first_offset=0)
    assert batch.bad == [(len(journal), "NUL bytes")]
    assert len(batch.series["loss/ä"].steps) == 2 * LINES


def test_a_clock_that_is_set_back_harms_nothing(tmp_path, monkeypatch):
    clock = itertools.count(1_700_000_000_000_000_000, -3_600_000_000_000)
    monkeypatch.setattr("amlsdk.journal.writer.time.time_ns", lambda: next(clock))
    writer = JournalWriter(tmp_path, new_id())
    for value in range(100):
        writer.metric("m", value)
    writer.close()
    batch = parse_batch(writer.path.read_bytes(), first_offset=0)
    points = batch.series["m"]
    assert list(points.values) == list(points.steps) == list(range(100))
    assert list(points.times_us) == sorted(points.times_us, reverse=True)
    assert batch.ended
