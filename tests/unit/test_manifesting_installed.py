"""Distributions are told by their own files."""

import base64
import hashlib
import json

import pytest

from amlsdk.errors import InvalidArgument
from amlsdk.resources.manifesting.installed import Environment, environment
from amlsdk.resources.manifesting.needing import named_by_hand
from amlsdk.resources.manifesting.selecting import keep, record_text


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A folder of packages that an interpreter searches; nothing else is on its path."""
    folder = tmp_path / "site-packages"
    folder.mkdir()
    monkeypatch.setattr("sys.path", [str(folder)])
    return folder


def install(site, name, version, files, *, requires=(), direct_url=None):
    info = f"{name.replace('-', '_')}-{version}.dist-info"
    header = [f"Name: {name}", f"Version: {version}", *(f"Requires-Dist: {each}" for each in requires)]
    files = {**files, f"{info}/METADATA": "\n".join(header) + "\n\nAbout\n"}
    if direct_url:
        files[f"{info}/direct_url.json"] = json.dumps(direct_url)
    rows = []
    for path, text in files.items():
        (site / path).parent.mkdir(parents=True, exist_ok=True)
        (site / path).write_text(text)
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        quoted = f'"{path}"' if "," in path else path
        rows.append(f"{quoted},sha256={digest},{len(text)}")
    (site / info / "RECORD").write_text("\n".join([*rows, f"{info}/RECORD,,"]) + "\n")


def test_a_file_of_a_namespace_package_belongs_to_the_distribution_that_has_it(site):
    install(site, "Name.Space_A", "1.0", {"space/a/__init__.py": ""})
    install(site, "name-space-b", "2.0", {"space/b/__init__.py": "", "space/b/c, d.py": ""})
    found = environment()
    assert found.by_name["name-space-a"].version == "1.0"
    owner, path = found.owner(str(site / "space/b/__init__.py"))
    assert (owner.name, path) == ("name-space-b", "space/b/__init__.py")
    assert found.owner(str(site / "space/b/c, d.py"))[0].name == "name-space-b"
    assert found.owner(str(site / "space/a/__init__.py"))[0].name == "name-space-a"
    assert found.owner("/elsewhere/x.py") is None


def test_what_a_distribution_needs_is_followed_without_extras_that_nobody_asked_for(site):
    install(site, "a", "1", {"a/__init__.py": ""}, requires=["b[fast]>=1", "c; extra == 'more'", "Gone"])
    install(site, "b", "1", {"b.py": ""}, requires=["d ; extra == 'fast'", "e; python_version < '4'"])
    for name in "cde":
        install(site, name, "1", {f"{name}.py": ""})
    assert environment().closure(["a"]) == {"a", "b", "d", "e"}
    assert environment().closure([], [("a", frozenset({"more"}))]) == {"a", "b", "c", "d", "e"}


def test_an_editable_installation_is_found_where_its_source_is(site, tmp_path):
    source = tmp_path / "project"
    (source / "mine").mkdir(parents=True)
    (source / "mine" / "__init__.py").write_text("")
    url = {"url": source.as_uri(), "dir_info": {"editable": True}}
    install(site, "mine", "0.1", {"_mine.pth": f"{source}\n"}, direct_url=url)
    found = environment()
    one = found.by_name["mine"]
    assert (one.source, one.sources, one.tops) == (source, (source,), {"mine"})
    assert found.owner(str(source / "mine" / "__init__.py")) == (one, "mine/__init__.py")
    assert str(source) in found.path


def test_broken_distributions_are_left_out(site):
    install(site, "good", "1", {"good.py": ""})
    (site / "bad-1.dist-info").mkdir()
    (site / "worse-1.dist-info").write_text("no folder")
    assert set(environment().by_name) == {"good"}


def test_by_hand_only_what_is_installed_in_that_version_is_accepted(site):
    install(site, "Some_Thing", "1.2", {"some.py": ""})
    installed = environment()
    assert named_by_hand(installed, ["some-thing", "Some.Thing == 1.2"]) == {"some-thing"}
    for wrong, named in (
        ("some-thing==2", "1.2 is installed"),
        ("other", "not installed"),
        ("a>=1", "expected"),
        (3, "3"),
    ):
        with pytest.raises(InvalidArgument, match=named):
            named_by_hand(installed, [wrong])
    with pytest.raises(InvalidArgument, match="list of names"):
        named_by_hand(installed, "some-thing")


def test_an_image_gets_no_bytecode_stubs_sources_of_extensions_start_files_or_unused_tests():
    paths = [
        "p/__init__.py",
        "p/_fast.so",
        "p/_fast.pyx",
        "p/_fast.c",
        "p/include/x.h",
        "p/a.pyi",
        "p/__pycache__/a.pyc",
        "p/tests/test_a.py",
        "p/sub/tests/__init__.py",
        "p/sub/tests/used.py",
        "p/data.csv",
        "tests/__init__.py",
        "p-1.dist-info/METADATA",
        "p-1.dist-info/RECORD",
        "p-1.dist-info/INSTALLER",
        "p-1.dist-info/direct_url.json",
        "p-1.dist-info/licenses/LICENSE",
        "p.pth",
    ]
    assert keep(paths, ["p/sub/tests/used.py"]) == [
        "p/__init__.py",
        "p/_fast.so",
        "p/sub/tests/__init__.py",
        "p/sub/tests/used.py",
        "p/data.csv",
        "tests/__init__.py",
        "p-1.dist-info/METADATA",
        "p-1.dist-info/licenses/LICENSE",
    ]


def test_a_record_is_written_the_same_for_the_same_files():
    digest = hashlib.sha256(b"x").hexdigest()
    rows = [("b.py", digest, 1), ("a, b.py", digest, 1)]
    text = record_text(rows, "p-1.dist-info")
    assert text == record_text(rows[::-1], "p-1.dist-info")
    assert text.splitlines()[0].startswith('"a, b.py",sha256=')
    assert text.splitlines()[-1] == "p-1.dist-info/RECORD,,"


def test_this_interpreter_has_what_it_runs():
    import numpy as np

    found: Environment = environment()
    owner, path = found.owner(np.__file__)
    assert (owner.name, owner.version, path) == ("numpy", np.__version__, "numpy/__init__.py")
