"""What a reader makes of the bytes of a journal."""

import json
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amlsdk.journal import lines
from amlsdk.journal.lines import Batch, parse_batch
from amlsdk.journal.text import MAX_LINE

QUICK = settings(max_examples=100, derandomize=True, deadline=None)


def seal(head: bytes) -> bytes:
    return b'%b,"c":%d}\n' % (head, zlib.crc32(head))


def line(**members) -> bytes:
    return seal(json.dumps({"v": 1, "t": 5, **members}, separators=(",", ":"))[:-1].encode())


def point(name="m", value=0.5, step=0, **others) -> bytes:
    return line(k="metric", n=name, x=value, s=step, **others)


def flat(batch: Batch) -> tuple:
    series = {name: tuple(map(list, points)) for name, points in batch.series.items()}
    return repr(series), batch.others, batch.bad, batch.ended


def merged(batches: list[Batch]) -> tuple:
    whole = Batch()
    for batch in batches:
        for name, points in batch.series.items():
            for column, more in zip(lines._points(whole, name), points, strict=True):
                column.extend(more)
        whole.others += batch.others
        whole.bad += batch.bad
        whole.ended = whole.ended or batch.ended
    return flat(whole)


def test_points_come_as_columns_by_name_with_the_offset_of_their_line():
    first, second = point("a", 0.5, 7), point("b", 1.5, 8, t=6)
    batch = parse_batch(first + second + point("a", 2.0, 9), first_offset=100)
    assert list(batch.series["a"].steps) == [7, 9]
    assert list(batch.series["a"].values) == [0.5, 2.0]
    assert list(batch.series["b"].times_us) == [6]
    assert list(batch.series["a"].offsets) == [100, 100 + len(first + second)]


def test_only_whole_lines_are_used():
    whole, part = point(), point()[:-1]
    batch = parse_batch(whole + part, first_offset=0)
    assert batch.used == len(whole)
    assert len(batch.series["m"].steps) == 1
    assert batch.bad == []


def test_no_bytes_say_nothing():
    assert flat(parse_batch(b"", first_offset=3)) == flat(Batch())


def test_empty_lines_are_skipped():
    batch = parse_batch(b"\n\n" + point() + b"\n" + point(), first_offset=0)
    assert list(batch.series["m"].offsets) == [2, 3 + len(point())]
    assert batch.bad == []


def test_values_that_are_not_finite_and_whole_numbers_are_values():
    batch = parse_batch(b"".join(point(value=value) for value in ("nan", "inf", "-inf", 3)), first_offset=0)
    assert repr(list(batch.series["m"].values)) == "[nan, inf, -inf, 3.0]"


def test_an_unknown_kind_is_kept_as_it_is():
    [entry] = parse_batch(line(k="novelty", z=[1]), first_offset=4).others
    assert (entry.kind, entry.offset, entry.data, entry.time_us) == ("novelty", 4, {"z": [1]}, 5)


def test_the_last_line_is_noticed():
    assert parse_batch(line(k="end"), first_offset=0).ended
    assert not parse_batch(line(k="note", x="end"), first_offset=0).ended


BAD = {
    "another checksum": point()[:-4] + b"0}\n",
    "not JSON": b"{nonsense}\n",
    "JSON but no object": seal(b"[1")[:-2] + b"]\n",
    "no checksum": b'{"v":1,"k":"end","t":1}\n',
    "unknown version": line(v=2, k="end"),
    "no version": seal(b'{"k":"end","t":1'),
    "no kind": line(),
    "a kind that is no text": line(k=1),
    "a time that is a text": line(k="end", t="5"),
    "a time that is a boolean": line(k="end", t=True),
    "a value that is a text": point(value="high"),
    "a value that is a boolean": point(value=True),
    "no value": line(k="metric", n="m", s=0),
    "a step that is a float": point(step=1.5),
    "a step that is a boolean": point(step=True),
    "a step of more than 64 bits": point(step=2**63),
    "a step of far more bits": point(step=2**70),
    "a name that is a number": point(name=1),
    "a name that is a list": point(name=["m"]),
    "a name that can't be one": point(name=" m"),
    "a param that is a number": line(k="param", n="p", x=1),
    "a row that is a list": line(k="row", n="t", x=[]),
    "a file without digest": line(k="file", x={"path": "a", "kind": "output", "size_bytes": 1, "mode": "file"}),
    "an exit code that is a text": line(k="status", x="Failed", e=None, code="1"),
    "NUL bytes": b"\0" * 40 + b"\n",
    "two objects on a line": point()[:-1] + b"," + point(),
    "half a line": point()[:20] + b"\n",
    "too long": line(k="note", x="x" * MAX_LINE),
    "the brackets of two lines": b'{"v":1},{"v":1\n',
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD.keys())
def test_a_bad_line_is_named_and_blocks_no_other(bad):
    for count in (1, 1000):
        before = b"".join(point(step=step) for step in range(count))
        batch = parse_batch(before + bad + before, first_offset=10)
        assert [offset for offset, _ in batch.bad] == [10 + len(before)]
        assert list(batch.series["m"].steps) == [*range(count), *range(count)]
        assert batch.used == len(before + bad + before)


def test_an_object_over_several_lines_is_not_taken_for_one():
    """Lines that only together are JSON, and a line of two objects, so that the count is right: all are bad."""
    halves = b'{"v":1,"k":"metric"\n"n":"m","x":0.5,"s":1,"t":1,"c":1}\n'
    batch = parse_batch(point() + halves + point()[:-1] + b"," + point(), first_offset=0)
    assert len(batch.bad) == 3
    assert len(batch.series["m"].steps) == 1


def test_endless_bytes_without_a_newline_are_consumed_as_bad():
    batch = parse_batch(point() + b"x" * MAX_LINE, first_offset=0)
    assert batch.used == len(point()) + MAX_LINE
    assert batch.bad == [(len(point()), "longer than 1 MiB")]


LINES = st.one_of(
    st.builds(
        point,
        st.sampled_from(["a", "b", "", 'q"\\', "ä,"]),
        st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from(["nan", "inf", True, None, 3, "x"]),
        st.integers(-(2**65), 2**65) | st.booleans(),
    ),
    st.builds(lambda text: line(k="note", x=text), st.text(max_size=9)),
    st.binary(max_size=20).map(lambda junk: junk + b"\n"),
    st.sampled_from([b"\n", line(k="end"), b"{}\n", b"[]\n"]),
)


@QUICK
@given(parts=st.lists(LINES, max_size=30), cut=st.integers(0, 2000))
def test_reading_in_parts_says_the_same_as_reading_at_once(parts, cut):
    data = b"".join(parts)
    whole = parse_batch(data, first_offset=0)
    first = parse_batch(data[:cut], first_offset=0)
    second = parse_batch(data[first.used :], first_offset=first.used)
    assert merged([first, second]) == merged([whole])
    assert first.used + second.used == whole.used


@QUICK
@given(parts=st.lists(LINES, max_size=30), repeats=st.integers(1, 3))
def test_many_lines_at_once_say_the_same_as_one_by_one(parts, repeats):
    data = b"".join(part for part in parts for _ in range(repeats))
    slow = Batch()
    lines._add_lines(slow, data, 0)
    assert merged([parse_batch(data, first_offset=0)]) == merged([slow])


@QUICK
@given(data=st.binary())
def test_any_bytes_can_be_read(data):
    assert parse_batch(data, first_offset=0).used == data.rfind(b"\n") + 1
