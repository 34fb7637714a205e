"""Confusion matrices."""

import json

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix

from amlsdk.errors import InvalidArgument
from amlsdk.resources.values.confusion import confusion_matrix_json

LABELS, MATRIX = ["cat", "dog"], [[3, 1], [0, 2]]
DOCUMENT = {
    "schema_type": "confusion_matrix",
    "schema_version": "v1",
    "data": {"class_labels": LABELS, "matrix": MATRIX},
}


@pytest.mark.parametrize(
    "value",
    [
        DOCUMENT,
        DOCUMENT["data"],
        json.dumps(DOCUMENT),
        (LABELS, MATRIX),
        [tuple(LABELS), np.array(MATRIX)],
        (np.array(LABELS), confusion_matrix(["cat"] * 4 + ["dog"] * 2, ["cat"] * 3 + ["dog"] * 3)),
    ],
)
def test_every_form_gives_the_same_document(value):
    assert json.loads(confusion_matrix_json(value)) == DOCUMENT


@pytest.mark.parametrize("matrix", [MATRIX, np.array(MATRIX), [np.array(row) for row in MATRIX]])
def test_a_matrix_alone_has_its_places_as_labels(matrix):
    found = json.loads(confusion_matrix_json(matrix))
    assert found["data"] == {"class_labels": ["0", "1"], "matrix": MATRIX}


def test_labels_become_text_and_shares_stay_floats():
    found = json.loads(confusion_matrix_json(([0, True], [[0.5, 0.5], [0, 1]])))
    assert found["data"] == {"class_labels": ["0", "True"], "matrix": [[0.5, 0.5], [0, 1]]}


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ((LABELS, [[1, 2]]), "2 labels has 2 rows, not 1"),
        ((LABELS, [[1, 2], [3]]), "row 1 .* 2 counts, not 1"),
        ((LABELS, [[1, 2], 3]), "row 1 .* not int"),
        ((LABELS, [[1, -2], [3, 4]]), "row 0, column 1 .* not -2"),
        ((LABELS, [[1, 2], [float("nan"), 4]]), "row 1, column 0 .* not 'nan'"),
        ((LABELS, [[1, True], [3, 4]]), "not True"),
        ((["a", "a"], MATRIX), "'a' .* twice"),
        (([], []), "1 to 2000 classes, not 0"),
        ((LABELS, 5), "matrix .* is a sequence, not int"),
        ({"schema_type": "accuracy_table", "data": DOCUMENT["data"]}, "this mapping has"),
        ({"data": {"class_labels": LABELS}}, "this mapping has"),
        ("{", "is not JSON"),
        (5, "not int"),
        ([[1, 2]], "row 0 .* 1 counts, not 2"),
        ([[1, "a"], [1, 2]], "row 0, column 1 .* not 'a'"),
        ([1], "row 0 .* not int"),
    ],
)
def test_what_is_no_confusion_matrix_is_refused(value, message):
    with pytest.raises(InvalidArgument, match=message):
        confusion_matrix_json(value)
