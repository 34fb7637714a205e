"""JSON Schema (2020-12) of what a service takes and gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from amlsdk.records.serving import ColumnSpec

__all__ = ["array_schema", "frame_schema", "json_schema"]

# What JSON lacks is sent as these texts, in results only.
_NUMBER_RESULT: dict[str, Any] = {"anyOf": [{"type": "number"}, {"enum": ["NaN", "Infinity", "-Infinity"]}]}


def frame_schema(columns: Sequence[ColumnSpec]) -> dict[str, Any]:
    """A list of rows, each an object by column or a list in the order of the columns."""
    cells = {column.name: _cell(column) for column in columns}
    by_name = {
        "type": "object",
        "properties": cells,
        "required": list(cells),
        "additionalProperties": False,
    }
    by_position = {
        "type": "array",
        "prefixItems": list(cells.values()),
        "items": False,
        "minItems": len(cells),
    }
    return {"type": "array", "items": {"anyOf": [by_name, by_position]}}


def array_schema(kind: str, shape: Sequence[int | None]) -> dict[str, Any]:
    """Nested lists of a shape; None is any length."""
    schema: dict[str, Any] = {"type": kind}
    for length in reversed(shape):
        bounds = {} if length is None else {"minItems": length, "maxItems": length}
        schema = {"type": "array", "items": schema, **bounds}
    return schema


def json_schema(  # noqa: PLR0911  # a return a kind of JSON
    value: Any, *, result: bool = False, closed: bool = True
) -> dict[str, Any]:
    """The schema of values like this one.

    Args:
        value: JSON.
        result: It is a result: a number with a fraction may also be one of the texts for NaN and infinity.
        closed: Objects have no other fields than these.
    """
    if isinstance(value, bool):
        return {"type": "boolean"}
    if isinstance(value, int):
        return {"type": "integer"} if result else {"type": "number"}
    if isinstance(value, float):
        return _NUMBER_RESULT if result else {"type": "number"}
    if isinstance(value, str):
        return _NUMBER_RESULT if result and value in _NUMBER_RESULT["anyOf"][1]["enum"] else {"type": "string"}
    if isinstance(value, Mapping):
        fields = {name: json_schema(item, result=result, closed=closed) for name, item in value.items()}
        schema = {"type": "object", "properties": fields, "required": list(fields)}
        return {**schema, "additionalProperties": False} if closed else schema
    if isinstance(value, (list, tuple)):
        return _list(value, result=result, closed=closed)
    # One null says nothing of what else may be there.
    return {}


def _list(values: Sequence[Any], *, result: bool, closed: bool) -> dict[str, Any]:
    kinds: list[dict[str, Any]] = []
    for value in values:
        schema = json_schema(value, result=result, closed=closed)
        if schema not in kinds:
            kinds.append(schema)
    if {"type": "integer"} in kinds and _NUMBER_RESULT in kinds:
        kinds.remove({"type": "integer"})
    if not kinds:
        return {"type": "array"}
    return {"type": "array", "items": kinds[0] if len(kinds) == 1 else {"anyOf": kinds}}


def _cell(column: ColumnSpec) -> dict[str, Any]:
    schema: dict[str, Any]
    if column.kind == "datetime":
        schema = {"type": "string", "format": "date-time"}
    elif column.categories and column.kind == "string":
        schema = {"type": "string", "enum": list(column.categories)}
    else:
        schema = {"type": column.kind}
    return {"anyOf": [schema, {"type": "null"}]} if column.nullable else schema
