"""Scoring scripts of users, tried in a process of their own. None imports more than it must, so that each is quick."""

import os
import sys
import textwrap

import pytest

from amlsdk.errors import InvalidArgument, NotFound, OperationFailed


@pytest.fixture
def workspace(folder_workspace, monkeypatch, tmp_path):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    monkeypatch.chdir(tmp_path)
    return folder_workspace


@pytest.fixture
def model(workspace, tmp_path):
    (tmp_path / "weights.txt").write_text("2.5")
    return workspace.models.create("scale", tmp_path / "weights.txt")


@pytest.fixture
def script(tmp_path):
    def write(text, name="score.py"):
        folder = tmp_path / "script"
        folder.mkdir(exist_ok=True)
        (folder / name).write_text(textwrap.dedent(text))
        return folder / name

    return write


GOOD = """
from amlsdk.scoring import model_path

def init():
    global factor
    factor = float(model_path().read_text())

def run(values, offset=1):
    print("scoring", values)
    return [factor * value + offset for value in values]
"""


def test_a_script_is_kept_with_its_contract_and_needs_only_what_serves_it(model, script, capfd):
    manifest = model.create_manifest("scale", scoring=script(GOOD), sample=[1, 2])
    assert manifest.sample == {"values": [1, 2]}
    assert manifest.spec.sample_result == [3.5, 6.0]
    assert manifest.script == textwrap.dedent(GOOD)
    assert manifest.schema["output"]["items"]["anyOf"][0] == {"type": "number"}
    assert manifest.dependencies == ()
    runtime = {one.name for one in manifest.record.dependencies}
    assert {"amlsdk", "msgspec", "uvicorn", "uvloop", "httptools", "attrs"} <= runtime
    assert not runtime & {"numpy", "pandas", "pytest", "sqlalchemy", "requests"}
    assert manifest.record.unsafe == ()
    # What the script prints is for the log.
    assert capfd.readouterr() == ("", "")


def test_the_same_script_gives_the_same_digest(model, script):
    first, second = (model.create_manifest("scale", scoring=script(GOOD), sample=[1, 2]) for _ in range(2))
    assert (first.digest, second.version, second.record.same_as) == (second.digest, 2, 1)


def test_a_folder_brings_modules_beside_the_script_and_2017_scripts_find_the_model_in_the_working_folder(model, script):
    script("FACTOR = float(open('weights.txt').read())", "helper.py")
    path = script("import helper\ndef run(data): return helper.FACTOR * data")
    manifest = model.create_manifest("scale", scoring=path.parent, sample=2)
    assert manifest.spec.sample_result == 5.0
    assert [file.path for file in manifest.files] == ["helper.py", "score.py", "service.json"]
    assert not any("helper" in note or "weights" in note for note in manifest.notes)


def test_several_inputs_are_a_mapping(model, script):
    path = script("def run(name, counts): return {name: sum(counts)}")
    manifest = model.create_manifest("scale", scoring=path, sample={"name": "x", "counts": [1, 2]})
    assert manifest.spec.sample_result == {"x": 3}
    assert list(manifest.schema["input"]["properties"]) == ["name", "counts"]


@pytest.mark.parametrize(
    ("text", "sample", "error", "named"),
    [
        ("x = 1", 1, InvalidArgument, r"no function run\(\)"),
        ("def run(:", 1, InvalidArgument, "not Python"),
        ("def run(a, b): ...", 1, InvalidArgument, "arguments a, b"),
        ("from os.path import basename as run", 1, OperationFailed, "unexpected keyword argument 'data'"),
        ("import sys\ndef init(): sys.exit(3)\ndef run(data): ...", 1, OperationFailed, r"init\(\).*sys.exit\(3\)"),
        ("import no_such\ndef run(data): ...", 1, OperationFailed, "No module named 'no_such'.*beside the script"),
        ("def run(data): return open('gone.txt')", 1, OperationFailed, "gone.txt.*put it in the script's folder"),
        ("def run(data): raise ValueError('bad wine')", 1, OperationFailed, r"score.py\", line 1, in run"),
        ("def run(data): return object()", 1, OperationFailed, "can't be sent as JSON"),
        ("import os\ndef run(data): os._exit(7)", 1, OperationFailed, "exit code 7"),
        ("import os\ndef run(data): os.kill(os.getpid(), 11)", 1, OperationFailed, "SIGSEGV"),
        ("import amlsdk.resources\ndef run(data): ...", 1, OperationFailed, "No module named 'amlsdk.resources'"),
        ("def run(data): return data", object(), InvalidArgument, "no form"),
    ],
)
def test_what_can_not_be_served_is_refused_with_the_reason_and_nothing_is_recorded(
    workspace, model, script, text, sample, error, named
):
    with pytest.raises(error, match=f"(?s){named}"):
        model.create_manifest("bad", scoring=script(text), sample=sample)
    assert "bad" not in workspace.manifests


def test_the_last_lines_of_a_loud_script_are_said_and_no_more(model, script):
    text = "def run(data):\n for _ in range(300): print('x' * 100_000)\n print('the end')\n raise ValueError(data)"
    with pytest.raises(OperationFailed, match="the end") as raised:
        model.create_manifest("loud", scoring=script(text), sample=1)
    assert len(str(raised.value)) < 10_000


def test_a_module_that_is_imported_by_name_only_when_run_is_found(model, script):
    path = script("import importlib\ndef run(data): return importlib.import_module('tomlkit').dumps(data)")
    manifest = model.create_manifest("scale", scoring=path, sample={"a": 1})
    assert [one.name for one in manifest.dependencies] == ["tomlkit"]


def test_what_is_optional_is_left_out_as_it_is_in_an_image(model, script):
    path = script("try:\n import pandas\nexcept ImportError:\n pandas = None\ndef run(data): return pandas is None")
    shown = model.create_manifest("scale", scoring=path, sample=1)
    # The script itself names it.
    assert "pandas" in {one.name for one in shown.dependencies}
    path = script(
        "import importlib\ntry:\n importlib.import_module('pandas')\nexcept ImportError: pass\ndef run(data): return 1"
    )
    assert model.create_manifest("scale", scoring=path, sample=1).dependencies == ()


def test_dependencies_by_hand_are_kept_though_nothing_imports_them(model, script):
    manifest = model.create_manifest("scale", scoring=script(GOOD), sample=[1], dependencies=["tomlkit"])
    (one,) = manifest.dependencies
    assert (one.name, one.purpose) == ("tomlkit", "scoring")
    assert one.size_bytes > 10_000
    assert [each.name for each in manifest.new_version().dependencies] == ["tomlkit"]
    assert manifest.new_version(dependencies=[]).dependencies == ()


def test_the_script_sees_no_secret_of_the_environment(model, script, monkeypatch):
    monkeypatch.setenv("AMLSDK_TOKEN", "aml_secret")
    monkeypatch.setenv("DATABASE_PASSWORD", "secret")
    path = script("import os\ndef run(data): return [n for n in os.environ if 'TOKEN' in n or 'PASS' in n]")
    assert model.create_manifest("scale", scoring=path, sample=1).spec.sample_result == []


def test_a_file_from_elsewhere_is_noted(model, script, tmp_path):
    (tmp_path / "elsewhere.txt").write_text("1")
    path = script(f"def run(data): return open({str(tmp_path / 'elsewhere.txt')!r}).read()")
    manifest = model.create_manifest("scale", scoring=path, sample=1)
    assert any("elsewhere.txt" in note for note in manifest.notes)


def test_a_function_is_kept_by_its_code_and_named_as_a_pickle(model):
    manifest = model.create_manifest("scale", scoring=lambda data: [each + 1 for each in data], sample=[1, 2])
    assert manifest.spec.sample_result == [2, 3]
    assert manifest.record.unsafe == ("app/run.cloudpickle",)
    assert [one.name for one in manifest.dependencies] == ["cloudpickle"]


def test_an_own_module_of_a_function_goes_along(model, tmp_path, monkeypatch):
    (tmp_path / "own_scorer.py").write_text("def twice(x): return 2 * x\ndef score(data): return twice(data)\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    import own_scorer

    try:
        assert model.create_manifest("scale", scoring=own_scorer.score, sample=2).spec.sample_result == 4
    finally:
        del sys.modules["own_scorer"]


def test_a_sample_is_needed(model, script):
    with pytest.raises(InvalidArgument, match="sample="):
        model.create_manifest("scale", scoring=script(GOOD))


def test_a_new_version_keeps_script_and_sample_and_compare_says_what_changed(workspace, model, script):
    first = model.create_manifest("scale", scoring=script(GOOD), sample=[1, 2])
    os.remove("weights.txt")
    same = first.new_version()
    assert (same.version, same.record.same_as) == (2, 1)
    assert not first.compare(same)
    assert "no differences" in repr(first.compare(same))
    other = first.new_version(
        scoring=script(GOOD.replace("+ offset", "- offset")), sample=[1.5], dependencies=["tomlkit"]
    )
    found = first.compare(other)
    assert found.dependencies["tomlkit"][0] is None
    assert "-    return [factor * value + offset" in found.script
    assert "dependencies.tomlkit" in repr(found)
    assert other.spec.sample_result == [2.75]


def test_a_script_that_is_not_there_is_not_found(model, tmp_path):
    with pytest.raises(NotFound, match="no file or folder"):
        model.create_manifest("scale", scoring=tmp_path / "no.py", sample=1)


def test_several_models_need_a_script_and_are_found_by_name(workspace, model, script, tmp_path):
    (tmp_path / "shift.txt").write_text("10")
    other = workspace.models.create("shift", tmp_path / "shift.txt")
    with pytest.raises(InvalidArgument, match="2 models needs a script"):
        workspace.manifests.create("both", [model, other], sample=1)
    text = """
    from amlsdk.scoring import model_path
    def run(data):
        return float(model_path("scale").read_text()) * data + float(model_path("shift").read_text())
    """
    manifest = workspace.manifests.create("both", [model, other], scoring=script(text), sample=2)
    assert manifest.spec.sample_result == 15.0
    assert [one.name for one in manifest.record.models] == ["scale", "shift"]
    with pytest.raises(InvalidArgument, match="more than once"):
        workspace.manifests.create("both", [model, model], scoring=script(text), sample=2)
