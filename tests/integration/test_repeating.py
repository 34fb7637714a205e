"""A run that is submitted again, and the way back from a run or model to the data."""

import json
import subprocess

import pytest

TRAIN = """
import os
import amlsdk
run = amlsdk.Run.current()
run.log("loss", 0.5)
run.log("always_nan", float("nan"))
open("outputs/same.txt", "w").write("same")
open("outputs/id.txt", "w").write(run.id)
"""


def test_a_repeated_run_says_what_became_different_in_the_results(experiment, code):
    code("train.py", TRAIN)
    first = experiment.submit("train.py").wait(60)
    again = first.resubmit().wait(60)
    assert again.original == first
    assert first.original is None
    found = again.original.compare(again).differences()
    assert found
    assert found.outputs.changed == ("outputs/id.txt",)
    assert (found.outputs.added, found.outputs.removed) == ((), ())
    alike = (found.status, found.params, found.metrics, found.inputs, found.packages, found.code)
    assert not any(map(bool, alike))
    assert "outputs outputs/id.txt" in repr(found)
    assert "<table" in found._repr_html_()


def test_a_repeated_run_keeps_the_packages_of_today_and_the_commit_of_its_code(experiment, code):
    path = code("train.py", "")
    for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "first"]):
        subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b.c", *command], cwd=path.parent, check=True)
    first = experiment.submit("train.py").wait(60)
    again = first.resubmit().wait(60)
    assert again.context["git"] == first.context["git"]
    assert again.context["git"]["commit"]
    assert again.context["packages"] == first.context["packages"]
    assert again.context["machine"]["host"] == first.context["machine"]["host"]


def test_runs_with_the_same_results_say_so(experiment, code):
    code("train.py", "import amlsdk; amlsdk.Run.current().log('loss', float('nan'))")
    first = experiment.submit("train.py").wait(60)
    found = first.compare(first.resubmit().wait(60)).differences()
    assert not found
    assert repr(found).startswith("no differences")


def test_every_kind_of_difference_is_named(experiment, code, tmp_path):
    (tmp_path / "raw.txt").write_text("1")
    path = code("train.py", "import amlsdk; amlsdk.Run.current().log('loss', 1.0)")
    first = experiment.submit("train.py", arguments=["--depth", 1], inputs={"raw": tmp_path / "raw.txt"}).wait(60)
    path.write_text("import amlsdk; amlsdk.Run.current().log('loss', 2.0); raise SystemExit(1)")
    (tmp_path / "raw.txt").write_text("2")
    second = experiment.submit("train.py", arguments=["--depth", 2], inputs={"raw": tmp_path / "raw.txt"})
    second.wait(60, raise_on_error=False)
    found = first.compare(second).differences()
    assert found.status == ("Completed", "Failed")
    assert found.params == {"depth": ("1", "2")}
    assert found.metrics == {"loss": (1.0, 2.0)}
    assert set(found.inputs) == {"raw"}
    assert found.code.changed == ("train.py",)
    assert len(found.rows()) == 5


@pytest.fixture
def chain(experiment, code, tmp_path):
    """Three runs, each of which reads what the one before has put out."""
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "a.csv").write_text("x,y\n1,2\n")
    code("step.py", "import amlsdk; open('outputs/data.txt', 'w').write('data')")
    runs = [experiment.submit("step.py", inputs={"raw": tmp_path / "raw"}).wait(60)]
    runs.append(experiment.submit("step.py", inputs={"clean": runs[-1].outputs}).wait(60))
    runs.append(experiment.submit("step.py", inputs={"features": f"run:{runs[-1].id}/outputs/data.txt"}).wait(60))
    return runs


def test_lineage_walks_back_to_the_first_data(chain, tmp_path):
    first, second, third = chain
    lineage = third.lineage()
    assert lineage["run"] == {"id": third.id, "name": third.name}
    assert lineage["snapshot"]["digest"] == third.snapshot.digest
    features = lineage["inputs"]["features"]
    assert features["digest"] == third.inputs["features"].digest
    clean = features["from"]["inputs"]["clean"]
    assert features["from"]["run"]["id"] == second.id
    assert clean["from"]["run"]["id"] == first.id
    raw = clean["from"]["inputs"]["raw"]
    assert raw == {"digest": first.inputs["raw"].digest, "source": str(tmp_path / "raw")}
    assert json.loads(json.dumps(lineage)) == lineage


def test_the_lineage_of_a_model_begins_with_it(chain):
    model = chain[-1].register_model("m", "outputs/data.txt")
    lineage = model.lineage()
    assert lineage["model"] == {"id": model.id, "name": "m", "version": 1, "digest": model.digest}
    assert lineage["run"]["id"] == chain[-1].id
    assert lineage["inputs"]["features"]["from"]["run"]["id"] == chain[1].id


def test_a_model_without_a_run_has_only_itself(workspace, tmp_path):
    (tmp_path / "m.txt").write_text("m")
    lineage = workspace.models.create("m", tmp_path / "m.txt").lineage()
    assert (lineage["run"], lineage["snapshot"], lineage["inputs"]) == (None, None, {})


def test_a_run_that_names_itself_as_its_source_ends_the_walk(experiment):
    from amlsdk.records.logged import InputRecord

    with experiment.start_run() as run:
        run._writer.input(InputRecord(name="loop", digest="0" * 64, kind="file", source=f"run:{run.id}/x"))
    inner = run.lineage()["inputs"]["loop"]["from"]
    assert inner == {"run": {"id": run.id, "name": run.name}, "snapshot": None}


def test_a_source_that_is_not_here_is_named(experiment):
    from amlsdk.records.ids import new_id
    from amlsdk.records.logged import InputRecord

    elsewhere = new_id()
    with experiment.start_run() as run:
        run._writer.input(InputRecord(name="far", digest="0" * 64, kind="file", source=f"run:{elsewhere}/x"))
    assert run.lineage()["inputs"]["far"]["from"] == {"run": {"id": elsewhere}}


def test_a_large_output_is_opened_without_being_held_in_memory(experiment, tmp_path, monkeypatch):
    monkeypatch.setattr("amlsdk.resources.run_files._IN_MEMORY_BYTES", 4)
    (tmp_path / "large.bin").write_bytes(b"0123456789")
    with experiment.start_run() as run:
        run.upload_file("large.bin", tmp_path / "large.bin")
    with run.outputs.open("large.bin") as file:
        assert file.fileno() >= 0
        assert file.read(3) == b"012"
        assert file.seek(8) == 8
        assert file.read() == b"89"
