"""The folder that is served (`amlsdk.records.serving`), put together from the layers of an image."""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from amlsdk.deployers.packages import package_folder
from amlsdk.errors import AmlError, OperationFailed, Unavailable
from amlsdk.filesets.blobs import Blobs
from amlsdk.filesets.layers import unpack_layer
from amlsdk.filesets.listing import load_record
from amlsdk.filesets.removing import remove_tree
from amlsdk.records.filesets import FileSetRecord
from amlsdk.records.images import ImageRecord, LayerKind, LayerRecord
from amlsdk.records.manifests import ManifestRecord
from amlsdk.records.serving import BUNDLE

__all__ = ["lay_out_parts", "put_together", "read_spec"]

_OWN = "amlsdk"


def lay_out_parts(
    image: ImageRecord, *, blobs: Blobs, cache: Path, find_manifest: Callable[[str], ManifestRecord]
) -> list[tuple[str, Path]]:
    """Return the kind of each layer that a bundle needs, with its folder in the cache, made where it is missing.

    Args:
        image: Completed, of this machine's Python.
        blobs: Where the layers are.
        cache: Folder of what may be lost at any time.
        find_manifest: Returns a manifest by its id.

    Raises:
        OperationFailed: A layer is damaged.
        NotFound: A layer is not stored.
        Unavailable: The cache can't be written.
    """

    def trees(is_own: bool) -> list[FileSetRecord]:
        try:
            dependencies = find_manifest(image.manifest_id).dependencies
            return [load_record(one.files, blobs) for one in dependencies if (one.name == _OWN) == is_own]
        except AmlError:
            # The layer has all that is needed.
            return []

    def packages(layer: LayerRecord) -> Path:
        is_own = layer.kind == LayerKind.RUNTIME
        part = "runtime" if is_own else "site"
        return package_folder(layer, part, trees=lambda: trees(is_own), blobs=blobs, cache=cache)

    def tree(layer: LayerRecord) -> Path:
        return unpack_layer(layer, blobs, cache) / BUNDLE

    ways = {
        LayerKind.DEPENDENCIES: packages,
        LayerKind.RUNTIME: packages,
        LayerKind.MODEL: tree,
        LayerKind.SCRIPT: tree,
    }
    return [(layer.kind, ways[layer.kind](layer)) for layer in image.layers if layer.kind in ways]


def put_together(
    image: ImageRecord, root: Path, *, blobs: Blobs, cache: Path, find_manifest: Callable[[str], ManifestRecord]
) -> Path:
    """Return the folder with the bundle of an image; what is there already is used again, what was lost is made again.

    All but the script is a link into the cache, where other deployments have it too.

    Args:
        image: Completed, of this machine's Python.
        root: The folder.
        blobs: Where the layers are.
        cache: Folder of what may be lost at any time.
        find_manifest: Returns a manifest by its id.

    Raises:
        OperationFailed: A layer is damaged, or the image has no service or no script.
        NotFound: A layer is not stored.
        Unavailable: A folder can't be written.
    """
    parts = lay_out_parts(image, blobs=blobs, cache=cache, find_manifest=find_manifest)
    if _is_whole(root):
        return root
    draft = root.with_name(f".{root.name}-{secrets.token_hex(8)}")
    try:
        try:
            _lay_out(draft, parts)
            remove_tree(root)
            draft.rename(root)
        finally:
            remove_tree(draft)
    except OSError as error:
        raise Unavailable(f"the bundle can't be put together in {os.fspath(root)!r}: {error}") from error
    if not _is_whole(root):
        raise OperationFailed(f"image {image.name} {image.version} lacks runtime/serve.py or app/service.json")
    return root


def read_spec(root: Path) -> dict[str, Any]:
    """Return `service.json` of a bundle.

    Raises:
        OperationFailed: It can't be read.
    """
    try:
        spec: dict[str, Any] = json.loads((root / "app" / "service.json").read_bytes())
    except (OSError, ValueError) as error:
        raise OperationFailed(f"the image's service.json can't be read: {error}") from error
    return spec


def _is_whole(root: Path) -> bool:
    needed = [root / "runtime" / "serve.py", root / "app" / "service.json", root / "site", root / "models"]
    return all(path.exists() for path in needed) and all(model.exists() for model in needed[-1].iterdir())


def _lay_out(root: Path, trees: Iterable[tuple[str, Path]]) -> None:
    models, site = root / "models", root / "site"
    models.mkdir(parents=True)
    for kind, tree in trees:
        if kind == LayerKind.MODEL:
            for folder in sorted((tree / "models").iterdir()):
                (models / folder.name).symlink_to(folder)
        elif kind == LayerKind.SCRIPT:
            # Its links to models stay what they are: relative.
            shutil.copytree(tree / "app", root / "app", symlinks=True)
        else:
            (root / "runtime" if kind == LayerKind.RUNTIME else site).symlink_to(tree)
    if not site.is_symlink():
        site.mkdir()
