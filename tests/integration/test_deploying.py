"""From a model to a service and back, as users do it: against a folder, and against a server on loopback."""

import datetime as dt
import json
import os
import pickle
import subprocess
import sys

import pytest

import amlsdk
from amlsdk.errors import Conflict, Denied, InvalidArgument, NotFound, OperationFailed
from amlsdk.resources.scoring_requests import ScoringClient

AML = [sys.executable, "-c", "from amlsdk.cli import main; main()"]
# Needs no package, so that images are small and quick to make.
SCRIPT = """
import json
from amlsdk.scoring import model_path

def init():
    global weights
    weights = json.loads(model_path().read_text())

def run(data):
    if data == [13]:
        raise RuntimeError("unlucky")
    return [weights["factor"] * value for value in data]
"""


def register(workspace, tmp_path, factor):
    (tmp_path / "weights.json").write_text(json.dumps({"factor": factor}))
    return workspace.models.create("times", tmp_path / "weights.json")


@pytest.fixture
def model(workspace, tmp_path):
    return register(workspace, tmp_path, 2)


@pytest.fixture
def script(tmp_path):
    (tmp_path / "score.py").write_text(SCRIPT)
    return tmp_path / "score.py"


@pytest.fixture
def deployment(workspace, model, script):
    made = model.deploy("times", scoring=script, sample=[1, 2])
    yield made
    workspace.deployments.delete(made)


def test_the_whole_story(workspace, deployment, model, tmp_path):
    """Deployed, asked, updated to another model, rolled back, scaled, stopped, started, deleted."""
    assert deployment.status == "Healthy"
    assert deployment.error is None
    assert deployment.predict([1, 2, 3]) == [2, 4, 6]
    address, keys = deployment.scoring_uri, deployment.keys()

    deployment.update(register(workspace, tmp_path, 3))
    assert deployment.predict([1, 2, 3]) == [3, 6, 9]
    assert [one.version for one in deployment.image.manifest.models] == [2]
    deployment.rollback()
    assert deployment.predict([1]) == [2]
    deployment.scale(2)
    assert deployment.replicas == 2
    deployment.stop()
    assert deployment.status == "Stopped"
    deployment.start()
    assert deployment.predict([1]) == [2]
    assert (deployment.scoring_uri, deployment.keys()) == (address, keys)
    reasons = [one.reason for one in deployment.history]
    assert reasons == ["deployed", "updated", "rolled back", "started again"]
    metrics = deployment.metrics()
    assert (metrics.requests, metrics.errors, metrics.by_status) == (4, 0, {200: 4})
    assert 0 < metrics.p50_s <= metrics.p99_s < 10
    lineage = deployment.lineage()
    assert list(lineage) == ["deployment", "image", "manifest", "model", "run", "snapshot", "inputs"]
    assert lineage["model"]["digest"] == model.digest
    deployment.delete()
    assert "times" not in workspace.deployments
    deployment.delete()


def test_what_goes_wrong_is_said_and_counted(deployment):
    since = dt.datetime.now(dt.timezone.utc)
    with pytest.raises(InvalidArgument, match="data: a list is expected"):
        deployment.predict({"wrong": 1})
    with pytest.raises(OperationFailed, match="reference") as caught:
        deployment.predict([13])
    reference = str(caught.value).rsplit(maxsplit=1)[-1].strip(".'\"")
    log = ""
    # Behind a URL the log arrives a moment after the answer.
    for line in deployment.logs(follow=True):
        log += line + "\n"
        if "unlucky" in log and reference in log:
            break
    assert reference in log
    assert deployment.keys().primary not in log
    assert deployment.metrics(since).by_status == {422: 1, 500: 1}
    with pytest.raises(InvalidArgument, match="a time with its zone"):
        deployment.metrics(since.replace(tzinfo=None))


def test_a_key_is_replaced_without_a_refused_request(deployment):
    old = deployment.keys()
    assert deployment.predict([1]) == [2]
    new = deployment.rotate_key("primary")
    assert (new.primary == old.primary, new.secondary == old.secondary) == (False, True)
    # The object knew the new key before the service did, and a caller may have the other one.
    assert deployment.predict([1]) == [2]
    for key in (new.primary, new.secondary):
        client = ScoringClient(deployment.scoring_uri, lambda _, key=key: key)
        assert client.score({"data": [1]})["result"] == [2]
        client.close()
    wrong = ScoringClient(deployment.scoring_uri, lambda _: "wrong")
    with pytest.raises(Denied):
        wrong.score({"data": [1]})
    wrong.close()
    with pytest.raises(InvalidArgument, match="'primary' or 'secondary', not 'third'"):
        deployment.rotate_key("third")


def test_the_usage_works_as_it_is_printed(deployment, workspace):
    """The shell command asks for the key itself; neither text holds one."""
    usage = deployment.usage()
    keys = deployment.keys()
    assert keys.primary not in str(usage)
    assert keys.secondary not in str(usage)
    environment = {
        **os.environ,
        "AMLSDK_KEY": keys.secondary,
        "PATH": os.path.dirname(sys.executable) + ":" + os.environ["PATH"],
    }
    for command in (["sh", "-c", usage.curl], [sys.executable, "-c", usage.python]):
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
        assert "2" in done.stdout
        assert "4" in done.stdout


def test_an_object_pickles_without_keys_and_goes_on(deployment):
    keys = deployment.keys()
    deployment.predict([1])
    pickled = pickle.dumps(deployment)
    assert keys.primary.encode() not in pickled
    assert pickle.loads(pickled).predict([2]) == [4]


def test_what_does_not_start_changes_nothing(deployment, model, script, tmp_path):
    """The reason is raised, and kept with the deployment; what served before goes on."""
    licence = tmp_path / "licence"
    licence.write_text("valid")
    script.write_text(SCRIPT.replace("global weights", f"global weights; open({str(licence)!r})"))
    image = model.create_manifest("times", scoring=script, sample=[1]).build_image()
    licence.unlink()
    with pytest.raises(OperationFailed, match=r"(?s)serves what it served before: .*licence"):
        deployment.update(image)
    assert deployment.status == "Healthy"
    assert "licence" in deployment.error
    assert deployment.predict([1]) == [2]
    with pytest.raises(OperationFailed, match="(?s)is Failed: .*licence"):
        image.deploy("second")
    with pytest.raises(InvalidArgument, match="an image or a model"):
        deployment.update("times")


def test_a_name_is_taken_once_and_said_before_anything_is_built(workspace, deployment, model, script):
    with pytest.raises(Conflict, match="'times' exists already: update it"):
        model.deploy("times", scoring=script, sample=[1])
    assert [image.version for image in workspace.images.list(name="times")] == [1]
    with pytest.raises(Conflict, match="deployments need it"):
        workspace.images.delete("times", 1)
    with pytest.raises(NotFound, match="no deployment 'other'; there are 'times'"):
        workspace.deployments.get("other")


def test_commands_do_the_same(workspace, deployment, tmp_path):
    def aml(*arguments):
        done = subprocess.run(
            [*AML, "-w", workspace.location, *arguments], capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    (tmp_path / "rows.json").write_text("[5]")
    assert json.loads(aml("deployment", "predict", "times", str(tmp_path / "rows.json"))) == [10]
    assert json.loads(aml("deployment", "list", "--json"))[0]["status"] == "Healthy"
    assert "1" in aml("deployment", "metrics", "times")
    tree = aml("trace", "times").splitlines()
    assert [line.strip("└─ ").split()[0] for line in tree] == ["deployment", "image", "manifest", "model"]
    assert "Stopped" in aml("deployment", "stop", "times")
    assert "Healthy" in aml("deployment", "start", "times")
    rotated = aml("deployment", "keys", "times", "--rotate", "secondary", "--key", "secondary").strip()
    assert rotated == deployment.keys().secondary
    assert aml("image", "show", "times", "--json")
    assert "def run(data)" in aml("manifest", "show", "times")


@pytest.mark.xdist_group("shared_image")
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda image: image.deploy("Wrong Name"), "lower-case letters"),
        (
            lambda image: image.deploy("a", target="nowhere"),
            "no target 'nowhere' for deployments; there are: .*process",
        ),
        (lambda image: image.deploy("a", replicas=0), "replicas"),
        (lambda image: image.deploy("a", replicas="two"), "replicas"),
        (lambda image: image.deploy("a", settings={"keys": False}), "an amlsdk.ScoringSettings"),
        (lambda image: image.deploy("a", settings=amlsdk.ScoringSettings(timeout_s=-1.0)), "timeout_s"),
        (lambda image: image.deploy("a", environment_variables=["A"]), "texts by name"),
        (lambda image: image.deploy("a", wait="no"), "wait is True or False"),
        (lambda image: image.manifest.build_image(builder="nobody"), "no builder 'nobody'; there are: .*oci"),
        (lambda image: image.manifest.build_image(base=3), "build_image: base is a path, not int 3"),
        (lambda image: image.manifest.compare(image), "compare\\(other=...\\) is a manifest"),
        (lambda image: image.manifest.new_version(trusted="yes"), "trusted is True or False"),
        (lambda image: image.save(3), "save: path is a path, not int 3"),
    ],
)
def test_what_can_not_be_meant_is_refused(shared_image, call, message):
    with pytest.raises(InvalidArgument, match=message):
        call(shared_image)


@pytest.fixture(scope="module")
def shared_image(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shared")
    (folder / "score.py").write_text(SCRIPT)
    with amlsdk.connect(folder / "workspace") as workspace:
        model = register(workspace, folder, 2)
        yield model.create_manifest("times", scoring=folder / "score.py", sample=[1]).build_image()


def test_a_build_that_is_not_waited_for_goes_on_by_itself(workspace, model, script):
    """In a process of its own, whose log is followed from here."""
    manifest = model.create_manifest("times", scoring=script, sample=[1])
    image = manifest.build_image(wait=False)
    lines = list(image.logs(follow=True))
    assert image.wait(60).status == "Completed"
    assert "built sha256:" in lines[-1]
    assert image.digest == manifest.build_image().digest


def test_a_build_is_cancelled(workspace, model, script):
    manifest = model.create_manifest("times", scoring=script, sample=[1])
    image = manifest.build_image(wait=False)
    image.cancel()
    with pytest.raises(OperationFailed, match="is Canceled"):
        image.wait(30)
    with pytest.raises(Conflict, match="can't be deployed: it is Canceled"):
        image.deploy("times")
    workspace.images.delete(image)
    assert workspace.images.list() == []
