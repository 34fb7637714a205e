"""Digests of data by content."""

import datetime as dt
import decimal
import math
import subprocess
import sys

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amlsdk.errors import InvalidArgument
from amlsdk.resources.values.encoding import encoded
from amlsdk.resources.values.profile import digest_frame


def frame(**changes):
    columns = {
        "i": np.array([1, 2, 3]),
        "f": np.array([0.5, np.nan, -0.0]),
        "s": ["a", None, "é"],
        "o": pd.Series([1, "x", (2.0, None)], dtype=object),
        "t": pd.to_datetime(["2024-01-01", None, "2024-01-03"]),
        "z": pd.to_datetime(["2024-01-01", None, "2024-01-03"]).tz_localize("Asia/Tokyo"),
        "d": pd.to_timedelta([1, 2, 3], unit="s"),
        "c": pd.Categorical(["u", "v", None]),
        "n": pd.array([1, None, 3], dtype="Int64"),
        "b": [True, False, True],
        "p": pd.period_range("2024-01", periods=3, freq="M"),
    }
    return pd.DataFrame({**columns, **changes})


def test_equal_content_has_equal_digests_wherever_it_lies():
    known = digest_frame(frame())
    assert len(known) == 64
    assert digest_frame(frame().copy()) == known
    assert digest_frame(pd.concat([frame().iloc[:1], frame().iloc[1:]])) == known
    doubled = frame().loc[[0, 0, 1, 1, 2, 2]].iloc[::2]
    assert digest_frame(doubled) == known
    assert digest_frame(frame(i=np.array([1, 2, 3], dtype=">i8"))) == known
    assert digest_frame(frame(f=np.array([0.5, -np.nan, 0.0]))) == known


@pytest.mark.parametrize(
    "changed",
    [
        frame(i=[1, 2, 4]),
        frame(i=np.array([1, 2, 3], dtype="int32")),
        frame(f=[0.5, np.nan, 1e-300]),
        frame(s=["a", "", "é"]),
        frame(s=["a", None, "é "]),
        frame(o=pd.Series([1, "x", (2, None)], dtype=object)),
        frame(o=pd.Series([True, "x", (2.0, None)], dtype=object)),
        frame(t=pd.to_datetime(["2024-01-01", None, "2024-01-04"])),
        frame(z=pd.to_datetime(["2024-01-01", None, "2024-01-03"]).tz_localize("UTC")),
        frame(c=pd.Categorical(["v", "u", None])),
        frame(c=pd.Categorical(["u", "v", None], ordered=True)),
        frame(n=pd.array([1, 0, 3], dtype="Int64")),
        frame(p=pd.period_range("2024-02", periods=3, freq="M")),
        frame().rename(columns={"i": "j"}),
        frame()[["f", "i", *frame().columns[2:]]],
        frame().iloc[::-1],
        frame().set_index(pd.Index([0, 1, 3])),
        frame().set_index(pd.Index([0, 1, 2], name="k")),
        frame().iloc[:2],
    ],
)
def test_any_difference_changes_the_digest(changed):
    assert digest_frame(changed) != digest_frame(frame())


def test_values_can_not_slide_from_one_column_into_the_next():
    assert digest_frame(pd.DataFrame({"a": ["xy"], "b": ["z"]})) != digest_frame(
        pd.DataFrame({"a": ["x"], "b": ["yz"]})
    )
    assert digest_frame(np.zeros((2, 3))) != digest_frame(np.zeros((3, 2)))


def test_categories_that_no_cell_has_and_their_order_do_not_count():
    plain = pd.DataFrame({"c": pd.Categorical(["u", "v"])})
    other = pd.DataFrame({"c": pd.Categorical(["u", "v"], categories=["w", "v", "u"])})
    assert digest_frame(plain) == digest_frame(other)


def test_a_count_is_an_index_like_any_other():
    made = pd.DataFrame({"a": [1.0, 2.0]}, index=np.array([0, 1]))
    assert digest_frame(made) == digest_frame(pd.DataFrame({"a": [1.0, 2.0]}))


def test_arrays_by_content():
    array = np.arange(12, dtype=float).reshape(3, 4)
    known = digest_frame(array)
    assert digest_frame(np.asfortranarray(array)) == known
    assert digest_frame(array.astype(">f8")) == known
    assert digest_frame(np.repeat(array, 2, axis=1)[:, ::2]) == known
    assert digest_frame(array.astype("f4")) != known
    assert digest_frame(np.array(["a", "b"])) == digest_frame(np.array(["a", "b"], dtype="U9"))
    assert digest_frame(np.array([1, 2], dtype=np.longdouble)) == digest_frame(np.array([1, 2], dtype=np.longdouble))
    assert digest_frame(np.array([1j])) != digest_frame(np.array([2j]))
    records = np.array([(1, 2.0)], dtype=[("x", "i4"), ("y", "f4")])
    assert digest_frame(records) == digest_frame(np.array([(1, 2.0)], dtype=[("x", ">i4"), ("y", ">f4")]))
    assert digest_frame(np.zeros((0, 3))) != digest_frame(np.zeros((0, 4)))


def test_a_frame_of_pyarrow_has_the_digest_of_its_pandas_frame():
    table = pa.table({"a": [1, 2], "s": ["x", None]})
    assert digest_frame(table) == digest_frame(table.to_pandas())


def test_the_digest_is_the_same_in_another_process():
    code = (
        "import pandas as pd\n"
        "from amlsdk.resources.values.profile import digest_frame\n"
        "print(digest_frame(pd.DataFrame({'a': [1.5, None], 's': ['x', 'y'], 'e': [{'k', 'l', 'm'}, {1: 2, 'z': 3}],"
        " 'c': pd.Categorical(['q', 'r'])})))"
    )
    digests = set()
    for seed in ("1", "2"):
        environment = {"PYTHONHASHSEED": seed, "PATH": ""}
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True, env=environment)
        digests.add(done.stdout)
    assert len(digests) == 1


def test_the_form_does_not_change_from_version_to_version():
    """Digests that are stored must be found again: a change of the form needs a new version in its first item."""
    table = pd.DataFrame(
        {"a": np.array([1, 2], "int64"), "b": [0.5, math.nan], "s": pd.Series(["x", None], dtype=object)}
    )
    assert digest_frame(table) == "668ca62408723dc1e62e3ce81c94112a2cee4d8bb4c00cf25f98631573414ac6"
    assert digest_frame([{"a": 1, "b": None}]) == "c46c8010f1f9f1d98ea3f2da86d071d97fff21461054f69098805a58451e1875"


def test_objects_without_a_content_are_refused_by_column():
    with pytest.raises(InvalidArgument, match=r"column 'x' holds a builtins\.object"):
        digest_frame(pd.DataFrame({"x": [object()]}))
    loop = []
    loop.append(loop)
    with pytest.raises(InvalidArgument, match="deeper"):
        digest_frame({"a": loop})
    for value in (5, "path.csv", None):
        with pytest.raises(InvalidArgument, match="has a digest"):
            digest_frame(value)


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False).map(lambda value: value + 0.0)
    | st.text()
    | st.binary()
    | st.dates()
    | st.timedeltas()
    | st.decimals(allow_nan=False)
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3), max_leaves=6
)


def tagged(value):
    """A value with its types, which == ignores."""
    if isinstance(value, list):
        return ["list", *map(tagged, value)]
    if isinstance(value, dict):
        return {key: tagged(item) for key, item in value.items()}
    return (type(value).__name__, str(value))


@settings(deadline=None)
@given(VALUES, VALUES)
def test_encodings_are_equal_exactly_where_values_are(one, other):
    assert (encoded(one, "x") == encoded(other, "x")) == (tagged(one) == tagged(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (np.float64(1.5), 1.5),
        (np.int8(3), 3),
        (np.bool_(1), True),
        (np.array([1, 2]), [1, 2]),
        ((1, 2), [1, 2]),
        (math.nan, None),
        (pd.NaT, None),
        (np.datetime64("NaT"), None),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        (pd.Timestamp("2024-01-01", tz="UTC"), dt.datetime(2024, 1, 1, tzinfo=dt.timezone.utc)),
    ],
)
def test_values_that_are_one(one, other):
    assert encoded(one, "x") == encoded(other, "x")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, 1.0),
        (1, True),
        ("1", 1),
        (b"x", "x"),
        (decimal.Decimal("1.0"), decimal.Decimal("1.00")),
        (pd.Timedelta(1, "ns"), pd.Timedelta(2, "ns")),
        (dt.date(2024, 1, 1), dt.datetime(2024, 1, 1)),  # noqa: DTZ001
        ([1, [2]], [[1], 2]),
    ],
)
def test_values_that_differ(one, other):
    assert encoded(one, "x") != encoded(other, "x")
