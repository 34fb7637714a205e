"""A worker serves the wine tree, keys and validation on: requests a second and latency on one core."""

import json
import sys
import tempfile
from pathlib import Path

import joblib

from amlsdk.records.converting import CONVERTER
from amlsdk.records.serving import ColumnSpec, InputSpec, ServedModel, ServiceSpec

sys.path.insert(0, str(Path(__file__).resolve().parent / "peers"))

from http_load import free_port, load, served, train  # found beside the peers, which share it

KEY = "k" * 43
SCRIPT = """
import joblib

from amlsdk.scoring import model_path, row_wise


def init():
    global model
    model = joblib.load(model_path())


@row_wise
def run(data):
    return model.predict(data)
"""


def main() -> dict:
    """Measure in a temporary folder: requests a second, microseconds a request, milliseconds."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sample = make_bundle(folder)
        (folder / "keys.json").write_text(json.dumps({"primary": KEY, "secondary": "s" * 43}))
        port = free_port()
        command = [sys.executable, "-m", "amlsdk.scoring", "--root", name, "--keys", str(folder / "keys.json")]
        address = f"http://127.0.0.1:{port}"
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {KEY}"}
        with served([*command, "--port", str(port)], f"{address}/readyz", folder / "log"):
            return load(f"{address}/score", headers, sample, folder)


def make_bundle(folder):
    """Lay out what an image has at /opt/amlsdk; return the sample."""
    tree, rows, names = train()
    sample = {"data": [dict(zip(names, rows[0], strict=True))]}
    columns = tuple(ColumnSpec(name=name, kind="number", dtype="float64") for name in names)
    spec = ServiceSpec(
        name="wine",
        script="score.py",
        models=(ServedModel(name="wine", version=1, digest="0" * 64, format="files"),),
        inputs=(InputSpec(name="data", kind="frame", schema={"type": "array"}, as_array=True, columns=columns),),
        output={"type": "array"},
        sample=sample,
    )
    (folder / "app").mkdir()
    (folder / "app" / "score.py").write_text(SCRIPT)
    (folder / "app" / "service.json").write_text(json.dumps(CONVERTER.unstructure(spec)))
    (folder / "models" / "wine").mkdir(parents=True)
    joblib.dump(tree, folder / "models" / "wine" / "model.joblib")
    return sample


if __name__ == "__main__":
    print(json.dumps(main(), indent=2))
