"""A workspace that lies among a project's or a model's files is never read as such.

Whoever opens and closes the catalogue's file beside SQLite drops the locks of the whole process.
"""

import pytest

import amlsdk
from amlsdk.errors import InvalidArgument


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with a script and an open workspace in it, which holds some runs."""
    (tmp_path / "train.py").write_text("import amlsdk; amlsdk.Run.current().log('loss', 1.0)")
    monkeypatch.chdir(tmp_path)
    with amlsdk.connect("workspace") as workspace:
        yield workspace.projects.create("p", folder=tmp_path).experiments.create("e")


def test_a_folder_is_kept_without_the_workspace_in_it(project):
    with project.start_run() as run:
        run.log_input("data", ".")
        run.upload_folder("all", ".")
    assert [file.path for file in run.outputs] == ["outputs/all/train.py"]
    submitted = project.submit("train.py", inputs={"data": "."}).wait(60)
    assert [file.path for file in submitted.snapshot.files] == ["train.py"]
    again = project.submit("train.py").wait(60)
    assert again.metrics == {"loss": 1.0}
    assert len(project.runs.list()) == 3


def test_the_files_of_another_open_workspace_are_left_out_too(project, tmp_path):
    with amlsdk.connect(tmp_path / "other"):
        submitted = project.submit("train.py").wait(60)
    assert [file.path for file in submitted.snapshot.files] == ["train.py"]


@pytest.mark.parametrize("path", ["workspace", "workspace/catalogue.sqlite", "workspace/catalogue.sqlite-wal"])
def test_the_workspace_itself_is_refused_by_name(project, path):
    with project.start_run() as run:
        with pytest.raises(InvalidArgument, match="workspace"):
            run.log_input("data", path)
        if "." in path:
            with pytest.raises(InvalidArgument, match="workspace"):
                run.upload_file("data", path)
    with pytest.raises(InvalidArgument, match="workspace"):
        project.submit("train.py", inputs={"data": path})
    assert run.status == "Completed"


def test_a_file_of_that_name_elsewhere_is_a_file(project, tmp_path):
    (tmp_path / "catalogue.sqlite").write_text("mine")
    with project.start_run() as run:
        run.upload_file("catalogue.sqlite", "catalogue.sqlite")
    assert run.outputs.read_text("catalogue.sqlite") == "mine"
