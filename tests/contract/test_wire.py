"""What holds in every mode alike, and that no operation is left out."""

import ast
import hashlib
import os
from pathlib import Path

import pytest
from making import make_run, submit

from amlsdk.errors import InvalidArgument, NotFound, OperationFailed
from amlsdk.operations import TABLE
from amlsdk.operations.blobs import GetBlob, PutBlob
from amlsdk.operations.jobs import CancelRun
from amlsdk.operations.runs import AppendOutput, GetRun, ReadOutput
from amlsdk.records.streams import CHUNK, ByteStream
from amlsdk.testing import ServiceTestCase

HERE = Path(__file__).parent


class TestService(ServiceTestCase):
    @pytest.fixture
    def service(self, backend):
        return backend.open()


def names_used(path):
    """Names that a module uses, beyond importing them."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


def test_every_operation_has_a_contract_test():
    """A test here uses its class, and so sends it in three modes."""
    used = set().union(*map(names_used, [*HERE.glob("test_*.py"), HERE / "making.py"]))
    assert {cls.__name__ for cls in TABLE} - used == set()


@pytest.mark.parametrize("size", [10, 5 * CHUNK], ids=["small", "large"])
def test_a_damaged_blob_is_named_in_every_mode(service, folder_backend, size):
    """Also where the damage shows only after most of the bytes were sent."""
    content = os.urandom(size)
    digest = hashlib.sha256(content).hexdigest()
    service.send(PutBlob(digest=digest, content=ByteStream.of(content)))
    [file] = [path for path in (folder_backend.folder / "blobs").rglob("*") if path.name.endswith(digest[2:])]
    file.chmod(0o600)
    with file.open("r+b") as opened:
        opened.seek(size - 1)
        opened.write(bytes([content[-1] ^ 1]))
    with pytest.raises(OperationFailed, match=digest):
        service.send(GetBlob(digest=digest)).read()


def test_waiting_ends_with_the_run(service):
    """A wait for the end of a run that has ended returns at once."""
    run = submit(service)
    service.send(CancelRun(run_id=run.id))
    assert service.send(GetRun(run_id=run.id, wait_s=50.0)).status == "Canceled"
    assert service.send(ReadOutput(run_id=run.id, wait_s=50.0)).read() == b""


def test_waiting_for_output_ends_with_output(service):
    """A wait for output that is there returns at once."""
    run = make_run(service)
    service.send(AppendOutput(run_id=run.id, offset=0, content=ByteStream.of(b"hello")))
    assert service.send(ReadOutput(run_id=run.id, after=1, wait_s=50.0)).read() == b"ello"


def test_waiting_ends_with_its_time(service):
    """A wait for what does not come returns what there is when the time is over."""
    run = make_run(service)
    assert service.send(GetRun(run_id=run.id, wait_s=0.05)).status == "Running"
    assert service.send(ReadOutput(run_id=run.id, wait_s=0.05)).read() == b""


@pytest.mark.parametrize("wait_s", [-1.0, float("nan")])
def test_a_wait_is_a_time(service, wait_s):
    """A negative wait is refused with the same words in every mode."""
    run = make_run(service)
    with pytest.raises(InvalidArgument) as caught:
        service.send(GetRun(run_id=run.id, wait_s=wait_s))
    assert str(caught.value) == f"wait_s is 0 or more seconds, not {wait_s}"


def test_waiting_for_an_absent_run_is_not_found(service):
    """Whoever waits for a run that is not there is told at once."""
    with pytest.raises(NotFound, match="no run"):
        service.send(ReadOutput(run_id="absent", wait_s=50.0))
