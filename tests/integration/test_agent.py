"""Agents: machines that execute what others submit, in a folder and behind a service."""

import os
import signal
import subprocess
import sys
import time

import pytest
from deployer_images import recorded, small_image
from served import serving

import amlsdk
from amlsdk.errors import Conflict, InvalidArgument, NotFound, NotSignedIn
from amlsdk.operations.tenancy import ListTokens
from amlsdk.processes import is_gone
from amlsdk.resources.image import Image

AML = [sys.executable, "-c", "from amlsdk.cli import main; main()"]
SAYS = "import os\nprint('hello from', os.environ['WHO'])\nopen('outputs/pid', 'w').write(str(os.getppid()))\n"
WAITS = "import os, time\nprint('up')\nwhile not os.path.exists({!r}): time.sleep(0.01)\n"
ADD = "def run(data):\n    return data + 1\n"


def until(fact, timeout_s=30):
    deadline = time.monotonic() + timeout_s
    while not (found := fact()):
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.01)
    return found


@pytest.fixture(params=["folder", "service"])
def workspace(request, tmp_path, monkeypatch):
    """A workspace in a folder, and one of a team's service."""
    monkeypatch.setenv("AMLSDK_HOME", str(tmp_path / "home"))
    if request.param == "folder":
        with amlsdk.connect(tmp_path / "workspace") as workspace:
            yield workspace
        return
    with serving(tmp_path / "service", "--rate", "0") as served:
        monkeypatch.setenv("AMLSDK_TOKEN", served.token)
        with amlsdk.connect(served.url) as workspace:
            yield workspace


@pytest.fixture
def agent(workspace, tmp_path):
    """Begin an agent as another machine would: `agent("box", "--slots", "2")`."""
    begun = []

    def begin(name, *options, attached=True):
        environment = {**os.environ, "AMLSDK_HOME": str(tmp_path / f"home of {name}")}
        command = [*AML, "-w", workspace.location, "agent", "--name", name, *options]
        with (tmp_path / f"{name}.log").open("w") as log:
            process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        begun.append(process)
        if attached:
            until(lambda: name in workspace.agents and workspace.agents[name].record.identity.pid == process.pid)
        return process

    yield begin
    for process in begun:
        process.kill()
        process.wait()


@pytest.fixture
def experiment(workspace, tmp_path):
    (tmp_path / "code").mkdir()
    return workspace.projects.get_or_create("p", folder=tmp_path / "code").experiments.get_or_create("e")


@pytest.fixture
def submit(experiment, tmp_path):
    def submitted(script, **options):
        (tmp_path / "code" / "train.py").write_text(script)
        return experiment.submit("train.py", **options)

    return submitted


def test_a_run_is_executed_by_the_agent_it_names(workspace, agent, submit):
    agent("box")
    workspace.secrets.set("who", "somebody")
    run = submit(SAYS, target="box", secrets=["who"]).wait(60)
    assert list(run.logs()) == ["hello from ***"]
    assert run.outputs.read_text("pid") == str(run.record.owner.pid)
    assert [state.status for state in run.states][:2] == ["Queued", "Starting"]
    again = run.resubmit().wait(60)
    assert again.record.job.target == "box"


def test_runs_wait_for_the_agent_s_slots(agent, submit, tmp_path):
    agent("box", "--slots", "2")
    script = WAITS.format(str(tmp_path / "go"))
    runs = [submit(script, target="box") for _ in range(3)]
    until(lambda: sorted(run.status for run in runs) == ["Queued", "Running", "Running"])
    (tmp_path / "go").touch()
    for run in runs:
        run.wait(60)


def test_a_target_that_nobody_offers_is_refused(workspace, agent, submit):
    with pytest.raises(InvalidArgument, match="no agent of this name is attached; there are 'local'"):
        submit("", target="box")
    process = agent("box")
    with pytest.raises(InvalidArgument, match="there are 'local', 'box'"):
        submit("", target="bax")
    process.terminate()
    assert process.wait(30) == 0
    assert until(lambda: not workspace.agents["box"].alive)
    with pytest.raises(InvalidArgument, match="no agent of this name is attached"):
        submit("", target="box")


def test_an_agent_that_is_told_to_end_leaves_what_it_has_begun(agent, submit, tmp_path):
    process = agent("box")
    run = submit(WAITS.format(str(tmp_path / "go")), target="box")
    until(lambda: list(run.logs()) == ["up"])
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 0
    assert "what it has begun goes on" in (tmp_path / "box.log").read_text()
    until(lambda: run.status == "Running")
    (tmp_path / "go").touch()
    run.wait(60)


def test_a_queued_run_is_cancelled_before_its_agent_comes(agent, submit, tmp_path):
    process = agent("box")
    first = submit(WAITS.format(str(tmp_path / "go")), target="box")
    second = submit("", target="box")
    until(lambda: first.status == "Running")
    process.kill()
    second.cancel()
    assert second.status == "Canceled"
    first.cancel()
    first.wait(60, raise_on_error=False)
    assert first.status == "Canceled"


def test_a_second_agent_of_a_name_is_refused(workspace, agent, tmp_path):
    first = agent("box")
    assert agent("box", attached=False).wait(60) == 1
    assert f"the agent 'box' is process {first.pid} on" in (tmp_path / "box.log").read_text()
    with pytest.raises(Conflict, match="gives signs of life"):
        workspace.agents.delete("box")
    assert agent("local", attached=False).wait(60) == 1
    assert "an agent can't be called 'local'" in (tmp_path / "local.log").read_text()


def test_agents_are_listed_and_forgotten(workspace, agent):
    process = agent("box", "--slots", "3")
    found = workspace.agents.get("box")
    assert (found.alive, found.slots, found.user) == (True, 3, workspace.agents["box"].record.user)
    assert found.facts["python"] == ".".join(map(str, sys.version_info[:3]))
    assert found.refresh().last_seen_at >= found.created_at
    assert [each.name for each in workspace.agents.list()] == ["box"]
    shown = subprocess.run(
        [*AML, "-w", workspace.location, "agent", "list"], capture_output=True, text=True, env=os.environ
    )
    assert "attached" in shown.stdout
    process.terminate()
    process.wait(30)
    until(lambda: not workspace.agents["box"].alive)
    workspace.agents.delete("box")
    workspace.agents.delete("box")
    with pytest.raises(NotFound, match="there is no agent 'box'"):
        workspace.agents.get("box")


def test_a_deployment_is_served_by_the_agent_it_names(workspace, agent):
    client = workspace._client
    image = Image(client, recorded(client, small_image(client.blobs, ADD)))
    with pytest.raises(InvalidArgument, match="agent: no agent 'box' is attached; there is none"):
        image.deploy("wine", agent="box")
    process = agent("box")
    deployment = image.deploy("wine", agent="box", timeout_s=60)
    supervisor = deployment.record.owner
    assert (deployment.status, deployment.record.agent) == ("Healthy", "box")
    process.terminate()
    process.wait(30)
    assert deployment.scale(2, timeout_s=60).replicas == 2
    deployment.stop(timeout_s=60)
    until(lambda: is_gone(supervisor))
    with pytest.raises(InvalidArgument, match="start: agent: no agent 'box' is attached"):
        deployment.start()
    agent("box")
    assert deployment.start(timeout_s=60).status == "Healthy"
    deployment.delete(timeout_s=60)


def test_an_image_that_the_agent_s_machine_can_not_serve_says_why(workspace, agent):
    agent("box")
    client = workspace._client
    image = Image(client, recorded(client, small_image(client.blobs, ADD, python="2.7")))
    deployment = image.deploy("wine", agent="box", wait=False)
    deployment.wait(60, raise_on_error=False)
    assert deployment.status == "Failed"
    assert deployment.reason.startswith("the agent 'box' can't serve it: image wine 1 is made for Python 2.7")
    deployment.delete(timeout_s=60)


SHOWS = """
import os, sys, amlsdk
print("shown", os.environ["AMLSDK_TOKEN"])
open("outputs/token", "w").write(os.environ["AMLSDK_TOKEN"][::-1])
with amlsdk.connect(os.environ["AMLSDK_SERVICE_URL"]) as workspace:
    print(workspace.name)
"""


@pytest.mark.parametrize("workspace", ["service"], indirect=True)
def test_what_works_on_its_own_has_a_token_of_its_own_that_ends_with_it(workspace, agent, submit):
    agent("box")
    tokens = {token.name: token for token in workspace._client.send(ListTokens()).items}
    assert (tokens["agent box"].kind, tokens["agent box"].role) == ("agent", "contributor")
    assert tokens["agent box"].workspace_id == workspace.id
    for target in ("local", "box"):
        run = submit(SHOWS, target=target).wait(60)
        assert list(run.logs()) == ["shown ***", workspace.name]
        token = run.outputs.read_text("token")[::-1]
        assert token != os.environ["AMLSDK_TOKEN"]
        # As soon as its supervisor has ended.
        until(lambda: "run" not in {each.kind for each in workspace._client.send(ListTokens()).items})
        with pytest.raises(NotSignedIn, match="unknown here, or was revoked"):
            amlsdk.connect(workspace.location, token=token)


@pytest.mark.parametrize("workspace", ["service"], indirect=True)
def test_a_deployment_s_token_ends_with_it(workspace):
    client = workspace._client
    image = Image(client, recorded(client, small_image(client.blobs, ADD)))
    deployment = image.deploy("wine", timeout_s=60)
    (token,) = client.send(ListTokens(kind="deployment")).items
    assert (token.role, token.workspace_id) == ("contributor", workspace.id)
    deployment.delete(timeout_s=60)
    until(lambda: not client.send(ListTokens(kind="deployment")).items)
