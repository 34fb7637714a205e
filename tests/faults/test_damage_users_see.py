"""Damage, full disks, old and read-only workspaces, and wrong clocks, as those meet them who only know `connect`."""

import itertools
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import orjson
import pytest

import amlsdk
from amlsdk.errors import InvalidArgument, OperationFailed, Unavailable

OLD = Path(__file__).parents[1] / "data" / "workspace-0001.sqlite"
can_mount = sys.platform == "linux" and os.geteuid() == 0
needs_mount = pytest.mark.skipif(not can_mount, reason="only root on Linux may mount a small disk")

# Everything is loaded before the rights are given up: they may be needed to read it.
AS_NOBODY = """
import os, sys, amlsdk
def look(folder):
    workspace = amlsdk.connect(folder)
    run = workspace.runs.list()[0]
    assert (run.status, run.metrics, list(run.series("loss").values)) == ("Completed", {"loss": 0.5}, [0.5])
    assert run.outputs.read_text("made") == "whole"
    return workspace, run
scratch, _ = look(sys.argv[1])
with scratch.experiments.get("e").start_run() as own:
    own.log("loss", 1.0)
scratch.close()
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
workspace, run = look(sys.argv[2])
for write in (lambda: workspace.projects.create("q"), lambda: workspace.experiments.get("e").start_run()):
    try:
        write()
    except amlsdk.errors.Unavailable as error:
        assert "read-only; make the folder and its files writable" in str(error), error
    else:
        raise AssertionError("it was written")
run.log("more", 1.0)
try:
    run.flush()
except amlsdk.errors.Unavailable as error:
    assert "1 metric (still in memory)" in str(error), error
else:
    raise AssertionError("it was written")
os._exit(0)
"""


@pytest.fixture
def workspace(tmp_path):
    with amlsdk.connect(tmp_path / "workspace") as workspace:
        yield workspace


@pytest.fixture
def experiment(workspace, tmp_path):
    code = tmp_path / "code"
    code.mkdir()
    (code / "train.py").write_text(
        "open('outputs/weights', 'w').write('w' * 1000)\nopen('outputs/good', 'w').close()\n"
    )
    return workspace.projects.get_or_create("p", folder=code).experiments.get_or_create("e")


def blob_of(workspace, digest):
    return Path(workspace.location) / "blobs" / digest[:2] / digest[2:]


def damage(path, at):
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.chmod(0o644)
    path.write_bytes(content)


def journals_of(workspace):
    return sorted((Path(workspace.location) / "journals").glob("*.jsonl"))


def fill(place):
    with (place / "else").open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass


def test_a_damaged_blob_is_named_by_all_that_would_hand_it_out(workspace, experiment, tmp_path):
    run = experiment.submit("train.py").wait(60)
    model = run.register_model("m", "outputs/weights")
    digest = run.outputs.get("weights").digest
    damage(blob_of(workspace, digest), 500)
    for use in (
        lambda: run.outputs.open("weights").read(),
        lambda: run.outputs.read_text("weights"),
        lambda: run.outputs.download(tmp_path / "outputs"),
        lambda: model.download(tmp_path / "model"),
        lambda: experiment.submit("train.py", inputs={"before": run.outputs}).wait(60),
    ):
        with pytest.raises(OperationFailed, match=f"blob {digest} is damaged"):
            use()
    assert not (tmp_path / "outputs" / "outputs" / "weights").exists()
    assert not (tmp_path / "model").exists() or list((tmp_path / "model").rglob("weights")) == []
    assert run.outputs.read_text("good") == ""


def test_a_damaged_snapshot_is_never_run(workspace, experiment, tmp_path):
    run = experiment.submit("train.py").wait(60)
    (entry,) = run.snapshot.files
    damage(blob_of(workspace, entry.digest), 5)
    with pytest.raises(OperationFailed, match=f"could not be started: blob {entry.digest} is damaged"):
        run.resubmit().wait(60)
    with pytest.raises(OperationFailed, match="is damaged"):
        run.snapshot.checkout(tmp_path / "restored")
    assert not (tmp_path / "restored" / "train.py").exists()


def test_a_damaged_line_of_a_journal_costs_one_point_of_the_run(workspace, experiment, caplog):
    run = experiment.start_run()
    for step in range(10):
        run.log("loss", step * 0.5)
    run.flush()
    (journal,) = [path for path in journals_of(workspace) if b'"loss"' in path.read_bytes()]
    damage(journal, journal.read_bytes().index(b'"x":2.0') + 4)
    with caplog.at_level(logging.WARNING, logger="amlsdk"):
        run.complete()
        assert list(run.series("loss").steps) == [0, 1, 2, 3, 5, 6, 7, 8, 9]
    assert run.status == "Completed"
    assert f"1 lines of a journal of run {run.id} were damaged" in caplog.text


def test_a_copy_of_the_journals_put_back_doubles_nothing(workspace, experiment, tmp_path):
    folder = Path(workspace.location) / "journals"
    with experiment.start_run() as run:
        for step in range(100):
            run.log("loss", step)
            if step == 50:
                shutil.copytree(folder, tmp_path / "half")
        run.flush()
        shutil.copytree(folder, tmp_path / "whole")
    assert len(run.series("loss")) == 100
    for copy in ("half", "whole"):
        shutil.copytree(tmp_path / copy, folder, dirs_exist_ok=True)
        assert list(run.series("loss").values) == list(range(100))
    assert (run.status, run.metrics) == ("Completed", {"loss": 99.0})


def test_what_is_no_file_among_the_journals_is_left_alone(workspace, experiment, tmp_path):
    """A pipe would hold up whoever opens it, and a link may lead to what is no journal."""
    folder = Path(workspace.location) / "journals"
    (tmp_path / "precious").write_text("mine\n")
    with experiment.start_run() as run:
        run.log("loss", 0.5)
        os.mkfifo(folder / f"{run.id}.{'0' * 16}.jsonl")
        (folder / f"{run.id}.{'1' * 16}.jsonl").mkdir()
        (folder / f"{run.id}.{'2' * 16}.jsonl").symlink_to(tmp_path / "precious")
    assert (run.status, run.metrics) == ("Completed", {"loss": 0.5})
    odd = {f"{run.id}.{digit * 16}.jsonl" for digit in "012"}
    assert odd <= {path.name for path in folder.iterdir()}
    assert (tmp_path / "precious").read_text() == "mine\n"


@needs_mount
def test_a_disk_that_is_full_stops_no_log_and_loses_nothing(tmp_path, caplog):
    place = tmp_path / "disk"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", place], check=True)
    try:
        with amlsdk.connect(place / "workspace") as workspace:
            experiment = workspace.projects.get_or_create("p").experiments.get_or_create("e")
            run = experiment.start_run()
            fill(place)
            for step in range(2000):
                run.log("loss", step)
            for refused in (run.flush, run.complete, run.complete):
                with pytest.raises(Unavailable, match=r"metric.*\(still in memory\).*No space left on device"):
                    refused()
            with pytest.raises(Unavailable, match="No space left|disk is full"):
                experiment.start_run()
            (place / "else").unlink()
            run.complete()
            assert run.status == "Completed"
            assert list(run.series("loss").values) == list(range(2000))
            assert sum("is kept in memory" in record.message for record in caplog.records) == 1
    finally:
        subprocess.run(["umount", "-l", place], check=True)


@pytest.fixture
def place():
    """A folder that all may look into; those of pytest have parents that only their owner may enter."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_a_read_only_workspace_is_read_and_says_why_it_is_not_written(place):
    for name in ("scratch", "closed"):
        with amlsdk.connect(place / name) as workspace:
            (place / "made").write_text("whole")
            with workspace.projects.get_or_create("p").experiments.get_or_create("e").start_run() as run:
                run.log("loss", 0.5)
                run.upload_file("made", place / "made")
            assert run.metrics == {"loss": 0.5}
    closed = [place / "closed", *(place / "closed").rglob("*")]
    try:
        for path in closed:
            path.chmod(0o555 if path.is_dir() else 0o444)
        command = [sys.executable, "-c", AS_NOBODY, place / "scratch", place / "closed"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    finally:
        for path in closed:
            path.chmod(0o700)
    assert done.returncode == 0, done.stderr


def test_a_workspace_of_an_older_schema_is_read_and_goes_on(tmp_path):
    folder = tmp_path / "old"
    for part in ("journals", "runs", "cache"):
        (folder / part).mkdir(parents=True)
    shutil.copy(OLD, folder / "catalogue.sqlite")
    (folder / "workspace.json").write_bytes(orjson.dumps({"format": 1, "id": "01kdyj3a0000000000000000w1"}))
    with amlsdk.connect(folder) as workspace:
        before = {run.id: run.metrics for run in workspace.runs}
        assert {"loss": 0.25} in before.values()
        with workspace.projects.list()[0].experiments.list()[0].start_run() as run:
            run.log("loss", 0.125)
        assert {run.id: run.metrics for run in workspace.runs} == before | {run.id: {"loss": 0.125}}


def test_a_folder_of_the_network_is_refused_with_the_remedy(tmp_path, monkeypatch):
    monkeypatch.setattr("amlsdk.local.folder.mounts", lambda: {"/": "ext4", str(tmp_path): "nfs4"})
    with pytest.raises(InvalidArgument, match=r"nfs4.*Keep the workspace on a local disk.*aml serve"):
        amlsdk.connect(tmp_path / "w").runs.list()
    assert not (tmp_path / "w").exists()


def test_a_clock_that_is_set_back_again_and_again_harms_no_run(workspace, experiment, monkeypatch):
    clock = itertools.count(time.time_ns(), -3_600_000_000_000)
    monkeypatch.setattr(time, "time_ns", lambda: next(clock))
    runs = []
    for _ in range(3):
        with experiment.start_run() as run:
            for step in range(20):
                run.log("loss", step)
        runs.append(run)
    assert [run.status for run in runs] == ["Completed"] * 3
    assert [list(run.series("loss").values) for run in runs] == [list(range(20))] * 3
    assert {run.id for run in workspace.runs} == {run.id for run in runs}
    assert all(run.metrics == {"loss": 19.0} for run in runs)
