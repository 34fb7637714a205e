"""amlsdk inside other programs: threads, forks, pickles, two workspaces, silence, and nothing left behind."""

import asyncio
import logging
import os
import pickle
import signal
import subprocess
import sys
import threading

import pytest

import amlsdk
from amlsdk.errors import InvalidArgument, NotFound, Unavailable


def _experiment(workspace):
    return workspace.projects.get_or_create("p").experiments.get_or_create("e")


def test_threads_share_every_object(workspace):
    run = _experiment(workspace).start_run()

    def work(number):
        for step in range(200):
            run.log("loss", step, step=number * 200 + step)
        run.set_tag(f"thread{number}", "done")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    run.complete()
    assert len(run.series("loss")) == 1600
    assert len(run.tags) == 8


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_logs_to_the_run_but_does_not_end_it(folder_workspace):
    with _experiment(folder_workspace).start_run() as run:
        run.log("loss", 1.0, step=0)
        pid = os.fork()
        if pid == 0:
            run.log("loss", 0.5, step=1)
            run.complete()
            os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0
        assert run.status == "Running"
        run.log("loss", 0.25, step=2)
    assert list(run.series("loss").values) == [1.0, 0.5, 0.25]
    assert run.status == "Completed"


def test_objects_pickle_without_tokens_and_reconnect(workspace):
    experiment = _experiment(workspace)
    with experiment.start_run() as run:
        run.log("loss", 0.5)
    workspace._client.address = amlsdk.resources.client.Address(location=workspace.location, token="aml_secret")
    content = pickle.dumps([workspace, experiment, run])
    assert b"aml_secret" not in content
    again, same_experiment, same_run = pickle.loads(content)
    assert same_run == run
    assert same_run.metrics == {"loss": 0.5}
    assert same_experiment.runs.list() == [run]
    again.close()


def test_two_workspaces_live_side_by_side(tmp_path):
    with amlsdk.connect(tmp_path / "a") as one, amlsdk.connect(tmp_path / "b") as two:
        with _experiment(one).start_run() as first, _experiment(two).start_run() as second:
            first.log("loss", 1)
            second.log("loss", 2)
        assert [run.metrics for run in one.runs] == [{"loss": 1.0}]
        assert [run.metrics for run in two.runs] == [{"loss": 2.0}]


def test_nothing_is_printed_and_no_signal_is_handled(tmp_path, capfd):
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM), sys.excepthook
    with amlsdk.connect(tmp_path / "workspace") as workspace, _experiment(workspace).start_run() as run:
        run.log("loss", 1)
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM), sys.excepthook) == before
    assert capfd.readouterr() == ("", "")


def test_closing_leaves_no_thread_and_no_file(tmp_path):
    def open_files():
        return {os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd") if _is_link(fd)}

    def _is_link(fd):
        return os.path.islink(f"/proc/self/fd/{fd}")

    threads = set(threading.enumerate())
    workspace = amlsdk.connect(tmp_path / "workspace")
    with _experiment(workspace).start_run() as run:
        run.log("loss", 1)
    workspace.close()
    workspace.close()
    assert set(threading.enumerate()) - threads == set()
    assert not [path for path in open_files() if str(tmp_path) in path]
    with pytest.raises(Unavailable, match="closed"):
        run.refresh()


def test_closing_completes_the_runs_that_this_process_left_open(tmp_path):
    with amlsdk.connect(tmp_path / "workspace") as workspace:
        left = _experiment(workspace).start_run().id
    with amlsdk.connect(tmp_path / "workspace") as workspace:
        assert workspace.runs.get(left).status == "Completed"


def test_waiting_does_not_block_an_event_loop(folder_workspace, tmp_path):
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "train.py").write_text("import time; time.sleep(0.5)")
    project = folder_workspace.projects.create("q", folder=tmp_path / "code")
    run = project.experiments.create("e").submit("train.py")

    async def main():
        waiting = asyncio.create_task(run.wait_async())
        beats = 0
        while not waiting.done():
            await asyncio.sleep(0.01)
            beats += 1
        return beats

    assert asyncio.run(main()) > 5
    assert run.status == "Completed"


def test_the_folder_is_found_as_documented(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "project" / "aml_config").mkdir(parents=True)
    (tmp_path / "project" / "sub").mkdir()
    (tmp_path / "project" / "aml_config" / "workspace.json").write_text('{"location": "../shared"}')
    monkeypatch.delenv("AMLSDK_WORKSPACE", raising=False)
    with amlsdk.connect() as workspace:
        assert workspace.location == str(tmp_path / "home" / ".amlsdk")
    monkeypatch.chdir(tmp_path / "project" / "sub")
    with amlsdk.connect() as workspace:
        assert workspace.location == str(tmp_path / "shared")
    monkeypatch.setenv("AMLSDK_WORKSPACE", str(tmp_path / "named"))
    with amlsdk.connect() as workspace:
        assert workspace.location == str(tmp_path / "named")
    with amlsdk.connect(tmp_path / "given") as workspace:
        assert workspace.location == str(tmp_path / "given")


def test_a_workspace_is_made_only_where_that_is_wanted(tmp_path, caplog):
    with pytest.raises(NotFound, match="create"):
        amlsdk.connect(tmp_path / "missing", create=False)
    assert not (tmp_path / "missing").exists()
    with caplog.at_level(logging.INFO, logger="amlsdk"):
        amlsdk.connect(tmp_path / "missing").close()
    assert str(tmp_path / "missing") in caplog.text
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("x")
    with pytest.raises(InvalidArgument, match="full"):
        amlsdk.connect(tmp_path / "full")


def test_collections_answer_as_their_users_expect(workspace):
    projects = workspace.projects
    wine = projects.create("wine", description="reds")
    assert "wine" in projects
    assert wine.id in projects
    assert "beer" not in projects
    assert projects["wine"] == wine == projects.get(wine.id)
    assert [project.name for project in projects] == ["wine"]
    with pytest.raises(NotFound, match="'beer'.*'wine'"):
        projects.get("beer")
    projects.delete("beer")
    projects.delete("wine")
    assert list(projects) == []


def test_eight_processes_log_to_one_workspace_at_once(tmp_path):
    script = (
        "import sys, amlsdk\n"
        "with amlsdk.connect(sys.argv[1]) as ws:\n"
        "    e = ws.projects.get_or_create('p').experiments.get_or_create('e')\n"
        "    for number in range(5):\n"
        "        with e.start_run() as run:\n"
        "            for step in range(100): run.log('loss', step)\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "workspace")]
    processes = [subprocess.Popen(command, stderr=subprocess.PIPE) for _ in range(8)]
    for process in processes:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
    with amlsdk.connect(tmp_path / "workspace") as workspace:
        runs = workspace.runs.list()
        assert len(runs) == 40
        assert sorted(run.number for run in runs) == list(range(1, 41))
        assert {run.record.status for run in runs} == {"Completed"}
        assert all(run.record.metrics["loss"].count == 100 for run in runs)
