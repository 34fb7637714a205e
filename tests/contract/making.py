"""What most contract tests begin with."""

from __future__ import annotations

import hashlib

import attrs

from amlsdk.operations.blobs import PutBlob
from amlsdk.operations.deployments import CreateDeployment
from amlsdk.operations.experiments import CreateExperiment
from amlsdk.operations.filesets import CreateFileSet
from amlsdk.operations.images import CreateImage, EndImage
from amlsdk.operations.manifests import CreateManifest
from amlsdk.operations.models import CreateModel
from amlsdk.operations.projects import CreateProject
from amlsdk.operations.runs import CreateRun
from amlsdk.processes import identity_of, this_process
from amlsdk.records.filesets import FileEntry
from amlsdk.records.ids import new_id
from amlsdk.records.images import LayerRecord
from amlsdk.records.jobs import JobSpec, ProcessIdentity
from amlsdk.records.streams import ByteStream


def make_project(service, name="wine", **fields):
    return service.send(CreateProject(id=new_id(), name=name, **fields))


def make_experiment(service, name="train", project=None):
    project = project or make_project(service)
    return service.send(CreateExperiment(id=new_id(), project_id=project.id, name=name))


def make_run(service, experiment=None, **fields):
    experiment = experiment or make_experiment(service)
    return service.send(
        CreateRun(**{"id": new_id(), "experiment_id": experiment.id, "owner": this_process(), **fields})
    )


def make_tree(service, files):
    """Keep a tree of contents by path."""
    return service.send(CreateFileSet(entries=tuple(store(service, path, content) for path, content in files.items())))


def store(service, path, content):
    """Store a blob and return its entry in a tree."""
    digest = hashlib.sha256(content).hexdigest()
    service.send(PutBlob(digest=digest, content=ByteStream.of(content)))
    return FileEntry(path=path, digest=digest, size_bytes=len(content))


def submit(service, experiment=None, **job):
    """Queue a run of a script."""
    snapshot = make_tree(service, {"train.py": b"print('hello')"})
    spec = JobSpec(**{"script": "train.py", "snapshot": snapshot.digest, **job})
    return make_run(service, experiment, owner=None, job=spec)


def make_model(service, content=b"weights", **fields):
    tree = make_tree(service, {"model.bin": content})
    return service.send(
        CreateModel(**{"id": new_id(), "name": "wine", "digest": tree.digest, "format": "files", **fields})
    )


def gone_process():
    """Return the identity of a process of this machine that has ended."""
    here = this_process()
    return ProcessIdentity(host=here.host, boot_id=here.boot_id, pid=here.pid, started="1")


def elsewhere(pid=1):
    """Return the identity of a process that can't be looked at from here."""
    return ProcessIdentity(host="another-host", boot_id="b", pid=pid, started="1")


def other_process():
    """Return the identity of another living process."""
    return identity_of(1)


def make_manifest(service, model=None, **fields):
    model = model or make_model(service)
    tree = make_tree(service, {"score.py": b"def run(data): return data", "service.json": b"{}"})
    given = {"id": new_id(), "name": "wine", "model_ids": (model.id,), "files": tree.digest, "script": "score.py"}
    return service.send(CreateManifest(**{**given, "python": "3.11", "platform": "linux-x86_64", **fields}))


def make_image(service, manifest=None, **fields):
    """Begin to build an image, as this process."""
    manifest = manifest or make_manifest(service)
    given = {"id": new_id(), "name": "wine", "manifest_id": manifest.id, "owner": this_process()}
    return service.send(CreateImage(**{**given, **fields}))


def build_image(service, manifest=None, content=b"layer", **fields):
    """Keep an image that has been built."""
    image = make_image(service, manifest, **fields)
    files = make_tree(service, {"oci-layout": b"{}", "blobs/sha256/x": content})
    digest = hashlib.sha256(content).hexdigest()
    layer = LayerRecord(kind="base", digest=digest, diff_id=digest, media_type="m", size_bytes=2, unpacked_bytes=9)
    end = EndImage(image_id=image.id, owner=image.owner, status="Completed", digest=digest, files=files.digest)
    return service.send(attrs.evolve(end, layers=(layer,), platform="linux/amd64", python="3.11"))


def make_deployment(service, image=None, **fields):
    image = image or build_image(service)
    return service.send(CreateDeployment(**{"id": new_id(), "name": "wine", "image_id": image.id, **fields}))
