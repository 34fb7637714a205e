"""MLServer serves the wine tree: requests a second and latency on one core, as it is and with its adaptive batching."""

import json
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import joblib
from http_load import free_port, load, served, train

# It needs no key, and there is no second process for the model: on one core both would slow it down.
SETTINGS = {"debug": False, "parallel_workers": 0, "host": "127.0.0.1"}
MODEL = {"name": "wine", "implementation": "mlserver_sklearn.SKLearnModel", "parameters": {"uri": "./model.joblib"}}
BATCHES = {"max_batch_size": 32, "max_batch_time": 0.002}


def main() -> dict:
    """Measure both ways; what is given is the better one for each number of connections."""
    plain, batched = measure({}), measure(BATCHES)
    best = {}
    for connections in ("32", "1"):
        better = max(plain, batched, key=lambda each, n=connections: each[f"requests_s_{n}"])
        best |= {key: value for key, value in better.items() if key.endswith(f"_{connections}")}
    return {**best, "plain": plain, "batched": batched, "version": version("mlserver")}


def measure(batches):
    tree, rows, _ = train()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        joblib.dump(tree, folder / "model.joblib")
        ports = {"http_port": free_port(), "grpc_port": free_port(), "metrics_port": free_port()}
        (folder / "settings.json").write_text(json.dumps({**SETTINGS, **ports}))
        (folder / "model-settings.json").write_text(json.dumps({**MODEL, **batches}))
        command = [str(Path(sys.executable).parent / "mlserver"), "start", name]
        model = f"http://127.0.0.1:{ports['http_port']}/v2/models/wine"
        inputs = [{"name": "data", "shape": [1, len(rows[0])], "datatype": "FP64", "data": rows[0]}]
        with served(command, f"{model}/ready", folder / "log"):
            return load(f"{model}/infer", {"Content-Type": "application/json"}, {"inputs": inputs}, folder)


if __name__ == "__main__":
    print(json.dumps(main()))
