"""Scripts are written for real models of each kind, and what scoring needs is found and is enough."""

import json
import os
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import amlsdk
from amlsdk.errors import InvalidArgument
from amlsdk.filesets.checkout import checkout
from amlsdk.operations.filesets import GetFileSet

SKLEARN = {"numpy", "scipy", "scikit-learn", "joblib", "threadpoolctl"}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    """One for all, so that packages are stored once; it is the working folder."""
    folder = tmp_path_factory.mktemp("manifests")
    with pytest.MonkeyPatch.context() as patch, amlsdk.connect(folder / "workspace") as workspace:
        patch.setenv("PIP_NO_INDEX", "1")
        patch.delenv("PIP_FIND_LINKS", raising=False)
        patch.chdir(folder)
        yield workspace


@pytest.fixture(scope="module")
def wine():
    from sklearn.datasets import load_wine

    return load_wine(return_X_y=True, as_frame=True)


@pytest.fixture(scope="module")
def tree(wine):
    from sklearn.tree import DecisionTreeClassifier

    return DecisionTreeClassifier(max_depth=4, random_state=0).fit(*wine)


def names(manifest):
    return {one.name for one in manifest.dependencies}


def score_in_bundle(manifest, root, body):
    """Score by nothing but what the manifest keeps."""
    client = manifest._client
    places = {one.files: root / ("runtime" if one.name == "amlsdk" else "site") for one in manifest.record.dependencies}
    places |= {one.digest: root / "models" / one.name for one in manifest.record.models}
    for digest, folder in {**places, manifest.record.files: root / "app"}.items():
        checkout(client.send(GetFileSet(digest=digest)), client.blobs, folder)
    code = (
        "import sys, json, pathlib; root = sys.argv[1]; sys.path[:] = [root + '/runtime', *sys.path, root + '/site'];"
        "from amlsdk.scoring.checking import score_once;"
        "print(json.dumps(score_once(pathlib.Path(root), json.loads(sys.argv[2]))))"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-B", "-c", code, root, json.dumps(body)], capture_output=True, text=True, env={}
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["result"]


def test_a_scikit_learn_model_needs_its_closure_and_no_more_and_scores_by_it_alone(workspace, wine, tree, tmp_path):
    frame, target = wine
    # The target is a column that the model does not know.
    sample = frame.assign(target=target)[["target", *frame.columns[::-1]]]
    manifest = workspace.models.create("wine", tree).create_manifest("wine", sample=sample)
    (spec,) = manifest.spec.inputs
    assert [column.name for column in spec.columns] == list(frame.columns)
    assert spec.as_array
    assert manifest.spec.sample_result == tree.predict(frame[:10]).tolist()
    assert "@row_wise" in manifest.script
    found = {one.name for one in manifest.record.dependencies}
    assert SKLEARN | {"skops"} <= names(manifest)
    assert not found & {"pandas", "pyarrow", "pytest", "matplotlib", "sqlalchemy", "requests", "setuptools"}
    sizes = sum(one.size_bytes for one in manifest.record.dependencies)
    assert sizes < 250_000_000
    assert (
        score_in_bundle(manifest, tmp_path / "bundle", {"data": frame[:30].values.tolist()})
        == tree.predict(frame[:30]).tolist()
    )


def test_a_pipeline_that_chooses_columns_by_name_gets_a_frame(workspace):
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    frame = pd.DataFrame({"colour": ["red", "white", "red", "white"], "acid": [1.0, 2.0, None, 4.0]})
    steps = ColumnTransformer([("a", OneHotEncoder(), ["colour"]), ("b", SimpleImputer(), ["acid"])])
    pipeline = make_pipeline(steps, LogisticRegression()).fit(frame, [0, 1, 0, 1])
    manifest = workspace.models.create("pipe", pipeline).create_manifest("pipe", sample=frame)
    assert {"pandas", "scikit-learn"} <= names(manifest)
    assert not manifest.spec.inputs[0].as_array
    assert manifest.spec.inputs[0].columns[1].nullable
    assert manifest.spec.sample_result == pipeline.predict(frame).tolist()


def test_a_step_that_mixes_rows_is_not_scored_together(workspace, wine):
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer

    frame, target = wine
    pipeline = make_pipeline(FunctionTransformer(np.log1p), LogisticRegression(C=1e-3, max_iter=1000)).fit(
        frame, target
    )
    manifest = workspace.models.create("mix", pipeline).create_manifest("mix", sample=frame)
    assert "row_wise" not in manifest.script
    assert any("one by one" in note for note in manifest.notes)


def test_a_sample_without_columns_of_the_model_is_refused(workspace, wine, tree):
    model = workspace.models.create("wine", tree)
    with pytest.raises(InvalidArgument, match="lacks: .*proline"):
        model.create_manifest("wine", sample=wine[0].drop(columns=["proline"]))


def test_pickles_need_trust_and_are_named(workspace, tree, wine):
    import joblib

    joblib.dump(tree, "model.joblib")
    model = workspace.models.create("wine", "model.joblib")
    with pytest.raises(InvalidArgument, match=r"wine/model\.joblib: pickle-based.*trusted=True"):
        model.create_manifest("wine", sample=wine[0])
    manifest = model.create_manifest("wine", sample=wine[0].to_numpy(), trusted=True)
    assert manifest.record.unsafe == ("wine/model.joblib",)
    assert names(manifest) >= SKLEARN
    assert "skops" not in names(manifest)
    assert manifest.spec.inputs[0].kind == "array"


def test_a_pickled_callable_is_called(workspace):
    import cloudpickle

    Path("sums.pkl").write_bytes(cloudpickle.dumps(lambda rows: [sum(row) for row in rows]))
    manifest = workspace.models.create("sums", "sums.pkl").create_manifest(
        "sums", sample=[[1, 2], [3, 4]], trusted=True
    )
    assert manifest.spec.sample_result == [3, 7]
    assert names(manifest) == {"cloudpickle", "numpy"}
    Path("length.pkl").write_bytes(pickle.dumps(len))
    manifest = workspace.models.create("length", "length.pkl").create_manifest(
        "length", sample=[[1], [2]], trusted=True
    )
    assert manifest.spec.sample_result == 2


@pytest.mark.parametrize("suffix", ["json", "ubj"])
def test_models_of_xgboost_are_scored_as_they_were_saved(workspace, wine, suffix):
    import xgboost

    frame, target = wine
    classifier = xgboost.XGBClassifier(n_estimators=3).fit(frame, target)
    classifier.save_model(f"c.{suffix}")
    booster = xgboost.train({}, xgboost.DMatrix(frame, label=target), 3)
    booster.save_model(f"b.{suffix}")
    manifest = workspace.models.create("c", f"c.{suffix}").create_manifest("c", sample=frame)
    assert manifest.spec.sample_result == classifier.predict(frame[:10]).tolist()
    assert "scikit-learn" in names(manifest)
    manifest = workspace.models.create("b", f"b.{suffix}").create_manifest("b", sample=frame)
    assert manifest.spec.sample_result == pytest.approx(booster.predict(xgboost.DMatrix(frame[:10])).tolist())
    assert not names(manifest) & {"scikit-learn", "pandas"}
    assert "@row_wise" in manifest.script


def test_models_of_lightgbm_are_scored_as_they_were_saved(workspace, wine, tmp_path):
    import lightgbm

    frame, target = wine
    booster = lightgbm.train({"verbose": -1}, lightgbm.Dataset(frame, label=target), 3)
    booster.save_model("m.txt")
    manifest = workspace.models.create("m", "m.txt").create_manifest("m", sample=frame)
    assert manifest.spec.sample_result == pytest.approx(booster.predict(frame[:10]).tolist())
    assert not names(manifest) & {"scikit-learn", "pandas"}
    assert score_in_bundle(manifest, tmp_path / "bundle", manifest.sample) == manifest.spec.sample_result


def test_types_that_skops_does_not_know_need_trust(workspace, wine):
    import lightgbm

    frame, target = wine
    model = workspace.models.create("m", lightgbm.LGBMClassifier(n_estimators=3, verbose=-1).fit(frame, target))
    with pytest.raises(InvalidArgument, match=r"lightgbm.*trusted=True"):
        model.create_manifest("m", sample=frame)
    manifest = model.create_manifest("m", sample=frame, trusted=True)
    assert manifest.record.unsafe == ("m/model.skops",)
    assert "lightgbm.sklearn.LGBMClassifier" in manifest.script


@pytest.mark.filterwarnings("ignore")
def test_onnx_models_need_only_their_runtime(workspace, wine, tree):
    from skl2onnx import to_onnx

    frame = wine[0]
    model = workspace.models.create("wine", to_onnx(tree, frame.to_numpy(dtype=np.float32)[:1]))
    manifest = model.create_manifest("wine", sample=frame)
    assert manifest.spec.sample_result == tree.predict(frame[:10]).tolist()
    assert "scikit-learn" not in names(manifest)
    assert "onnxruntime" in names(manifest)
    assert "@row_wise" in manifest.script


# torch speaks against its own older form, in which models still are.
@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning", "ignore:.*deprecated:FutureWarning")
def test_torchscript_needs_trust_and_is_scored(workspace):
    import torch

    torch.jit.script(torch.nn.Linear(3, 2)).save("m.pt")
    model = workspace.models.create("m", "m.pt")
    with pytest.raises(InvalidArgument, match="trusted=True"):
        model.create_manifest("m", sample=np.ones((4, 3)))
    manifest = model.create_manifest("m", sample=np.ones((4, 3)), trusted=True)
    assert "torch" in names(manifest)
    assert np.shape(manifest.spec.sample_result) == (4, 2)
    torch.export.save(torch.export.export(torch.nn.Linear(3, 2), (torch.ones(4, 3),)), "e.pt2")
    manifest = workspace.models.create("e", "e.pt2").create_manifest("e", sample=np.ones((4, 3)), trusted=True)
    assert manifest.record.unsafe == ("e/e.pt2",)
    assert np.shape(manifest.spec.sample_result) == (4, 2)


def test_programs_that_torch_exported_need_trust(workspace):
    with zipfile.ZipFile("program.pt2", "w") as archive:
        archive.writestr("program/archive_format", "pt2")
    with pytest.raises(InvalidArgument, match=r"p/program\.pt2: pickle-based.*trusted=True"):
        workspace.models.create("p", "program.pt2").create_manifest("p", sample=[[1.0]])


def test_weights_without_code_say_what_to_do(workspace):
    from safetensors.numpy import save_file

    save_file({"w": np.zeros(3)}, "w.safetensors")
    with pytest.raises(InvalidArgument, match="without the code that computes.*ONNX"):
        workspace.models.create("w", "w.safetensors").create_manifest("w", sample=[[1.0]])
    Path("notes.txt").write_text("hello")
    with pytest.raises(InvalidArgument, match=r"no script can be written for model 'n' \(notes.txt\)"):
        workspace.models.create("n", "notes.txt").create_manifest("n", sample=1)


def test_the_logged_input_of_the_run_is_the_sample(workspace, wine, tree, tmp_path):
    frame, target = wine
    experiment = workspace.projects.get_or_create("wine", folder=tmp_path).experiments.get_or_create("train")
    with experiment.start_run() as run:
        run.log_input("wine", frame.assign(target=target))
        model = run.register_model("wine", tree)
    manifest = model.create_manifest()
    assert manifest.spec.sample_result == tree.predict(frame[:10]).tolist()
    frame.to_csv("wine.csv", index=False)
    with experiment.start_run() as run:
        run.log_input("file", "wine.csv")
        model = run.register_model("wine", tree)
    assert model.create_manifest().sample["data"][0]["alcohol"] == frame["alcohol"][0]
    with experiment.start_run() as run:
        model = run.register_model("wine", tree)
    with pytest.raises(InvalidArgument, match="logged no input.*sample="):
        model.create_manifest()


def test_a_script_that_amlsdk_wrote_is_written_anew_for_another_model(workspace, wine, tree):
    from sklearn.linear_model import LogisticRegression

    frame, target = wine
    manifest = workspace.models.create("wine", tree).create_manifest("wine", sample=frame)
    other = workspace.models.create("wine", LogisticRegression(C=1e-3, max_iter=1000).fit(frame, target))
    following = manifest.new_version(models=[other])
    assert "sklearn.tree" not in following.script
    assert following.version == manifest.version + 1
    assert "models.wine" in repr(manifest.compare(following))
    assert os.environ["PIP_NO_INDEX"] == "1"
    assert any("hash" in note for note in following.notes)
