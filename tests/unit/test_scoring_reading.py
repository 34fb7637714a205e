"""Request bodies are read by the contract: what fits comes out as arrays and tables, what does not is said where."""

import datetime as dt
import json

import msgspec
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amlsdk.records.serving import ColumnSpec, InputSpec
from amlsdk.scoring.reading import Reader
from amlsdk.scoring.replies import Refused

COLUMNS = (
    ColumnSpec(name="alcohol", kind="number", dtype="float64"),
    ColumnSpec(name="count", kind="integer", dtype="int8"),
    ColumnSpec(name="good", kind="boolean", dtype="bool"),
    ColumnSpec(name="grape", kind="string", dtype="category", categories=("merlot", "syrah")),
    ColumnSpec(name="note", kind="string", dtype="object", nullable=True),
    ColumnSpec(name="at", kind="datetime", dtype="datetime64[ns]"),
)
GOOD = {"alcohol": 1.5, "count": 3, "good": True, "grape": "syrah", "note": None, "at": "2026-01-02T03:04:05"}


def frame(columns=COLUMNS, *, as_array=False):
    return Reader([InputSpec(name="data", kind="frame", schema={}, columns=columns, as_array=as_array)])


def array(dtype, shape):
    return Reader([InputSpec(name="data", kind="array", schema={}, dtype=dtype, shape=shape)])


def value_of(reader, body):
    body = body if isinstance(body, bytes) else json.dumps({"data": body}).encode()
    return reader.inputs[0].join([reader.read(body)[0]])


def refused(reader, body):
    body = body if isinstance(body, bytes) else json.dumps({"data": body}).encode()
    with pytest.raises(Refused) as caught:
        reader.read(body)
    answer = msgspec.json.decode(caught.value.reply.body)
    return caught.value.reply.status, answer["code"], answer["message"]


def test_rows_as_objects_become_a_table_with_the_dtypes_of_the_columns():
    table = value_of(frame(), [GOOD, {**GOOD, "note": "x", "grape": "merlot"}])
    assert list(table.columns) == [column.name for column in COLUMNS]
    assert [str(dtype) for dtype in table.dtypes] == [
        "float64",
        "int8",
        "bool",
        "category",
        str(pd.Series([None, "x"], dtype="object").dtype),
        "datetime64[ns]",
    ]
    assert list(table["grape"].cat.categories) == ["merlot", "syrah"]
    assert table["at"][0] == pd.Timestamp("2026-01-02 03:04:05")


def test_rows_as_lists_are_read_in_the_order_of_the_columns():
    pd.testing.assert_frame_equal(value_of(frame(), [list(GOOD.values()), GOOD]), value_of(frame(), [GOOD, GOOD]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"alcohol": "12"}, "data[1].alcohol: a number is expected, not a string"),
        ({"alcohol": True}, "data[1].alcohol: a number is expected, not true"),
        ({"alcohol": None}, "data[1].alcohol: a number is expected, not null"),
        ({"alcohol": [1]}, "data[1].alcohol: a number is expected, not a list"),
        ({"count": 1.5}, "data[1].count: an integer is expected, not 1.5"),
        ({"count": 128}, "data[1].count: an integer from -128 to 127 is expected"),
        ({"count": 10**30}, "data[1].count: an integer from -128 to 127 is expected"),
        ({"good": 1}, "data[1].good: true or false is expected, not a number"),
        ({"grape": "riesling"}, "data[1].grape: one of 'merlot', 'syrah' is expected, not another value"),
        ({"note": 5}, "data[1].note: a string is expected, not a number"),
        ({"at": "yesterday"}, "data[1].at: a time (ISO 8601) is expected, not another string"),
        ({"at": "2026-13-01"}, "data[1].at: a time (ISO 8601) is expected, not another string"),
        ({"price": 1}, "data[1]: there is no column 'price'"),
    ],
)
def test_a_wrong_value_is_refused_with_its_row_and_field(change, message):
    assert refused(frame(), [GOOD, {**GOOD, **change}]) == (422, "SchemaMismatch", message)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"alcohol": 1}], "data[0].count: a value is missing"),
        ([[1, 2]], "data[0]: 6 values are expected, not 2"),
        ([5], "data[0]: an object or a list is expected, not a number"),
        ([], "data: at least one row is expected"),
        ({}, "data: a list of at least one row is expected, not an object"),
        (None, "data: a list of at least one row is expected, not null"),
    ],
)
def test_what_is_no_list_of_rows_is_refused(rows, message):
    assert refused(frame(), rows) == (422, "SchemaMismatch", message)


@pytest.mark.parametrize(
    ("body", "status", "part"),
    [
        (b"", 400, "not JSON"),
        (b"{", 400, "not JSON"),
        (b'{"data": []} x', 400, "not JSON"),
        (b'{"data": [[NaN]]}', 400, "JSON has no NaN"),
        (b'{"data": [[Infinity]]}', 400, "JSON has no NaN"),
        (b'{"data": ["\xff"]}', 400, "not UTF-8"),
        (b'"\xff"', 400, "not UTF-8"),
        ('{"data": []}'.encode("utf-16"), 400, "not"),
        (b"[" * 10_000 + b"]" * 10_000, 400, "nested too deeply"),
        (b'{"data": ' + b"[" * 10_000 + b"]" * 10_000 + b"}", 400, "nested too deeply"),
        (b'{"x": ' + b'{"x":' * 10_000 + b"1" + b"}" * 10_000 + b"}", 400, "nested too deeply"),
        (b"[]", 422, "the body: an object with data is expected, not a list"),
        (b"null", 422, "the body: an object with data is expected, not null"),
        (b"{}", 422, "data: a value is missing"),
        (b'{"data": [], "more": 1}', 422, "the body: there is no input 'more'"),
        (b'"text"', 400, "not JSON"),
        (
            json.dumps(json.dumps(json.dumps({"data": []}))).encode(),
            422,
            "an object with data is expected, not a string",
        ),
    ],
)
def test_a_body_that_is_no_request_is_refused(body, status, part):
    found, code, message = refused(frame(), body)
    assert (found, code) == (status, "InvalidBody" if status == 400 else "SchemaMismatch")
    assert part in message


def test_a_json_string_that_holds_json_is_read_as_that_json():
    body = json.dumps(json.dumps({"data": [GOOD]})).encode()
    pd.testing.assert_frame_equal(value_of(frame(), body), value_of(frame(), [GOOD]))


def test_whole_numbers_with_a_point_are_integers():
    assert value_of(frame(), [{**GOOD, "count": 3.0}])["count"][0] == 3


@pytest.mark.parametrize("name", ['say "x"', "a\\b", "tab\t", ""])
def test_any_text_may_name_a_column(name):
    reader = frame((ColumnSpec(name=name, kind="number", dtype="float64"),), as_array=True)
    assert value_of(reader, [{name: 2}, [3]]).tolist() == [[2.0], [3.0]]
    assert refused(reader, [{name: "x"}])[0] == 422


def test_a_table_with_a_name_twice_is_read_from_lists():
    column = ColumnSpec(name="x", kind="number", dtype="float64")
    table = value_of(frame((column, column)), [[1, 2]])
    assert (list(table.columns), table.to_numpy().tolist()) == (["x", "x"], [[1.0, 2.0]])


@pytest.mark.parametrize(
    ("dtypes", "nullable", "expected"),
    [
        (("float64", "float64"), False, "float64"),
        (("float32", "float32"), True, "float32"),
        (("int64", "int64"), False, "int64"),
        (("int64", "float64"), False, "float64"),
        (("int64", "int64"), True, "float64"),
        (("Int64", "Float64"), True, "float64"),
    ],
)
def test_a_table_passed_as_an_array_has_the_common_dtype_of_its_columns(dtypes, nullable, expected):
    columns = [
        ColumnSpec(name=str(at), kind="number" if "loat" in dtype else "integer", dtype=dtype, nullable=nullable)
        for at, dtype in enumerate(dtypes)
    ]
    found = value_of(frame(tuple(columns), as_array=True), [[1, 2]])
    assert (str(found.dtype), found.tolist()) == (expected, [[1, 2]])


def test_null_is_a_missing_number_where_the_column_had_some():
    column = ColumnSpec(name="x", kind="number", dtype="float64", nullable=True)
    assert np.isnan(value_of(frame((column,), as_array=True), [[None]])).all()
    assert np.isnan(value_of(frame((column,)), [{"x": None}])["x"][0])


@pytest.mark.parametrize(("kind", "dtype", "value"), [("integer", "int64", 7), ("boolean", "bool", True)])
def test_null_in_a_column_whose_dtype_has_no_missing_values_takes_another_dtype(kind, dtype, value):
    column = ColumnSpec(name="x", kind=kind, dtype=dtype, nullable=True)
    assert str(value_of(frame((column,)), [[value]])["x"].dtype) == dtype
    assert value_of(frame((column,)), [[value], [None]])["x"].isna().tolist() == [False, True]


@pytest.mark.parametrize(
    ("dtype", "text", "expected"),
    [
        ("datetime64[ns]", "2026-01-02", "2026-01-02T00:00:00"),
        ("datetime64[us]", "2026-01-02T03:04Z", "2026-01-02T03:04:00"),
        ("datetime64[ns]", "2026-01-02T03:04:05.123456789+02:00", "2026-01-02T01:04:05.123456"),
        ("datetime64[ns, UTC]", "2026-01-02T03:04:05", "2026-01-02T03:04:05+00:00"),
        ("datetime64[us, Europe/Berlin]", "2026-01-02T03:04:05Z", "2026-01-02T04:04:05+01:00"),
    ],
)
def test_times_are_read_with_and_without_an_offset(dtype, text, expected):
    table = value_of(frame((ColumnSpec(name="at", kind="datetime", dtype=dtype),)), [{"at": text}])
    assert str(table["at"].dtype) == dtype
    assert table["at"][0].isoformat() == expected


def test_categories_that_are_numbers_are_held_against_the_categories():
    column = ColumnSpec(name="size", kind="integer", dtype="category", categories=("1", "2"))
    table = value_of(frame((column,)), [[2], [1]])
    assert (list(table["size"]), list(table["size"].cat.categories)) == ([2, 1], [1, 2])
    assert refused(frame((column,)), [[3]]) == (
        422,
        "SchemaMismatch",
        "data[0].size: one of '1', '2' is expected, not another value",
    )


def test_unsigned_integers_of_64_bits_are_read_to_their_last_value():
    column = ColumnSpec(name="x", kind="integer", dtype="uint64")
    assert value_of(frame((column,)), [[2**64 - 1]])["x"][0] == 2**64 - 1
    assert refused(frame((column,)), [[2**64]])[0] == 422
    assert refused(frame((column,)), [[-1]])[0] == 422


@pytest.mark.parametrize(
    ("dtype", "shape", "value", "expected"),
    [
        ("float64", (None, 2), [[1, 2.5]], [[1.0, 2.5]]),
        ("float32", (), 1.5, 1.5),
        ("int64", (3,), [1, 2, 3], [1, 2, 3]),
        ("bool", (None,), [True], [True]),
        ("<U5", (None,), ["a"], ["a"]),
        ("float64", (None, None), [[1], [2]], [[1], [2]]),
    ],
)
def test_nested_lists_become_an_array(dtype, shape, value, expected):
    found = value_of(array(dtype, shape), value)
    assert found.dtype == np.dtype(dtype)
    assert found.tolist() == expected


@pytest.mark.parametrize(
    ("dtype", "shape", "value", "message"),
    [
        ("float64", (None, 2), [[1, 2], [1]], "data[1]: a list of 2 is expected, not 1"),
        ("float64", (None, 2), [[1, 2], [1, "x"]], "data[1][1]: a number is expected, not a string"),
        ("float64", (None, 2), [[1, 2], [1, None]], "data[1][1]: a number is expected, not null"),
        ("float64", (None, 2), [[1, 2], [1, True]], "data[1][1]: a number is expected, not true"),
        ("float64", (None, 2), [], "data: at least one value is expected, not none"),
        ("float64", (None, 2), [1], "data[0]: a list is expected, not a number"),
        ("int8", (None,), [300], "data[0]: an integer from -128 to 127 is expected"),
        (
            "int64",
            (None,),
            [10**30],
            "data[0]: an integer from -9223372036854775808 to 9223372036854775807 is expected",
        ),
        ("float64", (), [1], "data: a number is expected, not a list"),
    ],
)
def test_lists_of_another_shape_or_kind_are_refused_with_their_place(dtype, shape, value, message):
    assert refused(array(dtype, shape), value) == (422, "SchemaMismatch", message)


SCHEMA = {
    "type": "object",
    "required": ["words"],
    "additionalProperties": False,
    "properties": {
        "words": {"type": "array", "items": {"type": "string"}, "minItems": 1},
        "limit": {"anyOf": [{"type": "integer", "minimum": 1, "maximum": 9}, {"type": "null"}]},
        "mode": {"enum": ["a", "b"]},
    },
}


def plain():
    return Reader([InputSpec(name="data", kind="json", schema=SCHEMA)])


@pytest.mark.parametrize(
    "value", [{"words": ["a"]}, {"words": ["a"], "limit": None, "mode": "b"}, {"words": ["a"], "limit": 9.0}]
)
def test_plain_values_are_passed_as_they_are(value):
    assert value_of(plain(), value) == value


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([], "data: an object is expected, not a list"),
        ({}, "data.words: a value is missing"),
        ({"words": []}, "data.words: from 1 to any number of values are expected, not 0"),
        ({"words": ["a", 1]}, "data.words[1]: a string is expected, not a number"),
        ({"words": ["a"], "limit": 0}, "data.limit: at least 1 is expected"),
        ({"words": ["a"], "limit": 10}, "data.limit: at most 9 is expected"),
        ({"words": ["a"], "mode": "c"}, "data.mode: one of 'a', 'b' is expected"),
        ({"words": ["a"], "other": 1}, "data: there is no field 'other'"),
    ],
)
def test_plain_values_are_held_against_their_schema(value, message):
    assert refused(plain(), value) == (422, "SchemaMismatch", message)


@given(
    rows=st.lists(
        st.lists(
            st.one_of(
                st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text()
            ),
            max_size=3,
        ),
        max_size=3,
    )
)
def test_the_quick_reader_and_the_one_by_hand_agree(rows):
    columns = (COLUMNS[0], COLUMNS[1], COLUMNS[4])
    reader = frame(columns)
    body = json.dumps({"data": rows}).encode()
    try:
        quick = reader.read(body)
    except Refused as error:
        quick = error.reply.status
    try:
        by_hand = reader._read_by_hand(body)
    except Refused as error:
        by_hand = error.reply.status
    assert quick == by_hand


@given(time=st.datetimes())
def test_every_time_python_writes_is_read_back(time):
    from amlsdk.scoring.scalars import time_of

    assert time_of(time.isoformat()) == time
    aware = time.replace(tzinfo=dt.timezone.utc)
    assert time_of(aware.isoformat()) == aware
