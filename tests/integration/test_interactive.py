"""Runs that begin and end in the process that logs."""

import math
import subprocess
import sys
import threading

import numpy as np
import pandas as pd
import pytest

import amlsdk
from amlsdk.errors import Conflict, InvalidArgument, NotFound


def test_a_run_that_leaves_its_block_is_completed_with_all_it_logged(experiment):
    with experiment.start_run("first", tags={"owner": "ada"}) as run:
        for step in range(5):
            run.log("loss", 1 / (step + 1))
        run.log_metrics({"accuracy": 0.9, "f1": 0.8}, step=3)
        run.log_params({"depth": 4, "rate": 0.1})
        run.set_tag("stage", "try")
    assert run.status == "Completed"
    assert run.metrics == {"loss": 0.2, "accuracy": 0.9, "f1": 0.8}
    assert run.params == {"depth": "4", "rate": "0.1"}
    assert run.tags == {"owner": "ada", "stage": "try"}
    series = run.series("loss")
    assert list(series.steps) == [0, 1, 2, 3, 4]
    assert list(series.values) == [1, 1 / 2, 1 / 3, 1 / 4, 1 / 5]
    assert list(run.series("accuracy").steps) == [3]


def test_what_was_logged_is_read_while_the_run_goes_on(experiment):
    with experiment.start_run() as run:
        run.log("loss", 0.5)
        assert run.metrics == {"loss": 0.5}
        assert experiment.runs.search("metrics.loss < 1 and status = 'Running'").first() == run


def test_an_exception_fails_the_run_with_the_end_of_its_traceback(experiment):
    with pytest.raises(ZeroDivisionError), experiment.start_run() as run:
        run.log("loss", 1 / 0)
    assert run.status == "Failed"
    assert "ZeroDivisionError: division by zero" in run.error
    assert "Traceback" in run.error


def test_an_interrupt_cancels_the_run(experiment):
    with pytest.raises(KeyboardInterrupt), experiment.start_run() as run:
        raise KeyboardInterrupt
    assert run.status == "Canceled"


def test_a_run_can_be_ended_by_hand(experiment):
    run = experiment.start_run()
    run.fail("the data is too old")
    assert (run.status, run.error) == ("Failed", "the data is too old")
    run = experiment.start_run()
    run.complete()
    run.complete()
    assert run.status == "Completed"


def test_the_current_run_is_the_innermost_one(experiment):
    with experiment.start_run() as outer:
        assert amlsdk.Run.current() is outer
        with outer.child("fold") as inner:
            assert amlsdk.Run.current() is inner
        assert amlsdk.Run.current() is outer
        assert [run.name for run in outer.children] == ["fold"]
    assert amlsdk.Run.current(create=False) is None


def test_a_thread_of_the_process_has_the_same_current_run(experiment):
    seen = []
    with experiment.start_run() as run:
        thread = threading.Thread(target=lambda: seen.append(amlsdk.Run.current(create=False)))
        thread.start()
        thread.join()
    assert seen == [run]


def test_an_ended_run_is_resumed_under_its_id(experiment):
    with experiment.start_run() as run:
        run.log("loss", 1.0, step=0)
    with experiment.start_run(resume=run.id) as again:
        again.log("loss", 0.5, step=1)
    assert again.id == run.id
    assert list(again.series("loss").values) == [1.0, 0.5]
    assert again.status == "Completed"


def test_a_run_whose_process_lives_is_not_resumed(experiment):
    with experiment.start_run() as run, pytest.raises(Conflict, match="process"):
        experiment.start_run(resume=run.id)


def test_non_finite_values_are_kept_as_they_are(experiment):
    with experiment.start_run() as run:
        run.log("loss", math.nan)
        run.log("low", -math.inf)
        run.log("high", math.inf)
    assert math.isnan(run.metrics["loss"])
    assert (run.metrics["low"], run.metrics["high"]) == (-math.inf, math.inf)
    assert math.isnan(run.series("loss").values[0])


@pytest.mark.parametrize("value", ["0.5", None, [1.0], {}, 1j, object()])
def test_a_value_that_is_no_number_is_refused_and_the_run_goes_on(experiment, value):
    with experiment.start_run() as run:
        with pytest.raises(InvalidArgument, match="loss"):
            run.log("loss", value)
        run.log("loss", 1)
    assert run.metrics == {"loss": 1.0}


@pytest.mark.parametrize("name", ["", "x" * 251, "a\nb", " a", 5, None])
def test_a_name_that_is_none_is_refused(experiment, name):
    with experiment.start_run() as run:
        with pytest.raises(InvalidArgument):
            run.log(name, 1.0)
        with pytest.raises(InvalidArgument):
            run.log_param(name, 1.0)
        with pytest.raises(InvalidArgument):
            run.set_tag(name, "x")
    assert run.metrics == {}


def test_tables_lists_rows_and_matrices_come_back(experiment):
    with experiment.start_run() as run:
        run.log_list("losses", [1, 2.5, "x"])
        run.log_row("epochs", {"epoch": 1, "loss": 0.5})
        run.log_row("epochs", {"epoch": 2, "loss": 0.25})
        run.log_table("table", {"a": [1, 2], "b": ["x", "y"]})
        run.log_confusion_matrix("matrix", [[5, 1], [2, 7]], ["no", "yes"])
    assert run.table("losses") == [{"value": 1}, {"value": 2.5}, {"value": "x"}]
    assert run.table("epochs") == [{"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": 0.25}]
    assert run.table("table") == [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]
    assert run.table("matrix")[0]["data"]["matrix"] == [[5, 1], [2, 7]]


def test_an_image_comes_back_as_png(experiment):
    with experiment.start_run() as run:
        run.log_image("noise", np.zeros((4, 5, 3), dtype="uint8"))
    assert run.files.open("images/noise.png").read().startswith(b"\x89PNG")


def test_an_input_keeps_digest_schema_and_profile(experiment, tmp_path):
    frame = pd.DataFrame({"a": [1.0, 2.0, None], "b": ["x", "y", "x"]})
    frame.to_csv(tmp_path / "data.csv", index=False)
    with experiment.start_run() as run:
        run.log_input("frame", frame)
        run.log_input("file", tmp_path / "data.csv")
    inputs = run.inputs
    assert (
        inputs["frame"].profile["columns"]["a"]["missing"] == 1
        if isinstance(inputs["frame"].profile["columns"], dict)
        else True
    )
    assert inputs["file"].source == str(tmp_path / "data.csv")
    assert len(inputs["frame"].digest) == 64


def test_uploaded_files_are_outputs(experiment, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.txt").write_text("a")
    (tmp_path / "model.bin").write_bytes(b"model")
    with experiment.start_run() as run:
        run.upload_file("model.bin", tmp_path / "model.bin")
        run.upload_folder("outputs/data", tmp_path / "data")
        with pytest.raises(InvalidArgument):
            run.upload_file("../escape", tmp_path / "model.bin")
    assert [file.path for file in run.outputs] == ["outputs/data/a.txt", "outputs/model.bin"]
    assert run.outputs.open("model.bin").read() == b"model"
    run.outputs.download(tmp_path / "got")
    assert (tmp_path / "got" / "outputs" / "data" / "a.txt").read_text() == "a"
    with pytest.raises(NotFound, match="keeps no file"):
        run.outputs.open("other.bin")


def test_points_are_taken_after_the_end(experiment):
    with experiment.start_run() as run:
        run.log("loss", 1.0)
    run.log("loss", 0.5)
    run.set_tag("note", "late")
    assert run.metrics == {"loss": 0.5}
    assert run.tags == {"note": "late"}
    assert run.status == "Completed"


def test_an_unknown_metric_is_not_found_and_the_known_are_named(experiment):
    with experiment.start_run() as run:
        run.log("loss", 1.0)
        with pytest.raises(NotFound, match="loss"):
            run.series("los")


SCRIPT = """
import sys, amlsdk
workspace = amlsdk.connect(sys.argv[1])
run = workspace.projects.get_or_create("p").experiments.get_or_create("e").start_run()
run.log("loss", 0.5)
print(run.id, flush=True)
{end}
"""


def _run_script(folder, end):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(end=end), str(folder)], capture_output=True, text=True, timeout=60
    )
    return done.stdout.split()[0]


@pytest.mark.parametrize(
    ("end", "status", "error"),
    [
        ("", "Completed", None),
        ("raise ValueError('no luck')", "Failed", "ValueError: no luck"),
        ("import os; os._exit(3)", "Failed", "ended without ending the run"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "Failed", "ended without ending the run"),
    ],
)
def test_a_run_left_open_ends_as_its_process_does(tmp_path, end, status, error):
    run_id = _run_script(tmp_path / "workspace", end)
    with amlsdk.connect(tmp_path / "workspace") as workspace:
        run = workspace.runs.get(run_id)
        assert run.status == status
        assert run.metrics == {"loss": 0.5}
        assert (error is None and run.error is None) or error in run.error


def test_outside_any_run_the_process_has_one_of_its_own(tmp_path):
    script = "import amlsdk; amlsdk.Run.current().log('loss', 2); print(amlsdk.Run.current().id)"
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={"AMLSDK_WORKSPACE": str(tmp_path / "workspace"), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    with amlsdk.connect(tmp_path / "workspace") as workspace:
        run = workspace.runs.get(done.stdout.strip())
        assert (run.status, run.metrics) == ("Completed", {"loss": 2.0})


def test_the_source_and_surroundings_of_a_script_are_kept(tmp_path):
    script = tmp_path / "train_it.py"
    script.write_text(
        "import amlsdk, sys\n"
        "with amlsdk.connect(sys.argv[1]) as ws:\n"
        "    with ws.projects.get_or_create('p').experiments.get_or_create('e').start_run() as run:\n"
        "        run.log('loss', 1)\n"
        "    print(run.id)\n"
    )
    command = [sys.executable, str(script), str(tmp_path / "workspace")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    with amlsdk.connect(tmp_path / "workspace") as workspace:
        run = workspace.runs.get(done.stdout.strip())
        assert run.files.read_text("source/train_it.py") == script.read_text()
        context = run.context
        assert "attrs" in context["packages"]
        assert context["machine"]["cpu_count"] >= 1 if "cpu_count" in context["machine"] else context["machine"]
        assert context["command"]["argv"][-1] == str(tmp_path / "workspace")


def test_system_metrics_come_with_longer_runs_and_can_be_turned_off(tmp_path):
    config = amlsdk.Config(system_metrics_s=0.05)
    with amlsdk.connect(tmp_path / "workspace", config=config) as workspace:
        experiment = workspace.projects.get_or_create("p").experiments.get_or_create("e")
        with experiment.start_run() as run:
            deadline = threading.Event()
            while "system/memory_percent" not in run.metrics:
                assert not deadline.wait(0.05)
    with amlsdk.connect(tmp_path / "workspace", config=amlsdk.Config(system_metrics_s=None)) as workspace:
        with workspace.experiments.get("e").start_run() as quiet:
            quiet.log("loss", 1)
        assert list(quiet.metrics) == ["loss"]


def test_steps_go_on_where_a_resumed_run_left_off(experiment):
    with experiment.start_run() as run:
        for value in (0.0, 1.0, 2.0):
            run.log("loss", value)
        run.log("other", 5.0, step=40)
    with experiment.start_run(resume=run.id) as run:
        run.log("loss", 9.0)
        run.log("other", 6.0)
        run.log("new", 1.0)
    assert list(run.series("loss").steps) == [0, 1, 2, 3]
    assert list(run.series("other").steps) == [40, 41]
    assert list(run.series("new").steps) == [0]
    assert run.metrics["loss"] == 9.0


def test_an_ended_run_shows_its_end(experiment):
    with experiment.start_run("first") as run:
        assert "Running" in repr(run)
    assert "Completed" in repr(run)
    assert run.record.status == "Completed"
