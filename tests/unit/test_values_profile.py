"""Schema and profile of data."""

import datetime as dt
import gzip
import json
import math
import subprocess
import sys

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet
from sklearn.datasets import load_wine

from amlsdk.errors import InvalidArgument, NotFound
from amlsdk.resources.values import profile as profile_module
from amlsdk.resources.values.numbers_profile import numbers_profile
from amlsdk.resources.values.profile import profile_frame


def columns_of(value):
    schema, profile = profile_frame(value)
    json.dumps([schema, profile], allow_nan=False)
    assert [one["name"] for one in schema["columns"]] == [one["name"] for one in profile["by_column"]]
    return {one["name"]: one for one in profile["by_column"]}


def test_wine_agrees_with_what_pandas_says():
    frame = load_wine(as_frame=True).frame
    schema, profile = profile_frame(frame)
    assert (profile["rows"], profile["columns"], "sampled" in profile) == (178, 14, False)
    assert schema["columns"][0] == {"name": "alcohol", "type": "number", "dtype": "float64"}
    described = frame.describe(percentiles=[0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99])
    for one in profile["by_column"]:
        said = described[one["name"]]
        assert (one["count"], one["missing"]) == (178, 0)
        assert [one["mean"], one["std"]] == pytest.approx([said["mean"], said["std"]])
        assert list(one["quantiles"].values()) == pytest.approx(
            [said[share] for share in ("1%", "5%", "25%", "50%", "75%", "95%", "99%")]
        )


MIXED = {
    "boolean": [True, False, None, True],
    "integer": [1, 2, None, 0],
    "number": [1.5, math.nan, math.inf, 0.0],
    "string": ["a", "bb", None, "a"],
    "datetime": [
        dt.datetime(2024, 5, 1, tzinfo=dt.timezone.utc),
        None,
        dt.datetime(2023, 5, 1, tzinfo=dt.timezone.utc),
        None,
    ],
    "object": [{"a": 1}, [1], None, 5],
}
RICH = pd.DataFrame(
    {
        "boolean": pd.array(MIXED["boolean"], dtype="boolean"),
        "integer": pd.array(MIXED["integer"], dtype="Int64"),
        "number": MIXED["number"],
        "string": MIXED["string"],
        "datetime": pd.to_datetime(MIXED["datetime"]),
        "object": MIXED["object"],
    }
)
ROWS = [{name: column[row] for name, column in MIXED.items() if column[row] is not None} for row in range(4)]


@pytest.mark.parametrize(
    "value", [MIXED, RICH, RICH.astype(object), ROWS], ids=["columns", "pandas", "objects", "rows"]
)
def test_every_type_in_every_form(value):
    found = columns_of(value)
    assert {name: one["type"] for name, one in found.items()} == {name: name for name in MIXED}
    assert found["boolean"]["top"] == [[True, 2], [False, 1]]
    assert [found["integer"][key] for key in ("count", "missing", "min", "max", "zeros")] == [3, 1, 0, 2, 1]
    assert [found["number"][key] for key in ("count", "missing", "infinite", "min", "max")] == [3, 1, 1, 0.0, 1.5]
    assert [found["string"][key] for key in ("distinct", "top", "max_length")] == [2, [["a", 2], ["bb", 1]], 2]
    assert [found["datetime"][key] for key in ("min", "max", "missing")] == [
        "2023-05-01T00:00:00Z",
        "2024-05-01T00:00:00Z",
        2,
    ]
    assert found["object"] == {"name": "object", "type": "object", "count": 3, "missing": 1}


def test_categories_and_arrow_types():
    frame = pd.DataFrame({"c": pd.Categorical([1, 2, 2, None]), "s": pd.array(["x", None, "y", "y"], "string")})
    frame["i"] = pd.array([1, 2, None, 2**62], dtype=pd.ArrowDtype(pa.int64()))
    found = columns_of(frame)
    assert [found["c"][key] for key in ("type", "distinct", "missing")] == ["category", 2, 1]
    assert [found["s"][key] for key in ("type", "distinct", "missing")] == ["string", 2, 1]
    assert [found["i"][key] for key in ("type", "max", "missing")] == ["integer", 2**62, 1]


def test_whole_numbers_keep_their_digits():
    found = columns_of(np.array([[2**63 - 1], [-(2**63)]]))["0"]
    assert (found["type"], found["min"], found["max"]) == ("integer", -(2**63), 2**63 - 1)


@pytest.mark.parametrize(
    "value",
    [pd.DataFrame({"a": []}), pd.DataFrame({"a": [None, None]}), {"a": []}, {"a": [math.nan]}, np.zeros((0, 1))],
)
def test_columns_of_nothing(value):
    (found,) = columns_of(value).values()
    assert found["count"] == 0


def test_no_columns_and_no_rows():
    assert profile_frame([])[1] == {"rows": 0, "columns": 0, "by_column": []}
    assert profile_frame([{}, {}])[1]["rows"] == 2


def test_numpy_arrays_by_column():
    found = columns_of(np.array([[1.0, np.nan], [3.0, 4.0]], dtype=np.float32))
    assert (found["0"]["mean"], found["1"]["missing"]) == (2.0, 1)
    assert columns_of(np.array(["b", "a", "b"]))["0"]["top"] == [["b", 2], ["a", 1]]
    assert columns_of(np.array([1 + 2j]))["0"]["type"] == "object"
    times = columns_of(np.array(["2024-01-02", "NaT"], dtype="datetime64[ns]"))["0"]
    assert (times["min"], times["missing"]) == ("2024-01-02T00:00:00Z", 1)
    assert columns_of(np.array([(1, 2.0)], dtype=[("x", "i4"), ("y", "f4")]))["y"]["type"] == "number"


@settings(deadline=None)
@given(st.lists(st.floats(allow_nan=False) | st.integers(-(2**53), 2**53), max_size=40))
def test_lists_and_arrays_have_the_same_profile(values):
    listed = numbers_profile([float(value) for value in values])
    arrayed = numbers_profile(np.array(values, dtype=float))
    for name in ("min", "max", "zeros", "infinite"):
        assert listed[name] == arrayed[name]
    largest = max((abs(value) for value in values if math.isfinite(value)), default=0)
    if largest and largest < 1e100:
        assert listed["mean"] == pytest.approx(arrayed["mean"], abs=1e-9 * largest)
        assert list(listed["quantiles"].values()) == pytest.approx(
            list(arrayed["quantiles"].values()), abs=1e-9 * largest
        )


def test_numbers_near_the_largest_float_stay_json():
    for values in ([1.7e308] * 4 + [-1.7e308], np.array([1.7e308] * 4 + [-1.7e308])):
        json.dumps(numbers_profile(values), allow_nan=False)


def test_long_data_are_sampled_over_all_of_them_and_say_so():
    count = 1_500_000
    # The last third differs, and a fixed stride would see only one value of the period.
    values = np.where(np.arange(count) < 1_000_000, np.arange(count) % 3, 100).astype(float)
    _, profile = profile_frame(values)
    assert (profile["rows"], profile["sampled"]) == (count, 1_000_000)
    found = profile["by_column"][0]
    assert found["count"] == 1_000_000
    assert found["quantiles"]["p99"] == 100
    assert found["mean"] == pytest.approx((1 * 2 + 100) / 3, rel=0.01)
    assert profile_frame(values)[1] == profile


def test_samples_of_lists_and_frames(monkeypatch):
    monkeypatch.setattr(profile_module, "_MOST_ROWS", 10)
    for value in ([{"a": row} for row in range(100)], pd.DataFrame({"a": range(100)})):
        _, profile = profile_frame(value)
        (found,) = profile["by_column"]
        assert (profile["rows"], profile["sampled"], found["count"]) == (100, 10, 10)
        assert found["min"] < 10
        assert found["max"] >= 90


FRAME = pd.DataFrame({"a": [1, 2, 3], "b": ["x", "y", "x"], "c": [0.5, None, 2.5]})


@pytest.mark.parametrize("name", ["d.csv", "d.tsv", "d.csv.gz", "d.jsonl", "d.parquet", "D.CSV"])
def test_files_have_the_profile_of_their_frame(tmp_path, name):
    path = tmp_path / name
    if name.endswith("parquet"):
        FRAME.to_parquet(path)
    elif name.endswith("jsonl"):
        FRAME.to_json(path, orient="records", lines=True)
    else:
        FRAME.to_csv(path, index=False, sep="\t" if "tsv" in name else ";")
    assert profile_frame(path) == profile_frame(str(path)) == profile_frame(FRAME)


@pytest.mark.parametrize("name", ["d.csv", "d.jsonl", "d.parquet"])
def test_of_a_long_file_the_beginning_is_read(tmp_path, monkeypatch, name):
    monkeypatch.setattr(profile_module, "_MOST_ROWS", 2)
    path = tmp_path / name
    if name.endswith("parquet"):
        parquet.write_table(pa.Table.from_pandas(FRAME), path)
    else:
        path.write_text("a\n1\n2\n3\n" if name.endswith("csv") else '{"a":1}\n{"a":2}\n{"a":3}\n')
    _, profile = profile_frame(path)
    assert (profile["sampled"], profile["by_column"][0]["max"]) == (2, 2)
    assert profile["rows"] == (3 if name.endswith("parquet") else None)


@pytest.mark.parametrize("name", ["d.bin", "d.csv", "d.parquet", "d.jsonl", "d.csv.gz", "noname"])
def test_files_that_can_not_be_understood_have_no_profile(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b'\xff\xfe"\x00,,\n"x')
    assert profile_frame(path) == (None, None)
    assert profile_frame(tmp_path) == (None, None)


def test_an_empty_file_has_no_profile(tmp_path):
    with gzip.open(tmp_path / "d.csv.gz", "wb"):
        pass
    assert profile_frame(tmp_path / "d.csv.gz") == (None, None)


def test_what_is_no_data_is_refused(tmp_path):
    with pytest.raises(NotFound, match="there are no data"):
        profile_frame(tmp_path / "missing.csv")
    for value, message in ((5, "not builtins.int"), (np.zeros((1, 1, 1)), r"\(1, 1, 1\)"), ([1, 2], "builtins.list")):
        with pytest.raises(InvalidArgument, match=message):
            profile_frame(value)
    with pytest.raises(InvalidArgument, match="one length"):
        profile_frame({"a": [1], "b": []})


def test_rows_of_mappings_need_no_other_package():
    code = (
        "import sys\n"
        "for name in ('numpy', 'pandas', 'pyarrow'): sys.modules[name] = None\n"
        "from amlsdk.resources.values.profile import profile_frame, digest_frame\n"
        "from amlsdk.resources.values.tables import table_json\n"
        "rows = [{'a': 1, 'b': 'x'}, {'a': 2.5, 'b': None}]\n"
        "print(profile_frame(rows)[1]['by_column'][0]['mean'], len(digest_frame(rows)), table_json(rows).decode())\n"
        "open('d.csv', 'w').write('a\\n1\\n')\n"
        "print(profile_frame('d.csv'))"
    )
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True, cwd=folder)
    assert done.stdout.splitlines() == ['1.75 64 {"columns":["a","b"],"rows":[[1,"x"],[2.5,null]]}', "(None, None)"]
