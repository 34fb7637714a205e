"""What algorithm a model is, from the model and from its file."""

import json

import numpy as np
import pytest
import sklearn
import skops.io
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import AdaBoostClassifier, GradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, make_scorer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from amlsdk.resources.modelfiles import algorithm_of, save_estimator
from amlsdk.resources.modelfiles.plain_values import plain

ROWS, KIND = np.arange(20.0).reshape(10, 2), [0, 1] * 5


def test_an_estimator_is_its_class_hyperparameters_and_library():
    told = algorithm_of(RandomForestClassifier(7, max_depth=np.int64(3)))
    assert told["class"] == "sklearn.ensemble._forest.RandomForestClassifier"
    assert (told["library"], told["library_version"]) == ("scikit-learn", sklearn.__version__)
    assert (told["hyperparameters"]["n_estimators"], told["hyperparameters"]["max_depth"]) == (7, 3)


def test_a_pipeline_is_its_last_step_and_lists_all():
    told = algorithm_of(make_pipeline(StandardScaler(), LogisticRegression(C=2.5)))
    assert told["class"] == "sklearn.linear_model._logistic.LogisticRegression"
    assert told["hyperparameters"]["C"] == 2.5
    assert [step["name"] for step in told["steps"]] == ["standardscaler", "logisticregression"]
    assert told["steps"][0]["class"] == "sklearn.preprocessing._data.StandardScaler"


def test_nested_estimators_functions_and_missing_numbers_are_json():
    told = algorithm_of(
        make_pipeline(
            SimpleImputer(),
            FunctionTransformer(np.log1p),
            AdaBoostClassifier(DecisionTreeClassifier(max_depth=2)),
        )
    )
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    assert told["steps"][0]["hyperparameters"]["missing_values"] == "nan"
    assert told["hyperparameters"]["estimator"]["hyperparameters"]["max_depth"] == 2
    assert told["steps"][1]["hyperparameters"]["func"].endswith("log1p")


@pytest.mark.parametrize(
    "estimator",
    [
        LogisticRegression(C=0.25, class_weight={"a": 1.5}),
        GradientBoostingClassifier(n_estimators=2, random_state=1),
        SimpleImputer(missing_values=float("nan")),
        make_pipeline(StandardScaler(with_mean=False), LogisticRegression(tol=1e-3)),
        make_pipeline(StandardScaler(), "passthrough"),
        GridSearchCV(
            make_pipeline(LogisticRegression()), {"logisticregression__C": [1.0, 2.0]}, scoring=make_scorer(f1_score)
        ),
    ],
    ids=lambda each: type(each).__name__,
)
def test_a_file_says_of_class_and_plain_hyperparameters_what_the_estimator_says(estimator, tmp_path):
    """Read from the schema in the archive; values that are no plain ones may be told by class only."""
    saved = save_estimator(estimator, tmp_path)
    told = algorithm_of(tmp_path / "model.skops")
    assert told["class"] == saved.algorithm["class"]
    assert told["library"] == saved.algorithm["library"] == "scikit-learn"
    assert told["library_version"] == saved.algorithm["library_version"]
    assert [step["class"] for step in told.get("steps", [])] == [
        step["class"] for step in saved.algorithm.get("steps", [])
    ]
    for name, value in saved.algorithm["hyperparameters"].items():
        if not isinstance(value, dict) or "class" not in value:
            assert told["hyperparameters"][name] == value, name


def test_a_fitted_forest_is_told_from_a_file_that_skops_wrote(tmp_path):
    skops.io.dump(RandomForestClassifier(3, random_state=0).fit(ROWS, KIND), tmp_path / "forest.skops")
    told = algorithm_of(tmp_path)
    assert told["class"] == "sklearn.ensemble._forest.RandomForestClassifier"
    assert told["hyperparameters"]["n_estimators"] == 3
    assert "estimators_" not in told["hyperparameters"]


def test_what_is_not_known_is_empty(tmp_path):
    (tmp_path / "notes.txt").write_text("wine")
    assert algorithm_of(tmp_path) == {}
    assert algorithm_of(tmp_path / "missing") == {}
    assert algorithm_of(object()) == {}
    assert algorithm_of({"a": np.zeros(1)}) == {}


PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
OTHER = [np.float32(1), np.arange(3), object(), int, json.loads, np.array([None]), np.longdouble(1), {1, "a"}, b"bytes"]
VALUES = st.recursive(
    PLAIN | st.sampled_from(OTHER),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner) | st.tuples(inner),
)


@settings(deadline=None, derandomize=True)
@given(VALUES)
def test_any_value_has_a_plain_form(value):
    """It is JSON without NaN, and its own plain form."""
    told = plain(value)
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    assert plain(told) == told


def test_large_arrays_are_told_by_shape():
    assert plain(np.zeros((20, 30))) == "array of shape [20, 30], float64"


def test_what_no_json_of_others_has_is_a_text():
    assert plain({"seed": 2**70, "small": -(2**62), "text": "a\ud800"}) == {
        "seed": str(2**70),
        "small": -(2**62),
        "text": "a?",
    }
