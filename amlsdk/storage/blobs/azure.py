"""Blobs in a container of Azure Blob Storage."""

from __future__ import annotations

import base64
import contextlib
import datetime as dt
import re
import secrets
from collections.abc import Iterable, Iterator
from typing import Any

from amlsdk import plugins
from amlsdk.errors import InvalidArgument, NotFound, Unavailable
from amlsdk.records.filesets import PART_BYTES
from amlsdk.storage.blobs.azure_access import code_of, container_client, reason_of
from amlsdk.storage.blobs.blocks import blocks_of
from amlsdk.storage.blobs.objects import Found, ObjectBlobStore

__all__ = ["AzureBlobStore", "open_azure"]

_URL = re.compile(
    r"azure://(?P<container>[a-z0-9$](?:[a-z0-9-]{1,61}[a-z0-9])?)(?:@(?P<account>[a-z0-9][a-z0-9.-]*(?::[0-9]+)?))?"
    r"(?P<folder>(?:/[A-Za-z0-9_.-]+)*)/?",
)
_ROUNDS = 16
# Azure takes 50 000 blocks a blob: each so many of them are twice as large as those before.
_BLOCK_BYTES, _GROW_AFTER = PART_BYTES, 10_000


class AzureBlobStore(ObjectBlobStore):
    """A blob store in a container, which must be there.

    A large blob is sent as blocks, which are no blob until they are committed in one request, after its digest was
    seen to be right; Azure itself forgets blocks that are not committed within a week. Blocks of several writers have
    different names. What Azure has acknowledged it has written three times at least.

    Args:
        container: A `ContainerClient` of azure-storage-blob.
        folder: Beginning of the names of all that is kept, or nothing.
    """

    def __init__(self, container: Any, *, folder: str = "") -> None:
        self._container = container
        self._folder = folder.strip("/")
        self._errors = plugins.require("azure.core.exceptions", extra="azure")

    def check(self) -> None:  # noqa: D102
        with self._telling("the blobs can't be reached"):
            self._container.get_container_properties()

    def _write(self, name: str, chunks: Iterable[bytes]) -> None:
        blob, held = self._client(name), b""
        blocks: list[str] = []
        writer = secrets.token_hex(8)
        for block in blocks_of(chunks, first_bytes=_BLOCK_BYTES, grow_after=_GROW_AFTER):
            if held:
                blocks.append(self._stage(blob, f"{writer}-{len(blocks):08}", held))
            held = block
        with self._telling(f"{name} can't be stored"):
            if not blocks:
                blob.upload_blob(held, overwrite=True, validate_content=True)
                return
        blocks.append(self._stage(blob, f"{writer}-{len(blocks):08}", held))
        self._commit(name, blob, blocks)

    def _stage(self, blob: Any, block: str, content: bytes) -> str:
        with self._telling("a block can't be stored"):
            blob.stage_block(base64.b64encode(block.encode()).decode(), content, validate_content=True)
        return block

    def _commit(self, name: str, blob: Any, blocks: list[str]) -> None:
        made = plugins.require("azure.storage.blob", extra="azure").BlobBlock
        try:
            with self._telling(f"{name} can't be stored"):
                blob.commit_block_list([made(base64.b64encode(block.encode()).decode()) for block in blocks])
        except Unavailable:
            # Whoever commits first ends the blocks of all others, and has committed what was to be committed here.
            if self._find(name) is None:
                raise

    def _read(self, name: str, start: int) -> Iterator[bytes]:
        for _ in range(_ROUNDS):
            try:
                with self._telling(f"{name} can't be read"):
                    for chunk in self._client(name).download_blob(offset=start).chunks():
                        yield chunk
                        start += len(chunk)
                    return
            except self._errors.ResourceNotFoundError as error:
                raise NotFound(f"there is no {name} in {self._place()}") from error
            except self._errors.ResourceModifiedError:
                # Somebody else stored the same bytes, or marked them as used: Azure reads on from one version only.
                continue
        raise Unavailable(f"{name} in {self._place()} is stored anew faster than it can be read")

    def _find(self, name: str) -> Found | None:
        try:
            with self._telling(f"{name} can't be looked up"):
                return _found(self._client(name).get_blob_properties())
        except self._errors.ResourceNotFoundError:
            return None

    def _mark_used(self, name: str) -> bool:
        try:
            with self._telling(f"{name} can't be marked as used"):
                # Writing metadata, also none, renews the time of the last change.
                self._client(name).set_blob_metadata({})
        except self._errors.ResourceNotFoundError:
            return False
        return True

    def _list(self, folder: str) -> Iterator[tuple[str, Found]]:
        begin = f"{self._named(folder)}/"
        with self._telling(f"{folder} can't be listed"):
            for properties in self._container.list_blobs(name_starts_with=begin):
                yield properties.name.removeprefix(begin), _found(properties)

    def _remove(self, name: str, *, unless_used_since: float | None = None) -> bool:
        since = None if unless_used_since is None else dt.datetime.fromtimestamp(unless_used_since, dt.timezone.utc)
        condition = {} if since is None else {"if_unmodified_since": since}
        try:
            with self._telling(f"{name} can't be removed"):
                self._client(name).delete_blob(delete_snapshots="include", **condition)
        except self._errors.ResourceNotFoundError:
            return True
        except self._errors.ResourceModifiedError:
            return False
        return True

    def _place(self) -> str:
        return f"the container {self._container.container_name!r} of {self._container.account_name}"

    def _named(self, name: str) -> str:
        return f"{self._folder}/{name}" if self._folder else name

    def _client(self, name: str) -> Any:
        return self._container.get_blob_client(self._named(name))

    @contextlib.contextmanager
    def _telling(self, doing: str) -> Iterator[None]:
        """Turn what Azure refuses into `Unavailable`; that a blob is not there, or was changed, passes."""
        try:
            yield
        except self._errors.AzureError as error:
            code = code_of(error)
            passing = (self._errors.ResourceNotFoundError, self._errors.ResourceModifiedError)
            if isinstance(error, passing) and "Container" not in code:
                raise
            raise Unavailable(f"{doing} in {self._place()}: {reason_of(error)}") from error


def _found(properties: Any) -> Found:
    return Found(size_bytes=properties.size, used_at=properties.last_modified.timestamp())


def open_azure(url: str, *, prefix: str) -> AzureBlobStore:
    """Return the store in a container: `azure://container[@account][/folder]`.

    The account is the URL's: a name, or a host such as `account.blob.core.chinacloudapi.cn`. Without one it is that of
    AZURE_STORAGE_CONNECTION_STRING, or AZURE_STORAGE_ACCOUNT. Access is by AZURE_STORAGE_KEY, by
    AZURE_STORAGE_SAS_TOKEN, or else by the identity that azure-identity finds (of the machine, of `az login`).

    Raises:
        InvalidArgument: It is no such URL, or no account is named.
        MissingDependency: The packages of Azure are not installed.
    """
    found = _URL.fullmatch(url)
    if found is None:
        shown = url.partition("?")[0].rpartition(":")[0] if url.count(":") > 1 else url.partition("?")[0]
        raise InvalidArgument(
            f"{shown!r:.200} names no container: write azure://container, azure://container@account or "
            "azure://container@account/folder, in small letters; keys belong into AZURE_STORAGE_KEY"
        )
    folder = "/".join(part for part in (found["folder"].strip("/"), prefix) if part)
    return AzureBlobStore(container_client(found["container"], found["account"]), folder=folder)
