"""Installed packages are kept as they were tried, and what is odd about them is said."""

import base64
import hashlib
import json

import pytest

from amlsdk.operations.filesets import GetFileSet

SCRIPT = "import vineyard.press\ndef run(data): return vineyard.press.squeeze(data)\n"
FILES = {"vineyard/__init__.py": "", "vineyard/press.py": "def squeeze(x): return x / 2\n", "vineyard/tests/t.py": ""}


@pytest.fixture
def site(tmp_path, monkeypatch):
    folder = tmp_path / "extra" / "site-packages"
    folder.mkdir(parents=True)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    return folder


@pytest.fixture
def model(folder_workspace, tmp_path):
    (tmp_path / "weights.txt").write_text("2")
    (tmp_path / "score.py").write_text(SCRIPT)
    return folder_workspace.models.create("wine", tmp_path / "weights.txt")


def install(site, files, extra=()):
    files = {**files, "vineyard-3.1.dist-info/METADATA": "Name: Vineyard\nVersion: 3.1\n\n", **dict(extra)}
    rows = []
    for path, text in files.items():
        (site / path).parent.mkdir(parents=True, exist_ok=True)
        (site / path).write_text(text)
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        rows.append(f"{path},sha256={digest},{len(text)}\n")
    (site / "vineyard-3.1.dist-info" / "RECORD").write_text("".join(rows))


def kept(manifest):
    (one,) = manifest.dependencies
    entries = manifest._client.send(GetFileSet(digest=one.files)).entries
    return one, {entry.path: manifest._client.blobs.open(entry.digest).read().decode() for entry in entries}


def test_a_package_is_kept_without_its_tests_and_with_a_record_of_what_is_there(site, model, tmp_path):
    install(site, FILES)
    one, files = kept(model.create_manifest(scoring=tmp_path / "score.py", sample=3))
    assert (one.name, one.version, one.purpose, one.wheel, one.sha256) == ("vineyard", "3.1", "scoring", None, None)
    info = ["vineyard-3.1.dist-info/METADATA", "vineyard-3.1.dist-info/RECORD"]
    assert list(files) == [*info, "vineyard/__init__.py", "vineyard/press.py"]
    assert [row.partition(",")[0] for row in files[info[1]].splitlines()] == [info[0], *list(files)[2:], info[1]]


def test_a_file_that_was_changed_after_installation_is_kept_as_tried_and_said(site, model, tmp_path):
    install(site, FILES)
    (site / "vineyard" / "press.py").write_text("def squeeze(x): return x / 3\n")
    manifest = model.create_manifest(scoring=tmp_path / "score.py", sample=3)
    assert manifest.spec.sample_result == 1.0
    assert "x / 3" in kept(manifest)[1]["vineyard/press.py"]
    assert "vineyard 3.1 was changed after it was installed: vineyard/press.py" in manifest.notes


def test_an_editable_package_is_kept_from_its_source_and_said(site, model, tmp_path):
    source = tmp_path / "source"
    for path, text in FILES.items():
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        (source / path).write_text(text)
    url = json.dumps({"url": source.as_uri(), "dir_info": {"editable": True}})
    install(site, {"_vineyard.pth": f"{source}\n"}, {"vineyard-3.1.dist-info/direct_url.json": url}.items())
    manifest = model.create_manifest(scoring=tmp_path / "score.py", sample=3)
    assert {"vineyard/__init__.py", "vineyard/press.py"} <= set(kept(manifest)[1])
    assert any("editable" in note for note in manifest.notes)
    # A path of this machine is nobody's business.
    assert not any(str(source) in text for text in kept(manifest)[1].values())


def test_pickles_beside_the_script_are_named(site, model, tmp_path):
    import pickle

    install(site, FILES)
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "score.py").write_text(SCRIPT)
    (folder / "table.bin").write_bytes(pickle.dumps({"a": 1}, 4))
    manifest = model.create_manifest(scoring=folder, sample=3)
    assert manifest.record.unsafe == ("app/table.bin",)
