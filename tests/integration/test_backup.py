"""A backup is worth what its restoring is: rehearsed here, of a service that goes on being used."""

import runpy
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from served import serving

from amlsdk.errors import OperationFailed

BACKUP = Path(__file__).parents[2] / "examples" / "service" / "backup.py"


def back_up(root, copy, code=0):
    done = subprocess.run([sys.executable, str(BACKUP), str(root), str(copy)], capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    return done.stderr


def git(folder, *arguments):
    who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com"]
    done = subprocess.run(["git", "-C", str(folder), *who, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def commit(folder, text):
    (folder / "train.py").write_text(text)
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "-m", text)


def publish(workspace, folder, name="published"):
    """A project whose code is in git, on a branch that is called as what a backup passes over elsewhere."""
    folder.mkdir()
    git(folder, "init", "--quiet", "--initial-branch=tmp")
    commit(folder, "first")
    return workspace.projects.create(name, folder=folder).publish()


def fill(workspace, tmp_path, number):
    """One more run with points, a file and a secret."""
    experiment = workspace.projects.get_or_create("wine").experiments.get_or_create("train")
    with experiment.start_run(name=f"run {number}") as run:
        for step in range(100):
            run.log("loss", step * number)
        file = tmp_path / f"{number}.bin"
        file.write_bytes(bytes([number]) * 100_000)
        run.upload_file(f"outputs/{number}.bin", file)
    return run.id


def facts_of(workspace, run_id):
    """All that a run has."""
    run = workspace.runs.get(run_id)
    content = run.outputs.open(run.outputs.list()[0].path).read()
    return run.name, run.status, run.metrics["loss"], tuple(run.series("loss").values), content


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("AMLSDK_HOME", str(tmp_path / "home"))


def test_what_was_backed_up_while_it_was_used_is_restored(tmp_path):
    root, copy = tmp_path / "service", tmp_path / "copy"
    with serving(root) as served, served.connect() as workspace:
        kept = {fill(workspace, tmp_path, number) for number in range(1, 4)}
        workspace.secrets.set("password", "hunter2")
        before = {run_id: facts_of(workspace, run_id) for run_id in kept}
        stop, busy = threading.Event(), threading.Event()

        def use():
            number = 4
            while not stop.is_set():
                fill(workspace, tmp_path, number % 200 + 4)
                number += 1
                busy.set()

        user = threading.Thread(target=use)
        user.start()
        busy.wait()
        back_up(root, copy)
        stop.set()
        user.join()
        token = served.token
        kept_key = (copy / "secrets.key").read_bytes() == (root / "secrets.key").read_bytes()
    assert kept_key
    shutil.rmtree(root)
    shutil.copytree(copy, root)
    with serving(root) as served:
        assert served.token is None
        with served.connect(token) as workspace:
            assert {run_id: facts_of(workspace, run_id) for run_id in kept} == before
            assert {run.status for run in workspace.runs.search()} <= {
                "Completed",
                "Running",
                "NotResponding",
                "Failed",
            }
            assert workspace.secrets.get("password") == "hunter2"
            assert fill(workspace, tmp_path, 250) in {run.id for run in workspace.runs.search()}


def test_a_repository_that_is_pushed_to_is_copied_whole(tmp_path):
    """A push between two steps of a backup is not in it, nor is a new repository; what was pushed before is."""
    copy_stage = runpy.run_path(str(BACKUP))["copy_stage"]
    root, copy = tmp_path / "service", tmp_path / "copy"
    with serving(root) as served, served.connect() as workspace:
        project = publish(workspace, tmp_path / "code")
        first, token = project.head, served.token
        copy.mkdir()
        copy_stage(root, copy, 0)
        copy_stage(root, copy, 1)
        commit(tmp_path / "code", "second")
        assert project.publish().head != first
        publish(workspace, tmp_path / "other", "other")
        copy_stage(root, copy, 2)
    [repository] = copy.rglob("repositories/*.git")
    assert git(repository, "rev-parse", "tmp") == first
    git(repository, "fsck", "--strict")
    with serving(copy) as served, served.connect(token) as workspace:
        assert git(workspace.projects["published"].clone(tmp_path / "clone"), "rev-parse", "HEAD") == first


def test_a_repository_without_a_commit_is_one_in_the_copy_too(tmp_path):
    """Git knows it by folders that are empty; a lock that somebody held while it was copied would stay for ever."""
    root, copy = tmp_path / "service", tmp_path / "copy"
    (root / "service.sqlite").parent.mkdir()
    (root / "service.sqlite").touch()
    repository = root / "workspaces" / "w" / "repositories" / "p.git"
    repository.mkdir(parents=True)
    git(repository, "init", "--quiet", "--bare", "--template=")
    (repository / "refs" / "heads" / "main.lock").touch()
    back_up(root, copy)
    copied = copy / repository.relative_to(root)
    assert git(copied, "rev-parse", "--is-bare-repository") == "true"
    assert not (copied / "refs" / "heads" / "main.lock").exists()


def test_what_people_name_is_copied_whatever_it_is_called(tmp_path):
    root, copy = tmp_path / "blobs", tmp_path / "copy"
    theirs = [f"runs/r/outputs/{name}" for name in ("tmp/a", "cache/b", "scratch/c", "poetry.lock", "catalogue.sqlite")]
    ours = ["blobs/tmp/draft", "blobs/parts/d/1", "cache/image", "scratch/w/x", "catalogue.sqlite-wal"]
    for name in [*theirs, *ours, "secrets.key"]:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("old")
    (root / "service.sqlite").touch()
    back_up(root, copy)
    assert [name for name in theirs if (copy / name).read_text() != "old"] == []
    assert [name for name in ours if (copy / name).exists()] == []
    (root / "secrets.key").write_text("new")
    back_up(root, copy)
    assert (copy / "secrets.key").read_text() == "new"


def test_a_second_backup_takes_what_is_new(tmp_path):
    root, copy = tmp_path / "service", tmp_path / "copy"
    with serving(root) as served, served.connect() as workspace:
        fill(workspace, tmp_path, 1)
        back_up(root, copy)
        blobs = {path: path.stat().st_mtime_ns for path in copy.rglob("blobs/**/*") if path.is_file()}
        fill(workspace, tmp_path, 2)
        back_up(root, copy)
        assert {path: path.stat().st_mtime_ns for path in blobs} == blobs
        assert len([path for path in copy.rglob("blobs/**/*") if path.is_file()]) > len(blobs)


def test_without_its_key_a_secret_is_lost_and_said_to_be(tmp_path):
    root = tmp_path / "service"
    with serving(root) as served, served.connect() as workspace:
        workspace.secrets.set("password", "hunter2")
        token = served.token
    (root / "secrets.key").unlink()
    with serving(root) as served, served.connect(token) as workspace:
        with pytest.raises(Exception, match=r"restore|set the secret again") as raised:
            workspace.secrets.get("password")
        assert not isinstance(raised.value, KeyError)
        workspace.secrets.set("other", "value")
        with pytest.raises(OperationFailed, match="set the secret again"):
            workspace.secrets.get("password")


def test_what_can_not_be_copied_is_one_line(tmp_path):
    folder, copy = tmp_path / "folder", tmp_path / "copy"
    assert "is no folder" in back_up(folder, copy, code=1)
    folder.mkdir()
    assert "is not the folder of a service" in back_up(folder, copy, code=1)
    (folder / "service.sqlite").touch()
    assert "the copy would be in it" in back_up(folder, folder / "copy", code=1)
    assert not copy.exists()
