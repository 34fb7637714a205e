"""Operations on FileSets."""

from __future__ import annotations

import attrs

from amlsdk.operations._table import Request, Role, operation
from amlsdk.records.filesets import FileEntry, FileSetRecord

__all__ = ["CreateFileSet", "GetFileSet"]


@operation("POST", "/v1/filesets", role=Role.CONTRIBUTOR)
@attrs.frozen(kw_only=True)
class CreateFileSet(Request[FileSetRecord]):
    """Keep a tree whose blobs are stored; InvalidArgument names those that are not."""

    entries: tuple[FileEntry, ...]


@operation("GET", "/v1/filesets/{digest}", role=Role.READER)
@attrs.frozen(kw_only=True)
class GetFileSet(Request[FileSetRecord]):
    """Read a tree."""

    digest: str
