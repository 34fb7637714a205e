"""Strict types: "false" is not True and 1.9 is not 1, the same in every mode."""

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

__all__ = ["check"]

Check = Callable[[Any, str], None]


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


@functools.cache
def _check_for(kind: Any) -> Check:
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if kind is Any or isinstance(kind, TypeVar):
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


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_time(value: Any) -> bool:
    return isinstance(value, dt.datetime) and value.tzinfo is not None


_SCALARS: dict[Any, Check] = {
    str: _scalar("a text", lambda value: isinstance(value, str)),
    bool: _scalar("true or false", lambda value: isinstance(value, bool)),
    int: _scalar("a whole number", lambda value: isinstance(value, int) and not isinstance(value, bool)),
    float: _scalar("a number", _is_number),
    dt.datetime: _scalar("a time with its zone", _is_time),
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
            if not isinstance(key, str):
                raise _fault(key, f"{at}: a key", "a text")
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
