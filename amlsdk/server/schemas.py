"""JSON Schemas (2020-12) of records, from their types and docstrings."""

from __future__ import annotations

import datetime as dt
import inspect
import re
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

import attrs

__all__ = ["Schemas", "descriptions", "fields_of", "summary_of"]

Schema = dict[str, Any]

_SCALARS: Mapping[Any, Schema] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer", "format": "int64"},
    # JSON has no other form for these three.
    float: {"anyOf": [{"type": "number"}, {"enum": ["nan", "inf", "-inf"]}]},
    dt.datetime: {"type": "string", "format": "date-time"},
}


# What fields of requests may be, beyond their types: for people and for what tests the service with all that may come.
_RULES: Mapping[str, Schema] = {
    "id": {"pattern": "^[0-9a-hjkmnp-tv-z]{26}$"},
    "digest": {"pattern": "^[0-9a-f]{64}$"},
    "name": {"minLength": 1, "maxLength": 250},
    "limit": {"minimum": 1, "maximum": 10_000},
    "wait_s": {"minimum": 0},
    "offset": {"minimum": 0},
    "start": {"minimum": 0},
    "after": {"minLength": 1},
}


class Schemas:
    """Makes schemas, and keeps those of records by name for `components`."""

    def __init__(self) -> None:
        self.components: dict[str, Schema] = {}

    def of(self, kind: Any) -> Schema:
        """Return the schema of a type; that of a record is a reference."""
        origin, args = typing.get_origin(kind), typing.get_args(kind)
        if kind is Any:
            return {}
        if origin in (typing.Union, types.UnionType):
            return _or_null([self.of(arg) for arg in args if arg is not type(None)])
        if origin is tuple:
            return {"type": "array", "items": self.of(args[0])}
        if origin is Mapping:
            return {"type": "object", "additionalProperties": self.of(args[1])}
        if attrs.has(origin or kind):
            return self._reference(origin or kind, args)
        return dict(_SCALARS[kind])

    def of_fields(self, cls: type[Any], names: typing.Iterable[str]) -> Schema:
        """Return the schema of an object that has some fields of a request."""
        schema = self._object(cls, set(names), args=())
        required = schema.get("required", ())
        properties = {
            name: _ruled(name, value, required=name in required) for name, value in schema["properties"].items()
        }
        return schema | {"properties": properties}

    def _reference(self, cls: type[Any], args: tuple[Any, ...]) -> Schema:
        name = args[0].__name__.removesuffix("Record") + cls.__name__ if args else cls.__name__
        if name not in self.components:
            # Entered before it is made, for records that hold records of their own kind.
            self.components[name] = {}
            self.components[name] |= self._object(cls, {field.name for field in fields_of(cls)}, args)
        return {"$ref": f"#/components/schemas/{name}"}

    def _object(self, cls: type[Any], names: set[str], args: tuple[Any, ...]) -> Schema:
        said = descriptions(cls)
        fields = [field for field in fields_of(cls) if field.name in names]
        properties = {field.name: self._property(field, said.get(field.name), args) for field in fields}
        required = [field.name for field in fields if field.default is attrs.NOTHING]
        schema: Schema = {"type": "object", "description": summary_of(cls), "properties": properties}
        return schema | ({"required": required} if required else {})

    def _property(self, field: attrs.Attribute[Any], said: str | None, args: tuple[Any, ...]) -> Schema:
        kind = field.type
        if args and typing.get_origin(kind) is tuple and isinstance(typing.get_args(kind)[0], TypeVar):
            kind = tuple[args[0], ...]  # type: ignore[valid-type]
        schema = self.of(kind)
        if field.default is not attrs.NOTHING:
            schema |= _default(field.default)
        return schema | ({"description": said} if said else {})


def _ruled(name: str, schema: Schema, *, required: bool) -> Schema:
    """Return the schema of a field of a request, with what holds for all fields of this name and kind."""
    rule = _RULES.get(name, {})
    kinds = ("integer", "number") if "minimum" in rule else ("string",)
    if kinds == ("string",) and not required and name != "after":
        # What is only looked for may be anything: it is not found.
        return schema

    def ruled(one: Schema) -> Schema:
        return one | rule if one.get("type") in kinds else one

    return schema | {"anyOf": [ruled(one) for one in schema["anyOf"]]} if "anyOf" in schema else ruled(schema)


def _or_null(schemas: list[Schema]) -> Schema:
    return {"anyOf": [*schemas, {"type": "null"}]}


def _default(default: Any) -> Schema:
    if isinstance(default, attrs.Factory):  # type: ignore[arg-type]
        return {"default": {}}
    return {"default": list(default) if isinstance(default, tuple) else default}


def fields_of(cls: type[Any]) -> tuple[attrs.Attribute[Any], ...]:
    """Return the fields of a record or request, with their types."""
    attrs.resolve_types(cls)
    fields: tuple[attrs.Attribute[Any], ...] = attrs.fields(cls)
    return fields


def summary_of(cls: type[Any]) -> str:
    """Return the first paragraph of a docstring, in one line."""
    return _one_line(_doc(cls).split("\n\n")[0])


def descriptions(cls: type[Any]) -> dict[str, str]:
    """Return what a docstring says under `Args`, by field."""
    _, _, section = _doc(cls).partition("Args:\n")
    entries = re.findall(r"^    (\w+): (.*(?:\n {5,}.*)*)", section.split("\n\n")[0], re.MULTILINE)
    return {name: _one_line(text) for name, text in entries}


def _doc(cls: type[Any]) -> str:
    return inspect.getdoc(cls) or ""


def _one_line(text: str) -> str:
    return " ".join(text.split())
