"""Finding the store that a URL of fsspec means."""

from __future__ import annotations

from amlsdk import plugins
from amlsdk.errors import InvalidArgument, MissingDependency
from amlsdk.storage.blobs.fsspec_s3 import is_s3, open_s3
from amlsdk.storage.blobs.fsspec_store import FsspecBlobStore, reason_of
from amlsdk.storage.blobs.opening import without_password

__all__ = ["FsspecBlobStore", "open_fsspec"]


def open_fsspec(url: str, *, prefix: str) -> FsspecBlobStore:
    """Return the store at a URL that fsspec knows; keys and options are those of its configuration and environment.

    Raises:
        InvalidArgument: fsspec knows no such URL.
        MissingDependency: The package that opens such URLs is not installed.
    """
    fsspec = plugins.require("fsspec", extra="fsspec")
    if is_s3(url):
        return open_s3(url, prefix=prefix)
    shown = without_password(url)
    if "::" in url or "://" not in url:
        raise InvalidArgument(f"{shown!r:.200} is no one place for blobs; write scheme://place/folder")
    try:
        files, root = fsspec.core.url_to_fs(url)
    except ImportError as error:
        raise MissingDependency(f"{shown!r:.200} can't be opened: {error}") from error
    except Exception as error:
        raise InvalidArgument(f"{shown!r:.200} can't be opened: {reason_of(error)}") from error
    return FsspecBlobStore(files, f"{root.rstrip('/')}/{prefix}" if prefix else root)
