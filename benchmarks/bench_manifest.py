"""A manifest of the wine model with its dependencies found by running it: first, for a next model, and again."""

import json
import os
import tempfile
import time
from pathlib import Path

from sklearn.datasets import load_wine
from sklearn.tree import DecisionTreeClassifier

import amlsdk


def main() -> dict:
    """Measure in a new workspace; seconds, megabytes, names."""
    with tempfile.TemporaryDirectory(prefix="bench-manifest-") as name:
        # pip's answers of other days would be found in the user's own cache.
        os.environ["XDG_CACHE_HOME"] = str(Path(name, "cache"))
        features, target = load_wine(return_X_y=True, as_frame=True)
        with amlsdk.connect(Path(name, "workspace")) as workspace:
            return measure(workspace, features, target)


def measure(workspace, features, target):
    found = {}
    for what, depth in (("first_asking_index_s", 2), ("next_model_s", 3)):
        model = register(workspace, depth, features, target)
        found[what] = seconds(lambda model=model: model.create_manifest("wine", sample=features))
    found["again_s"] = seconds(lambda: model.create_manifest("wine", sample=features))
    manifest = model.create_manifest("wine", sample=features)
    listed = manifest.record.dependencies
    return {
        **found,
        "listed": sorted(one.name for one in listed if one.purpose == "scoring"),
        "listed_for_the_service": sorted(one.name for one in listed if one.purpose == "runtime"),
        "size_mb": round(sum(one.size_bytes for one in listed) / 1e6, 1),
        "without_hash": sorted(one.name for one in listed if one.sha256 is None),
    }


def register(workspace, depth, features, target):
    return workspace.models.create(
        "wine", DecisionTreeClassifier(max_depth=depth, random_state=0).fit(features, target)
    )


def seconds(work):
    begun = time.perf_counter()
    work()
    return round(time.perf_counter() - begun, 3)


if __name__ == "__main__":
    print(json.dumps(main()))
