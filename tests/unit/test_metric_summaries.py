import math
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amlsdk.records.logged import MetricSummaries, MetricSummary, last_values

INTS = st.integers(-(2**63), 2**63 - 1)
ROWS = st.dictionaries(st.text(min_size=1), st.tuples(INTS, INTS, st.floats(), st.floats(), st.floats()))


def summaries(rows):
    return MetricSummaries(list(rows), [value for column in zip(*rows.values(), strict=True) for value in column])


@given(ROWS)
def test_each_name_has_the_numbers_of_its_row(rows):
    found = summaries(rows)
    assert len(found) == len(rows)
    for name, (count, last_step, last, smallest, largest) in rows.items():
        assert repr(found[name]) == repr(
            MetricSummary(count=count, last_step=last_step, last=last, min=smallest, max=largest)
        )


@given(ROWS)
def test_the_last_values_are_those_of_a_plain_mapping(rows):
    found = summaries(rows)
    assert repr(last_values(found)) == repr(last_values(dict(found)))


def test_it_is_a_mapping_like_any_other():
    found = summaries({"loss": (3, 2, 0.25, 0.25, 1.0)})
    plain = {"loss": MetricSummary(count=3, last_step=2, last=0.25, min=0.25, max=1.0)}
    assert found == plain
    assert plain == found
    assert found != {}
    assert "loss" in found
    assert found.get("accuracy") is None
    with pytest.raises(KeyError, match="accuracy"):
        found["accuracy"]
    assert repr(found) == repr(plain)
    assert pickle.loads(pickle.dumps(found)) == plain


def test_no_metrics_are_an_empty_mapping():
    assert MetricSummaries() == {}
    assert last_values(MetricSummaries()) == {}


def test_nan_stays_nan():
    found = summaries({"loss": (1, 0, math.nan, math.nan, math.nan)})
    assert math.isnan(found["loss"].last)
    assert math.isnan(last_values(found)["loss"])
