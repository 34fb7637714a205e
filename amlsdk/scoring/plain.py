"""Plain JSON values, held against the part of JSON Schema that is made of sample data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from amlsdk.records.serving import InputSpec
from amlsdk.scoring.replies import Problem
from amlsdk.scoring.scalars import json_name

__all__ = ["PlainInput", "check_schema"]

_NAMES = {
    "number": "a number",
    "integer": "an integer",
    "boolean": "true or false",
    "string": "a string",
    "null": "null",
    "array": "a list",
    "object": "an object",
}


class PlainInput:
    """An argument that is passed as it is in JSON.

    Attributes:
        type: By which msgspec reads it.
        batches: Never: rows can't be told.
    """

    type: Any = Any
    batches = False

    def __init__(self, spec: InputSpec) -> None:
        self.spec = spec

    def take(self, value: Any) -> Any:
        """Return the value.

        Raises:
            Problem: It is not as the schema has it.
        """
        check_schema(value, self.spec.schema, self.spec.name)
        return value

    take_by_hand = take

    def count(self, value: Any) -> int:  # noqa: ARG002  # as of inputs that have rows
        """Return 1."""
        return 1

    def join(self, parts: Sequence[Any]) -> Any:
        """Return the argument for `run`."""
        return parts[0]


def check_schema(value: Any, schema: Mapping[str, Any], where: str) -> None:
    """Hold a value against a schema (2020-12): types, enum, const, properties, items, anyOf and bounds.

    Other keywords are passed over: schemas made of samples have none.

    Raises:
        Problem: It is not as the schema has it.
    """
    if "anyOf" in schema:
        _check_any(value, schema["anyOf"], where)
    if "type" in schema:
        _check_type(value, schema["type"], where)
    if "enum" in schema and value not in schema["enum"]:
        raise Problem(f"{where}: one of {', '.join(map(repr, schema['enum'][:8]))} is expected")
    if "const" in schema and value != schema["const"]:
        raise Problem(f"{where}: {schema['const']!r} is expected")
    if isinstance(value, dict):
        _check_object(value, schema, where)
    elif isinstance(value, list):
        _check_list(value, schema, where)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        _check_bounds(value, schema, where)


def _is_of(value: Any, kind: str) -> bool:
    if kind == "number":
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if kind == "integer":
        return (isinstance(value, int) and not isinstance(value, bool)) or (
            isinstance(value, float) and value.is_integer()
        )
    types = {"boolean": bool, "string": str, "null": type(None), "array": list, "object": dict}
    return isinstance(value, types.get(kind, object))


def _check_type(value: Any, kinds: str | Sequence[str], where: str) -> None:
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if not any(_is_of(value, kind) for kind in kinds):
        expected = " or ".join(_NAMES.get(kind, kind) for kind in kinds)
        raise Problem(f"{where}: {expected} is expected, not {json_name(value)}")


def _check_any(value: Any, schemas: Sequence[Mapping[str, Any]], where: str) -> None:
    problems = []
    for schema in schemas:
        try:
            return check_schema(value, schema, where)
        except Problem as problem:
            problems.append(problem)
    raise problems[0]


def _check_object(value: dict[str, Any], schema: Mapping[str, Any], where: str) -> None:
    properties = schema.get("properties", {})
    for name in schema.get("required", ()):
        if name not in value:
            raise Problem(f"{where}.{name}: a value is missing")
    others = schema.get("additionalProperties", True)
    for name, item in value.items():
        if name in properties:
            check_schema(item, properties[name], f"{where}.{name}")
        elif others is False:
            raise Problem(f"{where}: there is no field {name[:64]!r}")
        elif isinstance(others, Mapping):
            check_schema(item, others, f"{where}.{name[:64]}")


def _check_list(value: list[Any], schema: Mapping[str, Any], where: str) -> None:
    if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
        bounds = f"from {schema.get('minItems', 0)} to {schema.get('maxItems', 'any number of')}"
        raise Problem(f"{where}: {bounds} values are expected, not {len(value)}")
    first = schema.get("prefixItems", ())
    items = schema.get("items")
    for at, item in enumerate(value):
        each = first[at] if at < len(first) else items
        if isinstance(each, Mapping):
            check_schema(item, each, f"{where}[{at}]")


def _check_bounds(value: float, schema: Mapping[str, Any], where: str) -> None:
    if value < schema.get("minimum", value):
        raise Problem(f"{where}: at least {schema['minimum']} is expected")
    if value > schema.get("maximum", value):
        raise Problem(f"{where}: at most {schema['maximum']} is expected")
