"""Installed packages, also where metadata is broken."""

import sys
from importlib import metadata

from amlsdk.resources.capture.packages import installed_packages


def install(folder, name, text):
    place = folder / f"{name}.dist-info"
    place.mkdir(parents=True)
    (place / "METADATA").write_bytes(text)


def test_versions_are_those_that_importlib_tells():
    found = installed_packages()
    for name in ("attrs", "pytest", "hypothesis"):
        assert found[name] == metadata.version(name)
    assert list(found) == sorted(found)


def test_broken_metadata_costs_only_itself(tmp_path, monkeypatch):
    install(tmp_path, "no_utf8-1.0", b"Name: no_utf8\nVersion: \xff\xfe\n")
    install(tmp_path, "no_version-1.0", b"Name: no-version\n\n")
    install(tmp_path, "empty-1.0", b"")
    (tmp_path / "nothing-1.0.dist-info").mkdir()
    (tmp_path / "file-1.0.dist-info").write_text("x")
    install(tmp_path, "Good.Name-1.0", b"Metadata-Version: 2.1\nName: Good.Name\nVersion: 1.5\n\nVersion: 9\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path), str(tmp_path / "missing"), "\0", *sys.path])
    found = installed_packages()
    assert found["good-name"] == "1.5"
    assert not {"no-utf8", "no-version", "empty", "nothing", "file"} & set(found)
    assert "attrs" in found


def test_the_first_on_the_path_counts(tmp_path, monkeypatch):
    install(tmp_path / "a", "twin-1", b"Name: twin\nVersion: 1\n")
    install(tmp_path / "b", "twin-2", b"Name: twin\nVersion: 2\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path / "b"), str(tmp_path / "a"), *sys.path])
    assert installed_packages()["twin"] == "2"


def test_a_package_installed_meanwhile_is_seen(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    assert "late" not in installed_packages()
    install(tmp_path, "late-1", b"Name: late\nVersion: 1\n")
    assert installed_packages()["late"] == "1"


def test_the_answer_is_the_callers_own():
    installed_packages().clear()
    assert installed_packages()
