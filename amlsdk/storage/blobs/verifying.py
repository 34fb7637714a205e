"""Streams of bytes that end in an error where they are not what their digest says."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator

from amlsdk.errors import InvalidArgument, NotFound

__all__ = ["absent", "matching", "mismatch", "verified"]


def verified(digest: str, chunks: Iterable[bytes], *, damaged: Callable[[], Exception]) -> Iterator[bytes]:
    """Hand out what was stored, the last chunk only once the whole is known to be right.

    Args:
        digest: What it must have.
        chunks: What is read.
        damaged: Makes the error that is raised where it has another one.
    """
    sha, held = hashlib.sha256(), b""
    for chunk in chunks:
        sha.update(chunk)
        if held:
            yield held
        held = chunk
    if sha.hexdigest() != digest:
        raise damaged()
    if held:
        yield held


def matching(digest: str, chunks: Iterable[bytes], *, what: str) -> Iterator[bytes]:
    """Hand on what is to be stored; after the last chunk an error where it has another digest.

    Raises:
        InvalidArgument: It has.
    """
    sha, size = hashlib.sha256(), 0
    for chunk in chunks:
        sha.update(chunk)
        size += len(chunk)
        yield chunk
    if sha.hexdigest() != digest:
        raise mismatch(what, found=sha.hexdigest(), size=size, digest=digest)


def mismatch(what: str, *, found: str, size: int, digest: str) -> InvalidArgument:
    """Return the error of content that has another digest than it was sent under."""
    return InvalidArgument(
        f"{what} has the digest {found} ({size} bytes), not {digest}: it changed on the way; send it again"
    )


def absent(digest: str) -> NotFound:
    """Return the error of a blob that is not stored."""
    return NotFound(f"no blob {digest} is stored")
