"""What most contract tests begin with."""

from __future__ import annotations

import hashlib

from amlsdk.operations.blobs import PutBlob
from amlsdk.operations.experiments import CreateExperiment
from amlsdk.operations.filesets import CreateFileSet
from amlsdk.operations.models import CreateModel
from amlsdk.operations.projects import CreateProject
from amlsdk.operations.runs import CreateRun
from amlsdk.processes import identity_of, this_process
from amlsdk.records.filesets import FileEntry
from amlsdk.records.ids import new_id
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
