"""Layers unpacked from the blob store: whole, once, and never outside of their folder."""

import gzip
import hashlib
import io
import os
import stat
import tarfile
from concurrent.futures import ThreadPoolExecutor

import attrs
import pytest

from amlsdk.errors import InvalidArgument, NotFound, OperationFailed, Unavailable
from amlsdk.filesets.layers import unpack_layer
from amlsdk.records.images import LayerRecord
from amlsdk.records.streams import ByteStream
from amlsdk.storage.blobs.folder import FolderBlobStore

GOOD = (("site/a.py", b"a = 1\n"), ("bin/tool", {"content": b"#!", "mode": 0o755}), ("link", {"link": "site/a.py"}))


@pytest.fixture
def store(tmp_path):
    return FolderBlobStore(tmp_path / "blobs")


def archive(*members):
    """A tar archive of (name, content or what makes the member special)."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        for name, what in members:
            special = {"content": what} if isinstance(what, bytes) else what
            info = tarfile.TarInfo(name)
            content = special.get("content", b"")
            info.size = special.get("size", len(content))
            info.mode = special.get("mode", 0o644)
            info.type = special.get("type", tarfile.SYMTYPE if "link" in special else tarfile.REGTYPE)
            info.linkname = special.get("link", "")
            tar.addfile(info, io.BytesIO(content))
    return file.getvalue()


def layer_of(store, content, *, packed=None, unpacked_bytes=None):
    """Store an archive as a layer."""
    blob = gzip.compress(content) if packed is None else packed
    digest = hashlib.sha256(blob).hexdigest()
    store.put(digest, ByteStream.of(blob))
    if unpacked_bytes is None:
        with tarfile.open(fileobj=io.BytesIO(content)) as tar:
            unpacked_bytes = sum(member.size for member in tar if member.isreg())
    return LayerRecord(
        kind="dependencies",
        digest=digest,
        diff_id=hashlib.sha256(content).hexdigest(),
        media_type="application/vnd.oci.image.layer.v1.tar+gzip",
        size_bytes=len(blob),
        unpacked_bytes=unpacked_bytes,
    )


def test_files_links_and_modes_arrive(store, tmp_path):
    folder = unpack_layer(layer_of(store, archive(*GOOD)), store, tmp_path / "cache")
    assert (folder / "site" / "a.py").read_bytes() == b"a = 1\n"
    assert os.readlink(folder / "link") == "site/a.py"
    assert stat.S_IMODE((folder / "bin" / "tool").stat().st_mode) & 0o111
    assert not stat.S_IMODE((folder / "site" / "a.py").stat().st_mode) & 0o111


def test_an_archive_that_is_not_compressed_is_a_layer_too(store, tmp_path):
    content = archive(*GOOD)
    folder = unpack_layer(layer_of(store, content, packed=content), store, tmp_path / "cache")
    assert (folder / "bin" / "tool").read_bytes() == b"#!"


def test_several_gzip_members_are_one_archive(store, tmp_path):
    content = archive(*GOOD, ("big", os.urandom(3_000_000)))
    packed = gzip.compress(content[:1000]) + gzip.compress(content[1000:])
    folder = unpack_layer(layer_of(store, content, packed=packed), store, tmp_path / "cache")
    assert (folder / "big").stat().st_size == 3_000_000


def test_the_second_time_nothing_is_read(store, tmp_path):
    layer = layer_of(store, archive(*GOOD))
    folder = unpack_layer(layer, store, tmp_path / "cache")
    store.delete(layer.digest)
    assert unpack_layer(layer, store, tmp_path / "cache") == folder
    assert [path.name for path in folder.parent.iterdir()] == [layer.digest]


def test_a_tree_that_lost_bytes_is_unpacked_again(store, tmp_path):
    """After a loss of power a file may be there and empty."""
    layer = layer_of(store, archive(*GOOD))
    folder = unpack_layer(layer, store, tmp_path / "cache")
    (folder / "site" / "a.py").write_bytes(b"")
    assert (unpack_layer(layer, store, tmp_path / "cache") / "site" / "a.py").read_bytes() == b"a = 1\n"


def test_threads_may_ask_for_one_layer_at_once(store, tmp_path):
    layer = layer_of(store, archive(*GOOD, ("big", bytes(2_000_000))))
    with ThreadPoolExecutor(4) as pool:
        folders = list(pool.map(lambda _: unpack_layer(layer, store, tmp_path / "cache"), range(8)))
    assert len(set(folders)) == 1
    assert (folders[0] / "big").stat().st_size == 2_000_000
    assert [path.name for path in folders[0].parent.iterdir()] == [layer.digest]


@pytest.mark.parametrize(
    "member",
    [
        ("../out", b"x"),
        ("a/../../out", b"x"),
        ("/abs", b"x"),
        ("a//b", b"x"),
        ("out", {"link": "/etc/passwd"}),
        ("a/out", {"link": "../../out"}),
        ("loop", {"link": "loop"}),
        ("pipe", {"type": tarfile.FIFOTYPE}),
        ("null", {"type": tarfile.CHRTYPE}),
        ("hard", {"type": tarfile.LNKTYPE, "link": "site/a.py"}),
        ("site/a.py", b"again"),
        ("site/a.py/below", b"x"),
        ("site", b"a file"),
        ("link/below", b"written through a link"),
    ],
)
def test_members_that_could_do_harm_are_refused(store, tmp_path, member):
    """Nothing is written outside, and no half of the layer stays."""
    layer = layer_of(store, archive(*GOOD, member))
    with pytest.raises(InvalidArgument):
        unpack_layer(layer, store, tmp_path / "cache")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["blobs", "cache"]
    assert list((tmp_path / "cache" / "layers").iterdir()) == []


def test_more_bytes_than_were_recorded_are_not_written(store, tmp_path):
    """A few bytes that stand for a gigabyte end at what the record promises."""
    layer = layer_of(store, archive(("zeros", bytes(50_000_000))), unpacked_bytes=1000)
    with pytest.raises(OperationFailed, match="more than the 1000 bytes"):
        unpack_layer(layer, store, tmp_path / "cache")


@pytest.mark.parametrize("change", [{"diff_id": "0" * 64}, {"unpacked_bytes": 1_000_000}])
def test_another_layer_than_was_recorded_is_refused(store, tmp_path, change):
    layer = attrs.evolve(layer_of(store, archive(*GOOD)), **change)
    with pytest.raises(OperationFailed, match="another archive than was recorded"):
        unpack_layer(layer, store, tmp_path / "cache")


def _cut(content):
    return gzip.compress(content)[:-200]


@pytest.mark.parametrize("spoil", [_cut, lambda _: b"", lambda _: b"no archive", lambda _: b"\x1f\x8b\x08garbage" * 9])
def test_what_is_no_layer_is_said(store, tmp_path, spoil):
    content = archive(*GOOD, ("big", os.urandom(5000)))
    layer = layer_of(store, content, packed=spoil(content))
    with pytest.raises(OperationFailed, match=layer.digest):
        unpack_layer(layer, store, tmp_path / "cache")
    assert list((tmp_path / "cache" / "layers").iterdir()) == []


def test_a_damaged_blob_is_found(store, tmp_path):
    layer = layer_of(store, archive(*GOOD, ("big", os.urandom(5000))))
    blob = store.folder / layer.digest[:2] / layer.digest[2:]
    blob.chmod(0o600)
    content = bytearray(blob.read_bytes())
    content[4000] ^= 1
    blob.write_bytes(content)
    with pytest.raises(OperationFailed):
        unpack_layer(layer, store, tmp_path / "cache")


def test_a_blob_that_is_gone_is_not_found(store, tmp_path):
    layer = layer_of(store, archive(*GOOD))
    store.delete(layer.digest)
    with pytest.raises(NotFound, match=layer.digest):
        unpack_layer(layer, store, tmp_path / "cache")


def test_a_cache_that_takes_nothing_is_unavailable(store, tmp_path):
    (tmp_path / "cache").write_bytes(b"a file")
    with pytest.raises(Unavailable, match="can't be unpacked"):
        unpack_layer(layer_of(store, archive(*GOOD)), store, tmp_path / "cache")
