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

Check = Callable[[Any, str], None]
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
    _check_for(kind)(value, at)


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
        return lambda value, at: None  # noqa: ARG005
    if origin in (typing.Union, types.UnionType):
        return _optional(next(arg for arg in args if arg is not type(None)))
    if origin is tuple:
        return _sequence(args[0])
    if origin in (Mapping, dict):
        return _mapping(args[1])
    if attrs.has(origin or kind):
        return _record(origin or kind, args)
    return _SCALARS[kind]


def _fault(value: Any, at: str, wanted: str) -> InvalidArgument:
    shown = f"{value!r:.60}"
    return InvalidArgument(f"{at}: {wanted} is expected, not {type(value).__name__} {shown}")


def _scalar(wanted: str, accepts: Callable[[Any], bool]) -> Check:
    def run(value: Any, at: str) -> None:
        if not accepts(value):
            raise _fault(value, at, wanted)

    return run


def _text(value: Any, at: str) -> None:
    if not isinstance(value, str):
        raise _fault(value, at, "a text")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise _fault(value, at, "a text that UTF-8 can carry") from error


def _whole(value: Any, at: str) -> None:
    if not isinstance(value, int) or isinstance(value, bool):
        raise _fault(value, at, "a whole number")
    if not -_INT64 <= value < _INT64:
        raise _fault(value, at, "a whole number of 64 bits")


def _time(value: Any, at: str) -> None:
    if not isinstance(value, dt.datetime) or value.tzinfo is None:
        raise _fault(value, at, "a time with its zone")
    try:
        value.astimezone(dt.timezone.utc)
    except OverflowError as error:
        raise _fault(value, at, "a time that UTC has") from error


def _json(value: Any, at: str, depth: int = 0) -> None:
    if depth > _DEEPEST:
        raise InvalidArgument(f"{at}: at most {_DEEPEST} objects and lists may stand in each other")
    if value is None or isinstance(value, (bool, float)):
        return
    if isinstance(value, str):
        _text(value, at)
    elif isinstance(value, int):
        _whole(value, at)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            _text(key, f"{at}: a key")
            _json(item, at, depth + 1)
    elif isinstance(value, (list, tuple)):
        for item in value:
            _json(item, at, depth + 1)
    else:
        raise _fault(value, at, "what JSON can carry")


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


_SCALARS: dict[Any, Check] = {
    Any: _json,
    str: _text,
    bool: _scalar("true or false", lambda value: isinstance(value, bool)),
    int: _whole,
    float: _scalar("a number", _is_number),
    dt.datetime: _time,
    ByteStream: _scalar("a stream of bytes", lambda value: isinstance(value, ByteStream)),
}


def _optional(inner: Any) -> Check:
    def run(value: Any, at: str) -> None:
        if value is not None:
            _check_for(inner)(value, at)

    return run


def _sequence(inner: Any) -> Check:
    def run(value: Any, at: str) -> None:
        if not isinstance(value, tuple):
            raise _fault(value, at, "a sequence")
        one = _check_for(inner)
        for number, item in enumerate(value):
            one(item, f"{at}[{number}]")

    return run


def _mapping(inner: Any) -> Check:
    def run(value: Any, at: str) -> None:
        if not isinstance(value, Mapping):
            raise _fault(value, at, "a mapping")
        one = _check_for(inner)
        for key, item in value.items():
            _text(key, f"{at}: a key")
            one(item, at)

    return run


def _record(cls: Any, args: tuple[Any, ...]) -> Check:
    if cls is ByteStream:
        return _SCALARS[ByteStream]
    attrs.resolve_types(cls)
    fields = [(field.name, _filled(field.type, args)) for field in attrs.fields(cls)]

    def run(value: Any, at: str) -> None:
        if not isinstance(value, cls):
            raise _fault(value, at, cls.__name__)
        for name, kind in fields:
            _check_for(kind)(getattr(value, name), f"{at}.{name}")

    return run


def _filled(kind: Any, args: tuple[Any, ...]) -> Any:
    """Put the argument of a generic record (`Page[RunRecord]`) in the place of its variable."""
    if args and typing.get_origin(kind) is tuple and isinstance(typing.get_args(kind)[0], TypeVar):
        return tuple[args[0], ...]  # type: ignore[valid-type]
    return kind
