"""An image written to a file that docker, podman and skopeo load, or to a folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from amlsdk.errors import InvalidArgument, NotFound, OperationFailed
from amlsdk.filesets.blobs import Blobs
from amlsdk.filesets.checkout import checkout
from amlsdk.images.items import Item, bytes_item, with_folders
from amlsdk.images.layout import reference_of
from amlsdk.images.tarring import tar_chunks
from amlsdk.records.filesets import FileSetRecord
from amlsdk.records.images import ImageRecord
from amlsdk.storage.blobs.copying import write_all, write_beside

__all__ = ["save"]


def save(image: ImageRecord, fileset: FileSetRecord, blobs: Blobs, path: str | os.PathLike[str]) -> Path:
    """Write an image to a place that other tools load it from.

    The archive is an OCI image layout and, for Docker, a `manifest.json` that points into it: `docker load`,
    `podman load`, `skopeo copy oci-archive:...` and `skopeo copy docker-archive:...` read it. The same image gives
    the same bytes.

    Args:
        image: Its record.
        fileset: Its layout.
        blobs: Where the content is.
        path: Of the archive, which is replaced if it exists and never seen unfinished; a folder that exists, or a path
            that ends in `/`, gets the layout without an archive.

    Returns:
        Where it is.

    Raises:
        NotFound: Blobs of it are not stored, or there is no folder for the archive.
        OperationFailed: A stored blob is damaged.
        Unavailable: It can't be written.
    """
    target = Path(path)
    if os.fspath(path).endswith("/") or target.is_dir():
        checkout(fileset, blobs, target)
        return target
    if not target.parent.is_dir():
        raise NotFound(f"there is no folder {os.fspath(target.parent)!r} to save an image in; make it first")
    _check_stored(image, fileset, blobs)
    items = [_blob_item(entry.path, entry.digest, entry.size_bytes, blobs) for entry in fileset.entries]
    items.append(bytes_item("manifest.json", _docker_manifest(image, blobs)))
    with write_beside(target) as file:
        for chunk in _joined(tar_chunks(with_folders(items), epoch=0)):
            write_all(file, chunk)
    return target


def _check_stored(image: ImageRecord, fileset: FileSetRecord, blobs: Blobs) -> None:
    missing = blobs.missing(entry.digest for entry in fileset.entries)
    if missing:
        raise NotFound(
            f"{len(missing)} blobs of image {image.name!r} version {image.version} are not stored, the first "
            f"{missing[0]}; build it again"
        )


def _docker_manifest(image: ImageRecord, blobs: Blobs) -> bytes:
    if image.digest is None:
        raise InvalidArgument(f"image {image.name!r} version {image.version} is {image.status}; it can't be saved")
    try:
        manifest: Any = orjson.loads(blobs.open(image.digest).read())
        config, layers = _path(manifest["config"]), [_path(layer) for layer in manifest["layers"]]
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise OperationFailed(f"blob {image.digest} is no manifest of an image: {error}") from error
    content = [{"Config": config, "Layers": layers, "RepoTags": [reference_of(image)]}]
    return orjson.dumps(content, option=orjson.OPT_SORT_KEYS)


def _path(descriptor: Any) -> str:
    return f"blobs/{descriptor['digest'].replace(':', '/')}"


def _blob_item(path: str, digest: str, size: int, blobs: Blobs) -> Item:
    return Item(path=path, digest=digest, size_bytes=size, read=lambda: blobs.open(digest))


def _joined(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Join the small chunks: each write of an unbuffered file is a call to the system."""
    waiting = bytearray()
    for chunk in chunks:
        if len(waiting) + len(chunk) > 1 << 20:
            yield bytes(waiting)
            waiting.clear()
        waiting += chunk
    yield bytes(waiting)
