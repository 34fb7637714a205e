"""From a script to a model that serves: the whole story on scikit-learn's wine data, with what each step took."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sklearn.datasets import load_wine

import amlsdk

WORKSPACE = Path("workspace")
FOLDER = Path(__file__).parent / "wine"
DEPTHS = (2, 4, 8)


def main() -> None:
    begun = time.perf_counter()
    print("A decision tree learns to tell 178 wines apart. Which depth is best? Three runs, and the best one serves.")
    with step(f"Open the workspace ./{WORKSPACE}"):
        ws = amlsdk.connect(WORKSPACE)
        experiment = ws.projects.get_or_create("wine", folder=FOLDER).experiments.get_or_create("train")

    with ws:
        runs = submit(experiment)
        best = find_best(experiment, runs)
        model = register(best)
        use(model)
        serve(ws, model)
    print(f"\nDone in {time.perf_counter() - begun:.1f} s.")
    suggest(runs, best)


def submit(experiment: amlsdk.Experiment) -> list[amlsdk.Run]:
    with step(f"Submit train.py with depths {', '.join(map(str, DEPTHS))}; each runs in the background"):
        runs = [experiment.submit("train.py", arguments=["--depth", depth]) for depth in DEPTHS]
    with step("Wait for the runs and show their output"):
        for run in runs:
            run.wait(show_output=True)
    return runs


def find_best(experiment: amlsdk.Experiment, runs: list[amlsdk.Run]) -> amlsdk.Run:
    with step("Compare them"):
        print(experiment.runs.compare(runs))
    with step("Search all runs for the best one"):
        # Among equals the first one, so that doing all this again finds the same run.
        best = experiment.runs.search(
            "status = 'Completed' and metrics.accuracy > 0.8", order_by="metrics.accuracy desc, started_at asc"
        ).first()
        print(f"{best.name}: depth {best.params['depth']}, accuracy {best.metrics['accuracy']:.3f}")
    return best


def register(best: amlsdk.Run) -> amlsdk.Model:
    with step("Register its model"):
        model = best.register_model(
            "wine",
            "outputs/model.skops",
            tags={"stage": "candidate"},
            aliases=["best"],
            description="Cultivar of a wine",
        )
        print(model)
    return model


def use(model: amlsdk.Model) -> None:
    with step("Load the model and use it"):
        wine = load_wine(as_frame=True)
        rows = wine.frame.sample(5, random_state=0)
        predicted = wine.target_names[model.load().predict(rows[wine.feature_names])]
        print("predicted", ", ".join(predicted))
        print("measured ", ", ".join(wine.target_names[rows["target"]]))


def serve(ws: amlsdk.Workspace, model: amlsdk.Model) -> None:
    wine = load_wine(as_frame=True)
    rows = wine.data.sample(3, random_state=1)
    with step("Make a manifest: scoring script, dependencies and schema are found by running it on a sample"):
        manifest = model.create_manifest("wine", sample=rows)
        print(manifest)
        print("needs", ", ".join(f"{one.name} {one.version}" for one in manifest.dependencies))
    with step("Build a container image of it, without a daemon"):
        image = manifest.build_image("wine")
        print(image)
    with step("Let it serve on this machine, at the same address as before where it served before"):
        deployment = ws.deployments["wine"].update(image) if "wine" in ws.deployments else image.deploy("wine")
        print(deployment)
    with step("Ask it over HTTP"):
        print("predicted", ", ".join(wine.target_names[deployment.predict(rows)]))
        print(deployment.metrics())
    with step("How others ask it"):
        print(deployment.usage().curl)
    with step("The way back from a prediction to code and data"):
        behind = deployment.lineage()
        print(
            f"image    {behind['image']['name']} version {behind['image']['version']}  {behind['image']['digest'][:19]}"
        )
        print(f"manifest {behind['manifest']['name']} version {behind['manifest']['version']}")
        print(f"model    {behind['model']['name']} version {behind['model']['version']}")
        print(f"run      {behind['run']['name']}  {behind['run']['id']}")
        print(f"code     snapshot {behind['snapshot']['digest'][:12]}")
        for name, data in behind["inputs"].items():
            print(f"data     {name} {data['digest'][:12]}")


def suggest(runs: list[amlsdk.Run], best: amlsdk.Run) -> None:
    print(f"The workspace stays in ./{WORKSPACE}. Look around in it:\n")
    print(f"    export AMLSDK_WORKSPACE=$PWD/{WORKSPACE} PATH=$PWD/.venv/bin:$PATH")
    for command in (
        "run list --order-by 'metrics.accuracy desc'",
        f"run show {best.id}",
        f"run logs {best.id}",
        f"run compare {runs[0].id} {runs[-1].id}",
        f"run resubmit {best.id}",
        "model list",
        "model show wine --alias best",
        "manifest show wine",
        "image show wine",
        "deployment show wine",
        "deployment usage wine",
        "deployment logs wine",
        "trace wine",
        "submit --folder examples/wine --project wine --experiment train train.py --depth 3",
        "deployment stop wine",
    ):
        print(f"    aml {command}")
    print("\nThe deployment goes on serving on this machine until the last of these commands.")


@contextmanager
def step(title: str) -> Iterator[None]:
    """Print a title, and afterwards how long the step took."""
    print(f"\n== {title}", flush=True)
    begun = time.perf_counter()
    yield
    print(f"   ({time.perf_counter() - begun:.2f} s)", flush=True)


if __name__ == "__main__":
    main()
