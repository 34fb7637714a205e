"""Requests and replies as HTTP, from the table alone; errors as status and JSON.

Path fields travel in the path; fields of GET and DELETE and of requests whose body is a stream in the query;
all others as a JSON object. In the query a text field is itself, any other field is JSON. Non-finite floats are
the texts "nan", "inf" and "-inf"; times are RFC 3339 in UTC. A path field that is empty or only dots, or begins
with `~`, has one more `~` before it: whatever lies on the way would take `//` and `..` for something else.
"""

from __future__ import annotations

import functools
import json
import typing
from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import quote, unquote

import attrs
import orjson

from amlsdk.errors import BY_CODE, AmlError, InvalidArgument, Unavailable
from amlsdk.operations import Operation, Request, operation_of
from amlsdk.operations._table import path_fields
from amlsdk.operations.checks import check
from amlsdk.records.converting import CONVERTER, need
from amlsdk.records.streams import ByteStream

__all__ = [
    "MAX_JSON",
    "WireRequest",
    "decode_error",
    "decode_reply",
    "decode_request",
    "decode_segment",
    "encode_error",
    "encode_reply",
    "encode_request",
    "from_json",
    "to_json",
]

T = TypeVar("T")
# What a service keeps in memory of one request; larger bodies are streams.
MAX_JSON = 64 << 20


@attrs.frozen(kw_only=True)
class WireRequest:
    """A request as HTTP has it.

    Args:
        verb: Method.
        path: Quoted path.
        query: Names and values, not yet quoted.
        body: JSON bytes, a stream, or None.
    """

    verb: str
    path: str
    query: Mapping[str, str]
    body: bytes | ByteStream | None


def to_json(value: Any, kind: Any = None) -> bytes:
    """Return a record as JSON."""
    return _dumps(CONVERTER.unstructure(value, kind))


def from_json(content: bytes, kind: type[T] | Any) -> T:
    """Return the record of some JSON.

    Raises:
        InvalidArgument: It is not JSON, or not of this type.
    """
    try:
        raw = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise InvalidArgument(f"not JSON: {error}") from error
    return typing.cast("T", _structured(raw, kind))


def _dumps(value: Any) -> bytes:
    try:
        return orjson.dumps(value, default=_plain)
    except TypeError:
        # For keys of a subclass of str, such as those of numpy; `check` lets no others pass. It takes three times as
        # long, and raises again where something else was wrong.
        return orjson.dumps(value, default=_plain, option=orjson.OPT_NON_STR_KEYS)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def _structured(raw: Any, kind: Any) -> Any:
    name = getattr(kind, "__name__", str(kind))
    try:
        value = CONVERTER.structure(raw, kind)
    except AmlError:
        raise
    except Exception as error:
        raise InvalidArgument(f"{name}: {error}") from error
    check(value, kind, at=name)
    return value


def encode_request(request: Request[Any]) -> WireRequest:
    """Turn a request into HTTP.

    Raises:
        InvalidArgument: It has a text that UTF-8 can't carry, or a number that JSON can't.
    """
    operation = operation_of(request)
    try:
        return _encoded(operation, request)
    except (TypeError, ValueError) as error:
        raise InvalidArgument(f"{operation.name}: {error}") from error


def _encoded(operation: Operation, request: Request[Any]) -> WireRequest:
    body = getattr(request, operation.body) if operation.body else None
    fields = {name: hook(getattr(request, name)) for name, hook in _writers(operation)}
    path = operation.path.format(**{name: _segment(fields.pop(name)) for name in path_fields(operation.path)})
    if operation.in_query:
        query = {name: _query_text(value) for name, value in fields.items() if value is not None}
        return WireRequest(verb=operation.verb, path=path, query=query, body=body)
    return WireRequest(verb=operation.verb, path=path, query={}, body=_dumps(fields))


@functools.cache
def _writers(operation: Operation) -> tuple[tuple[str, Callable[[Any], Any]], ...]:
    return tuple(
        (field.name, functools.partial(CONVERTER.unstructure, unstructure_as=field.type))
        for field in _fields(operation)
        if field.name != operation.body
    )


def _fields(operation: Operation) -> tuple[attrs.Attribute[Any], ...]:
    fields: tuple[attrs.Attribute[Any], ...] = attrs.fields(typing.cast("type[attrs.AttrsInstance]", operation.request))
    return fields


def _segment(text: str) -> str:
    return quote(f"~{text}" if not text.strip(".") or text.startswith("~") else text, safe="")


def decode_segment(segment: str) -> str:
    """Return the field that a segment of a quoted path carries; ValueError where it is not UTF-8."""
    return unquote(segment, errors="strict").removeprefix("~")


def _query_text(value: Any) -> str:
    text = value if isinstance(value, str) else _dumps(value).decode()
    text.encode()
    return text


def decode_request(
    operation: Operation,
    path: Mapping[str, str],
    *,
    query: Mapping[str, str],
    body: bytes | ByteStream,
) -> Request[Any]:
    """Turn what HTTP brought into the request of an operation.

    Raises:
        InvalidArgument: A field is missing or of another type.
    """
    fields: dict[str, Any] = {}
    # Each field has one place; what stands elsewhere is passed over, as unknown fields are.
    if operation.in_query:
        fields = {name: _query_value(operation, name, text) for name, text in query.items()}
    elif isinstance(body, bytes) and body:
        fields = _json_object(body, operation)
    fields |= path
    if operation.body:
        fields.pop(operation.body, None)
        content = body if isinstance(body, ByteStream) else ByteStream.of(body)
        partial = {name: hook(fields[name]) for name, hook in _readers(operation) if name in fields}
        return _built(operation, {**partial, operation.body: content})
    return typing.cast("Request[Any]", _structured(fields, operation.request))


def _built(operation: Operation, fields: dict[str, Any]) -> Request[Any]:
    required = [field.name for field in _fields(operation) if field.default is attrs.NOTHING]
    need(required, fields, operation.name)
    request = operation.request(**fields)
    check(request, operation.request, at=operation.name)
    return request


@functools.cache
def _readers(operation: Operation) -> tuple[tuple[str, Callable[[Any], Any]], ...]:
    return tuple(
        (field.name, functools.partial(CONVERTER.structure, cl=typing.cast("type[Any]", field.type)))
        for field in _fields(operation)
        if field.name != operation.body
    )


def _json_object(body: bytes, operation: Operation) -> dict[str, Any]:
    try:
        fields = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidArgument(f"{operation.name}: the body is not JSON: {error}") from error
    if not isinstance(fields, dict):
        raise InvalidArgument(f"{operation.name}: the body is a JSON {type(fields).__name__}, not an object")
    _refuse_twice(body, operation)
    return fields


def _refuse_twice(body: bytes, operation: Operation) -> None:
    # orjson keeps the last of two fields with one name, and others that read the body on its way may keep the first.
    try:
        _UNIQUE.decode(body.decode())
    except RecursionError as error:
        raise InvalidArgument(f"{operation.name}: the body has objects within objects too deeply") from error


def _unique(pairs: list[tuple[str, Any]]) -> None:
    names = [name for name, _ in pairs]
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InvalidArgument(f"the body has the field {twice[:80]!r} twice; give it once")


# Numbers are passed over: orjson has read them, with other limits.
_UNIQUE = json.JSONDecoder(object_pairs_hook=_unique, parse_int=len, parse_float=len)


def _query_value(operation: Operation, name: str, text: str) -> Any:
    field = next((field for field in _fields(operation) if field.name == name), None)
    if field is None or field.type is str or str in typing.get_args(field.type):
        return text
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
    # What is not given is left out; a null stands in no query.
    return text if value is None else value


def encode_reply(operation: Operation, reply: Any) -> bytes:
    """Return a reply that is no stream as JSON."""
    return to_json(reply, operation.reply)


def decode_reply(operation: Operation, content: bytes) -> Any:
    """Return the reply of some JSON.

    Raises:
        Unavailable: It is not what this operation answers; something between here and the service spoke.
    """
    try:
        return from_json(content, operation.reply)
    except InvalidArgument as error:
        raise Unavailable(f"{operation.name}: the service's reply can't be read: {error}") from error


def encode_error(error: AmlError) -> tuple[int, bytes]:
    """Return the status and JSON body of an error."""
    return error.status, orjson.dumps({"code": error.code, "message": str(error)})


def decode_error(status: int, content: bytes) -> AmlError:
    """Return the error of a status and a body."""
    try:
        fields = orjson.loads(content)
        return BY_CODE.get(fields["code"], AmlError)(fields["message"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        shown = content[:200].decode(errors="replace").strip()
        return Unavailable(f"the service answered with status {status} and no error of its own: {shown!r}")
