"""Images written to archives and folders."""

import hashlib
import json
import sys
import tarfile

import attrs
import pytest
from image_bases import write_layout

from amlsdk.errors import Conflict, NotFound, OperationFailed, Unavailable
from amlsdk.images.oci import OciBuilder
from amlsdk.images.saving import save
from amlsdk.testing.builder_case import Workshop

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="containers are of Linux")


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A base that is small: Python itself takes most of the time of a build."""
    return str(write_layout(tmp_path_factory.mktemp("base") / "layout"))


@pytest.fixture(scope="module")
def workshop(tmp_path_factory):
    return Workshop(tmp_path_factory.mktemp("workshop"))


@pytest.fixture(scope="module")
def built(workshop, base):
    return OciBuilder().build(workshop.work(workshop.manifest(), base=base))


@pytest.fixture
def image(workshop, built):
    return attrs.evolve(workshop.image(name="My Sums.2", version=3), digest=built.digest)


def test_an_archive_is_an_oci_layout_and_one_of_docker(workshop, built, image, tmp_path):
    """Docker's manifest points into the layout's blobs, each of which has the digest it is named by."""
    path = save(image, built.files, workshop.blobs, tmp_path / "image.tar")
    with tarfile.open(path) as tar:
        content = {one.name: tar.extractfile(one).read() for one in tar if one.isreg()}
    blobs = {name.rpartition("/")[2]: data for name, data in content.items() if name.startswith("blobs/")}
    assert all(hashlib.sha256(data).hexdigest() == digest for digest, data in blobs.items())
    (docker,) = json.loads(content["manifest.json"])
    assert docker["RepoTags"] == ["my-sums-2:3"]
    assert docker["Layers"] == [f"blobs/sha256/{layer.digest}" for layer in built.layers]
    config = json.loads(content[docker["Config"]])
    assert config["rootfs"]["diff_ids"] == [f"sha256:{layer.diff_id}" for layer in built.layers]
    assert {"index.json", "oci-layout", "manifest.json"} == content.keys() - {f"blobs/sha256/{one}" for one in blobs}


def test_the_same_image_gives_the_same_archive(workshop, built, image, tmp_path):
    first = save(image, built.files, workshop.blobs, tmp_path / "first.tar").read_bytes()
    assert save(image, built.files, workshop.blobs, tmp_path / "second.tar").read_bytes() == first


def test_an_archive_replaces_one_that_is_there(workshop, built, image, tmp_path):
    (tmp_path / "image.tar").write_bytes(b"old")
    assert tarfile.is_tarfile(save(image, built.files, workshop.blobs, tmp_path / "image.tar"))
    assert [path.name for path in tmp_path.iterdir()] == ["image.tar"]


@pytest.mark.parametrize("exists", [True, False])
def test_a_folder_gets_the_layout(workshop, built, image, tmp_path, exists):
    """It is verified on the way; other images in a layout that is there are not written over."""
    if exists:
        (tmp_path / "layout").mkdir()
    where = f"{tmp_path / 'layout'}{'' if exists else '/'}"
    folder = save(image, built.files, workshop.blobs, where)
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert found == {entry.path for entry in built.files.entries}
    (folder / "index.json").write_text("{}")
    with pytest.raises(Conflict, match=r"index\.json"):
        save(image, built.files, workshop.blobs, where)


def test_no_half_archive_is_left(base, image, tmp_path):
    """A layer that is damaged in the store is found while the archive is written."""
    own = Workshop(tmp_path / "own")
    made = OciBuilder().build(own.work(own.manifest(), base=base))
    (tmp_path / "out").mkdir()
    blob = own.blobs.folder / made.layers[-1].digest[:2] / made.layers[-1].digest[2:]
    blob.chmod(0o600)
    blob.write_bytes(blob.read_bytes()[:-1] + b"x")
    image = attrs.evolve(image, digest=made.digest)
    with pytest.raises(OperationFailed, match="is damaged"):
        save(image, made.files, own.blobs, tmp_path / "out" / "image.tar")
    own.blobs.delete(made.layers[-1].digest)
    with pytest.raises(NotFound, match="1 blobs of image 'My Sums.2' version 3 are not stored"):
        save(image, made.files, own.blobs, tmp_path / "out" / "image.tar")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_folder_that_is_not_there_is_said(workshop, built, image, tmp_path):
    with pytest.raises(NotFound, match="there is no folder"):
        save(image, built.files, workshop.blobs, tmp_path / "absent" / "image.tar")


def test_a_full_disk_is_said(workshop, built, image, monkeypatch, tmp_path):
    def full(_, chunk):
        with open("/dev/full", "wb", buffering=0) as file:
            file.write(chunk)

    monkeypatch.setattr("amlsdk.images.saving.write_all", full)
    with pytest.raises(Unavailable, match="No space left on device"):
        save(image, built.files, workshop.blobs, tmp_path / "image.tar")
    assert list(tmp_path.iterdir()) == []
