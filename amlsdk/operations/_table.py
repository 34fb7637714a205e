"""The table of operations: one row a request class."""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import IntEnum
from typing import Any, Generic, TypeVar, get_args, get_origin

import attrs

from amlsdk.records.streams import ByteStream

__all__ = ["CALLER", "SUBSCRIPTION", "TABLE", "Operation", "Request", "Role", "operation", "operation_of"]

R = TypeVar("R")
C = TypeVar("C", bound=type)


# What a role is needed in, where that is neither the workspace nor what a field of the request names.
SUBSCRIPTION = "subscription"
# Nothing: whoever is signed in may ask, and is answered about what they may see.
CALLER = "caller"


class Role(IntEnum):
    """What a caller may do; each role may do what the lower ones may."""

    NONE = 0
    READER = 1
    CONTRIBUTOR = 2
    OWNER = 3


class Request(Generic[R]):
    """Base of one operation: its fields are the arguments, R is the reply."""


@attrs.frozen(kw_only=True)
class Operation:
    """A row of the table.

    Args:
        verb: HTTP method.
        path: Route, with the names of fields in braces; those fields are ids or digests, never free text.
        role: The least role that may do this.
        request: The class.
        reply: What `Service.send` returns; `ByteStream` is a stream of bytes.
        body: Name of the field that is a stream of bytes, or None where the body is JSON.
        waits: Whether the request has a `wait_s` within which an empty reply is held back.
        most_bytes: How many bytes the stream may have; None where there is no limit.
        sign_of_life: Whether this is sent again and again while something goes on: the audit log notes it only where
            it is refused.
        on: Where the role is needed: None is the workspace that was asked; a field's name, the subscription, team or
            workspace with that id; else `SUBSCRIPTION` or `CALLER`.
    """

    verb: str
    path: str
    role: Role
    request: type[Request[Any]]
    reply: Any
    body: str | None
    waits: bool
    most_bytes: int | None
    sign_of_life: bool = False
    on: str | None = None

    @property
    def name(self) -> str:
        """Name of the operation, which is that of its class."""
        return self.request.__name__

    @property
    def in_query(self) -> bool:
        """Whether the fields that are neither in the path nor the stream travel in the query; else as a JSON body."""
        return self.body is not None or self.verb in ("GET", "DELETE")


# Filled while the modules of this package are imported, and never after.
TABLE: dict[type[Request[Any]], Operation] = {}


def operation(
    verb: str,
    path: str,
    *,
    role: Role,
    most_bytes: int | None = None,
    sign_of_life: bool = False,
    on: str | None = None,
) -> Callable[[C], C]:
    """Enter a request class into the table."""

    def enter(cls: C) -> C:
        attrs.resolve_types(cls)
        fields = attrs.fields_dict(cls)
        named = path_fields(path) | ({on} if on and on not in (SUBSCRIPTION, CALLER) else set())
        unknown = named - fields.keys()
        if unknown:
            raise TypeError(f"{cls.__name__}: the path names what is no field: {sorted(unknown)}")
        base = next(base for base in cls.__orig_bases__ if get_origin(base) is Request)  # type: ignore[attr-defined]
        body = next((name for name, field in fields.items() if field.type is ByteStream), None)
        TABLE[cls] = Operation(
            verb=verb,
            path=path,
            role=role,
            request=cls,
            reply=get_args(base)[0],
            body=body,
            waits="wait_s" in fields,
            most_bytes=most_bytes,
            sign_of_life=sign_of_life,
            on=on,
        )
        return cls

    return enter


def operation_of(request: Request[R]) -> Operation:
    """Return the row of a request."""
    return TABLE[type(request)]


def path_fields(path: str) -> set[str]:
    """Names in the braces of a route."""
    return set(re.findall(r"{(\w+)}", path))
