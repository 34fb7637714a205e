"""FileSets: trees whose blobs are stored."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import orjson

from amlsdk.errors import InvalidArgument, NotFound, OperationFailed
from amlsdk.filesets.listing import listing_bytes, parse_listing
from amlsdk.local.handling import Local, handles
from amlsdk.local.lookup import find_fileset
from amlsdk.operations.filesets import CreateFileSet, GetFileSet
from amlsdk.records.filesets import FileEntry, FileSetRecord
from amlsdk.records.names import listed
from amlsdk.records.streams import ByteStream
from amlsdk.service import Principal
from amlsdk.storage.catalogue.dialects import insert
from amlsdk.storage.catalogue.schema import fileset
from amlsdk.storage.catalogue.times import now_us

__all__ = ["entries_of", "has_file"]


@handles(CreateFileSet)
def create_fileset(local: Local, _: Principal, request: CreateFileSet) -> FileSetRecord:
    """Keep a tree."""
    listing = listing_bytes(request.entries)
    record = FileSetRecord(
        digest=hashlib.sha256(listing).hexdigest(),
        entries=tuple(sorted(request.entries, key=lambda entry: entry.path)),
    )
    sizes = local.blobs.sizes({entry.digest: None for entry in record.entries})
    _refuse_missing(record, sizes)
    _refuse_wrong_sizes(record, sizes)
    local.blobs.put(record.digest, ByteStream.of(listing))
    row = {"digest": record.digest, "file_count": len(record.entries), "size_bytes": record.size_bytes}
    with local.database.write() as connection:
        statement = insert(connection, fileset).values(**row, created_at=now_us())
        # Young again, so that it is not collected before something refers to it.
        again = statement.on_conflict_do_update(index_elements=["digest"], set_={"created_at": now_us()})
        connection.execute(again)
    return record


@handles(GetFileSet)
def get_fileset(local: Local, _: Principal, request: GetFileSet) -> FileSetRecord:
    """Read a tree."""
    with local.database.read() as connection:
        find_fileset(connection, request.digest)
    return FileSetRecord(digest=request.digest, entries=entries_of(local, request.digest))


def entries_of(local: Local, digest: str) -> tuple[FileEntry, ...]:
    """Return the files of a tree that the catalogue knows.

    Raises:
        OperationFailed: Its listing is lost or damaged.
    """
    try:
        return parse_listing(local.blobs.open(digest).read())
    except (NotFound, InvalidArgument) as error:
        raise OperationFailed(f"the listing of FileSet {digest} is lost: {error}; snapshot the folder again") from error


def has_file(local: Local, digest: str, path: str) -> bool:
    """Say whether a tree has a file or link at a path.

    Raises:
        NotFound: There is no such tree.
    """
    try:
        # The digest has been checked: taking the listing apart entry by entry would only cost time.
        content = orjson.loads(local.blobs.open(digest).read())
        return any(row[0] == path for row in content["files"])
    except (NotFound, orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise NotFound(f"this workspace has no FileSet {digest!r}; send its blobs and create it first") from error


def _refuse_missing(record: FileSetRecord, sizes: Mapping[str, int]) -> None:
    lacking = [entry for entry in record.entries if entry.digest not in sizes]
    if lacking:
        files = listed(f"{entry.path!r} ({entry.digest})" for entry in lacking)
        raise InvalidArgument(f"the FileSet has files whose blobs are not stored: {files}; send those first")


def _refuse_wrong_sizes(record: FileSetRecord, sizes: Mapping[str, int]) -> None:
    wrong = [entry for entry in record.entries if entry.size_bytes != sizes[entry.digest]]
    if wrong:
        files = listed(
            f"{entry.path!r} ({entry.size_bytes} bytes, stored are {sizes[entry.digest]})" for entry in wrong
        )
        raise InvalidArgument(f"the FileSet has files of another size than what is stored of them: {files}")
