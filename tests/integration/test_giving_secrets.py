"""Secrets from where they are set to the scripts that use them, and in nothing that is kept."""

import base64
import io
import json
import sys
import time

import pytest
from click.testing import CliRunner
from deployer_images import recorded, small_image

import amlsdk
from amlsdk.cli.app import add_commands, aml
from amlsdk.errors import InvalidArgument, MissingDependency, NotFound, OperationFailed
from amlsdk.resources.image import Image

VALUE = "hunter2/correct-horse ä"
PRINTS = """
import base64, os, sys
value = os.environ["DB_PASSWORD"]
print("plain", value)
print("encoded", base64.b64encode(b"user:" + value.encode()).decode())
print(dict(os.environ))
for letter in value:
    print(letter, end="", flush=True)
print(" in pieces")
open("outputs/length", "w").write(str(len(value)))
raise ValueError(f"can't sign in with {value}")
"""
SCORES = """
import os
print("loaded with", os.environ["DB_PASSWORD"], flush=True)
def run(data):
    print("asked with", os.environ["DB_PASSWORD"], flush=True)
    return len(os.environ["DB_PASSWORD"])
"""
REFUSES = "import os\nraise ValueError('no such user: ' + os.environ['DB_PASSWORD'])\n"


def until(fact, timeout_s=30):
    deadline = time.monotonic() + timeout_s
    while not (found := fact()):
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.01)
    return found


def files_with(folder, value):
    """Return the files below a folder that have a value in them, as it is or in base64."""
    looked_for = [value.encode(), base64.b64encode(value.encode())[:16]]
    return [
        path for path in folder.rglob("*") if path.is_file() and any(form in path.read_bytes() for form in looked_for)
    ]


def test_secrets_are_set_listed_read_and_deleted(workspace):
    secrets = workspace.secrets
    assert list(secrets) == []
    assert repr(secrets) == "no secrets"
    secrets.set("db-password", VALUE)
    secrets.set("api_key", "other")
    assert list(secrets) == ["api_key", "db-password"]
    assert [record.name for record in secrets.list()] == ["api_key", "db-password"]
    assert secrets.get("db-password") == secrets["db-password"] == VALUE
    assert "db-password" in secrets
    assert "nothing" not in secrets
    assert "hunter2" not in repr(secrets)
    secrets.delete("api_key")
    secrets.delete("api_key")
    with pytest.raises(NotFound, match="no secret 'api_key'; there are 'db-password'"):
        secrets.get("api_key")
    with pytest.raises(InvalidArgument, match="the secret 'x' is a text, not bytes"):
        secrets.set("x", b"hunter2")


@pytest.mark.parametrize("secrets", [{"DB_PASSWORD": "db-password"}, ["db-password"]])
def test_a_script_is_given_a_secret_that_nothing_keeps(workspace, experiment, code, tmp_path, secrets):
    code("train.py", PRINTS)
    workspace.secrets.set("db-password", VALUE)
    run = experiment.submit("train.py", secrets=secrets)
    shown = io.StringIO()
    run.wait(60, show_output=shown, raise_on_error=False)
    assert run.outputs.read_text("length") == str(len(VALUE))
    lines = list(run.logs())
    assert lines[0] == "plain ***"
    assert lines[1].startswith("encoded ")
    assert lines[1].endswith("***")
    assert "'DB_PASSWORD': '***'" in lines[2]
    assert lines[3] == "*** in pieces"
    assert lines[-1] == "ValueError: can't sign in with ***"
    assert run.error.startswith("exit code 1: ValueError: can't sign in with ***")
    assert run.record.job.secrets == {"DB_PASSWORD": "db-password"}
    assert "hunter2" not in repr((run.record, run.context)) + shown.getvalue()
    run.resubmit().wait(60, raise_on_error=False)
    assert files_with(tmp_path, VALUE) == []


def test_what_can_not_be_given_is_refused_before_anything_is_sent(workspace, experiment, code):
    code("train.py", "")
    workspace.secrets.set("db-password", VALUE)
    for secrets, says in [
        (["nothing"], "this workspace has no secret 'nothing'; there are 'db-password'"),
        ({"A B": "db-password"}, "can't name an environment variable"),
        ({"AMLSDK_TOKEN": "db-password"}, "set by amlsdk itself"),
        ({"GIVEN": "db-password"}, "GIVEN is among the environment variables already"),
        ("db-password", "is a list of names of secrets"),
        ({"X": 5}, "can't name a secret"),
    ]:
        with pytest.raises(InvalidArgument, match=says):
            experiment.submit("train.py", secrets=secrets, environment_variables={"GIVEN": "x"})
    assert experiment.runs.list() == []


def test_a_secret_that_is_gone_by_the_start_fails_the_run_with_the_reason(workspace, experiment, code, tmp_path):
    code("wait.py", f"import os, time\nwhile not os.path.exists({str(tmp_path / 'go')!r}): time.sleep(0.01)\n")
    code("train.py", PRINTS)
    workspace.update(slots=1)
    workspace.secrets.set("db-password", VALUE)
    first = experiment.submit("wait.py")
    second = experiment.submit("train.py", secrets=["db-password"])
    workspace.secrets.delete("db-password")
    (tmp_path / "go").touch()
    first.wait(60)
    second.wait(60, raise_on_error=False)
    assert second.status == "Failed"
    assert second.error.startswith("it could not be started: the secret 'db-password' for DB_PASSWORD can't be had")
    assert list(second.logs()) == []
    with pytest.raises(InvalidArgument, match="no secret 'db-password'"):
        second.resubmit()


def test_a_later_run_is_given_the_present_value(workspace, experiment, code):
    code("train.py", "import os\nopen('outputs/value', 'w').write(os.environ['V'][::-1])\n")
    workspace.secrets.set("v", "first value")
    first = experiment.submit("train.py", secrets={"V": "v"}).wait(60)
    workspace.secrets.set("v", "second value")
    assert first.outputs.read_text("value") == "first value"[::-1]
    assert first.resubmit().wait(60).outputs.read_text("value") == "second value"[::-1]


def test_a_run_that_a_script_submits_is_not_given_its_secrets(workspace, experiment, code, tmp_path):
    code("child.py", "import os\nprint(sorted(name for name in os.environ if 'PASSWORD' in name))\n")
    code(
        "train.py",
        "import os, amlsdk\n"
        "assert os.environ['DB_PASSWORD']\n"
        "with amlsdk.connect(os.environ['AMLSDK_SERVICE_URL']) as workspace:\n"
        "    experiment = workspace.projects.get('wine').experiments.get('train')\n"
        "    child = experiment.submit('child.py', folder='.').wait(60)\n"
        "    print(list(child.logs()))\n",
    )
    workspace.update(slots=2)
    workspace.secrets.set("db-password", VALUE)
    run = experiment.submit("train.py", secrets=["db-password"]).wait(60)
    assert list(run.logs()) == ["['[]']"]


def test_a_deployment_is_given_a_secret_that_its_log_does_not_show(workspace, tmp_path):
    client = workspace._client
    workspace.secrets.set("db-password", VALUE)
    image = Image(client, recorded(client, small_image(client.blobs, SCORES)))
    deployment = image.deploy("wine", secrets=["db-password"], timeout_s=60)
    try:
        assert deployment.record.secrets == {"DB_PASSWORD": "db-password"}
        until(lambda: any("loaded with ***" in line for line in deployment.logs()))
        assert not any("hunter2" in line for line in deployment.logs())
    finally:
        deployment.stop(timeout_s=60)
    assert files_with(tmp_path, VALUE) == []
    deployment.delete()


def test_a_deployment_that_fails_does_not_say_its_secret(workspace, tmp_path):
    client = workspace._client
    workspace.secrets.set("db-password", VALUE)
    image = Image(client, recorded(client, small_image(client.blobs, REFUSES)))
    with pytest.raises(OperationFailed, match=r"no such user: \*\*\*"):
        image.deploy("wine", secrets=["db-password"], timeout_s=60)
    with pytest.raises(InvalidArgument, match="secrets: this workspace has no secret 'nothing'"):
        image.deploy("beer", secrets=["nothing"])
    assert "beer" not in workspace.deployments
    assert files_with(tmp_path, VALUE) == []
    workspace.deployments.delete("wine")


def test_a_folder_without_cryptography_says_what_to_install(folder_workspace, monkeypatch):
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.ciphers.aead", None)
    with pytest.raises(MissingDependency, match=r"pip install 'amlsdk\[secrets\]'"):
        folder_workspace.secrets.set("x", VALUE)
    assert list(folder_workspace.secrets) == []


@pytest.fixture
def command(tmp_path):
    """Run `aml secret ...`; `command("list", given="text of standard input")`."""
    add_commands()

    def run(*arguments, given=None):
        words = ["-w", str(tmp_path / "workspace"), "secret", *arguments]
        return CliRunner().invoke(aml, words, input=given, catch_exceptions=False)

    return run


def test_the_command_takes_values_from_standard_input_and_files(command, tmp_path):
    assert command("set", "db-password", given=f"{VALUE}\n").output == "set db-password\n"
    assert command("get", "db-password").output == f"{VALUE}\n"
    (tmp_path / "key").write_text("two\nlines\n")
    assert command("set", "key", "--value-file", str(tmp_path / "key")).exit_code == 0
    assert json.loads(command("get", "key", "--json").output) == {"name": "key", "value": "two\nlines\n"}
    listed = command("list").output
    assert "db-password" in listed
    assert "hunter2" not in listed
    assert [record["name"] for record in json.loads(command("list", "--json").output)] == ["db-password", "key"]
    assert command("delete", "key").exit_code == 0
    assert "key" not in command("list").output.split()
    # A value among the arguments would show in the list of processes.
    assert command("set", "db-password", "hunter2").exit_code == 2


def test_the_command_submits_and_deploys_with_secrets(command, tmp_path, monkeypatch, code):
    command("set", "db-password", given=VALUE)
    code("train.py", "import os\nprint('given', os.environ['DB'], os.environ['DB_PASSWORD'])\n")
    monkeypatch.chdir(tmp_path)
    words = ["-w", str(tmp_path / "workspace"), "submit", "--folder", "code"]
    words += ["--secret", "DB=db-password", "--secret", "db-password", "train.py"]
    done = CliRunner().invoke(aml, words, catch_exceptions=False, standalone_mode=False)
    assert "given *** ***" in done.output
    with amlsdk.connect(tmp_path / "workspace") as workspace:
        (run,) = workspace.runs.list()
        assert run.record.job.secrets == {"DB": "db-password", "DB_PASSWORD": "db-password"}
