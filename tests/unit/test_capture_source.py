"""Which source is kept of a process."""

import ast
import json
import subprocess
import sys
from types import SimpleNamespace

import pytest

from amlsdk.resources.capture.source import as_python, source_of_process

SHOW = """
import json
from amlsdk.resources.capture.source import source_of_process
print(json.dumps([[one.name, one.content.decode("latin-1")] for one in source_of_process()]))
"""


def run(*arguments, text=None):
    done = subprocess.run([sys.executable, *arguments], input=text, capture_output=True, check=True, text=True)
    return json.loads(done.stdout.strip().splitlines()[-1].removeprefix(">>> "))


def test_a_script_gives_its_file_byte_by_byte(tmp_path):
    script = tmp_path / "train.py"
    script.write_bytes(b"# coding: latin-1\n# caf\xe9\n" + SHOW.encode())
    assert run(str(script)) == [["train.py", script.read_bytes().decode("latin-1")]]


def test_a_command_gives_its_text():
    assert run("-W", "error", "-Ic", SHOW) == [["command.py", SHOW + "\n"]]


def test_standard_input_gives_nothing():
    assert run("-", text=SHOW) == []


def test_an_installed_program_gives_nothing(monkeypatch):
    """This test is run by one, though pytest-xdist starts its workers by a command."""
    monkeypatch.setattr(sys, "argv", ["pytest"])
    assert source_of_process() == []


@pytest.fixture
def notebook(monkeypatch):
    cells = ["", "import os\n%matplotlib inline\n!pip list", "  ", "%%bash\nls", "x = 10 \\\n  % 3\nprint(x)", "x??"]
    shell = SimpleNamespace(kernel=object(), history_manager=SimpleNamespace(input_hist_raw=cells))
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    return shell


@pytest.mark.usefixtures("notebook")
def test_a_notebook_gives_its_executed_cells_as_one_file_that_parses(monkeypatch):
    monkeypatch.setenv("JPY_SESSION_NAME", "/home/me/wine study.ipynb")
    (source,) = source_of_process()
    text = source.content.decode()
    assert source.name == "wine study.py"
    ast.parse(text)
    assert text.startswith("# %% [1]\nimport os\n# %matplotlib inline\n# !pip list\n\n# %% [3]\n# %%bash\n# ls\n")
    assert "x = 10 \\\n  % 3\n" in text
    assert text.endswith("# %% [5]\n# x??\n")


@pytest.mark.usefixtures("notebook")
def test_a_notebook_without_a_known_name(monkeypatch):
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    assert [one.name for one in source_of_process()] == ["notebook.py"]


def test_an_ipython_prompt_is_no_notebook(notebook, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["ipython"])
    notebook.kernel = None
    assert source_of_process() == []


def test_a_real_kernel_gives_its_cells(tmp_path):
    import nbformat
    from nbclient import NotebookClient

    cells = [nbformat.v4.new_code_cell("depth = 4"), nbformat.v4.new_code_cell("%time depth += 1" + SHOW)]
    book = nbformat.v4.new_notebook(cells=cells)
    NotebookClient(book, timeout=60, kernel_name="python3", resources={"metadata": {"path": tmp_path}}).execute()
    printed = [one["text"] for one in book.cells[1].outputs if one["output_type"] == "stream"]
    ((_, text),) = json.loads("".join(printed).strip().splitlines()[-1])
    assert text.startswith("# %% [1]\ndepth = 4\n\n# %% [2]\n# %time depth += 1\nimport json")


def test_python_is_left_as_it_is():
    text = 'query = """\n%s\n!x\n"""'
    assert as_python(text) == text
