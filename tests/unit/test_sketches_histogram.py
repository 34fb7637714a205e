"""A histogram answers quantiles within 2.5 %, merges exactly, and travels as counts."""

import math

from hypothesis import given
from hypothesis import strategies as st

from amlsdk.sketches.histogram import BUCKETS, Histogram, bucket_of, value_of

VALUES = st.floats(1e-6, 1e9)


@given(value=VALUES)
def test_a_bucket_stands_for_each_of_its_values_within_the_error(value):
    assert 0 <= bucket_of(value) < BUCKETS
    assert math.isclose(value_of(bucket_of(value)), value, rel_tol=0.0251)


@given(values=st.lists(VALUES, min_size=1), q=st.floats(0, 1))
def test_a_quantile_is_within_the_error_of_the_value_at_its_rank(values, q):
    histogram = Histogram()
    for value in values:
        histogram.add(value)
    exact = sorted(values)[math.floor(q * (len(values) - 1))]
    assert math.isclose(histogram.quantile(q), exact, rel_tol=0.0251)


@given(left=st.lists(VALUES), right=st.lists(VALUES))
def test_merged_histograms_count_what_one_would_have_counted(left, right):
    one, other, both = Histogram(), Histogram(), Histogram()
    for histogram, values in ((one, left), (other, right), (both, left + right)):
        for value in values:
            histogram.add(value)
    one.merge(other)
    assert one.count == both.count
    assert math.isclose(one.sum, both.sum, rel_tol=1e-9)
    assert one.quantile(0.5) == both.quantile(0.5)


@given(values=st.lists(st.floats(1e-6, 1e3)))
def test_a_histogram_comes_back_from_its_counts(values):
    histogram = Histogram()
    for value in values:
        histogram.add(value)
    back = Histogram.from_counts(histogram.to_counts())
    assert back.to_counts() == histogram.to_counts()
    assert (back.count, back.quantile(0.99)) == (histogram.count, histogram.quantile(0.99))


def test_an_empty_histogram_has_no_quantile():
    assert Histogram().quantile(0.5) is None
    assert Histogram.from_counts({}).quantile(0.5) is None


def test_values_out_of_range_count_as_the_nearest_end():
    assert bucket_of(0) == bucket_of(-1) == bucket_of(math.nan) == 0
    assert bucket_of(math.inf) == BUCKETS - 1
