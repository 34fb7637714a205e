"""Builds on machines where things go wrong."""

import errno
import hashlib
import os
import signal
import sys

import attrs
import pytest
from image_bases import write_layout

import amlsdk
from amlsdk.errors import NotFound, OperationFailed, Unavailable
from amlsdk.images.oci import OciBuilder
from amlsdk.operations.images import CreateImage, GetImage
from amlsdk.records.ids import new_id
from amlsdk.records.images import ImageStatus
from amlsdk.resources.launching import Detached
from amlsdk.testing.builder_case import Workshop

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="containers are of Linux")


class Shop(Workshop):
    """A workshop that builds on a base that is small: Python itself takes most of the time of a build."""

    def work(self, manifest, **options):
        return super().work(manifest, base=str(self.folder / "base"), **options)


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    workshop = Shop(tmp_path_factory.mktemp("workshop"))
    write_layout(workshop.folder / "base")
    OciBuilder(level=1).build(workshop.work(workshop.manifest()))
    return workshop


def work_folders(workshop):
    return list((workshop.cache / "images" / "work").iterdir())


def test_a_disk_that_is_full_is_said_and_nothing_is_left(shared, monkeypatch):
    """The message names the layer and the reason; the next build, with space, goes through."""
    manifest = shared.manifest(app={"score.py": b"", "data.bin": os.urandom(3 << 20)})

    def full(_, chunk):
        with open("/dev/full", "wb", buffering=0) as file:
            file.write(chunk)

    with monkeypatch.context() as patched:
        patched.setattr("amlsdk.images.gzipping.write_all", full)
        with pytest.raises(Unavailable, match="the layer of script can't be written.*No space left on device"):
            OciBuilder(level=1).build(shared.work(manifest))
    assert work_folders(shared) == []
    assert OciBuilder(level=1).build(shared.work(manifest)).layers[-1].kind == "script"


def test_a_store_that_is_full_is_said(shared, monkeypatch):
    manifest = shared.manifest(app={"score.py": b"another"})

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("amlsdk.storage.blobs.drafts.write_all", full)
    with pytest.raises(Unavailable, match="No space left on device"):
        OciBuilder(level=1).build(shared.work(manifest))
    assert work_folders(shared) == []


def test_a_cache_that_takes_nothing_is_said(shared, tmp_path):
    (tmp_path / "cache").write_bytes(b"a file")
    work = attrs.evolve(shared.work(shared.manifest()), cache=tmp_path / "cache")
    with pytest.raises(Unavailable, match="can't be written"):
        OciBuilder(level=1).build(work)


@pytest.mark.parametrize("size", [100, 3_000_000])
def test_a_damaged_file_of_the_store_never_gets_into_an_image(shared, size):
    """Small files are read ahead, large ones are streamed: both are verified."""
    content = os.urandom(size)
    manifest = shared.manifest(app={"score.py": b"", "data.bin": content})
    digest = hashlib.sha256(content).hexdigest()
    blob = shared.blobs.folder / digest[:2] / digest[2:]
    blob.chmod(0o600)
    blob.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(OperationFailed, match=f"blob {digest} is damaged"):
        OciBuilder(level=1).build(shared.work(manifest))
    assert work_folders(shared) == []


def test_a_file_that_is_lost_during_the_build_is_said(shared):
    content = os.urandom(3_000_000)
    digest = hashlib.sha256(content).hexdigest()
    manifest = shared.manifest(app={"score.py": b"", "data.bin": content})

    def step(text):
        if text == "script":
            shared.blobs.delete(digest)

    with pytest.raises(NotFound, match=digest):
        OciBuilder(level=1).build(shared.work(manifest, step=step))


def test_a_builder_that_is_killed_is_found(tmp_path):
    """The image has Failed with the reason as soon as somebody looks, and its name can be built again."""
    with amlsdk.connect(tmp_path / "workspace") as workspace:
        (tmp_path / "model.bin").write_bytes(os.urandom(64 << 20))
        (tmp_path / "score.py").write_text("def run(x):\n    return x\n")
        model = workspace.models.create("big", tmp_path / "model.bin")
        manifest = model.create_manifest("big", scoring=tmp_path / "score.py", sample={"x": 1})
        client = workspace._client
        with Detached("amlsdk.images") as starting:
            owner = starting.identity()
            request = CreateImage(id=new_id(), name="big", manifest_id=manifest.id, owner=owner)
            image = client.send(request)
            starting.send({**client.place.to_message(), "image_id": image.id})
        while not client.send(GetImage(image_id=image.id)).step:
            pass
        os.kill(owner.pid, signal.SIGKILL)
        ended = client.send(GetImage(image_id=image.id, wait_s=20))
        assert ended.status == ImageStatus.FAILED
        assert ended.error
