"""An image that the user gives as a base: an OCI layout (specification 1.0), or what `docker save` writes."""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Iterator, Mapping
from typing import Any

import attrs
import orjson

from amlsdk.errors import InvalidArgument
from amlsdk.images.sources import Source, open_source

__all__ = ["Base", "BaseLayer", "open_base"]

_DIGEST = re.compile(r"sha256:([0-9a-f]{64})")
_DEEPEST = 4
_TAR = "application/vnd.oci.image.layer.v1.tar"
# Docker's names for the same bytes.
_TYPES = {
    "application/vnd.docker.image.rootfs.diff.tar.gzip": f"{_TAR}+gzip",
    "application/vnd.docker.image.rootfs.diff.tar": _TAR,
}
_KNOWN = frozenset({_TAR, f"{_TAR}+gzip"})


@attrs.frozen(kw_only=True)
class BaseLayer:
    """A layer of a base.

    Args:
        path: Of its blob in the source.
        digest: SHA-256 that the blob should have, or None where none is said.
        diff_id: SHA-256 that its archive should have.
        media_type: Of the blob.
    """

    path: str
    digest: str | None
    diff_id: str
    media_type: str


@attrs.frozen(kw_only=True)
class Base:
    """An image that is open.

    Args:
        source: Where its files are.
        configuration: Its configuration.
        layers: From the bottom up.
    """

    source: Source
    configuration: Mapping[str, Any]
    layers: tuple[BaseLayer, ...]

    @property
    def platform(self) -> str:
        """Such as `linux/amd64`."""
        return f"{self.configuration.get('os')}/{self.configuration.get('architecture')}"


@contextlib.contextmanager
def open_base(base: str, platform: str) -> Iterator[Base]:
    """Open an image; reads no layer.

    Args:
        base: Path of a folder or an archive.
        platform: Which image of an index for several platforms is meant.

    Raises:
        NotFound: There is nothing.
        InvalidArgument: It is no image, is damaged, or has none for the platform.
    """
    source = open_source(base)
    try:
        yield _read(source, platform)
    finally:
        source.close()


def _read(source: Source, platform: str) -> Base:
    try:
        if source.has("index.json"):
            return _from_layout(source, platform)
        if source.has("manifest.json"):
            return _from_docker(source)
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        raise InvalidArgument(f"{source.name} is no image that can be read: {error!r} is wrong in it") from error
    raise InvalidArgument(f"{source.name} is no image: it has neither an index.json (OCI) nor a manifest.json (Docker)")


def _from_layout(source: Source, platform: str) -> Base:
    manifest = _chosen(source, _json(source, "index.json"), platform, 0)
    configuration = _blob(source, manifest["config"])
    diff_ids = configuration["rootfs"]["diff_ids"]
    if len(diff_ids) != len(manifest["layers"]):
        raise InvalidArgument(f"{source.name} has {len(manifest['layers'])} layers, its configuration {len(diff_ids)}")
    layers = tuple(
        BaseLayer(
            path=_path(source, layer["digest"]),
            digest=_hex(source, layer["digest"]),
            diff_id=_hex(source, diff_id),
            media_type=_media_type(source, layer["mediaType"]),
        )
        for layer, diff_id in zip(manifest["layers"], diff_ids, strict=True)
    )
    return Base(source=source, configuration=configuration, layers=layers)


def _from_docker(source: Source) -> Base:
    images = _json(source, "manifest.json")
    if len(images) != 1:
        raise InvalidArgument(f"{source.name} has {len(images)} images; save the one that is to be the base alone")
    configuration = _json(source, images[0]["Config"])
    diff_ids = configuration["rootfs"]["diff_ids"]
    if len(diff_ids) != len(images[0]["Layers"]):
        raise InvalidArgument(f"{source.name} has {len(images[0]['Layers'])} layers, its configuration {len(diff_ids)}")
    layers = tuple(
        BaseLayer(path=path, digest=None, diff_id=_hex(source, diff_id), media_type=_type_of(source, path))
        for path, diff_id in zip(images[0]["Layers"], diff_ids, strict=True)
    )
    return Base(source=source, configuration=configuration, layers=layers)


def _chosen(source: Source, index: Any, platform: str, depth: int) -> Any:
    """Return the manifest of an image for a platform, through indexes of indexes."""
    system, architecture, *_ = platform.split("/")
    found = []
    for described in index["manifests"]:
        has = described.get("platform") or {}
        found.append(f"{has.get('os')}/{has.get('architecture')}")
        if has and (has.get("os"), has.get("architecture")) != (system, architecture):
            continue
        content = _blob(source, described)
        if "manifests" in content and depth < _DEEPEST:
            return _chosen(source, content, platform, depth + 1)
        return content
    raise InvalidArgument(f"{source.name} has no image for {platform}; it has {', '.join(found) or 'none at all'}")


def _blob(source: Source, described: Any) -> Any:
    return _json(source, _path(source, described["digest"]), _hex(source, described["digest"]))


def _json(source: Source, path: str, digest: str | None = None) -> Any:
    content = source.text(path)
    if digest is not None and hashlib.sha256(content).hexdigest() != digest:
        raise InvalidArgument(f"{path!r} in {source.name} is damaged: it has another digest; get the image again")
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise InvalidArgument(f"{path!r} in {source.name} is no JSON: {error}") from error


def _hex(source: Source, digest: str) -> str:
    match = _DIGEST.fullmatch(digest)
    if match is None:
        raise InvalidArgument(f"{source.name} has the digest {digest!r:.100}; sha256: and 64 digits are meant")
    return match[1]


def _path(source: Source, digest: str) -> str:
    return f"blobs/sha256/{_hex(source, digest)}"


def _media_type(source: Source, media_type: str) -> str:
    known = _TYPES.get(media_type, media_type)
    if known not in _KNOWN:
        raise InvalidArgument(
            f"{source.name} has a layer of the type {media_type!r:.100}, which can't be read; copy the image with "
            "`skopeo copy --dest-compress-format gzip` first"
        )
    return known


def _type_of(source: Source, path: str) -> str:
    with source.open(path) as file:
        return f"{_TAR}+gzip" if file.read(2) == b"\x1f\x8b" else _TAR
