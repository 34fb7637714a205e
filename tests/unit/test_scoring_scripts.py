"""A scoring script finds its models and says what it can do; one that can't be served is refused with the reason."""

import json
import subprocess
import sys

import pytest
from scoring_bundles import SAMPLE, SUMS, make_bundle

from amlsdk.errors import InvalidArgument, OperationFailed
from amlsdk.scoring import load_service, model_path
from amlsdk.scoring.checking import score_once
from amlsdk.scoring.scripts import BUNDLE_VARIABLE


@pytest.fixture
def bundle(tmp_path, monkeypatch):
    """Make a bundle, and put back what loading one changes in this process."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(BUNDLE_VARIABLE, "")
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "score", raising=False)
    yield lambda script=SUMS, **options: make_bundle(tmp_path / "bundle", script, **options)
    sys.modules.pop("score", None)


def test_a_model_of_one_file_is_that_file_and_others_are_folders(bundle):
    root = bundle(models={"one": {"model.bin": b"1"}, "two": {"a": b"", "b": b""}})
    load_service(root)
    assert model_path("one").read_bytes() == b"1"
    assert model_path("two") == root / "models" / "two"


def test_the_only_model_needs_no_name(bundle):
    load_service(bundle(models={"one": {"model.bin": b"1"}}))
    assert model_path().name == "model.bin"


@pytest.mark.parametrize("name", [None, "three", "../app", "one/model.bin"])
def test_a_name_that_is_no_model_is_refused_with_the_names_there_are(bundle, name):
    load_service(bundle(models={"one": {"model.bin": b"1"}, "two": {"a": b""}}))
    with pytest.raises(InvalidArgument, match="this service has one, two"):
        model_path(name)


def test_init_is_called_in_the_folder_of_the_script_as_in_2017(bundle):
    script = """
        def init():
            with open("score.py") as file:
                assert "assert" in file.read()

        def run(data):
            return data.shape[1]
    """
    root = bundle(script)
    assert score_once(root, SAMPLE) == {"result": 2}


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("x = 1", "has no function `run`"),
        ("async def run(data): ...", "is `async`"),
    ],
)
def test_a_script_without_a_plain_run_is_refused(bundle, script, message):
    with pytest.raises(InvalidArgument, match=message):
        load_service(bundle(script))


def test_a_request_that_run_refuses_is_an_invalid_argument(bundle):
    script = """
        from amlsdk.errors import InvalidArgument

        def run(data):
            raise InvalidArgument("no wine has this colour")
    """
    with pytest.raises(InvalidArgument, match="no wine has this colour"):
        score_once(bundle(script), SAMPLE)


def test_a_request_against_the_contract_is_an_invalid_argument(bundle):
    with pytest.raises(InvalidArgument, match=r"data\[0\].alcohol: a value is missing"):
        score_once(bundle(), {"data": [{"malic acid": 1}]})


def test_a_script_that_fails_is_a_failure_whose_traceback_is_in_the_log(bundle, capsys):
    with pytest.raises(OperationFailed, match="reference") as caught:
        score_once(bundle("def run(data): return 1 / 0"), SAMPLE)
    reference = str(caught.value).split()[-1]
    log = capsys.readouterr().err
    assert reference in log
    assert "ZeroDivisionError" in log


def test_a_bundle_of_plain_json_is_scored_without_numpy(bundle, tmp_path):
    from amlsdk.records.serving import InputSpec

    spec = InputSpec(name="text", kind="json", schema={"type": "string"})
    root = bundle("def run(text): return text.upper()", inputs=(spec,), sample={"text": "a"})
    code = (
        "import pathlib, sys, json\n"
        "from amlsdk.scoring.checking import score_once\n"
        f"print(json.dumps(score_once(pathlib.Path({str(root)!r}), {{'text': 'abc'}})))\n"
        "print([name for name in ('numpy', 'pandas', 'uvicorn', 'orjson', 'sqlalchemy') if name in sys.modules])\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=20)
    answer, loaded = ran.stdout.splitlines()
    assert json.loads(answer) == {"result": "ABC"}
    assert loaded == "[]"
