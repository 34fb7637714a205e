"""Tables and rows as JSON, and what is refused."""

import collections
import datetime as dt
import decimal
import enum
import json
import math
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amlsdk.errors import InvalidArgument
from amlsdk.resources.values.tables import json_of, rows_of, table_json

ROWS = (["a", "b"], [[1, "x"], [2, "y"]])


class PolarsLike:
    """The methods of a polars frame that a table needs."""

    def get_columns(self):
        return [
            SimpleNamespace(name="a", to_list=lambda: [1, 2]),
            SimpleNamespace(name="b", to_list=lambda: ["x", "y"]),
        ]

    def to_dict(self):
        raise AssertionError("a dict of Series is of no use")


class Colour(enum.Enum):
    RED = "red"


@pytest.mark.parametrize(
    "value",
    [
        [{"a": 1, "b": "x"}, {"b": "y", "a": 2}],
        {"a": [1, 2], "b": ("x", "y")},
        {"a": np.array([1, 2]), "b": pd.Series(["x", "y"])},
        {"a": range(1, 3), "b": collections.deque(["x", "y"])},
        pd.DataFrame({"a": [1, 2], "b": ["x", "y"]}),
        pa.table({"a": [1, 2], "b": ["x", "y"]}),
        np.array([(1, "x"), (2, "y")], dtype=[("a", "i4"), ("b", "U1")]),
        PolarsLike(),
    ],
    ids=["rows", "columns", "arrays", "other-sequences", "pandas", "pyarrow", "structured", "polars"],
)
def test_every_form_gives_the_same_table(value):
    assert rows_of(value) == ROWS
    assert json.loads(table_json(value)) == {"columns": ROWS[0], "rows": ROWS[1]}


def test_single_values_are_a_table_of_one_row():
    assert rows_of({"x": 1, "y": np.float64(0.5)}) == (["x", "y"], [[1, 0.5]])


@pytest.mark.parametrize("value", [np.array([[1.0, 2.0], [3.0, math.nan]]), [[1.0, 2.0], [3.0, math.nan]]])
def test_columns_without_names_count_from_0(value):
    assert rows_of(value) == (["0", "1"], [[1.0, 2.0], [3.0, "nan"]])


@pytest.mark.parametrize("value", [[], {}, pd.DataFrame()])
def test_an_empty_table(value):
    assert rows_of(value) == ([], [])


def test_an_index_with_a_meaning_becomes_columns():
    frame = pd.DataFrame({"v": [1, 2]}, index=pd.MultiIndex.from_tuples([("a", 1), ("b", 2)], names=["k", None]))
    assert rows_of(frame) == (["k", "level_1", "v"], [["a", 1, 1], ["b", 2, 2]])
    assert rows_of(pd.Series([5], index=["x"], name="v")) == (["index", "v"], [["x", 5]])


def test_columns_of_pandas_keep_their_meaning():
    frame = pd.DataFrame(
        {
            "int": pd.array([1, None], dtype="Int64"),
            "time": pd.to_datetime(["2024-05-01 12:00:00+02:00", None]),
            "naive": pd.to_datetime(["2024-05-01", "2024-05-02"]),
            "cat": pd.Categorical(["u", None]),
            "delta": pd.to_timedelta(["90s", None]),
            "inf": [math.inf, -math.inf],
        }
    )
    _, rows = rows_of(frame)
    assert rows[0] == [1, "2024-05-01T10:00:00Z", "2024-05-01T00:00:00Z", "u", 90.0, "inf"]
    assert rows[1] == [None, None, "2024-05-02T00:00:00Z", "nan", None, "-inf"] or rows[1][3] is None
    assert rows[1][:3] == [None, None, "2024-05-02T00:00:00Z"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (True, True),
        (math.nan, "nan"),
        (-math.inf, "-inf"),
        (np.float32(0.5), 0.5),
        (np.float64("nan"), "nan"),
        (np.longdouble(2), 2.0),
        (np.int8(-3), -3),
        (np.bool_(1), True),
        (np.str_("x"), "x"),
        (np.array(5), 5),
        (np.array([[1, 2]]), [[1, 2]]),
        (np.datetime64("2024-05-01T12:00:00.123456789", "ns"), "2024-05-01T12:00:00.123456Z"),
        (np.array("2024-05-01", dtype="datetime64[ns]"), "2024-05-01T00:00:00Z"),
        (np.array(["2024-05-01", "NaT"], dtype="datetime64[ns]"), ["2024-05-01T00:00:00Z", None]),
        (np.datetime64("NaT"), None),
        (np.timedelta64(1500, "ms"), 1.5),
        (pd.NaT, None),
        (pd.NA, None),
        (pd.Timestamp("2024-05-01", tz="Asia/Tokyo"), "2024-04-30T15:00:00Z"),
        (pd.Series([1, 2]), [1, 2]),
        (dt.datetime(2024, 5, 1, tzinfo=dt.timezone(dt.timedelta(hours=2))), "2024-04-30T22:00:00Z"),
        (dt.datetime(2024, 5, 1), "2024-05-01T00:00:00Z"),  # noqa: DTZ001
        (dt.date(2024, 5, 1), "2024-05-01"),
        (dt.timedelta(minutes=1), 60.0),
        (decimal.Decimal("0.10"), "0.10"),
        (pd.Interval(0, 5), "(0, 5]"),
        (pd.Period("2024-05", "M"), "2024-05"),
        (Colour.RED, "red"),
        ({"a": (1, {2: None})}, {"a": [1, {"2": None}]}),
        (2**64 - 1, 2**64 - 1),
    ],
)
def test_a_cell_as_json(value, expected):
    found = json_of(value, "a value")
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"a": [1, 2], "b": [1]}, "'a' has 2, 'b' has 1"),
        ([{"a": 1}, {"b": 2}], "row 1 lacks 'a' and adds 'b'"),
        ([{"a": 1}, 5], "row 1 .* not int"),
        ([[1, 2], [3]], "row 1 has 1"),
        ([1, 2], "row 0 .* not int"),
        ([{"a": 1}, {"a": b"raw"}], "row 1, column 'a' holds bytes"),
        ({"a": [np.bytes_(b"x")]}, "row 0, column 'a' holds bytes_"),
        ({"a": [object()]}, "row 0, column 'a' holds a builtins.object"),
        ({"a": [{1, 2}]}, "builtins.set"),
        ({"a": [1 + 2j]}, "complex"),
        ({"a": [2**64]}, "row 0, column 'a' is a whole number beyond 64 bits"),
        ({"a": ["\ud800"]}, "row 0, column 'a' has characters"),
        ({"a": [1], "b": 2}, "column 'b' of a table is a sequence of values, not int"),
        ({"a": np.zeros((2, 2)), "b": [1, 2]}, r"column 'a' .* shape \(2, 2\)"),
        (np.zeros(3), r"shape \(n, d\), not \(3,\)"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "name 'a'"),
        ("a,b", "not str"),
        (5, "not int"),
        (None, "not NoneType"),
        (np.broadcast_to(0, (1_000_001, 1)), "1000001 rows"),
        ([{}] * 1_000_001, "1000001 rows"),
    ],
)
def test_what_is_no_table_is_refused_with_the_place(value, message):
    with pytest.raises(InvalidArgument, match=message):
        rows_of(value)


def test_a_list_has_at_most_a_million_items():
    assert len(json_of(range(1_000_000), "list 'l'")) == 1_000_000
    with pytest.raises(InvalidArgument, match="list 'l' has 1000001 items; at most 1000000"):
        json_of(range(1_000_001), "list 'l'")
    with pytest.raises(InvalidArgument, match="1000001 items"):
        json_of(np.broadcast_to(0, 1_000_001), "list 'l'")


def test_what_contains_itself_is_refused():
    loop = []
    loop.append(loop)
    with pytest.raises(InvalidArgument, match="deeper than 32"):
        json_of(loop, "list 'l'")


CELLS = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text()


@settings(deadline=None)
@given(st.lists(st.tuples(CELLS, CELLS), max_size=8))
def test_a_table_survives_json(rows):
    def plain(value):
        return repr(value) if isinstance(value, float) and not math.isfinite(value) else value

    found = json.loads(table_json([{"a": a, "b": b} for a, b in rows]))
    assert found["rows"] == [[plain(a), plain(b)] for a, b in rows]
