"""What amlsdk.testing gives to the tests of others."""

import subprocess
import sys
from pathlib import Path

import pytest
from serving import Answering

import amlsdk.testing
from amlsdk.errors import Conflict, NotFound
from amlsdk.operations.blobs import GetBlob, PutBlob
from amlsdk.operations.runs import GetRun
from amlsdk.operations.workspaces import GetWorkspace
from amlsdk.records.pages import Ack
from amlsdk.records.streams import ByteStream
from amlsdk.testing import WireService, workspace


def test_a_throw_away_workspace_works_and_goes():
    with workspace() as ws:
        folder = Path(ws.location)
        ws.projects.create("wine")
        assert [project.name for project in ws.projects] == ["wine"]
        assert folder.is_dir()
    assert not folder.parent.exists()


def test_it_goes_also_when_the_test_fails():
    seen = []

    def test():
        with workspace() as ws:
            seen.append(Path(ws.location))
            raise RuntimeError("the test")

    with pytest.raises(RuntimeError, match="the test"):
        test()
    assert not seen[0].parent.exists()


def test_two_of_them_are_two():
    with workspace() as one, workspace() as other:
        one.projects.create("wine")
        assert list(other.projects) == []


def test_the_fixture_gives_one(aml_workspace):
    assert aml_workspace.projects.create("wine").name == "wine"


def test_all_names_are_there():
    assert [name for name in amlsdk.testing.__all__ if not hasattr(amlsdk.testing, name)] == []
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = amlsdk.testing.nothing


def test_the_plugin_costs_a_test_run_nothing():
    """Without its fixture nothing of amlsdk but this is loaded, and no library."""
    code = "import sys, pytest; old = set(sys.modules); import amlsdk.testing.fixtures; print(*set(sys.modules) - old)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name for name in done.stdout.split() if name.startswith("amlsdk")}
    assert loaded == {"amlsdk", "amlsdk.testing", "amlsdk.testing.fixtures"}
    assert {"sqlalchemy", "requests", "starlette", "attrs", "orjson"} & set(done.stdout.split()) == set()


def taken(_):
    raise Conflict("it is taken")


def test_the_wire_mode_shows_what_the_codec_does():
    """Records come back equal and new, errors with class and text, streams as their bytes."""
    got = []
    inner = Answering(
        GetRun=taken,
        PutBlob=lambda request: got.append(request.content.read()) or Ack(),
        GetBlob=lambda _: ByteStream(begin=lambda: iter([b"a", b"b"])),
    )
    wire = WireService(inner)
    assert wire.send(GetWorkspace()) == inner.send(GetWorkspace())
    assert wire.send(GetWorkspace()) is not inner.send(GetWorkspace())
    with pytest.raises(Conflict, match="^it is taken$"):
        wire.send(GetRun(run_id=".."))
    wire.send(PutBlob(digest="d", content=ByteStream.of(b"x")))
    stream = wire.send(GetBlob(digest="d"))
    assert (got, stream.read(), stream.read()) == ([b"x"], b"ab", b"ab")


def test_the_wire_mode_tells_of_errors_within_a_stream():
    def begin():
        yield b"a"
        raise NotFound("it went")

    with pytest.raises(NotFound, match="it went"):
        WireService(Answering(GetBlob=lambda _: ByteStream(begin=begin))).send(GetBlob(digest="d"))
