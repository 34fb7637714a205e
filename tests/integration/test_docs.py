"""Every example of the documentation runs."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import amlsdk

DOCS = Path(__file__).parents[2] / "docs"
BLOCK = re.compile(r"^```(?P<kind>\{code-block\} python|python|sh)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
CAPTION = re.compile(r":caption: (\S+)\n\n")


def pages(kind):
    return [
        page
        for page in sorted(DOCS.glob("*.md"))
        if any(block["kind"] == kind for block in BLOCK.finditer(page.read_text("utf-8")))
    ]


def blocks(page, kind):
    return [block for block in BLOCK.finditer(page.read_text("utf-8")) if block["kind"] == kind]


def write_files(page, folder):
    """Write the blocks that have a file's name."""
    for block in blocks(page, "{code-block} python"):
        caption = CAPTION.match(block["body"])
        file = folder / caption[1]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(block["body"][caption.end() :], "utf-8")


def code(page):
    """The page with everything blanked out but its code, so that a traceback names the page's own line."""
    lines = [""] * page.read_text("utf-8").count("\n")
    for block in blocks(page, "python"):
        first = page.read_text("utf-8")[: block.start("body")].count("\n")
        body = block["body"].splitlines()
        lines[first : first + len(body)] = body
    return "\n".join(lines) + "\n"


def environment(folder):
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AMLSDK_")}
    return {**kept, "HOME": str(folder), "AMLSDK_WORKSPACE": str(folder / "workspace")}


def run(command, folder):
    done = subprocess.run(
        command, cwd=folder, env=environment(folder), capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, f"{command} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.mark.parametrize("page", pages("python"), ids=lambda page: page.stem)
def test_the_python_of_a_page_runs_in_order_without_a_warning(page, tmp_path):
    write_files(page, tmp_path)
    (tmp_path / "page.py").write_text(code(page), "utf-8")
    run([sys.executable, "-W", "error", "page.py"], tmp_path)


def test_the_tests_of_the_page_on_testing_pass(tmp_path):
    write_files(DOCS / "testing.md", tmp_path)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_training.py", "test_target.py"]
    assert re.search(r"\d\d passed", run(command, tmp_path))


@pytest.mark.parametrize("tour", [0, 1])
def test_the_commands_of_the_page_on_aml_succeed(tmp_path, tour):
    page = DOCS / "cli.md"
    write_files(page, tmp_path)
    commands = blocks(page, "sh")[tour]["body"].splitlines()
    assert len(commands) > 10
    for line in commands:
        name, *arguments = shlex.split(line)
        assert name == "aml"
        run([sys.executable, "-c", "from amlsdk.cli import main; main()", *arguments], tmp_path)


def public_names():
    """The public methods and properties of what users meet, each with its class."""
    from amlsdk.resources.comparing import Comparison
    from amlsdk.resources.run_files import RunFiles
    from amlsdk.resources.runs import RunQuery
    from amlsdk.resources.series import Series
    from amlsdk.resources.snapshot import RunSnapshot

    kinds = [
        getattr(amlsdk, name)
        for name in amlsdk.__all__
        if isinstance(getattr(amlsdk, name), type) and name not in {"Config", "ScoringSettings"}
    ]
    for kind in [*kinds, Comparison, RunFiles, RunQuery, RunSnapshot, Series]:
        for name in dir(kind):
            if not name.startswith("_"):
                yield pytest.param(name, id=f"{kind.__name__}.{name}")


@pytest.mark.parametrize("name", list(public_names()))
def test_every_public_name_is_shown_or_listed_in_a_page(name):
    written = "\n".join(page.read_text("utf-8") for page in [*DOCS.glob("*.md"), *(DOCS / "reference").glob("*.md")])
    assert re.search(rf"\b{name}\b", written), f"no page speaks of {name}"


def test_every_option_of_the_command_is_listed_in_its_page():
    from amlsdk.cli.app import add_commands, aml

    add_commands()
    page = (DOCS / "cli.md").read_text("utf-8")
    # Groups have commands of their own.
    found = [each for top in aml.commands.values() for each in getattr(top, "commands", {"": top}).values()]
    assert len(found) > 20
    for command in found:
        options = {option for parameter in command.params for option in parameter.opts if option.startswith("--")}
        assert [name for name in (command.name, *options) if name not in page] == [], command.name


def test_the_example_of_the_readme_is_the_story_of_the_quickstart():
    readme = (DOCS.parent / "README.md").read_text("utf-8")
    found = BLOCK.search(readme)["body"]
    quickstart = (DOCS.parent / "examples" / "quickstart.py").read_text("utf-8")
    compile(found, "README.md", "exec")
    for call in (
        "amlsdk.connect(",
        ".get_or_create(",
        ".submit(",
        ".wait(",
        ".search(",
        ".register_model(",
        ".create_manifest(",
        ".build_image(",
        ".deploy(",
        ".predict(",
        ".lineage(",
    ):
        assert call in found
        assert call in quickstart
