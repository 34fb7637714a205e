"""Sample data become JSON and a contract."""

import datetime as dt
import json

import numpy as np
import pandas as pd
import pytest

from amlsdk.errors import InvalidArgument
from amlsdk.records.serving import ServiceSpec
from amlsdk.resources.manifesting.bodies import from_reply, to_body
from amlsdk.resources.manifesting.samples import sample_of
from amlsdk.resources.manifesting.schemas import json_schema

FRAME = pd.DataFrame(
    {
        "a": [1, 2],
        "b": [0.5, None],
        "c": ["x", None],
        "d": pd.Categorical(["u", "v"]),
        "e": pd.to_datetime(["2026-01-01T00:00:00", "2026-01-02T03:04:05"]),
        "f": [True, False],
        "g": pd.array([1, None], dtype="Int64"),
        "h": pd.Categorical([3, 1]),
    }
)


def of(data, parameters=("data",), required=("data",), *, tabular=False):
    sample = sample_of(data, parameters, required=required, tabular=tabular)
    json.dumps(sample.body, allow_nan=False)
    return sample


def spec_for(data, **options):
    return ServiceSpec(name="m", script="score.py", inputs=of(data, **options).inputs)


def validated(schema, value):
    import jsonschema

    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(value, schema, cls=jsonschema.Draft202012Validator)


def test_a_frame_becomes_rows_of_json_with_kinds_missing_values_and_categories():
    sample = of(FRAME)
    (spec,) = sample.inputs
    kinds = {column.name: (column.kind, column.nullable) for column in spec.columns}
    assert kinds == {
        "a": ("integer", False),
        "b": ("number", True),
        "c": ("string", True),
        "d": ("string", False),
        "e": ("datetime", False),
        "f": ("boolean", False),
        "g": ("integer", True),
        "h": ("integer", False),
    }
    assert spec.columns[3].categories == ("u", "v")
    assert spec.columns[7].categories == ("1", "3")
    assert sample.body["data"][1] == {
        "a": 2,
        "b": None,
        "c": None,
        "d": "v",
        "e": "2026-01-02T03:04:05",
        "f": False,
        "g": None,
        "h": 1,
    }
    validated(spec.schema, sample.body["data"])
    validated(spec.schema, [list(row.values()) for row in sample.body["data"]])


def test_ten_rows_are_kept_and_missing_values_of_later_rows_count():
    frame = pd.DataFrame({"x": [1.0] * 20 + [None]})
    sample = of(frame)
    assert len(sample.body["data"]) == 10
    assert sample.inputs[0].columns[0].nullable
    assert len(of(np.zeros((50, 3))).body["data"]) == 10
    assert len(of([{"x": 1}] * 50, tabular=True).body["data"]) == 10


def test_a_series_with_named_values_is_a_row_and_another_a_column():
    row = of(FRAME[["a", "b"]].iloc[0]).body["data"]
    assert row == [{"a": 1.0, "b": 0.5}]
    assert of(FRAME["a"]).body["data"] == [{"a": 1}, {"a": 2}]


@pytest.mark.parametrize(
    ("value", "named"),
    [
        (pd.DataFrame({"good": [1], "bad": [object()]}), "'bad'"),
        (pd.DataFrame({"mixed": [1, "x"]}), "'mixed'"),
        (pd.DataFrame({"gap": pd.to_timedelta([1], unit="s")}), "'gap'"),
        (pd.DataFrame({"far": [np.inf]}), "'far'"),
        (pd.DataFrame([[1, 2]], columns=["same", "same"]), "'same'"),
        (FRAME.iloc[:0], "no rows"),
        (np.array([[np.nan]]), "NaN"),
        (np.array([1j]), "complex"),
        (np.zeros((0, 3)), "empty"),
        ({"when": dt.datetime.now(dt.timezone.utc)}, r"data\['when'\]"),
        ([[1, {2}]], r"data\[0\]\[1\]"),
        (float("nan"), "nan"),
    ],
)
def test_what_has_no_form_in_json_is_named(value, named):
    with pytest.raises(InvalidArgument, match=named):
        of(value)


def test_a_mapping_of_arguments_gives_several_inputs():
    sample = of({"rows": FRAME[["a"]], "limit": 3}, ("rows", "limit", "more"), ("rows", "limit"))
    assert [spec.name for spec in sample.inputs] == ["rows", "limit"]
    assert sample.body == {"rows": [{"a": 1}, {"a": 2}], "limit": 3}
    whole = of({"anything": 1}, ("data", "flag"), ("data",))
    assert whole.body == {"data": {"anything": 1}}


def test_a_sample_that_does_not_fit_the_arguments_is_refused():
    with pytest.raises(InvalidArgument, match="arguments a, b, but the sample is a DataFrame"):
        of(FRAME, ("a", "b"), ("a", "b"))
    with pytest.raises(InvalidArgument, match="no arguments"):
        of(1, (), ())


def test_lists_of_rows_are_tables_only_for_a_model_of_its_own():
    assert of([{"x": 1}, {"x": None}]).inputs[0].kind == "json"
    (spec,) = of([{"x": 1}, {"x": None}], tabular=True).inputs
    assert (spec.kind, spec.columns[0].dtype, spec.columns[0].nullable) == ("frame", "float64", True)
    assert of([[1, 2], [3, 4]], tabular=True).inputs[0].shape == (None, 2)
    assert of(["a", "b"]).body["data"] == ["a", "b"]


@pytest.mark.parametrize(
    "value",
    [1, 1.5, "x", True, [1, 2.5], [[1], [2]], {"a": [{"b": 1.5}, {"b": 2.0}]}, ["NaN", 1.5], [], [1, "x"]],
)
def test_the_schema_of_a_result_accepts_it(value):
    validated(json_schema(value, result=True), value)


def test_a_body_is_made_of_frames_arrays_and_rows():
    spec = spec_for(FRAME[["a", "b", "d"]])
    expected = {"data": [[1, 0.5, "u"], [2, None, "v"]]}
    # Other columns are left out, and the order is that of the contract.
    assert to_body(spec, FRAME[["d", "f", "b", "a"]]) == expected
    assert to_body(spec, FRAME[["a", "b", "d"]].to_dict("records")) == expected
    assert to_body(spec, {"a": [1, 2], "b": [0.5, None], "d": ["u", "v"]}) == expected
    assert to_body(spec, {"data": [[1, 0.5, "u"], [2.0, None, "v"]]}) == expected
    numbers = spec_for(FRAME[["a", "b"]])
    assert to_body(numbers, np.array([[1, 2]])) == {"data": [[1, 2]]}
    assert to_body(numbers, {"a": 1, "b": 2}) == {"data": [[1, 2]]}
    assert to_body(spec_for(np.zeros((2, 2))), [[1, 2]]) == {"data": [[1, 2]]}


@pytest.mark.parametrize(
    ("value", "named"),
    [
        ([{"a": 1, "b": "x"}], r"data\[0\]\.b: a number is expected"),
        ([{"a": 1, "b": True}], r"data\[0\]\.b: a number is expected, not True"),
        ([{"a": None, "b": 1}], r"data\[0\]\.a: an integer is expected; it is missing"),
        ([{"a": 1, "b": 1}, {"a": 1.5, "b": 1}], r"data\[1\]\.a: an integer is expected"),
        ([{"a": 1}], r"data\[0\]: a value of 'b' is missing"),
        ([{"a": 1, "b": 1, "z": 1}], r"data\[0\]: there is no column 'z'"),
        ([[1]], r"data\[0\]: 2 values are expected, not 1"),
        ([], "at least one row"),
        (pd.DataFrame({"a": [1]}), "lacks the columns b"),
        (np.zeros((1, 5)), r"an array \(n, 2\) is expected"),
        ([{"a": 1, "b": float("inf")}], "infinite"),
        ("text", "a list of rows is expected"),
        (3, "not int"),
    ],
)
def test_a_body_that_does_not_fit_is_refused_with_row_and_column(value, named):
    with pytest.raises(InvalidArgument, match=named):
        to_body(spec_for(FRAME[["a", "b"]]), value)


def test_an_array_of_another_shape_is_refused():
    spec = spec_for(np.zeros((2, 3)))
    for wrong in (np.zeros((2, 4)), np.zeros(3), [[1, 2, 3], [1]], [[np.nan, 1, 1]]):
        with pytest.raises(InvalidArgument, match="data: "):
            to_body(spec, wrong)


def test_nan_and_infinity_come_back_as_numbers_where_the_schema_has_numbers():
    spec = ServiceSpec(name="m", script="s.py", output=json_schema([{"p": 1.5, "label": "x"}], result=True))
    found = from_reply(spec, {"result": [{"p": "NaN", "label": "NaN"}, {"p": "-Infinity", "label": "x"}]})
    assert np.isnan(found[0]["p"])
    assert found[0]["label"] == "NaN"
    assert found[1]["p"] == -np.inf
