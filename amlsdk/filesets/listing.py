"""The canonical listing of a tree, whose SHA-256 is the digest of the tree.

Version 1 is one line of JSON in UTF-8 without spaces:
`{"version":1,"files":[[path,digest,size_bytes,mode],...]}`, sorted by the bytes of the path, escaped only where
RFC 8259 section 7 demands it. The listing is stored as a blob under its own digest.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from typing import Any

from amlsdk.errors import InvalidArgument
from amlsdk.filesets.blobs import Blobs
from amlsdk.filesets.paths import check_tree
from amlsdk.records.filesets import FileEntry, FileSetRecord
from amlsdk.records.streams import ByteStream

__all__ = ["MODES", "digest_of", "listing_bytes", "load_record", "parse_listing", "record_of", "store_tree"]

MODES = ("executable", "file", "link")
_VERSION = 1
_COLUMNS = 4
_DIGEST = re.compile(r"[0-9a-f]{64}")


def listing_bytes(entries: Iterable[FileEntry]) -> bytes:
    """Return the canonical listing of entries in any order.

    Raises:
        InvalidArgument: The entries are no tree: an unsafe or double path, a wrong digest, size or mode.
    """
    import orjson

    # The order of code points is the order of their UTF-8 bytes.
    rows = sorted((entry.path, entry.digest, entry.size_bytes, entry.mode) for entry in entries)
    for row in rows:
        _check_row(row)
    check_tree(row[0] for row in rows)
    return orjson.dumps({"version": _VERSION, "files": rows})


def digest_of(entries: Iterable[FileEntry]) -> str:
    """Return the digest of a tree: SHA-256 of its canonical listing."""
    return hashlib.sha256(listing_bytes(entries)).hexdigest()


def record_of(entries: Iterable[FileEntry]) -> FileSetRecord:
    """Return the tree that entries in any order make."""
    ordered = tuple(sorted(entries, key=lambda entry: entry.path))
    return FileSetRecord(digest=digest_of(ordered), entries=ordered)


def store_tree(entries: Iterable[FileEntry], store: Blobs) -> FileSetRecord:
    """Store the listing of entries in any order, so that the tree can be had from its digest alone; return the tree."""
    ordered = tuple(sorted(entries, key=lambda entry: entry.path))
    listing = listing_bytes(ordered)
    digest = hashlib.sha256(listing).hexdigest()
    store.put(digest, ByteStream.of(listing))
    return FileSetRecord(digest=digest, entries=ordered)


def parse_listing(data: bytes) -> tuple[FileEntry, ...]:
    """Read a listing back.

    Raises:
        InvalidArgument: It is not the canonical listing of a tree, byte for byte.
    """
    import orjson

    try:
        content = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise InvalidArgument(f"a listing of a tree is JSON; this is not: {error}") from error
    entries = tuple(_entry(row) for row in _rows(content))
    if listing_bytes(entries) != data:
        raise InvalidArgument("a listing of a tree is canonical: sorted, without spaces; this one is not")
    return entries


def load_record(digest: str, store: Blobs) -> FileSetRecord:
    """Return the tree whose listing is stored under a digest.

    Raises:
        NotFound: Nothing is stored under it.
        InvalidArgument: What is stored is no listing.
        OperationFailed: The listing is damaged.
    """
    return FileSetRecord(digest=digest, entries=parse_listing(store.open(digest).read()))


def _rows(content: Any) -> list[Any]:
    if not isinstance(content, dict) or content.get("version") != _VERSION:
        found = content.get("version") if isinstance(content, dict) else type(content).__name__
        raise InvalidArgument(f"this listing of a tree has version {found!r}; version {_VERSION} can be read")
    rows = content.get("files")
    if not isinstance(rows, list):
        raise InvalidArgument("a listing of a tree has a list of 'files'")
    return rows


def _entry(row: Any) -> FileEntry:
    if not isinstance(row, list) or len(row) != _COLUMNS:
        raise InvalidArgument(f"a row of a listing is [path, digest, size_bytes, mode], not {row!r:.200}")
    _check_row(row)
    path, digest, size_bytes, mode = row
    return FileEntry(path=path, digest=digest, size_bytes=size_bytes, mode=mode)


def _check_row(row: Any) -> None:
    path, digest, size, mode = row
    if not isinstance(path, str) or not path:
        raise InvalidArgument(f"a path of a tree is a text, not {path!r:.200}")
    if not isinstance(digest, str) or _DIGEST.fullmatch(digest) is None:
        raise InvalidArgument(f"{path!r} has the digest {digest!r:.100}; a digest is 64 of the digits 0-9 a-f")
    if type(size) is not int or not 0 <= size < 1 << 63:
        raise InvalidArgument(f"{path!r} has the size {size!r:.100}; a size is a whole number of bytes, 0 or more")
    if mode not in MODES:
        raise InvalidArgument(f"{path!r} has the mode {mode!r:.100}; modes are {', '.join(MODES)}")
