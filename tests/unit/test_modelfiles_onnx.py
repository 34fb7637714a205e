"""ONNX models are saved, described and predict from rows."""

import numpy as np
import onnx
import pandas as pd
import pytest
from onnx import TensorProto, helper
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_wine
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from amlsdk.errors import InvalidArgument
from amlsdk.resources.modelfiles import algorithm_of, detect_format, load_files, save_estimator

WINE, KIND = load_wine(return_X_y=True, as_frame=True)
ROWS = WINE.to_numpy(np.float32)


@pytest.fixture(scope="module")
def forest():
    return RandomForestClassifier(5, random_state=0).fit(ROWS, KIND)


@pytest.fixture(scope="module")
def model(forest, tmp_path_factory):
    folder = tmp_path_factory.mktemp("forest")
    saved = save_estimator(to_onnx(forest, ROWS[:1]), folder)
    assert (saved.format, saved.files) == ("onnx", ("model.onnx",))
    assert detect_format(folder) == "onnx"
    return load_files(folder, "onnx")


@pytest.mark.parametrize(
    "rows",
    [
        WINE,
        WINE.to_numpy(),
        WINE.to_numpy().tolist(),
        WINE.to_dict("records"),
        WINE.to_dict("list"),
    ],
    ids=["frame", "array", "list", "dicts", "columns"],
)
def test_every_form_of_rows_gives_the_same_predictions(rows, forest, model):
    assert np.array_equal(model.predict(rows), forest.predict(ROWS))


def test_the_session_gives_the_other_outputs(forest, model):
    outputs = model.session.run(None, {"X": ROWS})
    assert np.allclose([[row[each] for each in range(3)] for row in outputs[1]], forest.predict_proba(ROWS), atol=1e-5)


@pytest.fixture(scope="module")
def columns_model(tmp_path_factory):
    frame = WINE[["alcohol", "ash"]].astype(np.float32).assign(strength=np.where(WINE.alcohol > 13, "strong", "light"))
    columns = ColumnTransformer(
        [("numbers", StandardScaler(), ["alcohol", "ash"]), ("words", OneHotEncoder(), ["strength"])]
    )
    pipeline = make_pipeline(columns, LogisticRegression()).fit(frame, KIND)
    types = [
        ("alcohol", FloatTensorType([None, 1])),
        ("ash", FloatTensorType([None, 1])),
        ("strength", StringTensorType([None, 1])),
    ]
    folder = tmp_path_factory.mktemp("columns")
    save_estimator(to_onnx(pipeline, initial_types=types), folder)
    return frame, pipeline.predict(frame), load_files(folder, "onnx"), folder


def test_a_model_of_named_columns_predicts_from_every_form(columns_model):
    frame, expected, model, _ = columns_model
    for rows in (frame, frame[["strength", "ash", "alcohol"]], frame.to_dict("records"), frame.to_numpy().tolist()):
        assert np.array_equal(model.predict(rows), expected)


def test_a_missing_column_is_named(columns_model):
    frame, _, model, _ = columns_model
    with pytest.raises(InvalidArgument, match="missing: strength"):
        model.predict(frame[["alcohol", "ash"]])
    with pytest.raises(InvalidArgument, match="rows of 3 values"):
        model.predict([[1.0, 2.0]])


def test_rows_that_do_not_fit_are_refused(model):
    with pytest.raises(InvalidArgument, match="can't take these rows"):
        model.predict([[1.0, 2.0]])
    with pytest.raises(InvalidArgument, match="takes float values"):
        model.predict([["red"] * 13])
    with pytest.raises(InvalidArgument, match="differ in their names"):
        model.predict([{"a": 1}, {"b": 1}])


def doubling(kind, *, rows="rows"):
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "x"], ["y"])],
        "doubling",
        [helper.make_tensor_value_info("x", kind, [rows])],
        [helper.make_tensor_value_info("y", kind, [rows])],
    )
    return helper.make_model(
        graph, producer_name="tests", producer_version="7", ir_version=8, opset_imports=[helper.make_opsetid("", 17)]
    )


def test_whole_numbers_are_not_cut_from_others(tmp_path):
    save_estimator(doubling(TensorProto.INT64), tmp_path)
    model = load_files(tmp_path, "onnx")
    assert model.predict([1, 2]).tolist() == [2, 4]
    assert model.predict({"x": [1.0, 2.0]}).tolist() == [2, 4]
    assert model.predict(pd.DataFrame({"x": [3]})).tolist() == [6]
    with pytest.raises(InvalidArgument, match="takes int64 values"):
        model.predict([1.9])


def test_a_model_is_described_by_producer_and_inputs(tmp_path):
    saved = save_estimator(doubling(TensorProto.DOUBLE), tmp_path)
    assert saved.algorithm == {
        "producer": "tests",
        "producer_version": "7",
        "inputs": [{"name": "x", "type": "double", "shape": ["rows"]}],
    }
    assert algorithm_of(tmp_path) == saved.algorithm


def test_a_pipeline_of_columns_is_described_as_the_library_reads_it(columns_model):
    *_, folder = columns_model
    inputs = algorithm_of(folder / "model.onnx")["inputs"]
    graph = onnx.load(folder / "model.onnx").graph
    assert [each["name"] for each in inputs] == [each.name for each in graph.input]
    assert [each["type"] for each in inputs] == ["float", "float", "string"]
    assert all(each["shape"] == [None, 1] for each in inputs)


def test_weights_listed_as_inputs_are_not_inputs(tmp_path):
    """As they were before version 4 of the format."""
    model = doubling(TensorProto.FLOAT)
    model.graph.initializer.append(helper.make_tensor("w", TensorProto.FLOAT, [2], [1.0, 2.0]))
    model.graph.input.append(helper.make_tensor_value_info("w", TensorProto.FLOAT, [2]))
    (tmp_path / "model").write_bytes(model.SerializeToString())
    assert detect_format(tmp_path) == "onnx"
    assert [each["name"] for each in algorithm_of(tmp_path)["inputs"]] == ["x"]


def test_equal_models_are_equal_files(tmp_path):
    for place in "ab":
        save_estimator(doubling(TensorProto.FLOAT), tmp_path / place)
    assert (tmp_path / "a/model.onnx").read_bytes() == (tmp_path / "b/model.onnx").read_bytes()


def test_a_damaged_model_is_refused(tmp_path):
    whole = doubling(TensorProto.FLOAT).SerializeToString()
    (tmp_path / "model.onnx").write_bytes(whole[:-3])
    assert detect_format(tmp_path) == "files"
    assert algorithm_of(tmp_path) == {}
    (tmp_path / "model.onnx").write_bytes(whole.replace(b"Add", b"Odd"))
    with pytest.raises(InvalidArgument, match="not an ONNX model this runtime can read"):
        load_files(tmp_path, "onnx")
