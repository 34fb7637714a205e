import errno
import gc
import json
import logging
import os
import stat
import subprocess
import sys
import threading
from urllib.parse import quote

import pytest

from amlsdk.errors import Conflict, Denied, InvalidArgument, NotFound, Unavailable
from amlsdk.local import LocalBackend
from amlsdk.local.handling import HANDLERS
from amlsdk.local.network import _parse_mount, _parse_mountinfo, refuse_network
from amlsdk.operations import TABLE, Role
from amlsdk.operations.projects import CreateProject, GetProject, ListProjects
from amlsdk.operations.workspaces import GetWorkspace
from amlsdk.records.ids import new_id
from amlsdk.service import Principal
from amlsdk.tenancy import handling as directory


@pytest.fixture
def backend(tmp_path):
    backend = LocalBackend(tmp_path / "w")
    yield backend
    backend.close()


@pytest.mark.parametrize("name", ["workspace.lock", "audit.jsonl"])
def test_a_file_that_this_user_may_not_open_is_named(backend, monkeypatch, name):
    """As where several users share a folder and another one made it."""
    backend.close()

    def refuse(path, *args, really=os.open):
        if str(path).endswith(name):
            raise PermissionError(errno.EACCES, "Permission denied")
        return really(path, *args)

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(Unavailable, match=rf"{name}' can't be opened: Permission denied; let this user"):
        LocalBackend(backend.folder)
    monkeypatch.undo()
    assert open_files(backend.folder) == []


def test_a_backend_that_is_dropped_leaves_no_file_open(tmp_path):
    """Objects that are unpickled in a worker are dropped, and never closed."""
    for _ in range(3):
        LocalBackend(tmp_path / "w").open().send(GetWorkspace())
    gc.collect()
    assert [name for name in open_files(tmp_path) if not name.startswith("catalogue")] == []


def open_files(folder):
    links = [f"/proc/self/fd/{name}" for name in os.listdir("/proc/self/fd")]
    places = [os.readlink(link) for link in links if os.path.islink(link)]
    return [os.path.basename(place) for place in places if place.startswith(f"{folder}/")]


def test_what_fails_by_a_fault_of_ours_stands_in_the_audit_log_too(backend, monkeypatch):
    def broken(*_):
        raise RuntimeError("a fault")

    monkeypatch.setitem(HANDLERS, CreateProject, broken)
    with pytest.raises(RuntimeError, match="a fault"):
        backend.open().send(CreateProject(id=new_id(), name="wine"))
    [line] = map(json.loads, (backend.folder / "audit.jsonl").read_text().splitlines())
    assert (line["operation"], line["outcome"]) == ("CreateProject", "Internal")


def test_every_operation_has_a_handler():
    """In a workspace, or in the directory of a service."""
    assert HANDLERS.keys() == {cls for cls, operation in TABLE.items() if operation.on is None}
    assert directory.HANDLERS.keys() == TABLE.keys() - HANDLERS.keys()


def test_a_new_folder_becomes_a_workspace_and_says_so(tmp_path, caplog):
    with caplog.at_level(logging.INFO, logger="amlsdk"):
        LocalBackend(tmp_path / "new" / "deep").close()
        LocalBackend(tmp_path / "new" / "deep").close()
    assert [record.message for record in caplog.records] == [f"created workspace {tmp_path / 'new' / 'deep'}"]
    assert stat.S_IMODE((tmp_path / "new" / "deep").stat().st_mode) == 0o700
    assert json.loads((tmp_path / "new" / "deep" / "workspace.json").read_text())["format"] == 1


def test_a_workspace_is_itself_when_opened_again(tmp_path):
    first = LocalBackend(tmp_path)
    made = first.open().send(GetWorkspace())
    first.close()
    again = LocalBackend(tmp_path)
    assert again.open().send(GetWorkspace()) == made
    assert json.loads((tmp_path / "workspace.json").read_text())["id"] == made.id
    assert made.name == tmp_path.name
    again.close()


def test_a_missing_workspace_is_not_made_unasked(tmp_path):
    with pytest.raises(NotFound, match="create=False"):
        LocalBackend(tmp_path / "w", create=False)
    assert not (tmp_path / "w").exists()


def test_a_folder_with_other_files_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(InvalidArgument, match=r"thesis\.tex"):
        LocalBackend(tmp_path)
    assert list(tmp_path.iterdir()) == [tmp_path / "thesis.tex"]
    with pytest.raises(InvalidArgument, match="no folder"):
        LocalBackend(tmp_path / "thesis.tex")


def test_a_workspace_whose_making_was_cut_off_is_finished(tmp_path):
    LocalBackend(tmp_path / "w").close()
    (tmp_path / "w" / "workspace.json").unlink()
    (tmp_path / "w" / "workspace.making").touch()
    backend = LocalBackend(tmp_path / "w")
    assert backend.open().send(GetWorkspace()).name == "w"
    backend.close()


def test_a_location_is_a_path_or_a_url(tmp_path):
    folder = tmp_path / "with space#?%41"
    by_path = LocalBackend(folder)
    by_url = LocalBackend(f"file://{quote(str(folder))}")
    assert by_path.folder == by_url.folder == folder
    assert by_path.open().send(GetWorkspace()) == by_url.open().send(GetWorkspace())
    by_path.close()
    by_url.close()
    with pytest.raises(InvalidArgument, match="no folder of this machine"):
        LocalBackend("file://server/share")


def test_a_relative_path_stays_what_it_was(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    backend = LocalBackend("w")
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    backend.open().send(CreateProject(id=new_id(), name="a"))
    assert backend.location == str(tmp_path / "w")
    assert list((tmp_path / "other").iterdir()) == []
    backend.close()


def test_many_may_make_one_workspace_at_once(tmp_path):
    made, errors = [], []

    def make():
        try:
            backend = LocalBackend(tmp_path / "w")
            made.append(backend.open().send(GetWorkspace()))
            backend.close()
        except Exception as error:  # noqa: BLE001  # shown below
            errors.append(error)

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(made) == 8
    assert len(set(map(repr, made))) == 1


def test_a_closed_workspace_says_so(backend):
    service = backend.open()
    backend.close()
    backend.close()
    with pytest.raises(Unavailable, match="was closed"):
        service.send(GetWorkspace())


def test_two_workspaces_live_side_by_side(tmp_path):
    backends = [LocalBackend(tmp_path / name) for name in ("a", "b")]
    for backend in backends:
        backend.open().send(CreateProject(id=new_id(), name=backend.folder.name))
    listed = [[item.name for item in backend.open().send(ListProjects()).items] for backend in backends]
    assert listed == [["a"], ["b"]]
    for backend in backends:
        backend.close()


def test_a_reader_may_not_write(backend):
    service = backend.open(Principal(name="guest", role=Role.READER))
    assert service.send(ListProjects()).items == ()
    with pytest.raises(Denied, match="contributor"):
        service.send(CreateProject(id=new_id(), name="a"))


def test_the_audit_log_has_what_was_changed_and_how_it_went(backend):
    service = backend.open(Principal(name="ada", role=Role.OWNER))
    project_id = new_id()
    service.send(CreateProject(id=project_id, name="a"))
    service.send(GetProject(project_id=project_id))
    with pytest.raises(Conflict):
        service.send(CreateProject(id=new_id(), name="a"))
    lines = [json.loads(line) for line in (backend.folder / "audit.jsonl").read_text().splitlines()]
    assert [(line["user"], line["operation"], line["outcome"]) for line in lines] == [
        ("ada", "CreateProject", "ok"),
        ("ada", "CreateProject", "Conflict"),
    ]
    assert lines[0]["id"] == project_id


def test_a_folder_on_a_network_file_system_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("amlsdk.local.folder.mounts", lambda: {"/": "ext4", str(tmp_path): "nfs4"})
    with pytest.raises(InvalidArgument, match=r"nfs4.*local disk.*aml serve"):
        LocalBackend(tmp_path / "w")
    assert not (tmp_path / "w").exists()


def test_a_workspace_that_moved_to_the_network_is_refused(tmp_path, monkeypatch):
    LocalBackend(tmp_path / "w").close()
    monkeypatch.setattr("amlsdk.local.folder.mounts", lambda: {str(tmp_path): "fuse.sshfs"})
    with pytest.raises(InvalidArgument, match=r"fuse\.sshfs"):
        LocalBackend(tmp_path / "w")


@pytest.mark.parametrize(
    "kind", ["nfs", "smb3", "lustre", "gpfs", "ceph", "beegfs_nodev", "fuse.ceph-fuse", "fuse.juicefs", "fuse.s3fs"]
)
def test_file_systems_of_the_network_are_known(tmp_path, kind):
    with pytest.raises(InvalidArgument, match=kind):
        refuse_network(tmp_path, {"/": "ext4", str(tmp_path): kind})


@pytest.mark.parametrize("kind", ["ext4", "overlay", "tmpfs", "apfs", "fuse.fuse-overlayfs"])
def test_a_folder_on_a_local_file_system_is_not_refused(tmp_path, kind):
    refuse_network(tmp_path, {"/": "nfs", str(tmp_path): kind})


def test_the_nearest_mount_point_counts(tmp_path):
    refuse_network(tmp_path / "a" / "b", {"/": "cifs", str(tmp_path / "a"): "xfs"})
    with pytest.raises(InvalidArgument, match="cifs"):
        refuse_network(tmp_path / "b", {"/": "cifs", str(tmp_path / "a"): "xfs"})


def test_mount_points_are_read_as_the_systems_write_them():
    linux = (
        "36 35 98:0 / / rw,noatime shared:1 - ext4 /dev/root rw\n37 36 0:5 / /mnt/my\\040share rw - nfs4 server:/x rw\n"
    )
    assert _parse_mountinfo(linux) == {"/": "ext4", "/mnt/my share": "nfs4"}
    mac = "/dev/disk3s1 on / (apfs, local)\n//ada@nas/home on /Volumes/my home (smbfs, nodev)\n"
    assert _parse_mount(mac) == {"/": "apfs", "/Volumes/my home": "smbfs"}


def test_another_format_or_a_damaged_mark_is_refused(tmp_path):
    LocalBackend(tmp_path).close()
    (tmp_path / "workspace.json").write_text('{"format":2,"id":"x"}')
    with pytest.raises(Conflict, match=r"format 2.*upgrade"):
        LocalBackend(tmp_path)
    (tmp_path / "workspace.json").write_text("{")
    with pytest.raises(Unavailable, match=r"workspace\.json.*restore"):
        LocalBackend(tmp_path)


def test_opening_a_workspace_does_not_load_the_migrations(tmp_path):
    LocalBackend(tmp_path / "w").close()
    code = (
        "import sys; from amlsdk.local import LocalBackend; LocalBackend(sys.argv[1]).close(); "
        "sys.exit('alembic' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code, tmp_path / "w"], check=False).returncode == 0
