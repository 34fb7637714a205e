import io
import os
import stat
import tarfile
import zipfile

import pytest

from amlsdk.errors import Conflict, InvalidArgument, NotFound
from amlsdk.filesets.archives import unpack


def tar(path, *members, mode="w"):
    """Write a tar archive of (name, content or TarInfo changes)."""
    with tarfile.open(path, mode) as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            if isinstance(content, dict):
                for field, value in content.items():
                    setattr(info, field, value)
                archive.addfile(info)
            else:
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    return path


def zipped(path, *members, unix_mode=None):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            if unix_mode is not None:
                info.external_attr = unix_mode << 16
            archive.writestr(info, content)
    return path


def link(target, kind=tarfile.SYMTYPE):
    return {"type": kind, "linkname": target}


def assert_only(folder, *names):
    assert sorted(path.name for path in folder.iterdir()) == sorted(names)


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_tar_archives_of_every_compression(tmp_path, mode):
    archive = tar(tmp_path / "data", ("./", {"type": tarfile.DIRTYPE}), ("./a/b.csv", b"1,2"), ("c", b""), mode=mode)
    unpack(archive, tmp_path / "out")
    assert (tmp_path / "out" / "a" / "b.csv").read_bytes() == b"1,2"
    assert_only(tmp_path / "out", "a", "c")


def test_zip_archives(tmp_path):
    archive = zipped(tmp_path / "data.zip", ("a/b.csv", b"1,2"), ("empty/", b""), ("c", b"x" * 3_000_000))
    unpack(archive, tmp_path / "out")
    assert (tmp_path / "out" / "a" / "b.csv").read_bytes() == b"1,2"
    assert (tmp_path / "out" / "c").stat().st_size == 3_000_000
    assert (tmp_path / "out" / "empty").is_dir()


def test_modes_and_links_that_stay_inside(tmp_path):
    members = [("bin/run", {"mode": 0o4755, "size": 0}), ("latest", link("bin/run")), ("hard", link("bin/run", b"1"))]
    unpack(tar(tmp_path / "a.tar", *members), tmp_path / "out")
    assert stat.S_IMODE((tmp_path / "out" / "bin" / "run").stat().st_mode) & 0o7100 == 0o100
    assert (tmp_path / "out" / "latest").readlink().as_posix() == "bin/run"
    assert not (tmp_path / "out" / "hard").is_symlink()


def test_zip_links_and_modes(tmp_path):
    archive = zipped(tmp_path / "l.zip", ("l", b"target"), unix_mode=stat.S_IFLNK | 0o777)
    unpack(archive, tmp_path / "links")
    assert (tmp_path / "links" / "l").readlink().as_posix() == "target"
    unpack(zipped(tmp_path / "x.zip", ("run", b"x"), unix_mode=stat.S_IFREG | 0o755), tmp_path / "modes")
    assert os.access(tmp_path / "modes" / "run", os.X_OK)


def test_a_zip_inside_an_uncompressed_tar_does_not_hide_the_tar(tmp_path):
    inner = zipped(tmp_path / "inner.zip", ("inside", b"x")).read_bytes()
    unpack(tar(tmp_path / "a.tar", ("inner.zip", inner)), tmp_path / "out")
    assert_only(tmp_path / "out", "inner.zip")


@pytest.mark.parametrize("name", ["../evil", "a/../../evil", "/evil", "a//b", "a/./b", "C:/evil"])
@pytest.mark.parametrize("write", [tar, zipped])
def test_members_that_leave_are_refused(tmp_path, write, name):
    archive = write(tmp_path / "archive", ("fine", b"x"), (name, b"evil"))
    with pytest.raises(InvalidArgument, match="can't be the path"):
        unpack(archive, tmp_path / "in" / "out")
    assert_only(tmp_path, "archive", "in")
    assert_only(tmp_path / "in")


@pytest.mark.parametrize("target", ["/etc/passwd", "../evil", "sub/../../evil"])
def test_links_that_leave_are_refused(tmp_path, target):
    for archive in (
        tar(tmp_path / "a.tar", ("l", link(target))),
        zipped(tmp_path / "a.zip", ("l", target.encode()), unix_mode=stat.S_IFLNK | 0o777),
    ):
        with pytest.raises(InvalidArgument, match=r"'l'.*leaves the folder"):
            unpack(archive, tmp_path / "out")
        assert not (tmp_path / "out").exists()


def test_a_file_written_through_a_link_of_the_archive_is_refused(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    archive = tar(tmp_path / "a.tar", ("l", link(str(tmp_path / "elsewhere"))), ("l/evil", b"x"))
    with pytest.raises(InvalidArgument, match="'l'"):
        unpack(archive, tmp_path / "out")
    assert_only(tmp_path / "elsewhere")


def test_hard_links_to_files_outside_are_refused(tmp_path):
    (tmp_path / "secret").write_text("secret")
    archive = tar(tmp_path / "a.tar", ("l", link(str(tmp_path / "secret"), tarfile.LNKTYPE)))
    with pytest.raises(InvalidArgument, match="hard link"):
        unpack(archive, tmp_path / "out")


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_devices_and_pipes_are_refused_by_name(tmp_path, kind):
    with pytest.raises(InvalidArgument, match="'odd', a device or pipe"):
        unpack(tar(tmp_path / "a.tar", ("odd", {"type": kind})), tmp_path / "out")
    archive = zipped(tmp_path / "a.zip", ("odd", b""), unix_mode=stat.S_IFIFO | 0o644)
    with pytest.raises(InvalidArgument, match="'odd', a device or pipe"):
        unpack(archive, tmp_path / "out")


@pytest.mark.parametrize("write", [tar, zipped])
def test_more_bytes_than_allowed_are_refused_by_name(tmp_path, write):
    archive = write(tmp_path / "archive", ("small", b"x" * 500), ("bomb", b"\0" * 1000))
    with pytest.raises(InvalidArgument, match="with 'bomb'"):
        unpack(archive, tmp_path / "out", limit_bytes=1499)
    assert_only(tmp_path, "archive")
    unpack(archive, tmp_path / "out", limit_bytes=1500)


def test_an_archive_that_grows_out_of_proportion_is_refused(tmp_path):
    archive = zipped(tmp_path / "bomb.zip", *((f"bomb{number}", bytes(40 << 20)) for number in range(2)))
    with pytest.raises(InvalidArgument, match="with 'bomb1'"):
        unpack(archive, tmp_path / "out")
    unpack(archive, tmp_path / "out", limit_ratio=2000)


def test_too_many_members_are_refused(tmp_path):
    archive = zipped(tmp_path / "many.zip", *((str(number), b"") for number in range(11)))
    with pytest.raises(InvalidArgument, match="too many members"):
        unpack(archive, tmp_path / "out", limit_members=10)


def test_a_path_twice_is_refused(tmp_path):
    with pytest.raises(InvalidArgument, match="'a' twice"):
        unpack(tar(tmp_path / "a.tar", ("a", b"1"), ("a", b"2")), tmp_path / "out")
    with pytest.raises(InvalidArgument, match="both as a file and as a folder"):
        unpack(tar(tmp_path / "b.tar", ("a", b"1"), ("a/b", b"2")), tmp_path / "out")


@pytest.mark.parametrize("suffix", ["", ":gz", ":bz2", ":xz"])
def test_a_cut_or_damaged_archive_is_said_and_leaves_nothing(tmp_path, suffix):
    content = bytes(range(256)) * 4000
    whole = tar(tmp_path / "whole", ("a", content), ("b", os.urandom(100_000)), mode="w" + suffix).read_bytes()
    (tmp_path / "cut").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InvalidArgument, match=r"cut.*(damaged|neither)"):
        unpack(tmp_path / "cut", tmp_path / "out")
    assert_only(tmp_path, "whole", "cut")


def test_a_damaged_zip_is_said(tmp_path):
    data = bytearray(zipped(tmp_path / "a.zip", ("a", bytes(range(256)) * 400)).read_bytes())
    data[60] ^= 0xFF
    (tmp_path / "a.zip").write_bytes(data)
    with pytest.raises(InvalidArgument, match="damaged"):
        unpack(tmp_path / "a.zip", tmp_path / "out")
    assert_only(tmp_path, "a.zip")


def test_an_encrypted_zip_is_said(tmp_path):
    data = bytearray(zipped(tmp_path / "a.zip", ("a", b"x" * 100)).read_bytes())
    data[6] |= 1
    data[data.rindex(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "a.zip").write_bytes(data)
    with pytest.raises(InvalidArgument, match="encrypted"):
        unpack(tmp_path / "a.zip", tmp_path / "out")


def test_what_is_no_archive_is_refused(tmp_path):
    (tmp_path / "text").write_text("no archive")
    with pytest.raises(InvalidArgument, match=r"neither a \.zip nor a \.tar"):
        unpack(tmp_path / "text", tmp_path / "out")
    with pytest.raises(NotFound, match="nowhere"):
        unpack(tmp_path / "nowhere", tmp_path / "out")


def test_a_folder_with_something_in_it_is_left_alone(tmp_path):
    archive = tar(tmp_path / "a.tar", ("a", b"x"))
    (tmp_path / "out").mkdir()
    unpack(archive, tmp_path / "out")
    with pytest.raises(Conflict, match="not an empty folder"):
        unpack(archive, tmp_path / "out")
