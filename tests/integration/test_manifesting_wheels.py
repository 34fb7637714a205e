"""Wheels and their hashes are asked of pip, by its own settings, once."""

import hashlib
import zipfile

import pytest

from amlsdk.resources.manifesting.installed import environment
from amlsdk.resources.manifesting.wheels import Wheels


@pytest.fixture
def index(tmp_path, monkeypatch):
    """A folder of wheels that pip takes for its index, behind settings that hold a password."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_INDEX_URL", "https://user:geheim@localhost:1/simple")
    monkeypatch.setenv("PIP_CONSTRAINT", "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("sys.path", [str(tmp_path / "site-packages")])
    return folder


def make(index, name, tag, *, in_index=True):
    info = f"{name}-1.0.dist-info"
    files = {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: {tag}\n",
        f"{name}.py": "",
    }
    files[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in files)
    site = index.parent / "site-packages"
    for path, text in files.items():
        (site / path).parent.mkdir(parents=True, exist_ok=True)
        (site / path).write_text(text)
    wheel = index / f"{name}-1.0-{tag}.whl"
    if in_index:
        with zipfile.ZipFile(wheel, "w") as archive:
            for path, text in files.items():
                archive.writestr(path, text)
    return wheel


def test_wheels_are_found_once_and_what_the_index_lacks_does_not_hide_the_others(index, tmp_path):
    there = make(index, "there", "py3-none-any")
    make(index, "absent", "py3-none-any", in_index=False)
    both = list(environment().by_name.values())
    found, reason = Wheels(both).of(both)
    assert {name: (wheel.file, wheel.sha256) for name, wheel in found.items()} == {
        "there": (there.name, hashlib.sha256(there.read_bytes()).hexdigest())
    }
    assert reason == "pip did not find all of them in its index"
    kept = (tmp_path / "cache" / "amlsdk" / "wheels.json").read_text()
    assert "there" in kept
    assert "geheim" not in kept
    # What is known is not asked again: it is found though the index is gone.
    there.unlink()
    only = [one for one in both if one.name == "there"]
    assert Wheels(only).of(only) == (found, "")


def test_without_an_index_nothing_is_asked(index, monkeypatch):
    monkeypatch.delenv("PIP_FIND_LINKS")
    make(index, "there", "py3-none-any")
    every = list(environment().by_name.values())
    assert Wheels(every).of(every) == ({}, "the package index was not asked")


def test_an_interpreter_without_pip_is_said(index, monkeypatch, tmp_path):
    make(index, "there", "py3-none-any")
    (tmp_path / "python").write_text("#!/bin/sh\necho 'No module named pip' >&2\nexit 1\n")
    (tmp_path / "python").chmod(0o755)
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    every = list(environment().by_name.values())
    assert Wheels(every).of(every) == ({}, "this Python has no pip")
