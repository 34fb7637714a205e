"""The head of an ONNX model, read without the library and without its weights.

An ONNX file is a protobuf message `ModelProto` (https://github.com/onnx/onnx, onnx.proto) and has no magic number;
the numbers here are the field numbers of that definition. Only lengths are followed, so gigabytes of weights cost
nothing.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import attrs

__all__ = ["describe", "is_onnx"]

_IR_VERSION, _PRODUCER, _PRODUCER_VERSION, _GRAPH = 1, 2, 3, 7
_INITIALIZER, _INPUT = 5, 11
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_MAX_TEXT = 64 * 1024
_TYPES = (
    *("undefined", "float", "uint8", "int8", "uint16", "int16", "int32", "int64", "string"),
    *("bool", "float16", "double", "uint32", "uint64", "complex64", "complex128", "bfloat16"),
)


@attrs.frozen
class _Field:
    number: int
    wire: int
    value: int
    start: int
    end: int


def is_onnx(file: Path) -> bool:
    """Whether the content of a file is an ONNX model: a whole protobuf message with a version and a graph."""
    with file.open("rb") as stream:
        try:
            wires = {field.number: field.wire for field in _fields(stream, 0, stream.seek(0, os.SEEK_END))}
        except ValueError:
            return False
    return wires.get(_IR_VERSION) == _VARINT and wires.get(_GRAPH) == _BYTES


def describe(stream: IO[bytes]) -> dict[str, Any]:
    """JSON of a model's `producer`, `producer_version` and `inputs` (each with `name`, `type` and `shape`).

    Raises:
        ValueError: The bytes are no protobuf message.
    """
    described: dict[str, Any] = {"producer": "", "producer_version": "", "inputs": []}
    for field in list(_fields(stream, 0, stream.seek(0, os.SEEK_END))):
        if field.number == _PRODUCER:
            described["producer"] = _text(stream, field)
        elif field.number == _PRODUCER_VERSION:
            described["producer_version"] = _text(stream, field)
        elif field.number == _GRAPH:
            described["inputs"] = _inputs(stream, field)
    return described


def _fields(stream: IO[bytes], start: int, end: int) -> Iterator[_Field]:
    while start < end:
        stream.seek(start)
        head = io.BytesIO(stream.read(20))  # a tag and a varint have at most 10 bytes each
        tag = _varint(head)
        number, wire = tag >> 3, tag & 7
        value = _varint(head) if wire in {_VARINT, _BYTES} else 0
        first = start + head.tell()
        size = {_VARINT: 0, _FIXED64: 8, _BYTES: value, _FIXED32: 4}.get(wire)
        if number == 0 or size is None or first + size > end:
            raise ValueError(f"no protobuf message: wire type {wire} at byte {start}")
        yield _Field(number, wire, value, first, first + size)
        start = first + size


def _varint(stream: IO[bytes]) -> int:
    value = 0
    for shift in range(0, 70, 7):
        byte = stream.read(1)
        if not byte:
            raise ValueError("no protobuf message: it breaks off")
        value |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:  # noqa: PLR2004  # the bit that says another byte follows
            return value
    raise ValueError("no protobuf message: a number of more than 10 bytes")


def _inside(stream: IO[bytes], field: _Field, *numbers: int) -> list[_Field]:
    """Fields of a message in a field, by a path of field numbers, all of them that match at each step."""
    found = [field]
    for number in numbers:
        found = [
            each
            for parent in found
            if parent.wire == _BYTES
            for each in _fields(stream, parent.start, parent.end)
            if each.number == number
        ]
    return found


def _text(stream: IO[bytes], field: _Field) -> str:
    if field.wire != _BYTES:
        raise ValueError("no ONNX model: a text is something else")
    stream.seek(field.start)
    return stream.read(min(field.end - field.start, _MAX_TEXT)).decode(errors="replace")


def _inputs(stream: IO[bytes], graph: _Field) -> list[dict[str, Any]]:
    # Before version 4 of the format the weights were listed among the inputs too.
    weights = {_text(stream, name) for name in _inside(stream, graph, _INITIALIZER, 8)}
    inputs = [_input(stream, each) for each in _inside(stream, graph, _INPUT)]
    return [each for each in inputs if each["name"] not in weights]


def _input(stream: IO[bytes], field: _Field) -> dict[str, Any]:
    names = [_text(stream, name) for name in _inside(stream, field, 1)]
    tensors = _inside(stream, field, 2, 1)
    types = [each.value for tensor in tensors for each in _inside(stream, tensor, 1)]
    dims = [dim for tensor in tensors for dim in _inside(stream, tensor, 2, 1)]
    kind = types[0] if types and types[0] < len(_TYPES) else 0
    return {"name": (names or [""])[0], "type": _TYPES[kind], "shape": [_dim(stream, dim) for dim in dims]}


def _dim(stream: IO[bytes], dim: _Field) -> int | str | None:
    for field in _inside(stream, dim, 1):
        return field.value
    for field in _inside(stream, dim, 2):
        return _text(stream, field)
    return None
