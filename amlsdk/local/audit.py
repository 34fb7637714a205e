"""The audit log of a workspace: one line of JSON an operation that changes something."""

from __future__ import annotations

import functools
import logging
import os
from pathlib import Path
from typing import Any

import attrs
import orjson

from amlsdk.operations import Operation, Request, Role
from amlsdk.operations._table import path_fields
from amlsdk.service import Principal
from amlsdk.storage.catalogue.times import from_us, now_us

__all__ = ["Audit"]

_LOG = logging.getLogger("amlsdk")


class Audit:
    """Appends to `audit.jsonl`: when, who, what, the ids it was about, and how it went.

    Args:
        path: Of the log.
        read_only: Nothing is written.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self._file: int | None = None
        if not read_only:
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0)
            self._file = os.open(path, flags, 0o600)

    def write(self, principal: Principal, operation: Operation, request: Request[Any], outcome: str) -> None:
        """Write a line for an operation that not every reader may do."""
        if operation.role <= Role.READER or self._file is None:
            return
        ids = {name: getattr(request, name) for name in _id_fields(operation)}
        line = {"at": from_us(now_us()), "user": principal.name, "operation": operation.name, **ids, "outcome": outcome}
        try:
            # One write, so that lines of several processes never mix.
            os.write(self._file, orjson.dumps(line, default=repr, option=orjson.OPT_APPEND_NEWLINE))
        except OSError as error:
            # What was asked has been done already: a full disk here must not say otherwise.
            _LOG.warning("the audit log can't be written: %s", error)

    def close(self) -> None:
        """Close the log; twice is no error."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


@functools.cache
def _id_fields(operation: Operation) -> tuple[str, ...]:
    request: Any = operation.request
    own = {"id"} & attrs.fields_dict(request).keys()
    return tuple(sorted(path_fields(operation.path) | own))
