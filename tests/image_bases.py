"""Small images as bases: a Python in name only, so that what is built on them is built at once."""

import gzip
import hashlib
import io
import json
import sys
import tarfile

from amlsdk.images.host import oci_platform, program_of_host

PYTHON = f"python{sys.version_info.major}.{sys.version_info.minor}"
GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"


def sha(content):
    return hashlib.sha256(content).hexdigest()


def tarred(files):
    """A tar archive of contents by name; None makes a folder, a text a link."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            if content is None:
                info.type = tarfile.DIRTYPE
            elif isinstance(content, str):
                info.type, info.linkname = tarfile.SYMTYPE, content
            else:
                info.size = len(content)
            tar.addfile(info, io.BytesIO(content if isinstance(content, bytes) else b""))
    return file.getvalue()


def python_head():
    """The head of this machine's Python: what a base's Python is told by."""
    with program_of_host()[0].open("rb") as file:
        return file.read(8192)


def base_layers():
    """Two layers; the upper one hides a Python of the lower one."""
    lower = {f"opt/old/bin/{PYTHON}": python_head(), f"usr/bin/{PYTHON}": python_head(), "usr/lib/libz.so.1": b""}
    return [tarred({"./": None, **lower}), tarred({"opt/old/.wh.bin": b"", "etc/issue": b"base"})]


def config_of(layers, **changes):
    system, architecture = oci_platform().split("/")[:2]
    content = {
        "architecture": architecture,
        "os": system,
        "config": {"Env": ["PATH=/opt/bin:/usr/bin", "COLOUR=blue"], "Labels": {"maker": "somebody"}},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{sha(layer)}" for layer in layers]},
        "history": [{"created_by": "one"}, {"created_by": "nothing", "empty_layer": True}, {"created_by": "two"}],
    } | changes
    return json.dumps(content).encode()


def write_layout(folder, layers=None, *, media_type=GZIP, config=None, index=None):
    """Write an OCI image layout; returns the folder."""
    layers = base_layers() if layers is None else layers
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True)

    def put(content):
        (blobs / sha(content)).write_bytes(content)
        return {"digest": f"sha256:{sha(content)}", "size": len(content)}

    packed = [gzip.compress(layer, mtime=0) for layer in layers]
    manifest = {
        "schemaVersion": 2,
        "config": put(config or config_of(layers)),
        "layers": [{**put(blob), "mediaType": media_type} for blob in packed],
    }
    described = put(json.dumps(manifest).encode())
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    (folder / "index.json").write_text(json.dumps(index(described, put) if index else {"manifests": [described]}))
    return folder


def write_docker(path, layers=None, *, config=None, more=()):
    """Write what `docker save` of old versions writes; returns the path."""
    layers = base_layers() if layers is None else layers
    names = [f"{number}/layer.tar" for number in range(len(layers))]
    images = [{"Config": "config.json", "Layers": names, "RepoTags": ["base:1"]}, *more]
    files = {"config.json": config or config_of(layers), "manifest.json": json.dumps(images).encode()}
    path.write_bytes(tarred(files | dict(zip(names, layers, strict=True))))
    return path
