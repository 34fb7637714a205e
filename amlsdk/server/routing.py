"""Which operation a verb and a path mean.

Paths are matched as they were sent, segment by segment, and only then unquoted: servers differ in what they make of
a `%2F`, and a quoted `..` must stay the text of a field.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping

import attrs

from amlsdk.errors import InvalidArgument, NotFound
from amlsdk.operations import TABLE, Operation
from amlsdk.wire import decode_segment

__all__ = ["Match", "find", "nothing_at", "verbs"]

_Route = tuple[str, ...]


@attrs.frozen(kw_only=True)
class Match:
    """An operation that was found.

    Args:
        operation: Its row of the table.
        path: The fields that the path has.
    """

    operation: Operation
    path: Mapping[str, str]


def find(verb: str, path: str) -> Match | None:
    """Find the operation of a request; None where the path is known but not with this verb.

    Args:
        verb: HTTP method.
        path: Quoted, as it was sent, without a query.

    Raises:
        NotFound: No operation has this path.
        InvalidArgument: The path can't be unquoted.
    """
    segments = tuple(path.split("/"))
    operation = _at(segments, path).get(verb)
    return None if operation is None else Match(operation=operation, path=_values(operation, segments, path))


def verbs(path: str) -> tuple[str, ...]:
    """Return the verbs of the operations at a path.

    Raises:
        NotFound: No operation has this path.
    """
    return tuple(sorted(_at(tuple(path.split("/")), path)))


def nothing_at(path: str) -> NotFound:
    """Return the error of a path that no operation has."""
    return NotFound(f"the service has nothing at {path[:200]!r}; /openapi.json lists what it has")


def _at(segments: _Route, path: str) -> dict[str, Operation]:
    for route, operations in _routes().get(_sort_of(segments), {}).items():
        if all(_is_field(part) or part == segment for part, segment in zip(route, segments, strict=True)):
            return operations
    raise nothing_at(path)


def _sort_of(segments: _Route) -> tuple[int, str]:
    """Number of segments and the word after the version, so that few routes are left to look at."""
    return len(segments), segments[2] if len(segments) > 2 else ""  # noqa: PLR2004  # "", "v1", the word


def _is_field(part: str) -> bool:
    return part.startswith("{")


def _values(operation: Operation, segments: _Route, path: str) -> dict[str, str]:
    parts = operation.path.split("/")
    try:
        return {
            part.strip("{}"): decode_segment(segment)
            for part, segment in zip(parts, segments, strict=True)
            if _is_field(part)
        }
    except ValueError as error:
        raise InvalidArgument(f"the path {path[:200]!r} is not quoted UTF-8: {error}") from error


@functools.cache
def _routes() -> dict[tuple[int, str], dict[_Route, dict[str, Operation]]]:
    """The operations by their sort, then by route, then by verb; fixed segments before fields."""
    found: dict[tuple[int, str], dict[_Route, dict[str, Operation]]] = {}
    for operation in TABLE.values():
        route = tuple("{}" if _is_field(part) else part for part in operation.path.split("/"))
        found.setdefault(_sort_of(route), {}).setdefault(route, {})[operation.verb] = operation
    return {sort: dict(sorted(routes.items(), key=_fields_last)) for sort, routes in found.items()}


def _fields_last(item: tuple[_Route, object]) -> tuple[bool, ...]:
    return tuple(_is_field(part) for part in item[0])
