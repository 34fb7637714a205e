"""The description of the API says what the server does."""

import json
import re
from pathlib import Path

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from amlsdk.operations import TABLE
from amlsdk.records.streams import ByteStream
from amlsdk.server.openapi import describe, main, rendered
from amlsdk.server.schemas import descriptions, fields_of

FILE = Path(__file__).parents[2] / "docs" / "openapi.json"
SCHEMAS = describe()["components"]["schemas"]


def described(operation):
    return describe()["paths"][operation.path][operation.verb.lower()]


@pytest.fixture(params=TABLE.values(), ids=lambda operation: operation.name)
def operation(request):
    return request.param


def test_it_is_valid_openapi():
    OpenAPIV31SpecValidator(json.loads(rendered())).validate()


def test_the_file_in_the_docs_is_current():
    """`python -m amlsdk.server.openapi docs/openapi.json` makes it so."""
    assert main([str(FILE), "--check"]) is None


def test_a_file_that_is_not_current_is_said(tmp_path):
    file = tmp_path / "openapi.json"
    assert "is not current" in main([str(file), "--check"])
    assert main([str(file)]) is None
    assert json.loads(file.read_text(encoding="utf-8")) == describe()
    file.write_text(file.read_text(encoding="utf-8").replace("CreateRun", "MakeRun"), encoding="utf-8")
    assert "is not current" in main([str(file), "--check"])


def test_without_a_file_it_is_written_out(capsys):
    main([])
    assert capsys.readouterr().out == rendered()


def test_every_operation_is_there_once():
    found = [entry["operationId"] for path in describe()["paths"].values() for entry in path.values()]
    assert sorted(found) == sorted(operation.name for operation in TABLE.values())


def test_an_operation_has_its_role_and_sentence(operation):
    entry = described(operation)
    assert entry["x-role"] == operation.role.name.lower()
    assert entry["summary"]
    assert entry["summary"] in " ".join(operation.request.__doc__.split())


def test_every_field_is_in_the_path_the_query_or_the_body(operation):
    """And in one of them only."""
    entry = described(operation)
    found = [parameter["name"] for parameter in entry["parameters"] if parameter["in"] != "header"]
    content = entry.get("requestBody", {"content": {}})["content"]
    if "application/json" in content:
        found += SCHEMAS[operation.name].get("properties", {})
    assert ("application/octet-stream" in content) == (operation.body is not None)
    assert sorted([*found, *filter(None, [operation.body])]) == sorted(
        field.name for field in fields_of(operation.request)
    )


def test_a_stream_is_octets_and_all_else_json(operation):
    [kind] = described(operation)["responses"]["200"]["content"]
    assert kind == ("application/octet-stream" if operation.reply is ByteStream else "application/json")


def test_errors_are_described(operation):
    """Each has the one form of all errors."""
    for status in ("400", "401", "403", "404", "409", "429", "4XX", "5XX"):
        name = described(operation)["responses"][status]["$ref"].rpartition("/")[2]
        content = describe()["components"]["responses"][name]["content"]
        assert content == {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}


def test_a_token_is_needed_and_where_a_role_is_needed_is_said(operation):
    assert describe()["security"] == [{"token": []}]
    assert describe()["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
    assert described(operation)["x-on"] == (operation.on or "workspace")


def test_references_lead_somewhere():
    names = set(re.findall(r'"#/components/schemas/(\w+)"', rendered()))
    assert names == set(SCHEMAS)


def test_types_are_those_of_the_wire():
    summary = SCHEMAS["MetricSummary"]["properties"]
    assert summary["count"] == {"type": "integer", "format": "int64", "description": "How many points."}
    assert summary["last"]["anyOf"] == [{"type": "number"}, {"enum": ["nan", "inf", "-inf"]}]
    run = SCHEMAS["RunRecord"]["properties"]
    assert run["created_at"]["format"] == "date-time"
    assert run["error"]["anyOf"] == [{"type": "string"}, {"type": "null"}]
    assert run["metrics"]["additionalProperties"] == {"$ref": "#/components/schemas/MetricSummary"}
    assert run["states"]["items"] == {"$ref": "#/components/schemas/StateRecord"}
    assert SCHEMAS["RunPage"]["properties"]["items"]["items"] == {"$ref": "#/components/schemas/RunRecord"}


def test_what_must_be_given_is_said():
    assert SCHEMAS["CreateRun"]["required"] == ["id", "experiment_id"]
    wait = next(one for one in described(TABLE_BY_NAME["GetRun"])["parameters"] if one["name"] == "wait_s")
    assert (wait["in"], wait["required"], wait["schema"]["default"]) == ("query", False, 0.0)


TABLE_BY_NAME = {operation.name: operation for operation in TABLE.values()}


def test_descriptions_are_those_of_docstrings():
    """An entry goes on over lines that are set in."""

    class Record:
        """A record.

        Args:
            one: The first,
                which is long.
            two: The second: `x`.

        Raises:
            three: Not a field.
        """

    assert descriptions(Record) == {"one": "The first, which is long.", "two": "The second: `x`."}
