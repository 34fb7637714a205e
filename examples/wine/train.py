"""Train a decision tree on scikit-learn's wine data and measure it by cross-validation."""

from __future__ import annotations

import argparse
from pathlib import Path

import skops.io
from sklearn.datasets import load_wine
from sklearn.metrics import confusion_matrix
from sklearn.model_selection import StratifiedKFold, cross_val_predict, cross_val_score
from sklearn.tree import DecisionTreeClassifier

import amlsdk


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--depth", type=int, default=4, help="most levels of the tree")
    depth: int = parser.parse_args().depth

    # Submitted, this is the submitted run; started by hand, a run that begins here and ends with the script.
    run = amlsdk.Run.current()
    wine = load_wine(as_frame=True)
    run.log_input("wine", wine.frame)

    tree = DecisionTreeClassifier(max_depth=depth, random_state=0)
    folds = StratifiedKFold(n_splits=10, shuffle=True, random_state=0)
    scores = cross_val_score(tree, wine.data, wine.target, cv=folds)
    for fold, score in enumerate(scores):
        run.log("fold_accuracy", score, step=fold)
    run.log("accuracy", scores.mean())
    predicted = cross_val_predict(tree, wine.data, wine.target, cv=folds)
    run.log_confusion_matrix("confusion", confusion_matrix(wine.target, predicted), labels=list(wine.target_names))
    print(f"depth {depth}: accuracy {scores.mean():.3f} over {len(scores)} folds")

    # What is written below outputs/ is kept with the run.
    outputs = Path("outputs")
    outputs.mkdir(exist_ok=True)
    skops.io.dump(tree.fit(wine.data, wine.target), outputs / "model.skops")


if __name__ == "__main__":
    main()
