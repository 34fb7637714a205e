"""MLflow's `save_model` of the wine model with an input example, its requirements inferred by running it."""

import os
import tempfile
from importlib.metadata import version
from pathlib import Path

from timing import report, seconds

# Without, MLflow refuses to load the tree that it has just saved.
TRUSTED = ["sklearn.tree._tree.Tree"]
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"


def main():
    import mlflow.sklearn
    from sklearn.datasets import load_wine
    from sklearn.tree import DecisionTreeClassifier

    features, target = load_wine(return_X_y=True, as_frame=True)
    found = {}
    with tempfile.TemporaryDirectory() as name:
        for what, depth in (("first_s", 2), ("next_model_s", 3)):
            tree = DecisionTreeClassifier(max_depth=depth, random_state=0).fit(features, target)
            folder = Path(name, what)
            found[what] = round(
                seconds(
                    lambda tree=tree, folder=folder: mlflow.sklearn.save_model(
                        tree, folder, input_example=features.head(10), skops_trusted_types=TRUSTED
                    )
                ),
                3,
            )
        found["again_s"] = round(
            seconds(
                lambda: mlflow.sklearn.save_model(
                    tree, Path(name, "again"), input_example=features.head(10), skops_trusted_types=TRUSTED
                )
            ),
            3,
        )
        found["listed"] = (folder / "requirements.txt").read_text("utf-8").split()
    return {**found, "version": version("mlflow")}


if __name__ == "__main__":
    report(main())
