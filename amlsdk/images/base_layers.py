"""The layers of a base: stored unchanged, and looked through for what stands on them."""

from __future__ import annotations

import hashlib
import re
import tarfile
from itertools import islice
from pathlib import Path
from typing import Any

import attrs

from amlsdk.errors import InvalidArgument
from amlsdk.filesets.layerstream import LayerStream
from amlsdk.images.base import BuildWork
from amlsdk.images.bases import Base, BaseLayer
from amlsdk.images.elf import ElfFile, read_elf
from amlsdk.images.remembering import recall, remember
from amlsdk.images.sources import DAMAGED
from amlsdk.records.images import LayerKind, LayerRecord
from amlsdk.storage.blobs.copying import disk_errors, write_all

__all__ = ["BaseContent", "BaseLayers"]

_FORM = 1
_PYTHON = re.compile(r"(?:.*/)?bin/python3\.[0-9]+")
_LIBRARY = re.compile(r".*\.so(\.[0-9.]+)?")
_WHITEOUT, _OPAQUE = ".wh.", ".wh..wh..opq"
_HEAD = 8192
_FREE_BYTES = 1 << 30
_MOST_RATIO = 250
_MOST_MEMBERS = 1_000_000
_MEGABYTE = 1_000_000


@attrs.frozen(kw_only=True)
class BaseContent:
    """What was found in a base.

    Args:
        layers: From the bottom up, stored.
        pythons: The head of each Python, by path.
        libraries: Names of libraries.
    """

    layers: tuple[LayerRecord, ...]
    pythons: dict[str, ElfFile]
    libraries: frozenset[str]


@attrs.frozen
class BaseLayers:
    """Takes the layers of a base into the blob store.

    Args:
        work: The build.
        folder: Of temporary files.
        cache: Where it is noted what is in a layer.
    """

    work: BuildWork
    folder: Path
    cache: Path

    def take(self, base: Base) -> BaseContent:
        """Store and look through all layers.

        Raises:
            InvalidArgument: One is damaged, or is no archive.
        """
        records: list[LayerRecord] = []
        pythons: dict[str, ElfFile] = {}
        libraries: set[str] = set()
        for number, layer in enumerate(base.layers, 1):
            self.work.step(f"layer {number} of {len(base.layers)} of the base")
            record, facts = self._layer(base, layer)
            records.append(record)
            _remove(pythons, facts)
            pythons |= {path: _elf_of(head) for path, head in facts["pythons"].items()}
            libraries |= set(facts["libraries"])
        return BaseContent(layers=tuple(records), pythons=pythons, libraries=frozenset(libraries))

    def _layer(self, base: Base, layer: BaseLayer) -> tuple[LayerRecord, dict[str, Any]]:
        digest = layer.digest
        if digest is None or self.work.blobs.missing([digest]):
            digest = self._stored(base, layer)
        path = self.cache / f"base-{digest}.json"
        facts = recall(path)
        known = isinstance(facts, dict) and facts.get("form") == _FORM
        if not known:
            facts = self._look(base, layer, digest)
            remember(path, facts)
        if facts["diff_id"] != layer.diff_id:
            raise InvalidArgument(f"the layer {layer.path!r} in {base.source.name} is damaged: it is another archive")
        self.work.say(f"base layer sha256:{digest}: {'known' if known else 'taken over'}")
        record = LayerRecord(
            kind=LayerKind.BASE,
            digest=digest,
            diff_id=layer.diff_id,
            media_type=layer.media_type,
            size_bytes=facts["size_bytes"],
            unpacked_bytes=facts["unpacked_bytes"],
        )
        return record, facts

    def _stored(self, base: Base, layer: BaseLayer) -> str:
        path = self.folder / "layer"
        sha, done = hashlib.sha256(), 0
        with disk_errors(f"the layer {layer.path!r} of the base can't be written to {str(self.folder)!r}"):
            try:
                with path.open("xb", buffering=0) as file:
                    for chunk in base.source.chunks(layer.path):
                        self.work.step(f"base: {done / _MEGABYTE:.0f} MB of a layer read")
                        sha.update(chunk)
                        done += len(chunk)
                        write_all(file, chunk)
                if layer.digest not in {None, sha.hexdigest()}:
                    raise InvalidArgument(f"{layer.path!r} in {base.source.name} is damaged: it has another digest")
                self.work.blobs.put_files([path])
            finally:
                path.unlink(missing_ok=True)
        return sha.hexdigest()

    def _look(self, base: Base, layer: BaseLayer, digest: str) -> dict[str, Any]:
        size = sum(len(chunk) for chunk in self.work.blobs.open(digest))
        looking = _Looking(most_bytes=max(_FREE_BYTES, size * _MOST_RATIO))
        try:
            with LayerStream(self.work.blobs, digest) as stream:
                for member in stream.members():
                    self.work.step(f"base: {looking.unpacked_bytes / _MEGABYTE:.0f} MB of a layer looked through")
                    looking.see(stream, member)
                diff_id = stream.finish()
        except DAMAGED as error:
            raise InvalidArgument(
                f"the layer {layer.path!r} in {base.source.name} is no tar archive: {error}"
            ) from error
        return {**looking.facts(), "form": _FORM, "size_bytes": size, "diff_id": diff_id}


@attrs.define
class _Looking:
    """What was seen of a layer so far."""

    most_bytes: int
    unpacked_bytes: int = 0
    members: int = 0
    pythons: dict[str, str] = attrs.field(factory=dict)
    libraries: set[str] = attrs.field(factory=set)
    removed: list[str] = attrs.field(factory=list)

    def see(self, stream: LayerStream, member: tarfile.TarInfo) -> None:
        self.members += 1
        self.unpacked_bytes += member.size if member.isreg() else 0
        if self.unpacked_bytes > self.most_bytes or self.members > _MOST_MEMBERS:
            raise InvalidArgument(
                "a layer of the base grows beyond all measure when it is unpacked; it is no real image"
            )
        path = member.name.removeprefix("./")
        folder, _, name = path.rpartition("/")
        if name.startswith(_WHITEOUT):
            # Image specification, "Whiteouts": the whole folder, or the name behind the mark.
            hidden = folder if name == _OPAQUE else f"{folder}/{name.removeprefix(_WHITEOUT)}".lstrip("/")
            self.removed.append(hidden)
        elif _LIBRARY.fullmatch(name):
            self.libraries.add(name)
        elif member.isreg() and _PYTHON.fullmatch(path):
            self.pythons[path] = b"".join(islice(stream.content(member), 1))[:_HEAD].hex()

    def facts(self) -> dict[str, Any]:
        return {
            "unpacked_bytes": self.unpacked_bytes,
            "pythons": self.pythons,
            "libraries": sorted(self.libraries),
            "removed": self.removed,
        }


def _remove(pythons: dict[str, ElfFile], facts: dict[str, Any]) -> None:
    for hidden in facts["removed"]:
        for path in [path for path in pythons if path == hidden or path.startswith(f"{hidden}/")]:
            del pythons[path]


def _elf_of(head: str) -> ElfFile:
    content = bytes.fromhex(head)
    found = read_elf(lambda offset, size: content[offset : offset + size])
    return found or ElfFile(kind=(0, 0, 0))
