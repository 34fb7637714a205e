"""The audit log of a workspace: one line of JSON an operation that changes something."""

from __future__ import annotations

import functools
import logging
import os
import weakref
from collections.abc import Mapping
from io import FileIO
from pathlib import Path
from typing import Any

import attrs
import orjson

from amlsdk.errors import Unavailable
from amlsdk.operations import Operation, Request, Role
from amlsdk.operations._table import path_fields
from amlsdk.service import Principal
from amlsdk.storage.catalogue.times import from_us, now_us

__all__ = ["Audit"]

_LOG = logging.getLogger("amlsdk")


class Audit:
    """Appends to `audit.jsonl`: when, who, with which token and from where, what, the ids it was about, how it went.

    Args:
        path: Of the log.
        read_only: Nothing is written.

    Raises:
        Unavailable: It can't be opened.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        try:
            self._file = None if read_only else open(path, "ab", buffering=0, opener=_private)  # noqa: SIM115  # closed by the finalizer
        except OSError as error:
            raise Unavailable(
                f"{str(path)!r} can't be opened: {error.strerror}; let this user read and write the workspace"
            ) from error
        # An object that is dropped without being closed, as unpickled ones are, leaves no file open.
        self._closed = weakref.finalize(self, _close, self._file)

    def write(
        self,
        principal: Principal,
        operation: Operation,
        request: Request[Any],
        outcome: str,
        *,
        workspace_id: str | None = None,
    ) -> None:
        """Write a line for an operation that changes something, or that not every reader may do."""
        only_reads = operation.verb == "GET" and operation.role <= Role.READER
        if only_reads or self._file is None or (operation.sign_of_life and outcome == "ok"):
            return
        ids = {name: getattr(request, name) for name in _id_fields(operation)}
        self.note(principal, operation.name, ids, outcome, workspace_id=workspace_id)

    def note(
        self,
        principal: Principal,
        what: str,
        ids: Mapping[str, Any],
        outcome: str,
        *,
        workspace_id: str | None = None,
    ) -> None:
        """Write a line for what is done to resources, by an operation or otherwise."""
        if self._file is None:
            return
        line = {
            "at": from_us(now_us()),
            **_who(principal),
            "operation": what,
            **({"workspace": workspace_id} if workspace_id else {}),
            **ids,
            "outcome": outcome,
        }
        try:
            # One write, so that lines of several processes never mix.
            self._file.write(orjson.dumps(line, default=repr, option=orjson.OPT_APPEND_NEWLINE))
        except (OSError, ValueError) as error:
            # What was asked has been done already: a full disk here must not say otherwise.
            _LOG.warning("the audit log can't be written: %s", error)

    def close(self) -> None:
        """Close the log; twice is no error."""
        self._closed()


def _who(principal: Principal) -> dict[str, str]:
    facts = {
        "token": principal.token_id,
        "address": principal.address,
        "request": principal.request_id,
    }
    return {"user": principal.name, **{name: fact for name, fact in facts.items() if fact}}


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _close(file: FileIO | None) -> None:
    if file is not None:
        file.close()


@functools.cache
def _id_fields(operation: Operation) -> tuple[str, ...]:
    request: Any = operation.request
    own = {"id"} & attrs.fields_dict(request).keys()
    return tuple(sorted(path_fields(operation.path) | own))
