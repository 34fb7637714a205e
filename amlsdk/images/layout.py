"""The small files of an image: configuration, manifest and index (OCI image specification 1.0)."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from amlsdk.filesets.blobs import Blobs
from amlsdk.filesets.listing import store_tree
from amlsdk.records.filesets import FileEntry, FileSetRecord
from amlsdk.records.images import ImageRecord, LayerKind, LayerRecord
from amlsdk.records.serving import BUNDLE
from amlsdk.records.streams import ByteStream

__all__ = ["MANIFEST", "USER", "configuration", "image_manifest", "reference_of", "store_layout"]

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_INDEX = "application/vnd.oci.image.index.v1+json"
_PORT = 8080
# Nobody in particular; as in other images without root.
USER = "65532:65532"
_ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "PYTHONDONTWRITEBYTECODE": "1",
}


def configuration(
    layers: Sequence[LayerRecord],
    *,
    platform: str,
    python: str,
    labels: Mapping[str, str],
    epoch: int,
    base: Mapping[str, Any],
) -> bytes:
    """Return the configuration of an image, canonical.

    Args:
        layers: From the base up.
        platform: Such as `linux/amd64`.
        python: Path of the Python that runs the service.
        labels: Of the image.
        epoch: When it was made, in seconds since 1970.
        base: The configuration of the base image, or empty.
    """
    system, architecture, *variant = platform.split("/")
    before = base.get("config") or {}
    variables = dict(entry.partition("=")[::2] for entry in before.get("Env") or [])
    # What the base has on its path stays on it.
    environment = {**_ENVIRONMENT, **variables, "PYTHONDONTWRITEBYTECODE": "1"}
    content = {
        "architecture": architecture,
        "config": {
            "Cmd": ["--host", "0.0.0.0", "--port", str(_PORT)],  # noqa: S104  # in a container, whose ports are chosen
            "Entrypoint": [python, "-I", "-S", f"/{BUNDLE}/runtime/serve.py"],
            "Env": [f"{name}={value}" for name, value in sorted(environment.items())],
            "ExposedPorts": {f"{_PORT}/tcp": {}},
            "Labels": {**(before.get("Labels") or {}), **labels},
            "StopSignal": "SIGTERM",
            "User": USER,
            "WorkingDir": f"/{BUNDLE}/app",
        },
        "created": _time(epoch),
        "history": _history(base, layers, epoch),
        "os": system,
        "rootfs": {"diff_ids": [f"sha256:{layer.diff_id}" for layer in layers], "type": "layers"},
    }
    if variant:
        content["variant"] = variant[0]
    return orjson.dumps(content, option=orjson.OPT_SORT_KEYS)


def image_manifest(layers: Sequence[LayerRecord], config: bytes, annotations: Mapping[str, str]) -> bytes:
    """Return the manifest of an image, canonical."""
    content = {
        "annotations": dict(annotations),
        "config": _descriptor(_CONFIG, config),
        "layers": [
            {
                "annotations": {"amlsdk.layer": layer.kind},
                "digest": f"sha256:{layer.digest}",
                "mediaType": layer.media_type,
                "size": layer.size_bytes,
            }
            for layer in layers
        ],
        "mediaType": MANIFEST,
        "schemaVersion": 2,
    }
    return orjson.dumps(content, option=orjson.OPT_SORT_KEYS)


def store_layout(
    image: ImageRecord, layers: Sequence[LayerRecord], config: bytes, manifest: bytes, blobs: Blobs
) -> FileSetRecord:
    """Store an image as the FileSet of an OCI image layout; its layers are stored already."""
    reference = reference_of(image)
    described = {
        **_descriptor(MANIFEST, manifest),
        "annotations": {
            "io.containerd.image.name": f"docker.io/library/{reference}",
            "org.opencontainers.image.ref.name": reference,
        },
    }
    index = {"manifests": [described], "mediaType": _INDEX, "schemaVersion": 2}
    small = {
        "index.json": orjson.dumps(index, option=orjson.OPT_SORT_KEYS),
        "oci-layout": b'{"imageLayoutVersion":"1.0.0"}',
        f"blobs/sha256/{hashlib.sha256(config).hexdigest()}": config,
        f"blobs/sha256/{hashlib.sha256(manifest).hexdigest()}": manifest,
    }
    entries = {_blob(layer): layer.size_bytes for layer in layers}
    listed = [FileEntry(path=path, digest=path.rpartition("/")[2], size_bytes=size) for path, size in entries.items()]
    for path, content in small.items():
        digest = hashlib.sha256(content).hexdigest()
        blobs.put(digest, ByteStream.of(content))
        listed.append(FileEntry(path=path, digest=digest, size_bytes=len(content)))
    return store_tree(listed, blobs)


def reference_of(image: ImageRecord) -> str:
    """Return the name and version of an image, as references to images may have them: lower case, no spaces."""
    plain = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in image.name.lower())
    words = [word for word in plain.split("-") if word]
    return f"{'-'.join(words) or 'image'}:{image.version}"


def _blob(layer: LayerRecord) -> str:
    return f"blobs/sha256/{layer.digest}"


def _descriptor(media_type: str, content: bytes) -> dict[str, Any]:
    return {
        "digest": f"sha256:{hashlib.sha256(content).hexdigest()}",
        "mediaType": media_type,
        "size": len(content),
    }


def _history(base: Mapping[str, Any], layers: Sequence[LayerRecord], epoch: int) -> list[Any]:
    below = [layer for layer in layers if layer.kind == LayerKind.BASE]
    history = list(base.get("history") or [])
    # Docker refuses an image whose history has another number of layers than the image.
    if sum(1 for one in history if not one.get("empty_layer")) != len(below):
        history = []
    described = layers[len(below) :] if history else layers
    return history + [{"created": _time(epoch), "created_by": f"amlsdk {layer.kind}"} for layer in described]


def _time(epoch: int) -> str:
    return dt.datetime.fromtimestamp(epoch, dt.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
