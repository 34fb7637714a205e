"""Chunks of points, their order, and fewer of them."""

import math
from array import array

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amlsdk.errors import OperationFailed
from amlsdk.local.columns import Columns, decode, encode, rises
from amlsdk.local.ordering import in_order
from amlsdk.local.thinning import thinned

INT64 = st.integers(-(1 << 63), (1 << 63) - 1)
POINTS = st.lists(st.tuples(INT64, INT64, st.floats()), min_size=1, max_size=40)


def columns(points):
    steps, times, values = zip(*points, strict=True)
    return Columns(steps=array("q", steps), times_us=array("q", times), values=array("d", values))


def raw(of):
    return of.steps.tobytes(), of.times_us.tobytes(), of.values.tobytes()


@given(POINTS, st.sampled_from([1, 50]))
@settings(deadline=None)
def test_a_chunk_gives_back_the_same_bits_whether_it_is_short_or_long(points, times):
    of = columns(points * times)
    assert raw(decode(encode(of), len(points) * times)) == raw(of)


@given(st.lists(st.integers(-5, 5), min_size=1, max_size=6))
def test_a_chunk_knows_whether_its_steps_rise(steps):
    data = encode(columns([(step, 0, 0.0) for step in steps]))
    assert rises(data) == (sorted(set(steps)) == steps)


def test_a_thousand_points_at_even_times_take_less_than_half_of_their_bytes():
    of = columns([(step, 1_700_000_000_000_000 + 1000 * step, 1 / (1 + step)) for step in range(1000)])
    assert len(encode(of)) < 12 * 1000


@pytest.mark.parametrize("count", [3, 1000])
@pytest.mark.parametrize("spoil", [lambda data: data[:-1], lambda data: data + b"x", lambda data: data[:2]])
def test_a_chunk_that_was_cut_or_grew_is_damaged(count, spoil):
    data = encode(columns([(step, step, 0.5) for step in range(count)]))
    with pytest.raises(OperationFailed, match=f"chunk of {count} points is damaged"):
        decode(spoil(data), count)


def test_a_chunk_of_a_later_version_asks_for_an_upgrade():
    data = encode(columns([(1, 1, 1.0)]))
    with pytest.raises(OperationFailed, match=r"version 02, .* upgrade"):
        decode(b"\x02" + data[1:], 1)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=30))
def test_points_are_ordered_by_step_and_time_and_else_stay(keys):
    found = in_order(columns([(*key, float(place)) for place, key in enumerate(keys)]))
    expected = sorted((*key, float(place)) for place, key in enumerate(keys))
    assert list(zip(found.steps, found.times_us, found.values, strict=True)) == expected


@given(st.lists(st.floats(allow_nan=False), min_size=1, max_size=200), st.integers(1, 60))
def test_thinned_points_are_few_in_order_and_keep_ends_and_extremes(values, most):
    found = thinned(columns([(step, step, value) for step, value in enumerate(values)]), most)
    assert len(found.values) <= most
    assert list(found.steps) == sorted(set(found.steps))
    assert all(values[step] == value for step, value in zip(found.steps, found.values, strict=True))
    assert found.steps[-1] == len(values) - 1
    if most >= 4:
        assert found.steps[0] == 0
        assert (min(found.values), max(found.values)) == (min(values), max(values))


def test_nan_hides_no_extreme():
    values = [0.0, *[math.nan] * 20, 9.0, -9.0, *[math.nan] * 20, 1.0]
    found = thinned(columns([(step, step, value) for step, value in enumerate(values)]), 12)
    assert {9.0, -9.0} <= set(found.values)


def test_a_stretch_of_nothing_but_nan_stays_a_gap():
    found = thinned(columns([(step, step, math.nan) for step in range(100)]), 10)
    assert all(map(math.isnan, found.values))
    assert len(found.values) > 2
