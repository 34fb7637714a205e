"""Scoring scripts are read before they are run, and written for models of known kinds."""

import ast

import pytest

from amlsdk.errors import InvalidArgument, NotFound
from amlsdk.resources.manifesting.scripts import modules_of, read_script
from amlsdk.resources.manifesting.templates import TEMPLATES, as_text, render


@pytest.fixture
def script(tmp_path):
    def write(text):
        (tmp_path / "score.py").write_text(text)
        return tmp_path / "score.py"

    return write


@pytest.mark.parametrize(
    ("text", "parameters", "required"),
    [
        ("def run(data): ...", ("data",), ("data",)),
        ("def run(a, b=1, *, c, d=2): ...", ("a", "b", "c", "d"), ("a", "c")),
        ("def run(): ...", (), ()),
    ],
)
def test_the_arguments_of_run_are_read_from_its_text(script, text, parameters, required):
    found = read_script(script(text))
    assert (found.parameters, found.required, found.is_open) == (parameters, required, False)


def test_a_run_that_comes_from_elsewhere_is_left_open(script):
    for text in ("from lib import run", "run = make()", "from lib import *"):
        assert read_script(script(text)).is_open


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("x = 1", r"no function run\(\)"),
        ("def run(:", r"not Python: .*line 1"),
        ("async def run(data): ...", "async"),
        ("def run(*data): ...", "arguments by name"),
        ("def run(data, /): ...", "arguments by name"),
        ("x = '\0'", "not Python"),
    ],
)
def test_a_script_that_can_not_score_is_refused(script, text, named):
    with pytest.raises(InvalidArgument, match=named):
        read_script(script(text))


def test_a_folder_brings_what_lies_in_it_without_what_amlignore_leaves_out(tmp_path, script):
    script("import helper\ndef run(data): ...")
    (tmp_path / "helper.py").write_text("import numpy.linalg, os")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.txt").write_text("a")
    (tmp_path / "big.bin").write_text("b")
    (tmp_path / ".amlignore").write_text("*.bin\n")
    found = read_script(tmp_path)
    assert sorted(found.files) == [".amlignore", "data/a.txt", "helper.py", "score.py"]
    assert {"helper", "numpy", "os"} <= found.modules
    # A file alone stands for itself.
    assert list(read_script(tmp_path / "score.py").files) == ["score.py"]


def test_a_script_that_is_not_there_is_not_found(tmp_path):
    for wrong in (tmp_path / "no.py", tmp_path):
        with pytest.raises(NotFound, match="scoring="):
            read_script(wrong)
    (tmp_path / "score.txt").write_text("")
    with pytest.raises(InvalidArgument, match=r"\.py file"):
        read_script(tmp_path / "score.txt")


def test_service_json_is_kept_for_the_contract(tmp_path, script):
    script("def run(data): ...")
    (tmp_path / "service.json").write_text("{}")
    with pytest.raises(InvalidArgument, match=r"service\.json"):
        read_script(tmp_path)


def test_modules_are_told_by_their_first_name_and_broken_files_tell_none():
    assert modules_of(["import a.b\nfrom c.d import e\nfrom . import f\ntry:\n import g\nexcept ImportError: 1"]) == {
        "a",
        "c",
        "g",
    }
    assert modules_of(["def ("]) == frozenset()


@pytest.mark.parametrize("kind", TEMPLATES)
@pytest.mark.parametrize("file", ["", 'it\'s a "file".bin'])
def test_scripts_that_are_written_are_python_and_need_nothing_of_amlsdk_but_scoring(kind, file):
    for row_wise in (True, False):
        text = render(kind, model="wine", file=file, row_wise=row_wise, trusted=as_text(["a.B"]), estimator="X")
        tree = ast.parse(text)
        own = [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
        assert own == ["amlsdk.scoring"]
        assert ("row_wise" in text) == row_wise
        assert len(text.splitlines()) < 50
