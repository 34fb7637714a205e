"""Every example of the documentation runs."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

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


def test_the_commands_of_the_page_on_aml_succeed(tmp_path):
    page = DOCS / "cli.md"
    write_files(page, tmp_path)
    commands = [line for block in blocks(page, "sh") for line in block["body"].splitlines()]
    assert len(commands) > 10
    for line in commands:
        name, *arguments = shlex.split(line)
        assert name == "aml"
        run([sys.executable, "-c", "from amlsdk.cli import main; main()", *arguments], tmp_path)


def test_the_example_of_the_readme_is_the_story_of_the_quickstart():
    readme = (DOCS.parent / "README.md").read_text("utf-8")
    found = BLOCK.search(readme)["body"]
    quickstart = (DOCS.parent / "examples" / "quickstart.py").read_text("utf-8")
    compile(found, "README.md", "exec")
    for call in ("amlsdk.connect(", ".get_or_create(", ".submit(", ".wait(", ".search(", ".register_model("):
        assert call in found
        assert call in quickstart
