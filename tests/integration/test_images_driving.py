"""Builds as users ask for them: recorded, logged, cancelled, and ended whatever happens."""

import signal
import sys
import threading
import time

import pytest
from image_bases import write_layout

from amlsdk.errors import OperationFailed
from amlsdk.images.base import Builder
from amlsdk.images.driving import drive
from amlsdk.operations.filesets import CreateFileSet
from amlsdk.operations.images import CancelImage, CreateImage, EndImage, GetImage, ReadImageLog
from amlsdk.operations.manifests import CreateManifest
from amlsdk.operations.models import CreateModel
from amlsdk.processes import is_gone, this_process
from amlsdk.records.ids import new_id
from amlsdk.records.images import HOST_BASE, ImageStatus
from amlsdk.resources.launching import Detached
from amlsdk.testing.builder_case import Workshop


class Bench:
    """A workspace with the makings of an image in it."""

    def __init__(self, workspace, folder):
        # A base that is small: Python itself takes most of the time of a build.
        self.base = str(write_layout(folder / "base")) if sys.platform == "linux" else HOST_BASE
        self.client = workspace._client
        self.workshop = Workshop(folder / "workshop")
        self.send = self.client.send

    def kept(self, tree):
        record = self.workshop.trees[tree]
        for entry in record.entries:
            self.client.blobs.put(entry.digest, self.workshop.blobs.open(entry.digest))
        return self.send(CreateFileSet(entries=record.entries)).digest

    def image(self, *, owner=None, builder="oci", app=None):
        """Record an image that is to be built, by default by this process."""
        made = self.workshop.manifest(**({"app": app} if app else {}))
        (model,) = made.models
        digest = self.kept(model.digest)
        registered = self.send(CreateModel(id=new_id(), name=model.name, digest=digest, format="files"))
        for dependency in made.dependencies:
            self.kept(dependency.files)
        manifest = self.send(
            CreateManifest(
                id=new_id(),
                name=made.name,
                model_ids=(registered.id,),
                files=self.kept(made.files),
                script=made.script,
                python=made.python,
                platform=made.platform,
                dependencies=made.dependencies,
            )
        )
        owner = owner or this_process()
        return self.send(
            CreateImage(id=new_id(), name="sums", manifest_id=manifest.id, owner=owner, builder=builder, base=self.base)
        )

    def drive(self, image):
        return drive(self.client.service, self.client.blobs, self.client.spool, image)

    def log(self, image):
        return self.send(ReadImageLog(image_id=image.id)).read().decode()


@pytest.fixture
def bench(workspace, tmp_path):
    return Bench(workspace, tmp_path / "bench")


@pytest.fixture
def builder(monkeypatch):
    """Put a builder in the place of `oci`: `builder(build)`."""

    def put(build):
        class Other(Builder):
            def check(self, manifest, base):
                pass

        Other.build = lambda self, work: build(work)
        Other.__abstractmethods__ = frozenset()
        monkeypatch.setattr("amlsdk.images.oci.OciBuilder", Other)

    return put


def test_a_build_is_logged_and_completed(bench):
    image = bench.image()
    ended = bench.drive(image)
    assert (ended.status, ended.error) == (ImageStatus.COMPLETED, None)
    assert 0 < ended.size_bytes - sum(layer.size_bytes for layer in ended.layers) < 10_000
    assert ended.unpacked_bytes == sum(layer.unpacked_bytes for layer in ended.layers)
    lines = bench.log(image).splitlines()
    assert lines[0].endswith("building 'sums' version 1 of 'sums' version 1")
    assert f"built sha256:{ended.digest}" in lines[-1]
    for layer in ended.layers:
        assert sum(layer.digest in line for line in lines) == 1
    assert bench.send(GetImage(image_id=image.id)) == ended


def test_the_labels_lead_back_to_the_model(bench):
    image = bench.drive(bench.image())
    bench.workshop.blobs = bench.client.blobs
    labels = bench.workshop.configuration(image)["config"]["Labels"]
    assert labels["amlsdk.model.weights.version"] == "1"
    assert labels["amlsdk.manifest.name"] == "sums"


def test_a_failed_build_says_which_step_and_why(bench, builder):
    def build(work):
        work.step("dependencies: 120 of 250 MB")
        raise OperationFailed("the blob abc is damaged")

    builder(build)
    ended = bench.drive(bench.image())
    assert ended.status == ImageStatus.FAILED
    assert ended.error == "the step 'dependencies: 120 of 250 MB' failed: the blob abc is damaged"
    assert ended.error in bench.log(ended)


def test_a_builder_that_is_broken_ends_its_build_too(bench, builder, caplog):
    builder(lambda work: 1 / 0)
    ended = bench.drive(bench.image())
    assert ended.status == ImageStatus.FAILED
    assert "ZeroDivisionError: division by zero" in ended.error


def test_a_builder_that_is_not_there_is_a_failed_build(bench):
    ended = bench.drive(bench.image(builder="kaniko"))
    assert ended.status == ImageStatus.FAILED
    assert "has no 'kaniko'" in ended.error


def test_a_cancelled_build_ends_within_a_second(bench, builder):
    started, heard = threading.Event(), []

    def build(work):
        work.step("waiting to be cancelled")
        started.set()
        while True:
            work.step("waiting to be cancelled")
            time.sleep(0.01)  # what a builder does between two looks

    builder(build)
    image = bench.image()

    def cancel():
        started.wait(20)
        bench.send(CancelImage(image_id=image.id))
        heard.append(time.monotonic())

    other = threading.Thread(target=cancel)
    other.start()
    ended = bench.drive(image)
    took_s = time.monotonic() - heard[0]
    other.join()
    assert (ended.status, ended.error) == (ImageStatus.CANCELED, "cancelled by request")
    assert took_s < 1
    assert "canceled at 'waiting to be cancelled': cancelled by request" in bench.log(image)


def test_the_step_is_seen_while_it_goes_on(bench, builder):
    seen = []

    def build(work):
        work.step("dependencies: 1 of 2 MB")
        while not seen or not seen[-1]:
            seen.append(bench.send(GetImage(image_id=work.image.id)).step)
        raise OperationFailed("seen")

    builder(build)
    bench.drive(bench.image())
    assert seen[-1] in {"starting", "reading the manifest", "dependencies: 1 of 2 MB"}


def test_an_interrupted_build_is_canceled_and_the_interrupt_goes_on(bench, builder):
    def build(work):
        raise KeyboardInterrupt

    builder(build)
    image = bench.image()
    with pytest.raises(KeyboardInterrupt):
        bench.drive(image)
    ended = bench.send(GetImage(image_id=image.id))
    assert (ended.status, ended.error) == (ImageStatus.CANCELED, "interrupted")


def test_a_build_that_was_ended_by_others_stops(bench, builder):
    """Who lost the claim, because its machine slept, does not write over what the service decided."""

    def build(work):
        own = this_process()
        bench.send(EndImage(image_id=work.image.id, owner=own, status=ImageStatus.FAILED, error="given up"))
        while True:
            work.step("going on")
            time.sleep(0.01)

    builder(build)
    image = bench.image()
    with pytest.raises(Exception, match="has ended as Failed"):
        bench.drive(image)
    assert bench.send(GetImage(image_id=image.id)).error == "given up"


def detached(bench, app=None):
    with Detached("amlsdk.images") as starting:
        image = bench.image(owner=starting.identity(), app=app)
        starting.send({**bench.client.place.to_message(), "image_id": image.id})
    return image


def test_a_detached_build_survives_who_asked(bench):
    """It goes on in a process of its own, and leaves nothing but its log."""
    image = detached(bench)
    ended = bench.send(GetImage(image_id=image.id, wait_s=60))
    assert ended.status == ImageStatus.COMPLETED, ended.error
    assert f"built sha256:{ended.digest}" in bench.log(image)
    deadline = time.monotonic() + 20
    while not is_gone(image.owner):
        assert time.monotonic() < deadline
    logs = bench.client.spool.logs
    left = [path.name for path in logs.iterdir()] if logs.is_dir() else []
    assert [name for name in left if name != f"{image.id}.log"] == []


@pytest.mark.skipif(sys.platform != "linux", reason="the signal is sent by number of the process")
def test_a_detached_build_that_is_told_to_stop_is_canceled(bench):
    import os

    image = detached(bench, app={"score.py": b"", "big.bin": os.urandom(64 << 20)})
    while not bench.send(GetImage(image_id=image.id)).step:
        pass
    os.kill(image.owner.pid, signal.SIGTERM)
    ended = bench.send(GetImage(image_id=image.id, wait_s=30))
    assert ended.status == ImageStatus.CANCELED
