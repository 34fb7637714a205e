"""Agents that are killed, services that are away, tokens that open nothing any more."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from served import serving

import amlsdk
from amlsdk.execution.lost import end_lost
from amlsdk.handing.tokens import leave_newer
from amlsdk.operations.tenancy import DeleteToken, ListTokens
from amlsdk.processes import is_gone
from amlsdk.records.jobs import ProcessIdentity

AML = [sys.executable, "-c", "from amlsdk.cli import main; main()"]
WORKS = """
import os, pathlib, time, amlsdk
run = amlsdk.Run.current()
run.log("loss", 0.5)
pathlib.Path("outputs/so-far").write_text("half")
print("up")
while not os.path.exists({!r}): time.sleep(0.01)
run.log("loss", 0.25)
print("done")
"""


def until(fact, timeout_s=45):
    deadline = time.monotonic() + timeout_s
    while not (found := fact()):
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.01)
    return found


@pytest.fixture
def served(tmp_path, monkeypatch):
    monkeypatch.setenv("AMLSDK_HOME", str(tmp_path / "home"))
    with serving(tmp_path / "service", "--rate", "0") as running:
        monkeypatch.setenv("AMLSDK_TOKEN", running.token)
        yield running


@pytest.fixture
def workspace(served):
    with amlsdk.connect(served.url) as workspace:
        yield workspace


@pytest.fixture
def submit(workspace, tmp_path):
    """Submit a script that works until `go` is there: `submit(target="box")`."""
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "train.py").write_text(WORKS.format(str(tmp_path / "go")))
    project = workspace.projects.get_or_create("p", folder=tmp_path / "code")
    experiment = project.experiments.get_or_create("e")
    return lambda **options: experiment.submit("train.py", **options)


@pytest.fixture
def agent(served, workspace, tmp_path):
    begun = []

    def begin(name="box"):
        log = (tmp_path / f"{name}.log").open("a")
        with log:
            process = subprocess.Popen([*AML, "-w", served.url, "agent", "--name", name], stdout=log, stderr=log)
        begun.append(process)
        until(lambda: name in workspace.agents and workspace.agents[name].record.identity.pid == process.pid)
        return process

    yield begin
    for process in begun:
        process.kill()
        process.wait()


def log_of(workspace, run):
    return (Path(workspace._client.spool.runs) / run.id / "supervisor.log").read_text()


def tokens(workspace, kind):
    return workspace._client.send(ListTokens(kind=kind)).items


def test_what_a_killed_agent_has_begun_goes_on_and_another_takes_its_place(workspace, submit, agent, tmp_path):
    first = agent()
    running, waiting = submit(target="box"), submit(target="box")
    until(lambda: list(running.logs()) == ["up"])
    first.kill()
    first.wait()
    second = agent()
    assert workspace.agents["box"].record.identity.pid == second.pid
    assert (running.status, waiting.status) == ("Running", "Queued")
    (tmp_path / "go").touch()
    for run in (running, waiting):
        run.wait(60)
        assert list(run.series("loss").values) == [0.5, 0.25]


def test_an_agent_waits_for_a_service_that_is_away(served, workspace, submit, agent, tmp_path):
    process = agent()
    running = submit(target="box")
    until(lambda: list(running.logs()) == ["up"])
    served.kill()
    (tmp_path / "go").touch()
    served.begin()
    running.wait(60)
    assert list(running.series("loss").values) == [0.5, 0.25]
    assert process.poll() is None
    submit(target="box").wait(60)


def test_an_agent_that_was_deleted_while_it_was_away_attaches_again(workspace, submit, agent):
    process = agent()
    os.kill(process.pid, signal.SIGSTOP)
    # Only a process that is gone can be deleted, or one whose last sign of life is long ago: so it was, elsewhere.
    root = next((Path(os.environ["AMLSDK_HOME"]).parent / "service" / "workspaces").iterdir())
    with sqlite3.connect(root / "catalogue.sqlite") as catalogue:
        catalogue.execute("DELETE FROM agent")
    catalogue.close()
    os.kill(process.pid, signal.SIGCONT)
    until(lambda: "box" in workspace.agents)
    assert workspace.agents["box"].record.identity.pid == process.pid


def test_a_run_goes_on_without_its_token_and_arrives_with_another(workspace, submit, tmp_path):
    run = submit()
    until(lambda: list(run.logs()) == ["up"])
    (token,) = tokens(workspace, "run")
    workspace._client.send(DeleteToken(token_id=token.id))
    until(lambda: "was revoked" in log_of(workspace, run))
    (tmp_path / "go").touch()
    noted = json.loads((Path(workspace._client.spool.runs) / run.id / "processes.json").read_text())
    until(lambda: all(is_gone(ProcessIdentity(**script)) for script in noted))
    journals = list(Path(workspace._client.spool.journals).iterdir())
    assert journals
    assert run.status in {"Running", "Finalizing", "NotResponding"}
    leave_newer(workspace._client.service, workspace._client.spool, kind="run")
    run.wait(60)
    assert list(run.series("loss").values) == [0.5, 0.25]
    assert list(run.logs()) == ["up", "done"]
    assert run.outputs.read_text("so-far") == "half"
    assert "another token was found" in log_of(workspace, run)
    # It said once that it has to wait, not at each of its tries.
    assert log_of(workspace, run).count("no heartbeat") == 1


def test_a_run_whose_supervisor_was_killed_ends_with_what_it_had_written(workspace, submit):
    run = submit()
    until(lambda: list(run.logs()) == ["up"])
    owner = run.refresh().record.owner
    os.kill(owner.pid, signal.SIGKILL)
    until(lambda: is_gone(owner))
    (ended,) = end_lost(workspace._client.service, workspace._client.place)
    assert (ended.id, ended.status) == (run.id, "Failed")
    assert run.refresh().error == f"its supervisor (process {owner.pid} on {owner.host}) is gone"
    assert run.outputs.read_text("so-far") == "half"
    assert run.metrics == {"loss": 0.5}
    assert end_lost(workspace._client.service, workspace._client.place) == []
