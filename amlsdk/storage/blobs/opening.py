"""Finding the blob store that a URL means."""

from __future__ import annotations

import os
import re

from amlsdk import plugins
from amlsdk.errors import InvalidArgument
from amlsdk.storage.blobs.base import BlobStore

__all__ = ["open_store", "without_password"]

_GROUP = "amlsdk.blob_stores"
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)(?=://)")
# What it says of itself becomes a folder, or a part of a name.
_PREFIX = re.compile(r"(?:[A-Za-z0-9_-]+(?:/[A-Za-z0-9_-]+)*)?")
# Any scheme that has no store of its own is for fsspec to know.
_ANY = "fsspec"


def open_store(url: str | os.PathLike[str], *, prefix: str = "") -> BlobStore:
    """Return the blob store in a place, without touching it yet (entry-point group `amlsdk.blob_stores`).

    Args:
        url: A folder, `file:///folder`, `azure://container[@account][/folder]`, or what fsspec opens, such as
            `s3://bucket/folder`.
        prefix: Names in the place, with `/` in between, below which this store keeps all that it has: stores with
            different prefixes know nothing of each other.

    Raises:
        InvalidArgument: It is no such URL, or no such prefix.
        MissingDependency: A package it needs is not installed.
    """
    text = os.fspath(url)
    if _PREFIX.fullmatch(prefix) is None:
        raise InvalidArgument(
            f"{prefix!r:.200} can't be the place of blobs: names of A-Z a-z 0-9 _ -, with / in between"
        )
    found = _SCHEME.match(text)
    scheme = found[1].lower() if found else "file"
    store: BlobStore = plugins.load(_GROUP, scheme if scheme in plugins.names(_GROUP) else _ANY)(text, prefix=prefix)
    return store


def without_password(url: str) -> str:
    """Return a URL as it may be shown: without what stands before `@` and after `?`."""
    return re.sub(r"(?<=://)[^/@]*:[^/@]*@", "...@", url.partition("?")[0])
