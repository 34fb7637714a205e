"""Images of other tools as a base: taken over unchanged, or refused with what was found."""

import gzip
import json
import sys
import tarfile

import attrs
import pytest
from image_bases import PYTHON, base_layers, config_of, python_head, sha, tarred, write_docker, write_layout

from amlsdk.errors import AmlError, InvalidArgument, OperationFailed
from amlsdk.images.host import oci_platform, program_of_host
from amlsdk.images.oci import OciBuilder
from amlsdk.testing.builder_case import BuilderTestCase, Workshop

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="containers are of Linux")


def archived(folder, path):
    """Pack a layout as an OCI archive; returns the path."""
    with tarfile.open(path, "w") as tar:
        tar.add(folder, arcname=".")
    return path


@pytest.fixture
def workshop(tmp_path):
    return Workshop(tmp_path / "workshop")


def build(workshop, base):
    manifest = workshop.manifest()
    OciBuilder().check(manifest, str(base))
    return OciBuilder().build(workshop.work(manifest, base=str(base)))


class TestOnAnotherImage(BuilderTestCase):
    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _base(cls, tmp_path_factory):
        cls.base = str(write_layout(tmp_path_factory.mktemp("base") / "layout"))

    def make_builder(self):
        return OciBuilder()


@pytest.fixture(params=["layout", "archive", "docker"])
def base(request, tmp_path):
    if request.param == "docker":
        return write_docker(tmp_path / "base.tar")
    folder = write_layout(tmp_path / "layout")
    return folder if request.param == "layout" else archived(folder, tmp_path / "base.tar")


def test_layers_of_the_base_come_first_and_unchanged(workshop, base):
    built = build(workshop, base)
    assert [layer.diff_id for layer in built.layers[:2]] == [sha(layer) for layer in base_layers()]
    assert [layer.kind for layer in built.layers] == ["base", "base", "dependencies", "runtime", "model", "script"]
    assert workshop.blobs.missing(layer.digest for layer in built.layers) == ()
    assert built.layers[0].unpacked_bytes == 2 * 8192


def test_the_pythons_path_and_the_bases_settings_are_in_the_configuration(workshop, base):
    """The Python that a later layer hides is not taken, and variables, labels and history of the base stay."""
    content = workshop.configuration(build(workshop, base))
    assert content["config"]["Entrypoint"][0] == f"/usr/bin/{PYTHON}"
    assert {"COLOUR=blue", "PATH=/opt/bin:/usr/bin", "PYTHONDONTWRITEBYTECODE=1"} <= set(content["config"]["Env"])
    assert content["config"]["Labels"]["maker"] == "somebody"
    assert [one["created_by"] for one in content["history"]][:3] == ["one", "nothing", "two"]
    assert sum(1 for one in content["history"] if not one.get("empty_layer")) == len(content["rootfs"]["diff_ids"])


def test_what_is_known_of_a_base_is_not_looked_for_again(workshop, tmp_path):
    base = write_layout(tmp_path / "layout")
    first = build(workshop, base)
    workshop.steps.clear()
    assert build(workshop, base) == first
    assert not [step for step in workshop.steps if "looked through" in step or "read" in step.split()[-1]]


def test_the_image_of_this_platform_is_chosen(workshop, tmp_path):
    """In an index of indexes, as tools write them for several platforms."""
    system, architecture = oci_platform().split("/")[:2]

    def index(described, put):
        other = {**put(b"{}"), "platform": {"os": "plan9", "architecture": "z80"}}
        here = {**described, "platform": {"os": system, "architecture": architecture}}
        return {"manifests": [put(json.dumps({"manifests": [other, here]}).encode())]}

    assert build(workshop, write_layout(tmp_path / "layout", index=index)).platform == oci_platform()


def refused(workshop, base, kind, match):
    with pytest.raises(kind, match=match):
        build(workshop, base)
    assert workshop.kept == []
    work = workshop.cache / "images" / "work"
    assert not work.exists() or list(work.iterdir()) == []


def test_another_platform_is_refused(workshop, tmp_path):
    base = write_docker(tmp_path / "base.tar", config=config_of(base_layers(), architecture="z80"))
    refused(workshop, base, InvalidArgument, f"is an image for linux/z80; one for {oci_platform()}")
    other = {"platform": {"os": "plan9", "architecture": "z80"}}
    base = write_layout(tmp_path / "layout", index=lambda described, _: {"manifests": [described | other]})
    refused(workshop, base, InvalidArgument, f"no image for {oci_platform()}; it has plan9/z80")


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({"etc/issue": b"nothing"}, "no Python at all"),
        ({"usr/bin/python3.1": None}, "no Python at all"),
        ({"usr/bin/python3.1": b"#!/bin/sh\n"}, r"/usr/bin/python3\.1 \(of another machine\)"),
        ({f"usr/bin/{PYTHON}": b"#!/bin/sh\n"}, rf"/usr/bin/{PYTHON} \(of another machine\)"),
    ],
)
def test_a_base_without_a_fitting_python_is_refused(workshop, tmp_path, files, found):
    base = write_layout(tmp_path / "layout", [tarred(files)])
    refused(workshop, base, OperationFailed, rf"has no {PYTHON} that is loaded by .*{found}")


def test_a_python_of_another_c_library_is_refused(workshop, tmp_path):
    """Dependencies for glibc can't be loaded on musl, and the other way round."""
    interpreter = program_of_host()[1].interpreter.encode()
    other = python_head().replace(interpreter, b"/lib/ld-musl-x".ljust(len(interpreter), b"\0"))
    base = write_layout(tmp_path / "layout", [tarred({f"usr/bin/{PYTHON}": other})])
    refused(workshop, base, OperationFailed, r"/lib/ld-musl-x\)")


def test_a_layer_that_can_not_be_read_is_refused_with_the_remedy(workshop, tmp_path):
    base = write_layout(tmp_path / "layout", media_type="application/vnd.oci.image.layer.v1.tar+zstd")
    refused(workshop, base, InvalidArgument, "skopeo copy --dest-compress-format gzip")


def damaged_blob(folder):
    manifest = json.loads((folder / "index.json").read_text())["manifests"][0]["digest"].partition(":")[2]
    layer = json.loads((folder / "blobs" / "sha256" / manifest).read_text())["layers"][0]["digest"].partition(":")[2]
    return folder / "blobs" / "sha256" / layer


def test_damaged_layers_are_named(workshop, tmp_path):
    base = write_layout(tmp_path / "layout")
    blob = damaged_blob(base)
    blob.write_bytes(blob.read_bytes()[:-9] + b"different")
    refused(workshop, base, InvalidArgument, "is damaged: it has another digest")
    blob.unlink()
    refused(workshop, base, InvalidArgument, "no file 'blobs/sha256/.*it is no complete image")
    other = write_docker(tmp_path / "base.tar", config=config_of([b"another", b"two"]))
    refused(workshop, other, InvalidArgument, "is damaged: it is another archive")


def test_links_out_of_a_layout_are_not_followed(workshop, tmp_path):
    """A layout that somebody sent must not bring a file of this machine into an image."""
    base = write_layout(tmp_path / "layout")
    blob = damaged_blob(base)
    (tmp_path / "secret").write_bytes(blob.read_bytes())
    blob.unlink()
    blob.symlink_to(tmp_path / "secret")
    refused(workshop, base, InvalidArgument, "is a link; an image layout has none")
    docker = tmp_path / "docker.tar"
    docker.write_bytes(tarred({"manifest.json": "/etc/passwd"}))
    refused(workshop, docker, InvalidArgument, r"no file 'manifest\.json'")


@pytest.mark.parametrize("path", ["../../etc/passwd", "/etc/passwd", "absent.json"])
def test_paths_out_of_an_archive_are_not_followed(workshop, tmp_path, path):
    content = json.dumps([{"Config": path, "Layers": []}]).encode()
    (tmp_path / "base.tar").write_bytes(tarred({"manifest.json": content}))
    refused(workshop, tmp_path / "base.tar", InvalidArgument, "has no file")
    (tmp_path / "layout").mkdir()
    (tmp_path / "layout" / "manifest.json").write_bytes(content)
    refused(workshop, tmp_path / "layout", InvalidArgument, "can't be the path|has no file")


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"index.json": b""},
        {"index.json": b"[]"},
        {"index.json": b'{"manifests": 1}'},
        {"index.json": b'{"manifests": []}'},
        {"index.json": b'{"manifests": [{"digest": "md5:1"}]}'},
        {"index.json": b'{"manifests": [{"digest": 1}]}'},
        {"index.json": b"\xff\xfe"},
        {"manifest.json": b"{}"},
        {"manifest.json": b"[]"},
        {"manifest.json": b'[{"Config": "manifest.json", "Layers": []}]'},
        {"manifest.json": b'[{"Layers": []}]'},
        {"manifest.json": b"[" * 100_000},
    ],
)
def test_what_is_no_image_is_said(workshop, tmp_path, files):
    (tmp_path / "base.tar").write_bytes(tarred(files))
    refused(workshop, tmp_path / "base.tar", InvalidArgument, r"base\.tar")


@pytest.mark.parametrize(
    "content", [b"", b"no archive", bytes(10_000), gzip.compress(bytes(100), mtime=0), b"PK\x03\x04zip"]
)
def test_what_is_no_archive_is_said(workshop, tmp_path, content):
    (tmp_path / "base.tar").write_bytes(content)
    refused(workshop, tmp_path / "base.tar", InvalidArgument, r"base\.tar")


def test_a_layer_that_is_no_archive_is_said(workshop, tmp_path):
    base = write_layout(tmp_path / "layout", [b"no archive" * 100])
    refused(workshop, base, AmlError, "no tar archive|damaged")


def test_a_layer_of_a_few_bytes_that_stand_for_a_terabyte_is_given_up(workshop, tmp_path, monkeypatch):
    monkeypatch.setattr("amlsdk.images.base_layers._FREE_BYTES", 1000)
    base = write_layout(tmp_path / "layout", [tarred({"zeros": bytes(30_000_000)})])
    refused(workshop, base, InvalidArgument, "grows beyond all measure")


def test_another_python_than_the_hosts_is_refused_by_its_name(workshop, tmp_path):
    base = write_layout(tmp_path / "layout")
    work = workshop.work(attrs.evolve(workshop.manifest(), python="3.99"), base=str(base))
    with pytest.raises(OperationFailed, match=rf"has no python3\.99 .*/usr/bin/{PYTHON}"):
        OciBuilder().build(work)
