"""scikit-learn estimators become skops files and estimators again."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.datasets import load_diabetes, load_wine
from sklearn.ensemble import (
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    IsolationForest,
    RandomForestClassifier,
    RandomForestRegressor,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.feature_selection import SelectKBest
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, WhiteKernel
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, KBinsDiscretizer, OneHotEncoder, StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from amlsdk.errors import InvalidArgument
from amlsdk.resources.modelfiles import detect_format, load_files, save_estimator

WINE, KIND = load_wine(return_X_y=True)
DIABETES, PROGRESS = load_diabetes(return_X_y=True)

CLASSIFIERS = [
    make_pipeline(StandardScaler(), LogisticRegression()),
    DecisionTreeClassifier(random_state=0),
    RandomForestClassifier(10, random_state=0),
    GradientBoostingClassifier(n_estimators=5, random_state=0),
    HistGradientBoostingClassifier(max_iter=5, random_state=0),
    HistGradientBoostingClassifier(max_iter=5, early_stopping=True, random_state=0),
    IsolationForest(n_estimators=10, random_state=0),
    KNeighborsClassifier(),
    SVC(),
    make_pipeline(StandardScaler(), SelectKBest(k=4), KBinsDiscretizer(quantile_method="averaged_inverted_cdf"), SVC()),
    make_pipeline(FunctionTransformer(np.log1p), StandardScaler(), LogisticRegression()),
    make_pipeline(StandardScaler(), MLPClassifier((4,), max_iter=2000, random_state=0)),
    VotingClassifier([("a", RandomForestClassifier(3, random_state=0)), ("b", SVC())]),
    StackingClassifier([("a", RandomForestClassifier(3, random_state=0)), ("b", SVC())]),
    GridSearchCV(
        RandomForestClassifier(3, random_state=0), {"max_depth": [1, 2]}, cv=StratifiedKFold(2), scoring="f1_macro"
    ),
]
REGRESSORS = [
    Ridge(),
    RandomForestRegressor(5, random_state=0),
    GradientBoostingRegressor(n_estimators=5, loss="huber", random_state=0),
    HistGradientBoostingRegressor(max_iter=5, loss="quantile", quantile=0.5, random_state=0),
    GaussianProcessRegressor(RBF() + WhiteKernel(), optimizer=None),
]


def round_trip(estimator, folder: Path):
    saved = save_estimator(estimator, folder)
    assert (saved.format, saved.files) == ("skops", ("model.skops",))
    assert detect_format(folder) == "skops"
    return load_files(folder, "skops")


@pytest.mark.parametrize("estimator", CLASSIFIERS, ids=lambda each: type(each).__name__)
def test_a_classifier_loads_untrusted_and_predicts_the_same(estimator, tmp_path):
    estimator.fit(WINE, KIND)
    assert np.array_equal(round_trip(estimator, tmp_path).predict(WINE), estimator.predict(WINE))


@pytest.mark.parametrize("estimator", REGRESSORS, ids=lambda each: type(each).__name__)
def test_a_regressor_loads_untrusted_and_predicts_the_same(estimator, tmp_path):
    estimator.fit(DIABETES, PROGRESS)
    assert np.array_equal(round_trip(estimator, tmp_path).predict(DIABETES), estimator.predict(DIABETES))


@pytest.fixture
def frame():
    frame = load_wine(as_frame=True).data.copy()
    frame["strength"] = np.where(frame.alcohol > 13, "strong", "light")
    frame.loc[::7, "ash"] = np.nan
    return frame


def test_a_pipeline_of_columns_predicts_the_same_from_a_frame(frame, tmp_path):
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    columns = ColumnTransformer(
        [
            ("numbers", numbers, make_column_selector(dtype_include="number")),
            ("words", OneHotEncoder(handle_unknown="ignore"), ["strength"]),
        ]
    )
    pipeline = make_pipeline(columns, RandomForestClassifier(5, random_state=0)).fit(frame, KIND)
    assert np.array_equal(round_trip(pipeline, tmp_path).predict(frame), pipeline.predict(frame))


def test_boosting_over_categories_predicts_the_same_from_a_frame(frame, tmp_path):
    frame["strength"] = frame["strength"].astype("category")
    model = HistGradientBoostingClassifier(max_iter=5, categorical_features="from_dtype", random_state=0)
    model.fit(frame, KIND)
    assert np.array_equal(round_trip(model, tmp_path).predict_proba(frame), model.predict_proba(frame))


def test_a_text_pipeline_predicts_the_same(tmp_path):
    texts = ["dry red wine", "sweet white wine", "dry white wine", "sweet red wine"]
    model = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(texts, [0, 1, 0, 1])
    assert np.array_equal(round_trip(model, tmp_path).predict_proba(texts), model.predict_proba(texts))


def test_equal_models_are_equal_files(tmp_path):
    """Fitting twice with one seed gives the same bytes, though skops names parts by memory address."""
    for place in ("first", "second"):
        model = make_pipeline(StandardScaler(), RandomForestClassifier(5, random_state=3)).fit(WINE, KIND)
        save_estimator(model, tmp_path / place)
    other = make_pipeline(StandardScaler(), RandomForestClassifier(5, random_state=4)).fit(WINE, KIND)
    save_estimator(other, tmp_path / "other")
    first, second, third = ((tmp_path / each / "model.skops").read_bytes() for each in ("first", "second", "other"))
    assert first == second
    assert first != third


def test_parts_that_are_one_object_stay_one(tmp_path):
    """Sharing inside a model survives renumbering, also under a key that skops itself uses."""
    shared = np.arange(3.0)
    model = LogisticRegression(class_weight={"__loader__": 1, "file": 2, "__id__": 3})
    model.coef_, model.intercept_ = shared, shared
    loaded = round_trip(model, tmp_path)
    assert loaded.coef_ is loaded.intercept_
    assert loaded.class_weight == {"__loader__": 1, "file": 2, "__id__": 3}


class HouseRule(ClassifierMixin, BaseEstimator):
    """An estimator of a user's own module."""

    def fit(self, rows, _kinds):
        self.middle_ = float(np.median(rows))
        return self

    def predict(self, rows):
        return np.asarray(rows).mean(axis=1) > self.middle_


def test_a_users_own_estimator_loads_only_when_trusted(tmp_path):
    model = HouseRule().fit(WINE, KIND)
    save_estimator(model, tmp_path)
    with pytest.raises(InvalidArgument, match=r"model.skops.*HouseRule.*trusted=True"):
        load_files(tmp_path, "skops")
    loaded = load_files(tmp_path, "skops", trusted=True)
    assert np.array_equal(loaded.predict(WINE), model.predict(WINE))


def test_a_function_that_no_module_has_is_refused_on_saving(tmp_path):
    model = make_pipeline(FunctionTransformer(lambda rows: rows), LogisticRegression())
    with pytest.raises(InvalidArgument, match="<lambda>"):
        save_estimator(model, tmp_path)
    assert not (tmp_path / "model.skops").exists()


def test_a_part_that_skops_can_not_save_is_refused_with_the_way_out(tmp_path):
    with pytest.raises(InvalidArgument, match="register the file"):
        save_estimator(LogisticRegression(class_weight=(each for each in "ab")), tmp_path)


@pytest.mark.parametrize(
    "other", [object(), {"a": 1}, [1, 2], {}, pd.DataFrame({"a": [1]})], ids=lambda other: type(other).__name__
)
def test_other_objects_are_refused_with_what_is_saved(other, tmp_path):
    with pytest.raises(InvalidArgument, match=r"skops.*ONNX.*safetensors.*register the path"):
        save_estimator(other, tmp_path)


def test_a_file_that_skops_wrote_itself_loads(tmp_path):
    model = RandomForestClassifier(5, random_state=0).fit(WINE, KIND)
    skops.io.dump(model, tmp_path / "wine.skops")
    assert detect_format(tmp_path / "wine.skops") == "skops"
    assert np.array_equal(load_files(tmp_path, "skops").predict(WINE), model.predict(WINE))


def test_files_beside_the_model_are_no_hindrance(tmp_path):
    model = DecisionTreeClassifier(random_state=0).fit(WINE, KIND)
    save_estimator(model, tmp_path / "deep")
    (tmp_path / "README.md").write_text("wine")
    assert detect_format(tmp_path) == "skops"
    assert np.array_equal(load_files(tmp_path, "skops").predict(WINE), model.predict(WINE))
