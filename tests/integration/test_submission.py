"""Scripts that run somewhere else."""

import io
import itertools
import time

import pytest

from amlsdk.errors import Conflict, InvalidArgument, NotFound, OperationFailed

TRAIN = """
import argparse, os, pathlib, amlsdk
parser = argparse.ArgumentParser()
parser.add_argument("--depth", type=int)
depth = parser.parse_args().depth
run = amlsdk.Run.current()
for step in range(3):
    run.log("loss", 1 / (depth + step), step=step)
print("trained with depth", depth)
outputs = pathlib.Path("outputs")
outputs.mkdir(exist_ok=True)
(outputs / "model.txt").write_text(str(depth))
"""


def test_a_script_runs_and_keeps_what_it_logged_printed_and_wrote(experiment, code):
    code("train.py", TRAIN)
    run = experiment.submit("train.py", arguments=["--depth", 4], tags={"owner": "ada"})
    shown = io.StringIO()
    assert run.wait(60, show_output=shown) is run
    assert run.status == "Completed"
    assert "trained with depth 4" in shown.getvalue()
    assert list(run.logs()) == ["trained with depth 4"]
    assert list(run.series("loss").values) == [1 / 4, 1 / 5, 1 / 6]
    assert run.params == {"depth": "4"}
    assert run.tags == {"owner": "ada"}
    assert run.outputs.read_text("model.txt") == "4"
    assert [entry.path for entry in run.snapshot.files] == ["train.py"]
    assert run.snapshot.read_text("train.py") == TRAIN
    states = [state.status for state in run.states]
    assert states == ["Queued", "Starting", "Preparing", "Running", "Finalizing", "Completed"]
    assert states == sorted(states, key=states.index)


def test_a_failing_script_says_why(experiment, code):
    code("train.py", "print('before')\nraise ValueError('no luck')\n")
    run = experiment.submit("train.py")
    with pytest.raises(OperationFailed, match="ValueError: no luck"):
        run.wait(60)
    assert run.status == "Failed"
    assert run.error.startswith("exit code 1: ValueError: no luck")
    assert run.record.exit_code == 1
    assert run.wait(raise_on_error=False) is run


@pytest.mark.parametrize(
    ("what", "says"),
    [
        ({"script": "missing.py"}, "there is no script 'missing.py'"),
        ({"script": "../outside.py"}, "not in the project's folder"),
        ({"script": "train.py", "target": "moon"}, "there is no target 'moon'"),
        ({"script": "train.py", "arguments": "--depth 4"}, "arguments is a list"),
        ({"script": "train.py", "arguments": [None]}, "an argument is a text"),
        ({"script": "train.py", "timeout_s": -1}, "timeout_s"),
        ({"script": "train.py", "environment_variables": {"a b": "c"}}, "environment variable"),
        ({"script": "train.py", "environment_variables": {"AMLSDK_RUN_ID": "x"}}, "set by the run itself"),
        ({"script": "train.py", "inputs": {"raw": 5}}, "a path, a URL"),
    ],
)
def test_what_can_not_be_meant_is_refused_before_anything_is_sent(experiment, code, what, says):
    code("train.py", "")
    with pytest.raises(InvalidArgument, match=says):
        experiment.submit(**what)
    assert experiment.runs.list() == []


def test_inputs_arrive_as_paths_and_lineage_follows_them(experiment, code, tmp_path):
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "a.csv").write_text("x,y\n1,2\n")
    code(
        "make.py",
        "import os, pathlib, shutil, amlsdk\n"
        "raw = pathlib.Path(os.environ['AMLSDK_INPUT_RAW'])\n"
        "assert amlsdk.Run.current().inputs['raw'].path == raw\n"
        "shutil.copy(raw / 'a.csv', 'outputs/b.csv')\n",
    )
    code("use.py", "import os; print(open(os.environ['AMLSDK_INPUT_TABLE']).read(), end='')")
    made = experiment.submit("make.py", inputs={"raw": tmp_path / "raw"}).wait(60)
    used = experiment.submit("use.py", inputs={"table": f"run:{made.id}/outputs/b.csv"}).wait(60)
    assert list(used.logs()) == ["x,y", "1,2"]
    assert used.inputs["table"].source == f"run:{made.id}/outputs/b.csv"
    assert made.inputs["raw"].source == str(tmp_path / "raw")
    with pytest.raises(Conflict, match="run"):
        made.delete()
    with pytest.raises(NotFound):
        experiment.submit("use.py", inputs={"table": tmp_path / "nowhere"})


def test_a_run_is_submitted_again_by_its_id_alone(workspace, experiment, code):
    path = code("train.py", TRAIN)
    first = experiment.submit("train.py", arguments=["--depth", 2]).wait(60)
    path.write_text("raise SystemExit(1)")
    again = workspace.runs.get(first.id).resubmit().wait(60)
    assert again.metrics == first.metrics
    assert again.snapshot.digest == first.snapshot.digest
    assert again.tags["resubmitted_from"] == first.id
    assert again.compare(first).differing_params == {}
    other = first.resubmit(arguments=["--depth", 8]).wait(60)
    assert first.compare(other).differing_params == {"depth": ("2", "8")}


def test_comparison_shows_params_metrics_and_code(experiment, code):
    path = code("train.py", TRAIN)
    first = experiment.submit("train.py", arguments=["--depth", 2]).wait(60)
    path.write_text(TRAIN.replace("trained with", "learned with"))
    second = experiment.submit("train.py", arguments=["--depth", 4]).wait(60)
    comparison = experiment.compare([first, second])
    assert comparison.params["depth"] == ("2", "4")
    assert comparison.metrics["loss"] == (1 / 4, 1 / 6)
    assert '-print("trained with depth", depth)' in comparison.code()
    assert '+print("learned with depth", depth)' in comparison.code()
    assert comparison.packages() == {}
    assert "params.depth" in repr(comparison)


def test_a_snapshot_is_checked_out_but_never_over_other_work(experiment, code, tmp_path):
    code("train.py", "print(1)\n")
    run = experiment.submit("train.py").wait(60)
    folder = tmp_path / "restored"
    run.snapshot.checkout(folder)
    assert (folder / "train.py").read_text() == "print(1)\n"
    (folder / "train.py").write_text("precious")
    with pytest.raises(Conflict, match=r"train\.py"):
        run.snapshot.checkout(folder)
    assert (folder / "train.py").read_text() == "precious"
    run.snapshot.checkout(folder, overwrite=True)
    assert (folder / "train.py").read_text() == "print(1)\n"


def test_a_cancelled_run_ends_with_its_whole_tree(experiment, code):
    code("train.py", "import subprocess, sys\nprint('up', flush=True)\nsubprocess.run(['sleep', '60'])\n")
    run = experiment.submit("train.py")
    assert next(line for line in run.logs(follow=True)) == "up"
    run.cancel()
    with pytest.raises(OperationFailed, match="Canceled: cancelled by request"):
        run.wait(30)
    assert run.status == "Canceled"


def test_a_run_that_takes_too_long_fails(experiment, code):
    code("train.py", "import time\ntime.sleep(60)\n")
    run = experiment.submit("train.py", timeout_s=0.5)
    with pytest.raises(OperationFailed, match="longer than timeout_s=0.5"):
        run.wait(30)


def test_waiting_can_be_given_up_while_the_run_goes_on(experiment, code):
    code("train.py", "import time\ntime.sleep(1.5)\n")
    run = experiment.submit("train.py")
    with pytest.raises(TimeoutError, match="it goes on"):
        run.wait(0.1)
    assert run.wait(30).status == "Completed"


def test_files_written_elsewhere_are_named(experiment, code):
    code("train.py", "open('elsewhere.txt', 'w').close()\n")
    run = experiment.submit("train.py").wait(60)
    assert "elsewhere.txt" in "\n".join(run.logs())
    assert len(run.outputs) == 0


def test_runs_wait_for_a_slot_and_are_taken_in_order(workspace, experiment, code):
    workspace.update(slots=1)
    code("train.py", "import time\nprint(time.time(), flush=True)\ntime.sleep(0.2)\nprint(time.time())\n")
    runs = [experiment.submit("train.py") for _ in range(4)]
    spans = [tuple(float(line) for line in run.wait(60).logs()) for run in runs]
    for (_, end), (begin, _) in itertools.pairwise(spans):
        assert end <= begin


def test_a_script_marks_its_own_run_as_failed(experiment, code):
    code("train.py", "import amlsdk\namlsdk.Run.current().fail('too few rows')\n")
    run = experiment.submit("train.py")
    run.wait(30, raise_on_error=False)
    assert (run.status, run.error) == ("Failed", "too few rows")


def test_the_command_of_a_run_can_be_found_by_its_params(experiment, code):
    code("train.py", TRAIN)
    for depth in (2, 4):
        experiment.submit("train.py", arguments=["--depth", depth])
    deadline = time.monotonic() + 60
    while len(experiment.runs.search("status = 'Completed'").to_pandas()) < 2:
        assert time.monotonic() < deadline
    best = experiment.runs.search("status = 'Completed' and params.depth > 3", order_by="metrics.loss asc").first()
    assert best.params["depth"] == "4"


def test_a_run_shorter_than_the_interval_has_no_system_metrics(experiment, code):
    code("train.py", "")
    assert experiment.submit("train.py").wait(60).metrics == {}


def test_how_busy_the_machine_is_is_sampled_while_a_script_runs(experiment, code, monkeypatch):
    monkeypatch.setenv("AMLSDK_SYSTEM_METRICS_S", "0.2")
    code("train.py", "import time\ntime.sleep(1)\n")
    run = experiment.submit("train.py").wait(60)
    assert run.metrics["system/process_memory_bytes"] > 1e6
    assert len(run.series("system/memory_percent")) > 1


def test_a_script_that_the_snapshot_leaves_out_is_refused_before_anything_is_stored(workspace, experiment, code):
    code("train.py", "print(1)")
    code(".amlignore", "train.py\n")
    with pytest.raises(InvalidArgument, match=r"'train.py' is needed but left out .* add the line '!train.py'"):
        experiment.submit("train.py")
    assert experiment.runs.list() == []
    code(".amlignore", "train.py\n!train.py\n")
    assert list(experiment.submit("train.py").wait(60).logs()) == ["1"]
