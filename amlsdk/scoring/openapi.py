"""The contract of a scoring service as OpenAPI 3.1, with the sample as its example."""

from __future__ import annotations

from typing import Any

from amlsdk.records.serving import ServiceSpec

__all__ = ["openapi"]

_ERRORS = {
    400: "The body is not JSON, not UTF-8 or nested too deeply.",
    401: "No key, or a wrong one.",
    408: "The request took too long to arrive.",
    413: "The body is too large.",
    415: "The body is said to be something else than JSON.",
    422: "The body is not as the schema has it; the message names the row and the field.",
    429: "Too many requests wait for their turn.",
    500: "The scoring script failed; the message has a reference into the log.",
    503: "Not ready, or not answered in time.",
}


def openapi(spec: ServiceSpec, *, keys: bool) -> dict[str, Any]:
    """Return the document.

    Args:
        spec: The contract.
        keys: Whether callers need a key.
    """
    document: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {"title": spec.name, "version": _version(spec), "description": _describe(spec)},
        "paths": {
            "/score": {"post": _score(spec)},
            "/": {"get": _text("health", "Say that the service is there.", "Healthy")},
            "/healthz": {"get": _text("healthz", "Say that the process is alive.", "Healthy")},
            "/readyz": {"get": _readyz()},
            "/metrics": {"get": _text("metrics", "What was asked, in the text format of Prometheus.", "")},
        },
        "components": {"schemas": {"Error": _ERROR}},
    }
    if keys:
        document["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
        document["paths"]["/score"]["post"]["security"] = [{"key": []}]
    return document


_ERROR = {
    "type": "object",
    "required": ["code", "message"],
    "properties": {"code": {"type": "string"}, "message": {"type": "string"}},
}


def _version(spec: ServiceSpec) -> str:
    return ", ".join(f"{model.name} {model.version}" for model in spec.models) or "1"


def _describe(spec: ServiceSpec) -> str:
    served = ", ".join(f"{model.name} version {model.version}" for model in spec.models)
    return (
        f"Scores by {served or spec.script}. "
        "Rows of a table are objects by column, or lists in the order of the columns. "
        'In a result, NaN and the infinities are the texts "NaN", "Infinity" and "-Infinity". '
        "Times without an offset are taken for UTC."
    )


def _score(spec: ServiceSpec) -> dict[str, Any]:
    request = {
        "type": "object",
        "required": [each.name for each in spec.inputs],
        "properties": {each.name: dict(each.schema) for each in spec.inputs},
        "additionalProperties": False,
    }
    result = {"type": "object", "required": ["result"], "properties": {"result": dict(spec.output)}}
    answer = {"schema": result, "example": {"result": spec.sample_result}} if spec.sample else {"schema": result}
    return {
        "operationId": "score",
        "summary": "Score a request.",
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": request, "example": dict(spec.sample)}},
        },
        "responses": {
            "200": {"description": "The result of the scoring script.", "content": {"application/json": answer}},
            **{str(status): _error(text) for status, text in _ERRORS.items()},
        },
    }


def _error(text: str) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Error"}
    return {"description": text, "content": {"application/json": {"schema": schema}}}


def _text(operation: str, summary: str, example: str) -> dict[str, Any]:
    content = {"text/plain": {"schema": {"type": "string"}, "example": example}}
    return {
        "operationId": operation,
        "summary": summary,
        "responses": {"200": {"description": summary, "content": content}},
    }


def _readyz() -> dict[str, Any]:
    said = _text("readyz", "Say whether requests are scored.", "Ready")
    said["responses"]["503"] = _error("Loading, or about to end.")
    return said
