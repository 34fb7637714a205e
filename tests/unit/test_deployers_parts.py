"""The parts of the process deployer, each alone."""

import hashlib
import json
import os
import shutil
import socket
import stat
import sys
import sysconfig
import threading
from pathlib import Path

import attrs
import pytest
from deployer_images import layer_of

from amlsdk.deployers.control import Control
from amlsdk.deployers.installed import copy_installed
from amlsdk.deployers.keyfile import write_keys
from amlsdk.deployers.listening import listen, uri_of
from amlsdk.deployers.logkeeping import LogKeeping
from amlsdk.deployers.packages import package_folder
from amlsdk.deployers.revision import difference
from amlsdk.deployers.trimming import last_lines, trim
from amlsdk.errors import InvalidArgument, OperationFailed
from amlsdk.filesets.listing import digest_of
from amlsdk.records.deployments import DeploymentKeys
from amlsdk.records.filesets import FileEntry, FileSetRecord
from amlsdk.records.jobs import OutputPosition
from amlsdk.records.streams import ByteStream
from amlsdk.storage.blobs.folder import FolderBlobStore


@pytest.fixture
def blobs(tmp_path):
    return FolderBlobStore(tmp_path / "blobs")


class TestTrimming:
    def test_a_small_log_is_left_alone(self, tmp_path):
        log = tmp_path / "log"
        log.write_bytes(b"a\n" * 50)
        assert trim(log, most_bytes=100) == 0
        assert log.read_bytes() == b"a\n" * 50

    def test_a_large_log_keeps_its_newer_half_from_a_whole_line_on(self, tmp_path):
        log = tmp_path / "log"
        whole = b"".join(b"line %04d\n" % number for number in range(1000))
        log.write_bytes(whole)
        removed = trim(log, most_bytes=5000)
        note, _, kept = log.read_bytes().partition(b"\n")
        assert whole.endswith(kept)
        assert kept.startswith(b"line ")
        assert 2400 < len(kept) <= 2500
        assert f"{len(whole) - len(kept)} older bytes".encode() in note
        # What follows has moved by so much.
        assert log.read_bytes()[-10:] == whole[-10:]
        assert len(whole) - removed == len(log.read_bytes())

    def test_who_has_it_open_to_append_goes_on(self, tmp_path):
        log = tmp_path / "log"
        with log.open("ab", buffering=0) as file:
            file.write(b"old\n" * 1000)
            trim(log, most_bytes=1000)
            file.write(b"new\n")
        assert log.read_bytes().endswith(b"old\nnew\n")
        assert b"\0" not in log.read_bytes()

    def test_a_log_that_is_not_there_is_no_error(self, tmp_path):
        assert trim(tmp_path / "none") == 0
        assert last_lines(tmp_path / "none") == ""

    def test_last_lines_are_those_since_a_position(self, tmp_path):
        log = tmp_path / "log"
        log.write_bytes(b"before\nfirst\nsecond \xff\n")
        assert last_lines(log, since=7) == "first\nsecond \N{REPLACEMENT CHARACTER}"
        assert last_lines(log, most_lines=1) == "second \N{REPLACEMENT CHARACTER}"
        # It was cut meanwhile.
        assert last_lines(log, since=10_000).startswith("before")


class Keeper:
    """Keeps what is appended, as the service does."""

    def __init__(self):
        self.kept = b""

    def send(self, request):
        content = request.content.read()
        if request.offset <= len(self.kept):
            self.kept += content[len(self.kept) - request.offset :]
        return OutputPosition(offset=len(self.kept))


def test_a_log_is_sent_once_also_over_a_new_supervisor_and_a_cut(tmp_path):
    """The service ends up with each byte that was not cut off before it could be sent, in order."""
    log, note, service = tmp_path / "log", tmp_path / "note", Keeper()

    def keeping():
        return LogKeeping(log, service=service, deployment_id="one", note=note)

    first = keeping()
    log.write_bytes(b"one\n")
    first.finish()
    with log.open("ab") as file:
        file.write(b"two\n")
    keeping().finish()
    assert service.kept == b"one\ntwo\n"
    removed = trim(log, most_bytes=4)
    again = keeping()
    again._begin_at(removed)
    with log.open("ab") as file:
        file.write(b"three\n")
    keeping().finish()
    assert service.kept == b"one\ntwo\nthree\n"


class TestListening:
    def test_it_listens_on_loopback_only(self):
        with listen(None) as listener:
            assert listener.getsockname()[0] == "127.0.0.1"
            assert uri_of(listener).endswith("/score")

    def test_an_address_can_be_had_again_after_its_connections_were_closed(self):
        with listen(None) as listener:
            uri = uri_of(listener)
            client = socket.create_connection(listener.getsockname())
            listener.setblocking(True)
            served, _ = listener.accept()
        # The side that closes first keeps the port waiting (TIME_WAIT).
        served.close()
        client.close()
        with listen(uri) as again:
            assert uri_of(again) == uri

    def test_a_taken_port_is_said_with_what_to_do(self):
        with listen(None) as listener, pytest.raises(OperationFailed, match="is taken by another process"):
            listen(uri_of(listener), patience_s=0)


def test_keys_are_replaced_in_one_step_and_for_their_owner_only(tmp_path):
    file = tmp_path / "keys.json"
    for primary in ("a", "c"):
        write_keys(file, DeploymentKeys(primary=primary, secondary="b"))
        assert json.loads(file.read_text()) == {"primary": primary, "secondary": "b"}
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["keys.json"]


class TestControl:
    @pytest.fixture
    def pair(self):
        ours, theirs = socket.socketpair()
        control = Control(ours)
        with theirs:
            yield control, theirs
        control.close()

    def test_answers_come_to_who_asked(self, pair):
        """In whatever order they are given, and in whatever pieces they arrive."""
        control, theirs = pair
        first, second = control.tell("stats"), control.tell("score", body={"data": 1})
        asked = [json.loads(line) for line in theirs.recv(4096).splitlines()]
        assert [message["do"] for message in asked] == ["stats", "score"]
        answers = [{"id": message["id"], "ok": True, "to": message["do"]} for message in reversed(asked)]
        raw = b"".join(json.dumps(answer).encode() + b"\n" for answer in answers)
        for piece in (raw[:5], raw[5:]):
            theirs.sendall(piece)
            assert control.receive(5) == []
        assert (first.result(0)["to"], second.result(0)["to"]) == ("stats", "score")

    def test_what_is_said_unasked_is_returned(self, pair):
        control, theirs = pair
        theirs.sendall(b'{"event": "loaded"}\n')
        assert control.receive(5) == [{"event": "loaded"}]
        assert control.receive(0) == []

    def test_a_refusal_is_an_error_for_who_asked(self, pair):
        control, theirs = pair
        answer = control.tell("score", body={})
        theirs.sendall(b'{"id": 1, "ok": false, "error": "no such thing"}\n')
        control.receive(5)
        with pytest.raises(OperationFailed, match="no such thing"):
            answer.result(0)

    def test_the_end_fails_whoever_waits_and_whoever_asks_later(self, pair):
        control, theirs = pair
        waiting = control.tell("stats")
        theirs.close()
        assert control.receive(5) is None
        control.lose()
        for answer in (waiting, control.tell("stats")):
            with pytest.raises(OperationFailed, match="ended before it answered"):
                answer.result(0)


@pytest.mark.parametrize(
    ("found", "expected", "said"),
    [
        ([1, 2], [3, 4], None),
        ([1], [1.5], None),
        ([1, 2], [1], "has 2 items where it had 1"),
        ([{"a": 1}], [{"b": 1}], "has the keys"),
        ("1", 1, "is a text where it was a number"),
        (True, 1, "is a boolean"),
        ([[1, 2]], [[1, 2, 3]], "has 2 items"),
        ({"a": [1]}, {"a": [2]}, None),
        (1, None, None),
    ],
)
def test_results_are_compared_by_their_form(found, expected, said):
    if said is None:
        assert difference(found, expected) is None
    else:
        assert said in difference(found, expected)


class TestPackages:
    """A folder of packages of an image, from this interpreter's own or from its layer."""

    @pytest.fixture
    def installed(self):
        """Some installed package: its files by path."""
        import attr

        place, folder = Path(sysconfig.get_path("purelib")), Path(attr.__file__).parent
        return {str(path.relative_to(place)): path.read_bytes() for path in folder.glob("*.py")}

    def layer(self, blobs, files):
        return layer_of(blobs, "dependencies", {f"site/{path}": content for path, content in files.items()})

    def tree(self, blobs, files):
        entries = []
        for path, content in sorted(files.items()):
            digest = hashlib.sha256(content).hexdigest()
            blobs.put(digest, ByteStream.of(content))
            entries.append(FileEntry(path=path, digest=digest, size_bytes=len(content)))
        return FileSetRecord(digest=digest_of(tuple(entries)), entries=tuple(entries))

    def made(self, tmp_path, blobs, files, trees):
        layer = self.layer(blobs, files)
        return package_folder(layer, "site", trees=lambda: trees, blobs=blobs, cache=tmp_path / "cache")

    def content(self, folder):
        found = (path for path in folder.rglob("*") if path.is_file() and path.parent.name != "__pycache__")
        return {str(path.relative_to(folder)): path.read_bytes() for path in found}

    def test_installed_files_are_shared_with_their_bytecode(self, tmp_path, blobs, installed):
        folder = self.made(tmp_path, blobs, installed, [self.tree(blobs, installed)])
        assert self.content(folder) == installed
        assert (folder / "attr" / "__pycache__" / f"_make.{sys.implementation.cache_tag}.pyc").exists()

    def test_files_that_are_not_installed_come_from_the_blobs(self, tmp_path, blobs, installed):
        files = {**installed, "attr/one_more.py": b"NEW = 1\n"}
        folder = self.made(tmp_path, blobs, files, [self.tree(blobs, files)])
        assert self.content(folder) == files

    def test_files_that_differ_are_unpacked_from_the_layer(self, tmp_path, blobs, installed):
        """The installed package has another version by now."""
        files = {path: content + b"# older\n" for path, content in installed.items()}
        folder = self.made(tmp_path, blobs, files, [self.tree(blobs, files)])
        assert self.content(folder) == files

    def test_without_filesets_the_layer_is_unpacked(self, tmp_path, blobs):
        files = {"helpful.py": b"NUMBER = 42\n"}
        assert self.content(self.made(tmp_path, blobs, files, [])) == files

    def test_what_is_there_is_used_again_and_bytecode_does_not_count(self, tmp_path, blobs):
        files = {"helpful.py": b"NUMBER = 42\n"}
        folder = self.made(tmp_path, blobs, files, [])
        (folder / "__pycache__").mkdir()
        before = folder.stat().st_ino
        assert self.made(tmp_path, blobs, files, []).stat().st_ino == before

    @pytest.mark.parametrize("damage", ["edited", "emptied", "removed"])
    def test_what_was_changed_is_made_again(self, tmp_path, blobs, damage):
        files = {"helpful.py": b"NUMBER = 42\n", "other.py": b""}
        path = self.made(tmp_path, blobs, files, []) / "helpful.py"
        if damage == "removed":
            path.unlink()
        else:
            path.write_bytes(b"NUMBER = 43\n" if damage == "edited" else b"")
            os.utime(path, ns=(1, 1))
        assert self.content(self.made(tmp_path, blobs, files, [])) == files

    def test_a_hostile_tree_is_refused(self, tmp_path, blobs):
        entry = FileEntry(path="../outside.py", digest="0" * 64, size_bytes=1)
        with pytest.raises(InvalidArgument):
            copy_installed(
                [FileSetRecord(digest="0" * 64, entries=(entry,))], tmp_path / "p", blobs=blobs, most_bytes=100
            )

    def test_a_tree_that_was_changed_is_not_used(self, tmp_path, blobs, installed):
        tree = attrs.evolve(self.tree(blobs, installed), digest="0" * 64)
        assert not copy_installed([tree], tmp_path / "packages", blobs=blobs, most_bytes=10**9)

    def test_two_that_make_it_at_once_both_have_it(self, tmp_path, blobs):
        files = {f"m{number}.py": b"x = 1\n" for number in range(50)}
        layer = self.layer(blobs, files)
        found = []

        def make():
            found.append(package_folder(layer, "site", trees=list, blobs=blobs, cache=tmp_path / "cache"))

        threads = [threading.Thread(target=make) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(found) == 4
        assert self.content(found[0]) == files
        leftovers = [name for name in os.listdir(tmp_path / "cache" / "packages") if name.startswith(".aml")]
        assert leftovers == []
        shutil.rmtree(tmp_path / "cache")
