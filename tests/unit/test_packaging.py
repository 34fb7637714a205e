"""The wheel that users install."""

import subprocess
import sys
import zipfile
from configparser import ConfigParser
from importlib.metadata import PathDistribution
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (found,) = folder.glob("*.whl")
    return found


def test_it_holds_every_module_and_nothing_else(wheel):
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    source = {path.relative_to(ROOT).as_posix() for path in (ROOT / "amlsdk").rglob("*.py")}
    assert source | {"amlsdk/py.typed"} <= names
    assert all(name.startswith("amlsdk/") and "__pycache__" not in name for name in names)


def test_its_entry_points_name_things_that_are_there(wheel):
    parsed = ConfigParser(delimiters=("=",))
    archive = zipfile.ZipFile(wheel)
    (listing,) = [name for name in archive.namelist() if name.endswith("entry_points.txt")]
    parsed.read_string(archive.read(listing).decode())
    assert parsed["console_scripts"]["aml"] == "amlsdk.cli:main"
    targets = [value for section in parsed.sections() for value in parsed[section].values()]
    modules = {value.partition(":")[0].replace(".", "/") for value in targets}
    held = set(archive.namelist())
    assert all({f"{module}.py", f"{module}/__init__.py"} & held for module in modules)


def test_it_needs_only_what_is_declared_for_light_use(wheel):
    requires = PathDistribution(zipfile.Path(wheel, f"{'-'.join(wheel.stem.split('-')[:2])}.dist-info/")).requires
    always = {line.split(">")[0] for line in requires if "extra ==" not in line}
    assert "attrs" in always
    assert not always & {"pandas", "numpy", "scikit-learn", "docker", "starlette", "pyspark", "kubernetes"}


def test_it_runs_from_the_archive_alone(wheel, tmp_path):
    code = (
        "import sys, os, amlsdk; "
        "ws = amlsdk.connect('w'); "
        "run = ws.projects.create('p').experiments.create('e').start_run(); "
        "run.log('loss', 0.5); run.complete(); "
        "print(os.path.dirname(amlsdk.__file__)); assert run.metrics == {'loss': 0.5}; ws.close()"
    )
    unpacked = tmp_path / "installed"
    zipfile.ZipFile(wheel).extractall(unpacked)
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(unpacked)!r}); {code}"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(unpacked / "amlsdk")
