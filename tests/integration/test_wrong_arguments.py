"""Arguments that can't be meant: refused by name, alike in every mode, before anything is done."""

import numpy as np
import pandas as pd
import pytest

import amlsdk
from amlsdk.errors import AmlError, InvalidArgument, NotFound

NUL = "a\0b"
LONG = "a" * 5000
# What no message may show: the names of requests and of other things inside.
INTERNAL = ("Create", "Read", "Search", "List", "Get", "Update", "Set", "amlsdk.")


def refused(call, says, *, error=InvalidArgument):
    """See that a call is refused with a message that says this, and nothing of what is inside."""
    with pytest.raises(AmlError) as caught:
        call()
    message = str(caught.value)
    assert type(caught.value) is error, message
    assert says in message
    assert not message.startswith(INTERNAL), message


@pytest.fixture
def run(experiment):
    with experiment.start_run() as run:
        yield run


@pytest.mark.parametrize("value", [None, [], [("loss", 1)], "loss", 3])
def test_what_is_logged_by_name_is_a_mapping(run, value):
    refused(lambda: run.log_metrics(value), "log_metrics(metrics=...) is a mapping")
    refused(lambda: run.log_params(value), "log_params(params=...) is a mapping")
    refused(lambda: run.set_tags(value), "set_tags(tags=...) is a mapping")
    refused(lambda: run.log_row("rows", value), "log_row('rows', row=...) is a mapping")
    run.log("loss", 1)
    assert run.metrics == {"loss": 1.0}
    assert (run.params, run.tags) == ({}, {})


class Mute:
    def __str__(self):
        raise RuntimeError("no text")


def test_of_several_values_all_are_kept_or_none(run):
    refused(lambda: run.log_metrics({"a": 1, "b": "x"}), "metric 'b' takes a number")
    refused(lambda: run.log_params({"a": 1, "": 2}), "a name of a param")
    refused(lambda: run.set_tags({"a": 1, 5: 2}), "a name of a tag is a text, not int")
    refused(lambda: run.set_tags({"a": 1, "b": Mute()}), "tag 'b': Mute has no text: RuntimeError")
    assert (run.metrics, run.params, run.tags) == ({}, {}, {})


@pytest.mark.parametrize("value", [None, 3, "text", b"bytes", {"a": 1}, {1, 2}, list])
def test_a_list_is_no_single_value_and_no_text(run, value):
    refused(lambda: run.log_list("values", value), "log_list('values', values=...) is a list")
    assert run.files.list() == [] or all(file.kind == "source" for file in run.files)


def test_a_list_may_be_an_array_a_series_or_a_generator(run):
    refused(lambda: run.log_list("values", np.array(3)), "is a list")
    refused(lambda: run.log_list("values", pd.DataFrame({"a": [1]})), "is a list")
    for values in (
        np.array([0, 1, 4]),
        pd.Series([0, 1, 4]),
        (i * i for i in range(3)),
        {0: 0, 1: 1, 2: 4}.values(),
    ):
        run.log_list("values", values)
        assert run.table("values") == [{"value": 0}, {"value": 1}, {"value": 4}]


@pytest.mark.parametrize("value", [None, 3, object(), [1]])
def test_what_is_no_table_image_matrix_or_input_is_refused_by_the_name_of_the_call(run, value):
    refused(lambda: run.log_table("x", value), "log_table('x'): ")
    refused(lambda: run.log_image("x", value), "log_image('x'): ")
    refused(lambda: run.log_confusion_matrix("x", value), "log_confusion_matrix('x'): ")
    refused(lambda: run.log_input("x", value), "log_input('x'): ")
    refused(lambda: run.log_table(value, [{"a": 1}]), "a name of a table is a text")
    refused(lambda: run.log_image(value, b"\x89PNG\r\n\x1a\n"), "a name of a image is a text")


def test_a_path_that_no_machine_has_is_refused(run):
    refused(lambda: run.log_input("x", LONG), "log_input('x'): data: ")
    refused(lambda: run.log_input("x", NUL), "log_input('x'): data is a path")
    refused(lambda: run.log_input("x", "~nobody-of-this-name/x"), "log_input('x'): data: ")


def test_what_is_uploaded_has_a_name_and_a_path(run, tmp_path):
    file = tmp_path / "a.txt"
    file.write_text("a")
    for bad in (None, 3, "", NUL, LONG, b"a.txt", [file]):
        refused(lambda bad=bad: run.upload_file("x", bad), "upload_file('x', path=...)")
        refused(lambda bad=bad: run.upload_folder("x", bad), "upload_folder('x', path=...)")
    for bad in (None, 3, "", NUL, "../x", "/x", b"x"):
        refused(lambda bad=bad: run.upload_file(bad, file), "upload_file")
        refused(lambda bad=bad: run.upload_folder(bad, tmp_path), "upload_folder")
    assert run.outputs.list() == []


def test_the_folder_of_outputs_takes_folders_and_is_no_file(run, tmp_path):
    (tmp_path / "kept" / "sub").mkdir(parents=True)
    (tmp_path / "kept" / "sub" / "a.txt").write_text("a")
    for name in ("outputs", "outputs/"):
        refused(lambda name=name: run.upload_file(name, tmp_path / "kept/sub/a.txt"), "name a file in it")
        run.upload_folder(name, tmp_path / "kept")
    assert [file.path for file in run.outputs] == ["outputs/sub/a.txt"]


def test_another_object_of_a_run_flushes_what_this_process_logged(run, workspace):
    other = workspace.runs.get(run.id)
    run.log("loss", 1)
    other.flush()
    with amlsdk.connect(workspace.location) as elsewhere:
        assert elsewhere.runs.get(run.id).metrics == {"loss": 1.0}


def test_files_of_a_run_are_named_by_texts(run, tmp_path):
    (tmp_path / "a.bin").write_bytes(b"\xff\xfe")
    run.upload_file("a.bin", tmp_path / "a.bin")
    for bad in (None, 3, b"a.bin"):
        refused(lambda bad=bad: run.outputs.open(bad), "the path of a file of a run is a text")
        refused(lambda bad=bad: run.outputs.get(bad), "the path of a file of a run is a text")
        refused(lambda bad=bad: run.outputs.fileset(bad), "fileset(path=...) is a text")
        refused(lambda bad=bad: run.outputs.download(bad), "download(folder=...) is a path")
    refused(lambda: run.outputs.download(NUL), "download(folder=...) is a path")
    refused(lambda: run.outputs.download(tmp_path / "got", overwrite="no"), "download(overwrite=...) is True or False")
    refused(lambda: run.outputs.read_text("a.bin"), "read_text('a.bin'): the file is not UTF-8")
    assert 3 not in run.outputs


def test_what_a_run_reads_back_is_named_by_texts(run):
    refused(lambda: run.series(3), "a name of a metric is a text, not int")
    run.log("loss", 1)
    refused(lambda: run.series("loss", max_points="many"), "series(max_points=...) is a whole number")
    refused(lambda: run.table(3), "a name of a table is a text, not int")
    refused(lambda: run.table("nope"), "there is no table 'nope'; the run has none", error=NotFound)
    run.log_table("epochs", {"a": [1]})
    run.log_list("losses", [1])
    refused(
        lambda: run.table("nope"),
        "there is no table 'nope'; of those logged whole there are 'epochs', 'losses'",
        error=NotFound,
    )


@pytest.mark.parametrize("value", [None, 3, ValueError])
def test_a_run_fails_with_an_exception_or_a_text(experiment, value):
    run = experiment.start_run()
    refused(lambda: run.fail(value), "fail(error=...) is an exception or a text")
    assert run.status == "Running"
    run.fail("because")
    assert (run.status, run.error) == ("Failed", "because")


def test_runs_are_compared_with_runs_and_ids(experiment, workspace):
    with experiment.start_run("a") as first, experiment.start_run("b") as second:
        second.log("loss", 1)
    assert first.compare(second.id).metrics == first.compare(second).metrics
    assert [run.id for run in experiment.compare(run for run in (first, second.id)).runs] == [first.id, second.id]
    for bad in (3, None, [second]):
        refused(lambda bad=bad: first.compare(bad), "a run is found by its name or id")
    refused(lambda: first.compare(experiment), "a run is expected, not the experiment 'train'")
    for bad in (None, 3, "ab", {"a": 1}):
        refused(lambda bad=bad: workspace.runs.compare(bad), "compare(runs=...) is a list of runs")
    refused(lambda: experiment.compare([1, 2]), "a run is found by its name or id, not by int")
    refused(lambda: experiment.compare([first]), "two or more runs are compared, not 1")


def test_runs_are_searched_by_texts(experiment):
    runs = experiment.runs
    for bad in (3, ["loss"], b"loss"):
        refused(lambda bad=bad: runs.search(bad), "search(filter=...) is a text")
        refused(lambda bad=bad: runs.search(order_by=bad), "search(order_by=...) is a text")
        refused(lambda bad=bad: runs.list(status=bad), "list(status=...): there is no status")
    refused(lambda: runs.list(status="completed"), "there is no status str 'completed'; there are NotStarted")
    for bad in (0, True, 1.5, "1"):
        refused(lambda bad=bad: runs.search(limit=bad), "limit is a whole number from 1 on")
    assert runs.list(status="Completed") == []


def test_members_of_collections_are_found_by_texts(workspace, experiment):
    for collection in (workspace.projects, workspace.experiments, workspace.runs, workspace.models):
        one = collection._one
        for bad in (None, 3, ["x"], b"x"):
            refused(lambda bad=bad, collection=collection: collection.get(bad), f"{one} is found by its name or")
            refused(lambda bad=bad, collection=collection: collection[bad], f"{one} is found by its name or")
            assert bad not in collection
        for bad in (NUL, "\ud800"):
            refused(lambda bad=bad, collection=collection: collection.get(bad), "")
            assert bad not in collection
        assert workspace not in collection
    for collection in (workspace.projects, workspace.experiments, workspace.runs):
        refused(lambda collection=collection: collection.delete(3), "is found by its name or id, not by int")
    refused(lambda: workspace.projects.delete(experiment), "a project is expected, not the experiment 'train'")
    refused(lambda: workspace.projects.list(name=3), "list(name=...) is a text")
    refused(lambda: workspace.experiments.list(name=3), "list(name=...) is a text")
    assert "train" in workspace.experiments


def test_runs_begin_with_names_and_tags(experiment, run):
    for begin, call in ((experiment.start_run, "start_run"), (run.child, "child")):
        for bad in (3, "", NUL, LONG, run.id):
            refused(lambda bad=bad, begin=begin: begin(bad), f"{call}(name=...): ")
        for bad in ([1], [], "owner", 0):
            refused(lambda bad=bad, begin=begin: begin(tags=bad), f"{call}(tags=...) is a mapping of texts by name")
        refused(lambda begin=begin: begin(tags={"a": 1}), f"{call}(tags=...): tag 'a' is a text, not int")
        refused(lambda begin=begin: begin(tags={1: "a"}), f"{call}(tags=...): a name of a tag is a text")
    for bad in (3, "", "first", "../x", run):
        refused(lambda bad=bad: experiment.start_run(resume=bad), "start_run(resume=...) is the id of a run")
    assert len(experiment.runs.list()) == 1


@pytest.mark.parametrize(
    ("what", "says"),
    [
        ({"script": None}, "submit(script=...) is a path, not None"),
        ({"script": 5}, "submit(script=...) is a path, not int 5"),
        ({"script": NUL}, "submit(script=...) is a path"),
        ({"script": LONG}, "submit(script=...): "),
        ({"script": b"train.py"}, "submit(script=...) is a path"),
        ({"arguments": None}, "arguments is a list"),
        ({"arguments": 5}, "arguments is a list"),
        ({"arguments": {"depth": 1}}, "arguments is a list"),
        ({"arguments": [NUL]}, "an argument has a NUL"),
        ({"arguments": [["--depth", 4]]}, "an argument is a text, number or path, not list"),
        ({"tags": ["a"]}, "submit(tags=...) is a mapping"),
        ({"tags": []}, "submit(tags=...) is a mapping"),
        ({"environment_variables": ["a"]}, "submit(environment_variables=...) is a mapping"),
        ({"environment_variables": {"A": NUL}}, "environment variable A has a NUL"),
        ({"inputs": ["a"]}, "submit(inputs=...) is a mapping"),
        ({"inputs": {1: "."}}, "a name of a input is a text"),
        ({"inputs": {"x": ""}}, "inputs={'x': ...} is a path"),
        ({"inputs": {"x": NUL}}, "inputs={'x': ...} is a path"),
        ({"inputs": {"x": LONG}}, "inputs={'x': ...}: "),
        ({"inputs": {"x": "~nobody-of-this-name"}}, "inputs={'x': ...}: "),
        ({"inputs": {"x": "http://[x"}}, "inputs={'x': ...} is no URL"),
        ({"inputs": {"a b": ".", "a_b": "."}}, "'a b': ..., 'a_b': ...}: both would be in the environment variable"),
        ({"target": 3}, "submit(target=...) is a text"),
        ({"name": 3}, "submit(name=...): a name of a run is a text"),
        ({"dependencies": 3}, "submit(dependencies=...) is a path"),
        ({"timeout_s": "3"}, "timeout_s is a positive number"),
        ({"folder": 3}, "submit(folder=...) is a path"),
        ({"folder": NUL}, "submit(folder=...) is a path"),
    ],
)
def test_a_submission_is_looked_at_before_anything_is_sent(experiment, code, what, says):
    code("train.py", "")
    refused(lambda: experiment.submit(**{"script": "train.py", **what}), says)
    assert experiment.runs.list() == []


def test_numbers_of_numpy_are_arguments(experiment, code):
    code("train.py", "")
    run = experiment.submit("train.py", arguments=["--depth", np.int64(3), "--rate", np.float32(0.5)])
    assert run.wait(60).params == {"depth": "3", "rate": "0.5"}


def test_a_run_is_submitted_again_with_arguments_that_can_be_meant(experiment, code):
    code("train.py", "")
    run = experiment.submit("train.py").wait(60)
    refused(lambda: run.resubmit(arguments="x"), "arguments is a list")
    refused(lambda: run.resubmit(target=3), "resubmit(target=...) is a text")
    refused(lambda: run.resubmit(target=""), "there is no target ''")
    refused(lambda: run.resubmit(name=3), "resubmit(name=...): a name of a run is a text")
    refused(lambda: run.resubmit(tags=["a"]), "resubmit(tags=...) is a mapping")
    refused(lambda: run.snapshot.read_text(3), "read_text(path=...) is a text")
    refused(lambda: run.snapshot.checkout(3), "checkout(folder=...) is a path")
    assert len(experiment.runs.list()) == 1


@pytest.mark.parametrize("folder", [3, NUL, LONG, "", b".", "~nobody-of-this-name"])
def test_the_folder_of_a_project_is_a_path(workspace, folder):
    refused(lambda: workspace.projects.create("x", folder=folder), "create(folder=...)")
    assert "x" not in workspace.projects
    project = workspace.projects.create("y")
    refused(lambda: project.update(folder=folder), "update(folder=...)")
    refused(lambda: workspace.projects.get_or_create("y", folder=folder), "get_or_create(folder=...)")


def test_projects_and_experiments_have_names_and_descriptions(workspace, experiment):
    projects, experiments = workspace.projects, workspace.projects["wine"].experiments
    for bad in (3, None, "", LONG, NUL):
        refused(lambda bad=bad: projects.create(bad), "project")
        refused(lambda bad=bad: experiments.create(bad), "experiment")
    refused(lambda: projects.create("x", description=3), "create(description=...) is a text")
    refused(lambda: experiments.create("x", description=3), "create(description=...) is a text")
    refused(lambda: projects["wine"].update(description=3), "update(description=...) is a text")
    refused(lambda: experiment.update(description=3), "update(description=...) is a text")


def test_models_are_made_of_something(workspace, run, tmp_path):
    (tmp_path / "m.bin").write_bytes(b"m")
    models, file = workspace.models, tmp_path / "m.bin"
    refused(lambda: models.create("m", None), "models.create: a model is a path of a file or folder")
    refused(lambda: run.register_model("m", None), "register_model: a model is a path of a file or folder")
    refused(lambda: models.create("m", 3), "models.create: ")
    refused(lambda: models.create("m", NUL), "models.create: the path of a model")
    refused(lambda: models.create("m", LONG), "models.create: the path of a model")
    refused(lambda: models.create(3, file), "a name of a model is a text")
    refused(lambda: models.create("m", file, tags=["a"]), "tags is a mapping")
    refused(lambda: models.create("m", file, aliases="prod"), "aliases is a list of names, not str 'prod'")
    refused(lambda: models.create("m", file, aliases=[3]), "an alias is a text")
    refused(lambda: models.create("m", file, description=3), "the description is a text")
    refused(lambda: run.register_model("m", "outputs/zz"), "keeps nothing at 'outputs/zz'", error=NotFound)
    refused(lambda: run.register_model("m", "zz"), "keeps nothing at 'outputs/zz'", error=NotFound)
    assert models.list() == []


def test_a_model_is_changed_by_texts_and_found_by_version_or_alias(workspace, tmp_path):
    (tmp_path / "m.bin").write_bytes(b"m")
    models = workspace.models
    model = models.create("m", tmp_path / "m.bin")
    refused(lambda: models.get("m", alias="prod"), "model 'm' has no alias 'prod'; it has none", error=NotFound)
    models.create("m", tmp_path / "m.bin", aliases=["best"])
    model.set_alias("old")
    refused(
        lambda: models.get("m", alias="prod"), "model 'm' has no alias 'prod'; there are 'best', 'old'", error=NotFound
    )
    for bad in ("1", 1.0, True, 0):
        refused(lambda bad=bad: models.get("m", bad), "get(version=...) is a whole number")
        refused(lambda bad=bad: models.delete("m", bad), "delete(version=...) is a whole number")
    refused(lambda: models.get("m", alias=3), "get(alias=...) is a text")
    refused(lambda: models.delete(3), "delete(...) takes a model, the id of a version or a name, not int 3")
    refused(lambda: models.list(name=3), "list(name=...) is a text")
    refused(lambda: models.list(run=3), "list(run=...) is a run or its id")
    refused(lambda: model.set_alias(3), "set_alias(alias=...) is a text")
    refused(lambda: model.remove_alias(3), "remove_alias(alias=...) is a text")
    refused(lambda: model.set_tag(3, "x"), "a name of a tag is a text, not int")
    refused(lambda: model.set_tag("x", 3), "tag 'x' is a text, not int")
    refused(lambda: model.update(tags=["x"]), "update(tags=...) is a mapping")
    refused(lambda: model.update(description=3), "update(description=...) is a text")
    refused(lambda: model.load(trusted="no"), "load(trusted=...) is True or False, not str 'no'")
    refused(lambda: model.download(3), "download(folder=...) is a path")
    assert (model.tags, model.aliases) == ({}, ("old",))


@pytest.mark.parametrize(
    ("location", "says"),
    [
        (5, "connect(location=...) is a path, not int 5"),
        ("", "connect(location=...) is a path"),
        (b"x", "connect(location=...) is a path"),
        (NUL, "connect(location=...) is a path"),
        (LONG, "connect(location=...): "),
        ("~nobody-of-this-name/x", "connect(location=...): "),
        ("ftp://x", "there is no ftp://; a workspace is a folder or at one of file://, http://, https://"),
        ("://x", "there is no ://"),
        ("http://[x", "URL"),
    ],
)
def test_a_workspace_is_a_folder_or_a_url(location, says):
    refused(lambda: amlsdk.connect(location), says)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"token": "aml_x"}, "connect(token=...) is for a service; the folder"),
        ({"token": 3}, "connect(token=...) is a text, or a function"),
        ({"workspace": "x"}, "is for a service"),
        ({"create": "no"}, "connect(create=...) is True or False"),
        ({"config": {}}, "connect(config=...) is a Config"),
        ({"session": 3}, "connect(session=...) is a requests.Session"),
    ],
)
def test_the_settings_of_a_connection_have_their_types(tmp_path, settings, says):
    refused(lambda: amlsdk.connect(tmp_path / "workspace", **settings), says)
    assert not (tmp_path / "workspace").exists()


@pytest.mark.parametrize("seconds", ["1", True, 0, -1, float("nan"), float("inf"), [1]])
def test_metrics_of_the_machine_are_taken_every_so_many_seconds(seconds):
    refused(lambda: amlsdk.Config(system_metrics_s=seconds), "Config(system_metrics_s=...) is seconds above 0")


@pytest.mark.parametrize("name", ["capture_source", "capture_context", "progress"])
def test_switches_of_a_config_are_true_or_false(name):
    refused(lambda: amlsdk.Config(**{name: "no"}), f"Config({name}=...) is True or False, not str 'no'")


def test_a_collection_shows_its_first_members(workspace, tmp_path):
    assert repr(workspace.projects) == "no projects"
    assert workspace.models._repr_html_() == "<p>no models</p>"
    for number in range(21):
        workspace.projects.create(f"p{number:02}", folder=tmp_path)
    workspace.projects["p00"].experiments.create("e")
    (tmp_path / "m.bin").write_bytes(b"m")
    workspace.models.create("m", tmp_path / "m.bin", aliases=["prod"])
    lines = repr(workspace.projects).splitlines()
    assert lines[0].split() == ["name", "folder", "created"]
    assert lines[2].startswith("p00")
    assert lines[-2].startswith("p19")
    assert lines[-1] == "... and more; these are the first 20"
    assert "<td" in workspace.projects._repr_html_()
    assert "and more" in workspace.projects._repr_html_()
    assert repr(workspace.experiments).splitlines()[0].split() == ["name", "project_id", "created"]
    assert repr(workspace.projects["p00"].experiments).splitlines()[0].split() == ["name", "created"]
    assert repr(workspace.models).splitlines()[2].split()[:4] == ["m", "1", "files", "prod"]


@pytest.mark.parametrize("value", ["2", 0, -1, 1.5, True])
def test_slots_are_a_number(workspace, value):
    refused(lambda: workspace.update(slots=value), "update(slots=...) is a whole number from 1 on")


@pytest.mark.parametrize("value", ["1", -1, None, True, float("nan"), float("inf")])
def test_the_grace_of_a_collection_is_a_time(workspace, value):
    refused(lambda: workspace.collect_garbage(grace_s=value), "collect_garbage(grace_s=...) is 0 or more seconds")
    refused(lambda: workspace.collect_garbage(dry_run="no"), "collect_garbage(dry_run=...) is True or False")


def test_following_is_true_or_false(run):
    refused(lambda: list(run.logs(follow="x")), "logs(follow=...) is True or False")
