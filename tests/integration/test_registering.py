"""Registered models, from files, folders, estimators and runs."""

import logging
import pickle

import pytest

from amlsdk.errors import Conflict, InvalidArgument, NotFound


@pytest.fixture(scope="module")
def fitted():
    from sklearn.datasets import load_wine
    from sklearn.tree import DecisionTreeClassifier

    features, target = load_wine(return_X_y=True, as_frame=True)
    return DecisionTreeClassifier(max_depth=3, random_state=0).fit(features, target), features


def test_an_estimator_comes_back_and_predicts_the_same(workspace, fitted):
    estimator, features = fitted
    model = workspace.models.create("wine", estimator, tags={"stage": "candidate"}, aliases=["best"], description="x")
    assert (model.version, model.format, model.aliases) == (1, "skops", ("best",))
    assert model.algorithm["class"].endswith("DecisionTreeClassifier")
    assert model.algorithm["hyperparameters"]["max_depth"] == 3
    loaded = workspace.models.get("wine").load()
    assert (loaded.predict(features) == estimator.predict(features)).all()


def test_versions_count_up_and_the_same_content_is_said(workspace, tmp_path, caplog):
    (tmp_path / "a.txt").write_text("one")
    (tmp_path / "b.txt").write_text("two")
    first = workspace.models.create("m", tmp_path / "a.txt")
    second = workspace.models.create("m", tmp_path / "b.txt")
    with caplog.at_level(logging.INFO, logger="amlsdk"):
        third = workspace.models.create("m", tmp_path / "a.txt")
    assert [model.version for model in (first, second, third)] == [1, 2, 3]
    assert third.record.same_as == 1
    assert third.digest == first.digest
    assert "the same content as version 1" in caplog.text
    assert workspace.models.get("m").version == 3
    assert workspace.models.get("m", 2) == second
    third.delete()
    assert workspace.models.create("m", tmp_path / "b.txt").version == 4


def test_an_alias_points_at_one_version(workspace, tmp_path):
    (tmp_path / "a.txt").write_text("one")
    first = workspace.models.create("m", tmp_path / "a.txt", aliases=["live"])
    second = workspace.models.create("m", tmp_path / "a.txt")
    assert workspace.models.get("m", alias="live") == first
    second.set_alias("live")
    assert workspace.models.get("m", alias="live") == second
    assert first.aliases == ()
    second.remove_alias("live")
    with pytest.raises(NotFound, match="alias 'live'"):
        workspace.models.get("m", alias="live")


def test_a_run_registers_what_it_made_and_is_the_models_lineage(experiment, fitted, tmp_path):
    estimator, _ = fitted
    with experiment.start_run() as run:
        model = run.register_model("wine", estimator)
        (tmp_path / "notes.txt").write_text("hello")
        run.upload_file("outputs/notes.txt", tmp_path / "notes.txt")
        other = run.register_model("notes", "outputs/notes.txt")
    assert model.run == run
    assert [entry.path for entry in other.files] == ["notes.txt"]
    with pytest.raises(Conflict, match="wine"):
        run.delete()
    with pytest.raises(NotFound, match=r"outputs/notes\.txt"):
        run.register_model("wine", "outputs/missing.skops")


def test_a_submitted_run_registers_a_model_by_its_path(workspace, experiment, code):
    code("train.py", "open('outputs/model.txt', 'w').write('weights')\n")
    run = experiment.submit("train.py").wait(60)
    model = run.register_model("m", "outputs/model.txt")
    assert model.run.snapshot.digest == run.snapshot.digest
    assert (workspace.models.get("m").load() / "model.txt").read_text() == "weights"


def test_a_pickle_is_loaded_only_when_it_is_trusted(workspace, tmp_path):
    (tmp_path / "model.pkl").write_bytes(pickle.dumps({"weights": [1, 2]}))
    model = workspace.models.create("m", tmp_path / "model.pkl")
    assert model.format == "pickle"
    with pytest.raises(InvalidArgument, match="trusted=True"):
        model.load()
    assert model.load(trusted=True) == {"weights": [1, 2]}


def test_tags_and_description_change(workspace, tmp_path):
    (tmp_path / "a.txt").write_text("one")
    model = workspace.models.create("m", tmp_path / "a.txt", tags={"stage": "candidate", "owner": "ada"})
    model.update(description="better", tags={"stage": "live", "owner": None})
    again = workspace.models.get("m")
    assert again.description == "better"
    assert again.tags == {"stage": "live"}


def test_what_is_wrong_is_said(workspace, tmp_path):
    with pytest.raises(NotFound, match="no model 'm'"):
        workspace.models.get("m")
    with pytest.raises(NotFound, match="there is no model file"):
        workspace.models.create("m", tmp_path / "missing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InvalidArgument, match="empty"):
        workspace.models.create("m", tmp_path / "empty")
    with pytest.raises(InvalidArgument, match="skops"):
        workspace.models.create("m", object())
    with pytest.raises(InvalidArgument, match="which version"):
        workspace.models.delete("m")
    (tmp_path / "a.txt").write_text("one")
    with pytest.raises(InvalidArgument, match="can't name a model"):
        workspace.models.create("../m", tmp_path / "a.txt")


def test_garbage_is_collected_but_nothing_in_use(folder_workspace, tmp_path):
    (tmp_path / "a.txt").write_text("one")
    (tmp_path / "b.txt").write_text("two")
    kept = folder_workspace.models.create("kept", tmp_path / "a.txt")
    folder_workspace.models.create("gone", tmp_path / "b.txt").delete()
    young = folder_workspace.collect_garbage()
    assert young.blob_count == 0
    assert folder_workspace.collect_garbage(grace_s=0, dry_run=True).blob_count == 2
    assert folder_workspace.collect_garbage(grace_s=0).blob_count == 2
    assert (kept.load() / "a.txt").read_text() == "one"
