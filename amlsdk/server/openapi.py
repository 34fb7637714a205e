"""The API as OpenAPI 3.1 (spec.openapis.org/oas/v3.1.0), from the table of operations.

`python -m amlsdk.server.openapi docs/openapi.json` writes it to a file (without a name, to standard output);
with `--check` it writes nothing and exits with 1 where the file is not current.
"""

from __future__ import annotations

import argparse
import functools
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson

from amlsdk.errors import BY_CODE
from amlsdk.operations import TABLE, Operation
from amlsdk.operations._table import path_fields
from amlsdk.records.streams import ByteStream
from amlsdk.server.schemas import Schema, Schemas, fields_of, summary_of

__all__ = ["as_json", "describe", "rendered"]

_ERROR: Schema = {
    "type": "object",
    "description": "What went wrong.",
    "required": ["code", "message"],
    "properties": {
        "code": {"type": "string", "description": "Class of the error.", "examples": sorted(BY_CODE)},
        "message": {"type": "string", "description": "What was asked, what was found, what to do."},
    },
}
_SERVERS: list[Schema] = [
    {"url": "/", "description": "The only workspace of the caller, or that named `default`."},
    {
        "url": "/w/{workspace}",
        "description": "Any workspace of the caller.",
        "variables": {"workspace": {"default": "default", "description": "Name or id of the workspace."}},
    },
]
_TOKEN: Schema = {
    "type": "http",
    "scheme": "bearer",
    "description": "A token of the service, `aml_...`; who has none is told so by an owner of a workspace.",
}


def _refusal(description: str, **headers: str) -> Schema:
    described: Schema = {
        "description": description,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
    }
    names = {
        name.replace("_", "-"): {"description": text, "schema": {"type": "string"}} for name, text in headers.items()
    }
    return described | ({"headers": names} if names else {})


_LATER = "Seconds after which it is worth trying again."
_REFUSALS: dict[str, Schema] = {
    "400": _refusal("The request can't be meant."),
    "401": _refusal("No token was shown, or one that opens nothing.", WWW_Authenticate="`Bearer`, as RFC 6750 has it."),
    "403": _refusal("The caller's role, or that of the token, does not allow it."),
    "404": _refusal("Nothing has this name or id, or the caller may not know of it."),
    "409": _refusal("It exists already, is in use, or changed in between."),
    "429": _refusal("The token, or an address without a right one, asks too often.", Retry_After=_LATER),
    "4XX": _refusal("The request is refused for another reason, which the message says."),
    "5XX": _refusal("The service can't do it, or not now.", Retry_After=f"{_LATER} Where it is known."),
}
_CHECK: Schema = {
    "name": "Aml-Check",
    "in": "header",
    "required": False,
    "description": "`stream`: read the bytes inside the service and send none of them (204), to be told the error "
    "that cut an earlier reply.",
    "schema": {"enum": ["stream"]},
}


@functools.cache
def describe() -> dict[str, Any]:
    """Return the description, the same object every time."""
    schemas = Schemas()
    paths: dict[str, Any] = {}
    for operation in TABLE.values():
        paths.setdefault(operation.path, {})[operation.verb.lower()] = _operation(operation, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "amlsdk",
            "version": "1",
            "summary": "Track, run and register models.",
            "description": "Fields are only ever added; readers pass over those they don't know. A path field that is "
            "empty or only dots, or begins with `~`, is sent with one more `~` before it. Each operation says the "
            "least role that may do it (`x-role`) and where it is needed (`x-on`: the workspace, the subscription, "
            "what a field names; `caller`: everybody may, and sees what is theirs).",
        },
        "servers": _SERVERS,
        "security": [{"token": []}],
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": dict(sorted({**schemas.components, "Error": _ERROR}.items())),
            "responses": _REFUSALS,
            "securitySchemes": {"token": _TOKEN},
        },
    }


@functools.cache
def as_json() -> bytes:
    """Return the description as it is sent."""
    return orjson.dumps(describe())


def rendered() -> str:
    """Return the description as text, with a line's end."""
    return json.dumps(describe(), indent=2, ensure_ascii=False) + "\n"


def _operation(operation: Operation, schemas: Schemas) -> Schema:
    in_path = path_fields(operation.path)
    names = [field.name for field in fields_of(operation.request) if field.name != operation.body]
    others = [name for name in names if name not in in_path]
    in_query = others if operation.in_query else []
    in_body = [name for name in others if name not in in_query]
    described: Schema = {
        "operationId": operation.name,
        "summary": summary_of(operation.request),
        "tags": [operation.path.split("/")[2]],
        "x-role": operation.role.name.lower(),
        "x-on": operation.on or "workspace",
        "parameters": _parameters(operation, schemas, in_path=in_path, in_query=in_query),
        "responses": _responses(operation, schemas),
    }
    body = _body(operation, schemas, in_body)
    return described | ({"requestBody": body} if body else {})


def _parameters(operation: Operation, schemas: Schemas, *, in_path: set[str], in_query: list[str]) -> list[Schema]:
    wanted = [name for name in operation.path.replace("}", "{").split("{") if name in in_path] + in_query
    whole = schemas.of_fields(operation.request, wanted)
    parameters = [
        {
            "name": name,
            "in": "path" if name in in_path else "query",
            "required": name in whole.get("required", ()),
            "schema": _without_null(whole["properties"][name]) if name in in_query else whole["properties"][name],
        }
        for name in wanted
    ]
    return [*parameters, _CHECK] if operation.reply is ByteStream else parameters


def _without_null(schema: Schema) -> Schema:
    """Return the schema of a query field, which is left out where a JSON field would be null."""
    kinds = [kind for kind in schema.get("anyOf", ()) if kind != {"type": "null"}]
    if not kinds or {"type": "null"} not in schema["anyOf"]:
        return schema
    others = {key: value for key, value in schema.items() if key not in ("anyOf", "default")}
    return others | (kinds[0] if len(kinds) == 1 else {"anyOf": kinds})


def _body(operation: Operation, schemas: Schemas, names: list[str]) -> Schema | None:
    if operation.body:
        return _stream(operation, schemas)
    if operation.in_query:
        return None
    name = operation.name
    schemas.components[name] = schemas.of_fields(operation.request, names)
    reference = {"$ref": f"#/components/schemas/{name}"}
    required = "required" in schemas.components[name]
    return {"required": required, "content": {"application/json": {"schema": reference}}}


def _stream(operation: Operation, schemas: Schemas) -> Schema:
    limit = {} if operation.most_bytes is None else {"description": f"At most {operation.most_bytes} bytes."}
    return {**limit, "required": True, "content": _content(ByteStream, schemas)}


def _responses(operation: Operation, schemas: Schemas) -> Schema:
    found: Schema = {"200": {"description": "Done.", "content": _content(operation.reply, schemas)}}
    if operation.reply is ByteStream:
        found["204"] = {"description": "The bytes can be read; none are sent, as `Aml-Check` asked."}
    return found | {status: {"$ref": f"#/components/responses/{status}"} for status in _REFUSALS}


def _content(kind: Any, schemas: Schemas) -> Schema:
    if kind is ByteStream:
        return {"application/octet-stream": {"schema": {}}}
    return {"application/json": {"schema": schemas.of(kind)}}


def main(arguments: Sequence[str] | None = None) -> str | None:
    """Write the description, or check a file; return what is wrong with it."""
    parser = argparse.ArgumentParser(prog="python -m amlsdk.server.openapi", description="Write the API as OpenAPI.")
    parser.add_argument("file", nargs="?", type=Path, help="default: standard output")
    parser.add_argument("--check", action="store_true", help="only see whether the file is current")
    chosen = parser.parse_args(arguments)
    if chosen.file is None:
        sys.stdout.write(rendered())
    elif not chosen.check:
        chosen.file.write_text(rendered(), encoding="utf-8")
    elif not chosen.file.is_file() or chosen.file.read_text(encoding="utf-8") != rendered():
        return f"{chosen.file} is not current: python -m amlsdk.server.openapi {chosen.file}"
    return None


if __name__ == "__main__":
    sys.exit(main())
