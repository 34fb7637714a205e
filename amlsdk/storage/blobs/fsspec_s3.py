"""Blobs in a bucket of Amazon S3, or of a store that answers like it."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

from amlsdk import plugins
from amlsdk.errors import InvalidArgument, Unavailable
from amlsdk.storage.blobs.blocks import blocks_of
from amlsdk.storage.blobs.fsspec_s3_reasons import code_of, reason_of
from amlsdk.storage.blobs.fsspec_store import FsspecBlobStore
from amlsdk.storage.blobs.objects import Found

__all__ = ["S3BlobStore", "is_s3", "open_s3"]

_SCHEME = re.compile(r"s3a?://", re.IGNORECASE)
_URL = re.compile(r"(?P<bucket>[A-Za-z0-9._-]{3,255})(?P<folder>(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9_.=-]+)*)/?")
# S3 takes 10 000 parts an object: each so many of them are twice as large as those before, which makes 968 GiB.
_BLOCK_BYTES, _GROW_AFTER = 16 << 20, 2_000
# So often s3fs begins anew, and each time botocore asks as often as AWS_MAX_ATTEMPTS says.
_TRIES = 2


class S3BlobStore(FsspecBlobStore):
    """A blob store in a bucket, which must be there, by the package s3fs.

    A large blob is sent in parts that S3 makes one object of in one request, after its digest was seen to be right.
    What S3 has acknowledged it has written several times, and whoever asks afterwards finds it.

    Args:
        files: A file system of s3fs that keeps no listings.
        bucket: Its name.
        folder: Beginning of the names of all that is kept, or nothing.
    """

    def __init__(self, files: Any, bucket: str, *, folder: str = "") -> None:
        super().__init__(files, f"{bucket}/{folder}")
        self._bucket, self._folder = bucket, folder.strip("/")
        self._has_seen_bucket = False

    def check(self) -> None:  # noqa: D102
        with self._telling("the blobs can't be reached"):
            self._look_at_bucket()

    def remove_leftovers(self, *, older_than_s: float = 86_400) -> int:  # noqa: D102
        before = time.time() - older_than_s
        removed = super().remove_leftovers(older_than_s=older_than_s)
        # Those of copies too, which s3fs makes in parts where they are large.
        found = chain(self._uploads("blobs"), self._uploads("drafts"))
        old = [upload for upload in found if upload["Initiated"].timestamp() <= before]
        self._each(self._abort, [{"Key": upload["Key"], "UploadId": upload["UploadId"]} for upload in old])
        return removed + len(old)

    def _write(self, name: str, chunks: Iterable[bytes]) -> None:
        blocks = blocks_of(chunks, first_bytes=_BLOCK_BYTES, grow_after=_GROW_AFTER)
        first = next(blocks, b"")
        if len(first) < _BLOCK_BYTES:
            with self._telling(f"{name} can't be stored"):
                self._call("put_object", Key=self._key(name), Body=first)
            return
        with self._telling(f"{name} can't be stored"):
            begun = self._call("create_multipart_upload", Key=self._key(name))
        upload = {"Key": self._key(name), "UploadId": begun["UploadId"]}
        try:
            self._send(name, upload, chain((first,), blocks))
        except BaseException:
            # What can't be given up now is a leftover, and an error of the content is the one to be told.
            with contextlib.suppress(Exception):
                self._abort(upload)
            raise

    def _send(self, name: str, upload: dict[str, str], blocks: Iterable[bytes]) -> None:
        size, parts = 0, []
        for number, block in enumerate(blocks, 1):
            with self._telling(f"{name} can't be stored"):
                sent = self._call("upload_part", **upload, PartNumber=number, Body=block)
            size += len(block)
            parts.append({"PartNumber": number, "ETag": sent["ETag"]})
        self._complete(name, upload, parts, size_bytes=size)

    def _complete(self, name: str, upload: dict[str, str], parts: list[dict[str, Any]], *, size_bytes: int) -> None:
        try:
            with self._telling(f"{name} can't be stored"):
                self._call("complete_multipart_upload", **upload, MultipartUpload={"Parts": parts})
        except Unavailable:
            # An answer that is lost is asked for again, and then the upload is no more.
            found = self._info(name)
            if found is None or found.size_bytes != size_bytes:
                raise

    def _abort(self, upload: dict[str, str]) -> None:
        doing = "an upload can't be given up"
        with contextlib.suppress(FileNotFoundError), self._telling(doing, may_lack=True):
            self._call("abort_multipart_upload", **upload)

    def _uploads(self, folder: str) -> Iterator[dict[str, Any]]:
        """Iterate over what was begun to be sent in parts, and neither completed nor given up."""
        asked = {"Prefix": self._key(f"{folder}/")}
        while True:
            page = self._page_of_uploads(asked)
            yield from page.get("Uploads", ())
            if not page.get("IsTruncated"):
                return
            asked |= {"KeyMarker": page["NextKeyMarker"], "UploadIdMarker": page["NextUploadIdMarker"]}

    def _page_of_uploads(self, asked: dict[str, str]) -> dict[str, Any]:
        with self._telling("unfinished uploads can't be listed"):
            try:
                page: dict[str, Any] = self._call("list_multipart_uploads", **asked)
            except OSError as error:
                # Some stores that are not Amazon's do not tell, and see to what is unfinished themselves.
                if code_of(error) != "NotImplemented":
                    raise
                return {}
            return page

    def _info(self, name: str) -> Found | None:
        try:
            with self._telling(f"{name} can't be looked up", may_lack=True):
                found = self._call("head_object", Key=self._key(name))
                return Found(size_bytes=found["ContentLength"], used_at=found["LastModified"].timestamp())
        except FileNotFoundError:
            # S3 says so of an object in a bucket that is not there, too.
            if not self._has_seen_bucket:
                with self._telling(f"{name} can't be looked up"):
                    self._look_at_bucket()
            return None

    def _look_at_bucket(self) -> None:
        self._call("list_objects_v2", Prefix=self._key(""), MaxKeys=1)
        self._has_seen_bucket = True

    def _move(self, source: str, target: str) -> None:
        self._files.cp_file(self._path(source), self._path(target))
        self._files.rm_file(self._path(source))

    def _call(self, request: str, **arguments: Any) -> Any:
        return self._files.call_s3(request, Bucket=self._bucket, **arguments)

    def _key(self, name: str) -> str:
        return f"{self._folder}/{name}" if self._folder else name

    def _is_absence(self, error: Exception) -> bool:
        return super()._is_absence(error) and code_of(error) != "NoSuchBucket"

    def _reason(self, error: Exception) -> str:
        return reason_of(error, bucket=self._bucket)


def is_s3(url: str) -> bool:
    """Whether a URL is for a store of this kind."""
    return _SCHEME.match(url) is not None


def open_s3(url: str, *, prefix: str) -> S3BlobStore:
    """Return the store in a bucket: `s3://bucket[/folder]`.

    Where it is and who asks is said by the environment, or by the files of the AWS command line: AWS_ENDPOINT_URL for a
    store that is not Amazon's, AWS_ACCESS_KEY_ID with AWS_SECRET_ACCESS_KEY (and AWS_SESSION_TOKEN), AWS_PROFILE, or
    the role of the machine.

    Raises:
        InvalidArgument: It is no such URL.
        MissingDependency: The package s3fs is not installed.
    """
    found = _URL.fullmatch(_SCHEME.sub("", url, count=1))
    if found is None:
        raise InvalidArgument(
            "the URL of the blobs names no bucket: write s3://bucket or s3://bucket/folder, names of A-Z a-z 0-9 . _ "
            "-; keys belong into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, an address into AWS_ENDPOINT_URL"
        )
    files = plugins.require("s3fs", extra="s3").S3FileSystem(use_listings_cache=False)
    files.retries = _TRIES
    folder = "/".join(part for part in (found["folder"].strip("/"), prefix) if part)
    return S3BlobStore(files, found["bucket"], folder=folder)
