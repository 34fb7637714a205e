"""Which operation a verb and a path mean."""

import pytest

from amlsdk.errors import InvalidArgument, NotFound
from amlsdk.operations import TABLE
from amlsdk.server.routing import find, verbs


def test_no_two_operations_share_a_route():
    routes = [(operation.verb, operation.path) for operation in TABLE.values()]
    assert len(set(routes)) == len(routes)


@pytest.mark.parametrize("operation", TABLE.values(), ids=lambda operation: operation.name)
def test_every_operation_is_found_by_its_path(operation):
    path = operation.path.replace("{", "id-of-").replace("}", "")
    match = find(operation.verb, path)
    assert match.operation is operation
    assert match.path == {name: f"id-of-{name}" for name in match.path}
    assert operation.verb in verbs(path)


def test_another_verb_finds_nothing():
    assert find("TRACE", "/v1/runs") is None
    assert verbs("/v1/runs") == ("GET", "POST")


@pytest.mark.parametrize("path", ["", "/", "v1/runs", "/v1", "/v2/runs", "/v1/runs/a/b", "/V1/runs", "/v1%2Fruns"])
def test_another_path_is_not_found(path):
    with pytest.raises(NotFound, match="/openapi.json lists"):
        find("GET", path)


def test_a_path_is_utf_8():
    assert find("GET", "/v1/runs/%C3%A5").path == {"run_id": "å"}
    with pytest.raises(InvalidArgument, match="not quoted UTF-8"):
        find("GET", "/v1/runs/%ff")
