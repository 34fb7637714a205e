"""Checks that indices stored in a loaded scikit-learn model stay inside what they point into.

scikit-learn's trees are walked by native code that trusts the numbers in them: a made-up file could read memory
outside the arrays or never come to a leaf. skops therefore leaves these types to its caller; here they are looked at
once, after loading and before the first prediction.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from amlsdk.errors import InvalidArgument
from amlsdk.plugins import require
from amlsdk.resources.modelfiles.reach import reachable

__all__ = ["check_indices"]

_TREE = "sklearn.tree._tree.Tree"
_PREDICTOR = "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor"
_KD_TREE = "sklearn.neighbors._kd_tree.KDTree"
_EUCLIDEAN = "sklearn.metrics._dist_metrics.EuclideanDistance64"
_BITSET_WORDS = 8
_LEAF = -1


def check_indices(model: Any, *, name: str) -> None:
    """Refuse a model in which a stored index leads out of its array.

    Args:
        model: What was loaded.
        name: The file's, for the message.

    Raises:
        InvalidArgument: One does; the message names the kind of part.
    """
    try:
        for item in reachable(model):
            _check(item)
    except (AttributeError, KeyError, IndexError, TypeError, ValueError, OverflowError) as error:
        raise InvalidArgument(
            f"{name!r} holds a part whose indices lead outside it ({error}); it was damaged or made up, "
            "and predicting with it could crash the process"
        ) from error


def _check(item: Any) -> None:
    kind = _kind(item)
    if kind == _TREE:
        _check_tree(item)
    elif kind == _PREDICTOR:
        _check_predictor(item)
    elif kind == _KD_TREE:
        _check_kd_tree(item)
    elif kind.startswith("scipy.sparse.") and hasattr(item, "check_format"):
        item.check_format(full_check=True)
    elif hasattr(item, "__dict__"):
        _check_owner(item, vars(item))


def _kind(item: Any) -> str:
    return f"{type(item).__module__}.{type(item).__qualname__}"


def _check_tree(tree: Any) -> None:
    # A count from the file sizes every view of the nodes, so it is looked at before any of them.
    _need(0 < tree.node_count <= tree.capacity, "the node count of a tree")
    state = tree.__getstate__()
    nodes = state["nodes"]
    inner = nodes["left_child"] != _LEAF
    _check_children(nodes["left_child"], nodes["right_child"], inner)
    features = nodes["feature"][inner]
    _need(((features >= 0) & (features < tree.n_features)).all(), "a feature of a tree")


def _check_predictor(predictor: Any) -> None:
    numpy = require("numpy", extra="models")
    nodes = predictor.nodes
    _need(type(nodes) is numpy.ndarray and nodes.ndim == 1 and len(nodes) > 0, "the nodes of a tree")
    inner = nodes["is_leaf"] == 0
    _check_children(nodes["left"], nodes["right"], inner)
    _need((nodes["feature_idx"][inner] >= 0).all(), "a feature of a tree")
    splits = nodes["bitset_idx"][inner & (nodes["is_categorical"] != 0)]
    for bits in (predictor.raw_left_cat_bitsets, predictor.binned_left_cat_bitsets):
        fits = type(bits) is numpy.ndarray and bits.ndim == 2 and bits.shape[1] == _BITSET_WORDS  # noqa: PLR2004  # a table
        _need(fits and (splits < len(bits)).all(), "the categories of a tree")


def _check_children(left: Any, right: Any, inner: Any) -> None:
    """Children lie inside the tree and behind their parent, so every walk ends."""
    places = inner.nonzero()[0]
    for children in (left[inner], right[inner]):
        _need(((children > places) & (children < len(inner))).all(), "a child of a tree's node")


def _check_kd_tree(tree: Any) -> None:
    data, order, nodes, bounds, _leaf_size, levels, count, *_counts, metric, weights = tree.__getstate__()
    rows, width = data.shape
    _need(0 < levels < 64 and count == 2**levels - 1 == len(nodes), "the node count of a KD tree")  # noqa: PLR2004  # bits
    _need(order.shape == (rows,) and ((order >= 0) & (order < rows)).all(), "a row of a KD tree")
    _need(bounds.shape == (2, count, width), "the bounds of a KD tree")
    first, last = nodes["idx_start"], nodes["idx_end"]
    _need(((first >= 0) & (first <= last) & (last <= rows)).all(), "the rows of a KD tree's node")
    _need((nodes["is_leaf"][count // 2 :] != 0).all(), "the depth of a KD tree")
    _need(weights is None or weights.shape == (rows,), "the weights of a KD tree")
    _need(_kind(metric) == _EUCLIDEAN, "the metric of a KD tree")


def _check_owner(owner: Any, state: dict[str, Any]) -> None:
    """An estimator checks the width of its input by its own count of features, so its trees may use no others."""
    features = [_highest_feature(tree) for tree in _trees_of(owner, state)]
    if not features:
        return
    width = state.get("n_features_in_")
    _need(isinstance(width, int) and max(features) < width, "a feature beyond those of an estimator")
    if "_predictors" in state:
        _check_categories(owner)


def _trees_of(owner: Any, state: dict[str, Any]) -> Iterator[Any]:
    if _kind(state.get("tree_")) == _TREE:
        yield state["tree_"]
    # Gradient boosting walks its members' trees itself, without their own checks of the input.
    if type(owner).__module__ == "sklearn.ensemble._gb" and "estimators_" in state:
        yield from (member.tree_ for member in state["estimators_"].ravel())
    for stage in state.get("_predictors", ()):
        yield from (each for each in stage if _kind(each) == _PREDICTOR)


def _highest_feature(tree: Any) -> int:
    if _kind(tree) == _PREDICTOR:
        return int(tree.nodes["feature_idx"].max())
    return int(tree.__getstate__()["nodes"]["feature"].max())


def _check_categories(owner: Any) -> None:
    for predictor in _trees_of(owner, vars(owner)):
        nodes = predictor.nodes
        used = nodes["feature_idx"][(nodes["is_leaf"] == 0) & (nodes["is_categorical"] != 0)]
        _need(len(used) == 0 or owner._bin_mapper.is_categorical_[used].all(), "a category")  # noqa: SLF001  # no other way


def _need(fact: Any, what: str) -> None:
    if not fact:
        raise ValueError(what)
