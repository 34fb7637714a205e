"""Models whose stored indices lead outside their arrays are refused before they can crash a prediction."""

import io
import json
import zipfile

import numpy as np
import pytest
import skops.io
from scipy.sparse import csr_matrix
from sklearn.datasets import load_wine
from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.tree import DecisionTreeClassifier

from amlsdk.errors import InvalidArgument
from amlsdk.resources.modelfiles import load_files

WINE, KIND = load_wine(return_X_y=True)


def with_nodes(model, change):
    """A model whose tree has other nodes, as a file could say."""
    tree = model.tree_
    state = tree.__getstate__()
    state = {**state, "nodes": state["nodes"].copy()}
    change(state)
    tree.__setstate__(state)
    return model


def set_node(field, value):
    def change(state):
        state["nodes"][field][0] = value

    return change


@pytest.mark.parametrize(
    "change",
    [
        set_node("left_child", 10**6),
        set_node("right_child", -7),
        set_node("left_child", 0),
        set_node("feature", 10**6),
        set_node("feature", -3),
        lambda state: state.update(node_count=0),
    ],
    ids=["child beyond", "child before", "loop", "feature beyond", "feature before", "no nodes"],
)
def test_a_tree_with_indices_outside_itself_is_refused(change, tmp_path):
    skops.io.dump(with_nodes(DecisionTreeClassifier(random_state=0).fit(WINE, KIND), change), tmp_path / "model.skops")
    with pytest.raises(InvalidArgument, match="indices lead outside"):
        load_files(tmp_path, "skops")


def test_a_tree_that_says_it_has_more_nodes_than_it_holds_has_those_that_it_holds(tmp_path):
    model = DecisionTreeClassifier(random_state=0).fit(WINE, KIND)
    with (
        zipfile.ZipFile(io.BytesIO(skops.io.dumps(model))) as source,
        zipfile.ZipFile(tmp_path / "model.skops", "w") as target,
    ):
        for name in source.namelist():
            target.writestr(name, source.read(name) if name != "schema.json" else miscounted(source.read(name)))
    loaded = load_files(tmp_path, "skops")
    assert loaded.tree_.node_count == model.tree_.node_count
    assert np.array_equal(loaded.predict(WINE), model.predict(WINE))


def miscounted(schema):
    """The schema of a tree that states a million nodes, under an id of its own so that no other node stands for it."""
    model = json.loads(schema)
    state = model["content"]["content"]["tree_"]["content"]["content"]
    state["node_count"] = {**state["node_count"], "content": str(10**6), "__id__": 1}
    return json.dumps(model)


@pytest.mark.parametrize(
    "model",
    [
        RandomForestClassifier(3, random_state=0),
        GradientBoostingClassifier(n_estimators=3, random_state=0),
        HistGradientBoostingClassifier(max_iter=3, random_state=0),
        DecisionTreeClassifier(random_state=0),
    ],
    ids=lambda each: type(each).__name__,
)
@pytest.mark.parametrize("width", [2, None])
def test_trees_that_use_more_features_than_their_estimator_admits_are_refused(model, width, tmp_path):
    """Input is checked by the count of features that the estimator states, or not at all where it states none."""
    model.fit(WINE, KIND)
    holders = list(model.estimators_) if isinstance(model, RandomForestClassifier) else [model]
    for holder in holders:
        if width is None:
            del holder.n_features_in_
        else:
            holder.n_features_in_ = width
    skops.io.dump(model, tmp_path / "model.skops")
    with pytest.raises(InvalidArgument, match="feature"):
        load_files(tmp_path, "skops")


@pytest.mark.parametrize(
    ("field", "value"), [("left", 10**6), ("right", 0), ("feature_idx", -1), ("is_categorical", 1), ("feature_idx", 99)]
)
def test_a_boosted_tree_with_indices_outside_itself_is_refused(field, value, tmp_path):
    model = HistGradientBoostingClassifier(max_iter=2, random_state=0).fit(WINE, KIND)
    model._predictors[1][2].nodes[field][0] = value
    skops.io.dump(model, tmp_path / "model.skops")
    with pytest.raises(InvalidArgument, match="indices lead outside"):
        load_files(tmp_path, "skops")


def test_a_hidden_boosted_tree_is_found(tmp_path):
    """Also one that is a hyperparameter inside an array of objects."""
    model = HistGradientBoostingClassifier(max_iter=2, random_state=0).fit(WINE, KIND)
    model._predictors[0][0].nodes["left"][0] = 10**6
    holder = LogisticRegression(class_weight={"hidden": np.array([{"deep": (model,)}], dtype=object)})
    skops.io.dump(holder, tmp_path / "model.skops")
    with pytest.raises(InvalidArgument, match="indices lead outside"):
        load_files(tmp_path, "skops")


@pytest.mark.parametrize(
    "place", [(1, 0, 10**6), (1, 0, -1), (2, 0, (0, 10**6, 0, 1.0))], ids=["row", "row before", "node"]
)
def test_a_neighbour_tree_with_indices_outside_itself_is_refused(place, tmp_path):
    model = KNeighborsClassifier(algorithm="kd_tree").fit(WINE, KIND)
    part, index, value = place
    state = list(model._tree.__getstate__())
    state[part] = np.array(state[part])
    state[part][index] = value
    model._tree.__setstate__(tuple(state))
    skops.io.dump(model, tmp_path / "model.skops")
    with pytest.raises(InvalidArgument, match="indices lead outside"):
        load_files(tmp_path, "skops")


def test_a_sparse_matrix_with_indices_outside_itself_is_refused(tmp_path):
    matrix = csr_matrix(np.eye(3))
    matrix.indices[0] = 10**6
    model = LogisticRegression()
    model.coef_ = matrix
    skops.io.dump(model, tmp_path / "model.skops")
    with pytest.raises(InvalidArgument, match="indices lead outside"):
        load_files(tmp_path, "skops")
