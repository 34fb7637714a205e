"""Images in other hands: a real Docker Engine runs them, skopeo copies and inspects them."""

import contextlib
import json
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest
from docker_engine import engine, why_not
from ports import free_port

import amlsdk

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="containers are of Linux"),
    # One engine is enough.
    pytest.mark.xdist_group("docker"),
]
needs_docker = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))
needs_skopeo = pytest.mark.skipif(shutil.which("skopeo") is None, reason="there is no skopeo: apt-get install skopeo")
KEY = "a-key-for-this-test"
SCORE = """
import json, os
from amlsdk.scoring import model_path

def init():
    global weights
    # As scripts of 2017 do it, and by name.
    weights = json.loads(open("weights.json").read())
    assert weights == json.loads(model_path("weights").read_text())

def run(rows):
    return {"sums": [sum(w * x for w, x in zip(weights, row)) for row in rows], "uid": os.getuid()}
"""


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    with amlsdk.connect(tmp_path_factory.mktemp("docker") / "workspace") as workspace:
        yield workspace


@pytest.fixture(scope="module")
def image(workspace, tmp_path_factory):
    """An image of a model that is a list of weights."""
    folder = tmp_path_factory.mktemp("model")
    (folder / "weights.json").write_text("[1, 10, 100]")
    (folder / "score.py").write_text(SCORE)
    model = workspace.models.create("weights", folder / "weights.json")
    manifest = model.create_manifest("weights", scoring=folder / "score.py", sample={"rows": [[1, 2, 3]]})
    return manifest.build_image("Weighted sums")


@pytest.fixture(scope="module")
def archive(image, tmp_path_factory):
    return image.save(tmp_path_factory.mktemp("saved") / "weights.tar")


@pytest.fixture(scope="module")
def docker():
    with engine() as started:
        yield started


@pytest.fixture(scope="module")
def loaded(docker, archive):
    assert docker.docker("load", "--input", archive) == "Loaded image: weighted-sums:1"
    return "weighted-sums:1"


def ask(port, path, body=None, key=KEY):
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data, headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as reply:  # noqa: S310  # http, as is written above
            return reply.status, reply.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


@contextlib.contextmanager
def serving(docker, name, *options):
    """Run a container and wait until it is ready; gives its id and port."""
    port = free_port()
    variables = ("--env", f"AMLSDK_PRIMARY_KEY={KEY}")
    container = docker.docker("run", "--detach", "--network", "host", *variables, *options, name, "--port", port)
    try:
        deadline = time.monotonic() + 90
        while True:
            with contextlib.suppress(OSError):
                if ask(port, "/readyz")[0] == 200:
                    break
            logs = docker.docker("logs", container, check=False)
            assert docker.inspect(container)["State"]["Running"], logs.stdout + logs.stderr
            assert time.monotonic() < deadline, logs.stdout + logs.stderr
            time.sleep(0.05)
        yield container, port
    finally:
        docker.docker("rm", "--force", container)


@needs_docker
def test_a_container_answers_as_the_model_does_and_stops_cleanly(docker, loaded):
    """On a read-only file system, without root and without any right; `docker stop` ends it with exit code 0."""
    options = ("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")
    with serving(docker, loaded, *options) as (container, port):
        status, reply = ask(port, "/score", {"rows": [[1, 2, 3], [0, 0, 1]]})
        assert (status, json.loads(reply)) == (200, {"result": {"sums": [321, 100], "uid": 65532}})
        assert ask(port, "/score", {"rows": [[1, 2, 3]]}, key="another")[0] == 401
        begun = time.monotonic()
        docker.docker("stop", container)
        assert time.monotonic() - begun < 8
        assert docker.inspect(container)["State"]["ExitCode"] == 0


@pytest.fixture(scope="module")
def wine():
    """Data, and a scikit-learn model of them."""
    from sklearn.datasets import load_wine
    from sklearn.tree import DecisionTreeClassifier

    data = load_wine(as_frame=True)
    return data.data, DecisionTreeClassifier(max_depth=4, random_state=0).fit(data.data, data.target)


@pytest.fixture(scope="module")
def wine_archive(workspace, wine, tmp_path_factory):
    data, tree = wine
    manifest = workspace.models.create("wine", tree).create_manifest("wine", sample=data.head(3))
    return manifest.build_image("wine").save(tmp_path_factory.mktemp("saved") / "wine.tar")


@needs_docker
def test_an_image_of_a_model_predicts_what_the_model_predicts(docker, wine, wine_archive):
    """A scikit-learn model gives the same in a container as in this process."""
    data, tree = wine
    docker.docker("load", "--input", wine_archive)
    with serving(docker, "wine:1", "--read-only") as (_, port):
        status, reply = ask(port, "/score", {"data": data.to_dict("records")})
    assert status == 200
    assert json.loads(reply) == {"result": tree.predict(data).tolist()}


@needs_docker
def test_a_container_without_keys_refuses_to_start(docker, loaded):
    done = docker.docker("run", "--rm", "--network", "host", loaded, check=False)
    assert done.returncode != 0
    assert "AMLSDK_PRIMARY_KEY" in done.stderr


@needs_docker
def test_what_the_engine_sees_is_what_was_built(docker, loaded, image):
    """Digest of the configuration, platform, labels and user."""
    found = docker.inspect(loaded)
    assert f"{found['Os']}/{found['Architecture']}" == image.record.platform
    assert found["Config"]["User"] == "65532:65532"
    assert found["Config"]["Labels"]["amlsdk.manifest.digest"] == image.manifest.digest.removeprefix("sha256:")
    assert found["RootFS"]["Layers"] == [f"sha256:{layer.diff_id}" for layer in image.record.layers]


@needs_docker
def test_an_image_on_a_base_runs_with_the_pythons_of_the_base(docker, loaded, image, tmp_path):
    """What `docker save` writes is a base; here it is an image made by amlsdk, which has a Python."""
    docker.docker("save", "--output", tmp_path / "base.tar", loaded)
    again = image.manifest.build_image("on a base", base=str(tmp_path / "base.tar"))
    docker.docker("load", "--input", again.save(tmp_path / "again.tar"))
    with serving(docker, "on-a-base:1", "--read-only") as (_, port):
        assert json.loads(ask(port, "/score", {"rows": [[1, 1, 1]]})[1])["result"]["sums"] == [111]
    assert docker.inspect("on-a-base:1")["Config"]["Entrypoint"][0].startswith("/usr/local/bin/python3.")


def skopeo(*arguments):
    done = subprocess.run(["skopeo", *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@needs_skopeo
def test_skopeo_inspects_what_was_built(archive, image):
    found = json.loads(skopeo("inspect", f"oci-archive:{archive}"))
    assert found["Digest"] == image.digest
    assert found["Layers"] == [f"sha256:{layer.digest}" for layer in image.record.layers]
    assert found["Labels"]["amlsdk.manifest.digest"] == image.manifest.digest.removeprefix("sha256:")


@needs_skopeo
@pytest.mark.parametrize("form", ["oci-archive", "docker-archive"])
def test_skopeo_copies_the_archive(archive, tmp_path, image, form):
    skopeo("--insecure-policy", "copy", f"{form}:{archive}", f"dir:{tmp_path / 'out'}")
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert len(manifest["layers"]) == len(image.record.layers)


@needs_skopeo
def test_skopeo_copies_the_layout(tmp_path, image):
    """A path that ends in a slash gets a folder, which tools read as `oci:`."""
    folder = image.save(f"{tmp_path / 'layout'}/")
    skopeo("--insecure-policy", "copy", f"oci:{folder}:weighted-sums:1", f"dir:{tmp_path / 'out'}")
    found = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert [layer["digest"] for layer in found["layers"]] == [f"sha256:{one.digest}" for one in image.record.layers]
