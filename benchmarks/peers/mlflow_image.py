"""What MLflow's own Dockerfile installs for the wine model, by size.

The model is saved by `mlflow.sklearn.save_model`, the Dockerfile written by `mlflow models generate-dockerfile`. What
counts are the distributions that its `pip install mlflow==...` and the model's `requirements.txt` bring, with all that
these require on this platform, as pip installed them into this environment: the files of their RECORDs that are there,
bytecode included, as pip makes it in a Dockerfile too. Its base image (`python:...-slim`) and its nginx are left out,
since no registry is asked: MLflow's image is larger than these figures by both. `stored_mb` is a tar archive of these
files compressed by gzip at level 6, as `docker push` sends it.
"""

import gzip
import os
import re
import subprocess
import sys
import tarfile
import tempfile
from importlib import metadata
from pathlib import Path

from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from timing import report


def main() -> dict:
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    import mlflow
    from sklearn.datasets import load_wine
    from sklearn.tree import DecisionTreeClassifier

    wine = load_wine(as_frame=True)
    tree = DecisionTreeClassifier(max_depth=4, random_state=0).fit(wine.data, wine.target)
    with tempfile.TemporaryDirectory(prefix="bench-image-") as name:
        saved, out = Path(name) / "model", Path(name) / "docker"
        mlflow.sklearn.save_model(tree, saved, serialization_format="cloudpickle", input_example=wine.data.head(3))
        command = [Path(sys.executable).parent / "mlflow", "models", "generate-dockerfile", "-m", saved, "-d", out]
        subprocess.run(command, check=True, stdout=sys.stderr)
        dockerfile = (out / "Dockerfile").read_text("utf-8")
        requirements = (saved / "requirements.txt").read_text("utf-8").splitlines()
    asked = re.findall(r"pip install (mlflow\S*)", dockerfile) + [line for line in requirements if line.strip()]
    found = closure(asked)
    files = [path for distribution in found.values() for path in files_of(distribution)]
    return {
        "asked": sorted(set(asked)),
        "base": re.findall(r"^FROM (\S+)", dockerfile, re.MULTILINE)[0],
        "packages": len(found),
        "packages_mb": round(sum(path.stat().st_size for path in files) / 1e6, 1),
        "stored_mb": round(packed_size(files) / 1e6, 1),
        "version": mlflow.__version__,
    }


def closure(asked):
    """Every installed distribution that requirements bring."""
    found, waiting = {}, [(Requirement(text), frozenset({""})) for text in asked]
    seen = set()
    while waiting:
        requirement, extras = waiting.pop()
        name = canonicalize_name(requirement.name)
        environment = default_environment()
        wanted = not requirement.marker or any(
            requirement.marker.evaluate({**environment, "extra": extra}) for extra in extras
        )
        key = name, frozenset(requirement.extras)
        if not wanted or key in seen:
            continue
        seen.add(key)
        found[name] = metadata.distribution(name)
        own = frozenset({"", *requirement.extras})
        waiting += [(Requirement(text), own) for text in found[name].requires or []]
    return found


def files_of(distribution):
    paths = (Path(distribution.locate_file(file)) for file in distribution.files or [])
    return [path for path in paths if path.is_file()]


class Counter:
    """A file that only counts what is written to it."""

    def __init__(self):
        self.size = 0

    def write(self, data):
        self.size += len(data)
        return len(data)

    def flush(self):
        pass


def packed_size(files):
    counter = Counter()
    with (
        gzip.GzipFile(fileobj=counter, mode="wb", compresslevel=6, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w|") as tar,
    ):
        for path in files:
            tar.add(path, recursive=False)
    return counter.size


if __name__ == "__main__":
    report(main())
