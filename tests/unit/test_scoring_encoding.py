"""Results become JSON that any client reads, and numbers that JSON lacks are texts."""

import datetime as dt
import json
import math

import numpy as np
import pandas as pd
import pytest

from amlsdk.scoring.encoding import encode, rows_of


class Whole(int):
    pass


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (np.array([[1.5, 2]]), [[1.5, 2.0]]),
        (np.float32(0.5), 0.5),
        ([np.int64(3), np.bool_(True)], [3, True]),
        (np.array([1.0, np.nan, np.inf, -np.inf]), [1.0, "NaN", "Infinity", "-Infinity"]),
        ([math.nan, None, {"x": math.inf}], ["NaN", None, {"x": "Infinity"}]),
        (pd.DataFrame({"a": [1, 2], "b": ["x", None]}, dtype=object), [{"a": 1, "b": "x"}, {"a": 2, "b": None}]),
        (pd.Series([0.5, np.nan]), [0.5, "NaN"]),
        (pd.Series([1, None], dtype="Int64"), [1, None]),
        (pd.Categorical(["a", "b"]), ["a", "b"]),
        (pd.Series(pd.to_datetime(["2026-01-02", None])), ["2026-01-02T00:00:00", None]),
        (np.array(["2026-01-02", "NaT"], dtype="datetime64[D]"), ["2026-01-02", None]),
        ({"at": dt.datetime(2026, 1, 2, tzinfo=dt.timezone.utc)}, {"at": "2026-01-02T00:00:00Z"}),
        (("a", {1: 2}), ["a", {"1": 2}]),
        (Whole(3), 3),
        (np.str_("x"), "x"),
        ({"x"}, ["x"]),
        (None, None),
    ],
)
def test_a_result_is_written_as_json(result, expected):
    assert json.loads(encode(result), parse_constant=pytest.fail) == {"result": expected}


def test_what_has_no_form_in_json_is_named():
    with pytest.raises(TypeError, match="type complex, which has no form in JSON"):
        encode([1j])


@pytest.mark.parametrize(
    ("result", "count", "expected"),
    [
        ([1, 2], 2, [1, 2]),
        (np.array([[1, 2], [3, 4]]), 2, [[1, 2], [3, 4]]),
        (pd.DataFrame({"a": [1, 2]}), 2, [{"a": 1}, {"a": 2}]),
        (pd.Series([1, 2]), 2, [1, 2]),
        ([1], 2, None),
        ("ab", 2, None),
        ({"a": 1, "b": 2}, 2, None),
        (np.float64(1), 1, None),
        (np.array(5.0), 1, None),
        (7, 1, None),
    ],
)
def test_a_result_is_split_only_where_it_has_an_entry_for_each_row(result, count, expected):
    assert rows_of(result, count) == expected
