"""The served OpenAPI held against a real server by schemathesis: no 5xx, no reply that is not as described.

AMLSDK_SCHEMATHESIS_EXAMPLES sets how many requests are made up for each operation beside those that cover its schema.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from amlsdk.operations.tenancy import CreateToken
from amlsdk.records.tokens import digest_of_token, id_of_token, new_token
from amlsdk.server import waiting
from amlsdk.server.limits import Limits
from amlsdk.server.run import ServerThread
from amlsdk.tenancy import TenantHost

CONFIG = Path(__file__).parents[1] / "data" / "schemathesis.toml"
EXAMPLES = int(os.environ.get("AMLSDK_SCHEMATHESIS_EXAMPLES", "2"))
PHASES = "coverage,fuzzing,stateful"


@pytest.fixture
def host(tmp_path):
    made = TenantHost(tmp_path / "root")
    yield made
    made.close()


@pytest.fixture
def server(host, monkeypatch):
    # What waits as long as the schema allows would take a minute each time.
    monkeypatch.setattr(waiting, "_MAX_WAIT_S", 0.05)
    with ServerThread(host, limits=Limits(rate=None, stranger_rate=None)) as running:
        yield running


def run(server, token, folder, *options):
    command = [
        Path(sys.executable).with_name("st"), "--no-color", "--config-file", CONFIG, "run",
        f"{server.url}/openapi.json", "--header", f"Authorization: Bearer {token}", "--checks", "all",
        "--max-examples", EXAMPLES, "--seed", 1, "--report-dir", folder, *options,
    ]  # fmt: skip
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, cwd=folder)


def made_token(host):
    token = new_token()
    request = CreateToken(id=id_of_token(token), name="schemathesis", digest=digest_of_token(token))
    host.service(host.sign_in(host.first_token), None).send(request)
    return token


@pytest.mark.timeout(max(120, 60 * EXAMPLES))
def test_the_service_is_as_it_is_described(server, host, tmp_path):
    # Without the operation by which it would shut itself out.
    done = run(server, host.first_token, tmp_path, "--phases", PHASES, "--exclude-operation-id", "DeleteToken")
    assert done.returncode == 0, done.stdout[-20_000:]
    assert "401/403" not in done.stdout, "what was asked was not let in"


def test_tokens_are_deleted_as_it_is_described(server, host, tmp_path):
    done = run(server, made_token(host), tmp_path, "--phases", "coverage", "--include-operation-id", "DeleteToken")
    assert done.returncode == 0, done.stdout[-20_000:]
