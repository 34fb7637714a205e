import contextlib
import os
import socket
import sys
import tempfile
from pathlib import Path

import pytest

from amlsdk.errors import InvalidArgument, NotFound
from amlsdk.filesets import walk
from amlsdk.filesets.links import check_links
from amlsdk.filesets.walk import scan


def make(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)


def found(root, **options):
    tree = scan(root, **options)
    return [file.path for file in tree.files]


@contextlib.contextmanager
def as_somebody_else():
    """Root may read everything; nobody may not."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def open_folder():
    """A folder that every user can reach."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_files_are_sorted_by_path(tmp_path):
    make(tmp_path, "b", "a/z", "a-b", "a/b/c", "é", "Z")
    assert found(tmp_path) == sorted(["b", "a/z", "a-b", "a/b/c", "é", "Z"], key=str.encode)


def test_what_is_never_source_is_left_out(tmp_path):
    kept = ["train.py", "data/.env.example", "sub/outputs/kept", "data/notes.env", "pyvenv.cfg"]
    gone = [
        ".git/config",
        "__pycache__/x.pyc",
        "sub/__pycache__/x.pyc",
        ".ipynb_checkpoints/x.ipynb",
        "node_modules/a/b.js",
        ".mypy_cache/x",
        ".pytest_cache/x",
        ".ruff_cache/x",
        ".tox/x",
        ".nox/x",
        "outputs/model.bin",
        ".env",
        "sub/.env",
        ".env.production",
        "my-environment/pyvenv.cfg",
        "my-environment/bin/python",
        "conda/conda-meta/history",
        "conda/lib/x",
    ]
    make(tmp_path, *kept, *gone)
    assert found(tmp_path) == sorted(kept)


def test_everything_means_everything(tmp_path):
    names = [".env", ".git/config", ".gitignore", "outputs/a", "sub/pyvenv.cfg", "x.log"]
    make(tmp_path, *names)
    (tmp_path / ".gitignore").write_text("*.log\n")
    assert found(tmp_path, everything=True) == names


def test_gitignore_patterns(tmp_path):
    kept = ["a.py", "build/keep.txt", "deep/dist/x", "keep.log", "sub/a.csv", "#hash"]
    gone = ["a.log", "deep/b.log", "dist/x", "cache/x", "deep/cache/x", "a.csv", "x1.tmp"]
    make(tmp_path, *kept, *gone)
    (tmp_path / ".gitignore").write_text("# a comment\n\n*.log\n!keep.log\n/dist/\n**/cache/\n/*.csv\nx[0-9].tmp\n")
    assert found(tmp_path) == sorted([*kept, ".gitignore"])


def test_nested_rules_hold_below_and_win_over_those_above(tmp_path):
    make(tmp_path, "a.dat", "sub/a.dat", "sub/b.dat", "sub/deep/a.dat", "other/b.dat")
    (tmp_path / ".gitignore").write_text("*.dat\n")
    (tmp_path / "sub" / ".gitignore").write_text("!a.dat\n/deep/a.dat\n")
    assert found(tmp_path) == [".gitignore", "sub/.gitignore", "sub/a.dat"]


def test_amlignore_wins_over_gitignore(tmp_path):
    make(tmp_path, "data/a.csv", "data/b.bin", "docs/x.md", "sub/c.csv")
    (tmp_path / ".gitignore").write_text("*.csv\n")
    (tmp_path / "sub" / ".gitignore").write_text("*.csv\n")
    (tmp_path / ".amlignore").write_text("!*.csv\ndocs/\n*.bin\n")
    assert found(tmp_path) == [".amlignore", ".gitignore", "data/a.csv", "sub/.gitignore", "sub/c.csv"]


def test_nothing_below_a_folder_left_out_is_taken_back(tmp_path):
    make(tmp_path, "data/keep.csv")
    (tmp_path / ".gitignore").write_text("data/\n!data/keep.csv\n")
    assert found(tmp_path) == [".gitignore"]


def test_rules_can_not_take_back_what_is_always_left_out(tmp_path):
    make(tmp_path, ".env", ".git/config", "outputs/x")
    (tmp_path / ".amlignore").write_text("!.env\n!.git\n!outputs\n")
    assert found(tmp_path) == [".amlignore"]


def test_rules_may_have_a_byte_order_mark_and_odd_bytes(tmp_path):
    make(tmp_path, "a.log", "b")
    (tmp_path / ".gitignore").write_bytes(b"\xef\xbb\xbf*.log\r\n\xff\xfe\n")
    assert found(tmp_path) == [".gitignore", "b"]


def test_extra_folders_and_files_are_left_out(tmp_path, monkeypatch):
    make(tmp_path, "workspace/catalogue", "a/workspace/kept", "secret", "kept")
    monkeypatch.chdir(tmp_path)
    assert found(tmp_path, exclude=[Path("workspace"), tmp_path / "secret"]) == ["a/workspace/kept", "kept"]


def test_a_single_file_is_a_tree_of_one(tmp_path):
    make(tmp_path, ".env", "model.bin")
    assert found(tmp_path / "model.bin") == ["model.bin"]
    assert found(tmp_path / ".env") == [".env"]


def test_a_folder_that_is_not_there_is_not_found(tmp_path):
    with pytest.raises(NotFound, match="nowhere"):
        scan(tmp_path / "nowhere")


def test_the_executable_bit_is_seen(tmp_path):
    make(tmp_path, "a.sh", "b")
    (tmp_path / "a.sh").chmod(0o755)
    assert [file.executable for file in scan(tmp_path).files] == [True, False]


def test_links_inside_are_kept_as_links(tmp_path):
    make(tmp_path, "data/v2/x")
    (tmp_path / "data" / "latest").symlink_to("v2")
    (tmp_path / "up").symlink_to("data/../data/latest/x")
    (tmp_path / "dangling").symlink_to("not/there")
    tree = scan(tmp_path)
    assert [file.path for file in tree.files] == ["data/v2/x"]
    assert tree.links == {"data/latest": "v2", "up": "data/../data/latest/x", "dangling": "not/there"}


@pytest.mark.parametrize("target", ["/etc/passwd", "..", "../x", "data/../../x", "data/in/../../..", ""])
def test_links_that_leave_are_refused(target):
    """The last but one leaves only because `in` is itself a link."""
    with pytest.raises(InvalidArgument, match=r"'out'.*leaves the folder"):
        check_links({"out": target, "data/in": "../top"})


def test_a_link_whose_dots_come_after_another_link_is_followed():
    """`deep/l/..` is the parent of what `l` points to, not `deep`."""
    check_links({"ok": "deep/l/../x", "deep/l": "a/b"})
    with pytest.raises(InvalidArgument, match="leaves the folder"):
        check_links({"out": "deep/l/../../x", "deep/l": "../top"})


def test_links_that_lead_to_themselves_are_refused():
    with pytest.raises(InvalidArgument, match="leads to itself"):
        check_links({"a": "b", "b": "a"})


def test_a_link_that_leaves_is_named_and_may_be_left_out(tmp_path):
    (tmp_path / "passwords").symlink_to("/etc/passwd")
    with pytest.raises(InvalidArgument, match="'passwords' -> '/etc/passwd' leaves the folder"):
        scan(tmp_path)
    (tmp_path / ".amlignore").write_text("passwords\n")
    assert scan(tmp_path).links == {}


def test_a_link_to_a_folder_is_not_walked_into(tmp_path):
    make(tmp_path, "real/x")
    (tmp_path / "link").symlink_to("real")
    assert found(tmp_path) == ["real/x"]


def test_pipes_and_sockets_are_refused_by_name(tmp_path):
    os.mkfifo(tmp_path / "a-pipe")
    with pytest.raises(InvalidArgument, match="a-pipe' is a pipe"):
        scan(tmp_path)
    (tmp_path / "a-pipe").unlink()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "a-socket"))
        with pytest.raises(InvalidArgument, match="a-socket' is a socket"):
            scan(tmp_path)


@pytest.mark.skipif(sys.platform == "darwin", reason="file names of macOS are always UTF-8")
def test_names_that_are_not_utf8_are_refused_by_name(tmp_path):
    (tmp_path / os.fsdecode(b"bad-\xff")).touch()
    with pytest.raises(InvalidArgument, match=r"bad-\\udcff.*not UTF-8"):
        scan(tmp_path)


def test_unreadable_folders_and_rules_are_named(open_folder):
    make(open_folder, "closed/x")
    (open_folder / "closed").chmod(0)
    with as_somebody_else(), pytest.raises(InvalidArgument, match="closed' can't be read: Permission denied"):
        scan(open_folder)
    (open_folder / "closed").chmod(0o755)
    make(open_folder, ".gitignore")
    (open_folder / ".gitignore").chmod(0)
    with as_somebody_else(), pytest.raises(InvalidArgument, match=r"\.gitignore' can't be read: Permission denied"):
        scan(open_folder)


def test_what_vanishes_meanwhile_is_left_out(tmp_path, monkeypatch):
    make(tmp_path, "a", "gone/b", "late")
    listed = walk._list

    def list_and_remove(folder):
        entries = listed(folder)
        if folder == os.fspath(tmp_path):
            (tmp_path / "gone" / "b").unlink()
            (tmp_path / "gone").rmdir()
            (tmp_path / "late").unlink()
        return entries

    monkeypatch.setattr(walk, "_list", list_and_remove)
    assert found(tmp_path) == ["a"]
