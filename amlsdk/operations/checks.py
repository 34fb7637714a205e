"""Strict types: "false" is not True and 1.9 is not 1, the same in every mode.

So is what can't travel: a text that UTF-8 lacks, a number beyond 64 bits, a time that UTC lacks, and what is no JSON.
"""

from __future__ import annotations

import datetime as dt
import functools
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import attrs

from amlsdk.errors import InvalidArgument
from amlsdk.records.streams import ByteStream

__all__ = ["check", "check_size"]

Check = Callable[[Any], None]


class _Misfit(Exception):
    """A value that is not of its type.

    Where it stands is put together on the way out, the innermost part first: most values fit, and for those no text
    is made.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.path: list[str] = []


_INT64 = 1 << 63
# Far below what writers and readers of JSON can follow.
_DEEPEST = 100


def check(value: Any, kind: Any, *, at: str) -> None:
    """See that a value is of a declared type, all the way down.

    Args:
        value: A request, a record or a part of one.
        kind: Its declared type.
        at: Where it stands, for the message.

    Raises:
        InvalidArgument: It is not; the message points at the place.
    """
    try:
        _check_for(kind)(value)
    except _Misfit as misfit:
        raise InvalidArgument(f"{at}{''.join(reversed(misfit.path))}: {misfit.reason}") from misfit.__cause__


def check_size(size: int, most: int, *, at: str) -> None:
    """See that a body is not too large.

    Raises:
        InvalidArgument: It has more than `most` bytes.
    """
    if size > most:
        raise InvalidArgument(f"{at}: the body has more than {most} bytes; send less at once")


@functools.cache
def _check_for(kind: Any) -> Check:
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if isinstance(kind, TypeVar):
        return lambda value: None  # noqa: ARG005
    if origin in (typing.Union, types.UnionType):
        return _optional(_check_for(next(arg for arg in args if arg is not type(None))))
    if origin is tuple:
        return _sequence(_check_for(args[0]))
    if origin in (Mapping, dict):
        return _mapping(_check_for(args[1]))
    if attrs.has(origin or kind):
        return _record(origin or kind, args)
    return _SCALARS[kind]


def _misfit(value: Any, wanted: str) -> _Misfit:
    shown = f"{value!r:.60}"
    return _Misfit(f"{wanted} is expected, not {type(value).__name__} {shown}")


def _scalar(wanted: str, accepts: Callable[[Any], bool]) -> Check:
    def run(value: Any) -> None:
        if not accepts(value):
            raise _misfit(value, wanted)

    return run


def _text(value: Any) -> None:
    if not isinstance(value, str):
        raise _misfit(value, "a text")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise _misfit(value, "a text that UTF-8 can carry") from error


def _whole(value: Any) -> None:
    if not isinstance(value, int) or isinstance(value, bool):
        raise _misfit(value, "a whole number")
    if not -_INT64 <= value < _INT64:
        raise _misfit(value, "a whole number of 64 bits")


def _number(value: Any) -> None:
    # Most are; and this is what a page of a search has most of.
    if type(value) is not float and (not isinstance(value, (int, float)) or isinstance(value, bool)):
        raise _misfit(value, "a number")


def _time(value: Any) -> None:
    if not isinstance(value, dt.datetime) or value.tzinfo is None:
        raise _misfit(value, "a time with its zone")
    try:
        value.astimezone(dt.timezone.utc)
    except OverflowError as error:
        raise _misfit(value, "a time that UTC has") from error


def _json(value: Any, depth: int = 0) -> None:
    if depth > _DEEPEST:
        raise _Misfit(f"at most {_DEEPEST} objects and lists may stand in each other")
    if value is None or isinstance(value, (bool, float)):
        return
    if isinstance(value, str):
        _text(value)
    elif isinstance(value, int):
        _whole(value)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            _key(key)
            _json(item, depth + 1)
    elif isinstance(value, (list, tuple)):
        for item in value:
            _json(item, depth + 1)
    else:
        raise _misfit(value, "what JSON can carry")


def _key(key: Any) -> None:
    try:
        _text(key)
    except _Misfit as misfit:
        misfit.path.append(": a key")
        raise


_SCALARS: dict[Any, Check] = {
    Any: _json,
    str: _text,
    bool: _scalar("true or false", lambda value: isinstance(value, bool)),
    int: _whole,
    float: _number,
    dt.datetime: _time,
    ByteStream: _scalar("a stream of bytes", lambda value: isinstance(value, ByteStream)),
}


def _optional(inner: Check) -> Check:
    def run(value: Any) -> None:
        if value is not None:
            inner(value)

    return run


def _sequence(inner: Check) -> Check:
    def run(value: Any) -> None:
        if not isinstance(value, tuple):
            raise _misfit(value, "a sequence")
        number = 0
        try:
            for number, item in enumerate(value):  # noqa: B007  # where it ended
                inner(item)
        except _Misfit as misfit:
            misfit.path.append(f"[{number}]")
            raise

    return run


def _mapping(inner: Check) -> Check:
    def run(value: Any) -> None:
        if not isinstance(value, Mapping):
            raise _misfit(value, "a mapping")
        for key, item in value.items():
            _key(key)
            inner(item)

    return run


def _record(cls: Any, args: tuple[Any, ...]) -> Check:
    if cls is ByteStream:
        return _SCALARS[ByteStream]
    attrs.resolve_types(cls)
    fields = [(field.name, _check_for(_filled(field.type, args))) for field in attrs.fields(cls)]

    def run(value: Any) -> None:
        if not isinstance(value, cls):
            raise _misfit(value, cls.__name__)
        name = ""
        try:
            for name, inner in fields:  # where it ended
                inner(getattr(value, name))
        except _Misfit as misfit:
            misfit.path.append(f".{name}")
            raise

    return run


def _filled(kind: Any, args: tuple[Any, ...]) -> Any:
    """Put the argument of a generic record (`Page[RunRecord]`) in the place of its variable."""
    if args and typing.get_origin(kind) is tuple and isinstance(typing.get_args(kind)[0], TypeVar):
        return tuple[args[0], ...]  # type: ignore[valid-type]
    return kind
