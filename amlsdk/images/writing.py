"""A layer made of items: tar, gzip, digests, into the blob store; or found again in the cache."""

from __future__ import annotations

import hashlib
import json
import time
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import attrs

from amlsdk.errors import InvalidArgument
from amlsdk.images.base import BuildWork
from amlsdk.images.gzipping import GzipWriter
from amlsdk.images.items import Item
from amlsdk.images.remembering import recall, remember
from amlsdk.images.tarring import tar_chunks
from amlsdk.records.converting import CONVERTER
from amlsdk.records.images import LayerRecord
from amlsdk.storage.blobs.copying import disk_errors

__all__ = ["GZIP_LAYER", "LayerWriter"]

GZIP_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
_FORM = 1
_MEGABYTE = 1_000_000


@attrs.frozen(kw_only=True)
class LayerWriter:
    """Makes the layers of one build.

    Args:
        work: The build.
        folder: Of temporary files.
        cache: Where it is noted which layers were made of what.
        epoch: Time of every file, in seconds since 1970.
        level: Of compression.
    """

    work: BuildWork
    folder: Path
    cache: Path
    epoch: int
    level: int

    def layer(self, kind: str, what: str, items: Sequence[Item]) -> LayerRecord:
        """Return a layer, written where it is not known and stored already.

        Args:
            kind: One of `LayerKind`.
            what: For people: which layer of its kind.
            items: Sorted, folders before what lies in them.
        """
        begun_s = time.monotonic()
        key = self._key(items)
        known = self._known(key, kind)
        record = known or self._written(kind, what, items)
        if known is None:
            self._remember(key, record)
        self.work.say(
            f"{what}: {'reused' if known else 'written'}, {len(items)} entries, "
            f"{record.size_bytes / _MEGABYTE:.1f} MB stored, {record.unpacked_bytes / _MEGABYTE:.1f} MB unpacked, "
            f"{time.monotonic() - begun_s:.2f} s, sha256:{record.digest}"
        )
        return record

    def _written(self, kind: str, what: str, items: Sequence[Item]) -> LayerRecord:
        whole = sum(item.size_bytes for item in items)
        path = self.folder / "layer"
        with disk_errors(f"the layer of {what} can't be written to {str(self.folder)!r}"):
            try:
                with path.open("xb", buffering=0) as file, GzipWriter(file, level=self.level) as gzip:
                    for chunk in self._told(what, whole, tar_chunks(items, epoch=self.epoch)):
                        gzip.write(chunk)
                    diff_id, digest = gzip.finish()
                self.work.step(f"{what}: storing {gzip.size_bytes / _MEGABYTE:.0f} MB")
                self.work.blobs.put_files([path])
            finally:
                path.unlink(missing_ok=True)
        return LayerRecord(
            kind=kind,
            digest=digest,
            diff_id=diff_id,
            media_type=GZIP_LAYER,
            size_bytes=gzip.size_bytes,
            unpacked_bytes=whole,
        )

    def _told(self, what: str, whole: int, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """Pass chunks on, and tell at every megabyte how far that is."""
        done, told = 0, -_MEGABYTE
        for chunk in chunks:
            if done - told >= _MEGABYTE:
                told = done
                self.work.step(f"{what}: {min(done, whole) / _MEGABYTE:.0f} of {whole / _MEGABYTE:.0f} MB")
            done += len(chunk)
            yield chunk

    def _key(self, items: Sequence[Item]) -> str:
        made_of = [_FORM, self.epoch, self.level, zlib.ZLIB_RUNTIME_VERSION, [item.key() for item in items]]
        return hashlib.sha256(json.dumps(made_of).encode()).hexdigest()

    def _known(self, key: str, kind: str) -> LayerRecord | None:
        try:
            content = recall(self.cache / f"layer-{key}.json")
            record: LayerRecord = attrs.evolve(CONVERTER.structure(content, LayerRecord), kind=kind)
        except (AttributeError, TypeError, InvalidArgument, attrs.exceptions.NotAnAttrsClassError):
            return None
        return None if self.work.blobs.missing([record.digest]) else record

    def _remember(self, key: str, record: LayerRecord) -> None:
        remember(self.cache / f"layer-{key}.json", CONVERTER.unstructure(record))
