"""The parts of a supervisor that need no process."""

import datetime as dt
import json
import os
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amlsdk.errors import Conflict, Denied, Unavailable
from amlsdk.execution import reporting, watching
from amlsdk.execution.ending import end_of, tail
from amlsdk.execution.handover import Handover
from amlsdk.execution.pulse import Pulse
from amlsdk.execution.strays import find_strays
from amlsdk.execution.targets.base import Execution, ExitStatus
from amlsdk.filesets.snapshot import snapshot
from amlsdk.handing.credentials import Credential
from amlsdk.operations.jobs import HeartbeatRun, SetRunStatus
from amlsdk.records.ids import new_id
from amlsdk.records.jobs import LeaseRecord
from amlsdk.storage.blobs.folder import FolderBlobStore

AT = dt.datetime(2024, 5, 1, tzinfo=dt.timezone.utc)
CHAINED = """before
Traceback (most recent call last):
  File "a.py", line 1, in <module>
KeyError: 'x'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "a.py", line 3, in <module>
    f()
ValueError: two
lines
after the traceback
"""


def written(tmp_path, content):
    (tmp_path / "output.log").write_bytes(content)
    return tmp_path / "output.log"


@pytest.mark.parametrize(
    ("output", "summary"),
    [
        (CHAINED, "exit code 1: ValueError: two\n"),
        ("usage: a.py\na.py: error: no depth\n\n", "exit code 1: a.py: error: no depth\n"),
        ("only this", "exit code 1: only this"),
        ("", "exit code 1"),
    ],
)
def test_the_reason_begins_with_the_line_that_matters(tmp_path, output, summary):
    reason = end_of(ExitStatus(code=1), written(tmp_path, output.encode())).reason
    assert f"{reason}\n".startswith(summary)
    assert "KeyError" not in reason


def test_a_signal_without_a_name_is_told_by_its_number(tmp_path):
    assert end_of(ExitStatus(code=None, signal=63), tmp_path / "none").reason == "killed by signal 63"


@given(content=st.binary(max_size=5000))
def test_any_output_has_a_short_tail_that_a_record_can_hold(tmp_path_factory, content):
    last = tail(written(tmp_path_factory.mktemp("tail"), content))
    assert len(last) <= 2048
    assert "\0" not in last
    last.encode()


def test_a_cut_line_is_not_shown(tmp_path):
    last = tail(written(tmp_path, b"x" * 3000 + b"\nwhole\n"))
    assert last == "whole"


@pytest.fixture
def folder(tmp_path):
    work = tmp_path / "work"
    (work / "outputs").mkdir(parents=True)
    (work / "a.txt").write_text("a")
    (work / "b.txt").write_text("b")
    return work


@pytest.fixture
def tree(folder, tmp_path):
    return snapshot(folder, FolderBlobStore(tmp_path / "blobs"), everything=True).record


def test_strays_are_what_is_new_or_differs(folder, tree):
    since_ns = time.time_ns() - 10**9
    (folder / "a.txt").write_text("a")
    (folder / "b.txt").write_text("B")
    os.utime(folder / "b.txt", (0, 0))
    (folder / "new").mkdir()
    (folder / "new" / "link").symlink_to("..")
    (folder / "outputs" / "kept").touch()
    (folder / "new" / "__pycache__").mkdir()
    (folder / "new" / "__pycache__" / "x.pyc").touch()
    assert find_strays(folder, tree, since_ns=since_ns) == ["b.txt", "new/link"]


def test_an_output_whose_name_no_list_can_hold_is_a_stray(folder, tree):
    with open(os.fsencode(folder) + b"/outputs/\xff", "wb"):  # a Path has no bytes
        pass
    assert find_strays(folder, tree, since_ns=time.time_ns()) == ["outputs/\udcff"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody who may not read")
def test_outputs_that_may_not_be_read_are_named_and_the_others_kept(tmp_path):
    """A file without the right to read it does not keep the others from being kept."""
    script = f"""
import os, pathlib
from amlsdk.execution.collecting import collect_outputs
from amlsdk.handing.credentials import Credential
from amlsdk.journal.writer import JournalWriter
from amlsdk.storage.blobs.folder import FolderBlobStore
folder = pathlib.Path({str(tmp_path)!r})
(folder / "outputs").mkdir()
(folder / "outputs/open").write_text("x")
(folder / "outputs/closed").write_text("y")
(folder / "outputs/closed").chmod(0)
for place in (folder, *folder.parents):
    if place.owner() == "root" and place.is_relative_to({str(tmp_path.parents[2])!r}):
        place.chmod(place.stat().st_mode | 0o777)
os.setresuid(65534, 65534, 65534)
journal = JournalWriter(folder / "journals", {new_id()!r})
print(*collect_outputs(folder, FolderBlobStore(folder / "blobs"), journal))
journal.close()
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "outputs/closed can't be read (permission denied)"
    (journal,) = (tmp_path / "journals").iterdir()
    assert [line for line in journal.read_text().splitlines() if "outputs/open" in line]
    assert "outputs/closed" not in journal.read_text()


class Scripted(Execution):
    """A script that ends when it is stopped."""

    def __init__(self):
        self.stopped = None

    def poll(self, timeout_s):
        return None if self.stopped is None else ExitStatus(code=0)

    def stop(self, *, grace_s):
        self.stopped = grace_s

    def identities(self):
        return ()


def test_a_script_does_not_outlive_an_error_of_its_supervisor():
    execution = Scripted()

    def fail():
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        watching.watch(execution, why_stop=fail, begun_s=time.monotonic(), timeout_s=None)
    assert execution.stopped == 0


def test_time_counts_from_the_script_s_begin():
    begun_s = time.monotonic() - 5
    _, end = watching.watch(Scripted(), why_stop=lambda: None, begun_s=begun_s, timeout_s=4.0)
    assert end == watching.End("Failed", "ran longer than timeout_s=4")


class Answers:
    """A service that answers what it is told to, then well."""

    def __init__(self, *errors):
        self.errors = list(errors)
        self.heard = []

    def open(self):
        return self

    def close(self):
        self.heard.append("closed")

    def send(self, request):
        if self.errors:
            raise self.errors.pop(0)
        self.heard.append(request)
        return LeaseRecord(cancel_requested=False, lease_s=30) if isinstance(request, HeartbeatRun) else None


@pytest.fixture
def handover(tmp_path):
    claimed = {"id": new_id(), "name": "r", "job": {"script": "a.py", "snapshot": "0" * 64, "arguments": ["a"]}}
    claimed["job"]["of a later version"] = 1
    message = {"claimed": claimed, "location": str(tmp_path), "credential": "aml_hidden", "blobs": None}
    message |= {"shipped": False, "runs": str(tmp_path / "runs"), "journals": str(tmp_path / "journals")}
    return Handover.of(json.loads(json.dumps(message)))


def reporter(monkeypatch, handover, service):
    monkeypatch.setattr(reporting, "open_backend", lambda _, **__: service)
    monkeypatch.setattr(reporting, "_PAUSE_S", 0.001)
    return reporting.Reporter(handover)


def test_a_handover_of_a_later_version_is_understood_and_hides_its_credential(handover):
    assert handover.job.arguments == ("a",)
    assert "aml_hidden" not in repr(handover)
    assert handover.credential() == "aml_hidden"


def test_a_service_that_is_away_is_asked_again(monkeypatch, handover):
    service = Answers(Unavailable("away"), Unavailable("still away"))
    reporter(monkeypatch, handover, service).status(handover.run_id, "Completed", AT)
    assert [request.status for request in service.heard] == ["Completed"]


def test_a_service_that_stays_away_is_given_up(monkeypatch, handover):
    monkeypatch.setattr(reporting, "_PATIENCE_S", 0.05)
    away = reporter(monkeypatch, handover, Answers(*[Unavailable("away")] * 1000))
    with pytest.raises(Unavailable, match="away"):
        away.status(handover.run_id, "Completed", AT)


def test_a_run_that_was_taken_away_is_to_stop(monkeypatch, handover):
    service = Answers(Conflict("held by another"))
    assert reporter(monkeypatch, handover, service).why_stop(handover.run_id) == "held by another"


def test_a_service_that_is_away_stops_no_run(monkeypatch, handover):
    assert reporter(monkeypatch, handover, Answers(Unavailable("away"))).why_stop(handover.run_id) is None


@given(reason=st.text(alphabet=st.characters(), max_size=50))
def test_any_reason_is_told_in_a_form_that_records_hold(any_reporter, reason):
    any_reporter.status("x", "Failed", AT, reason=reason)
    request = any_reporter.service.heard[-1]
    request.reason.encode()
    assert "\0" not in request.reason


@pytest.fixture(scope="module")
def any_reporter():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reporting, "open_backend", lambda _, **__: Answers())
        yield reporting.Reporter(SimpleNamespace(location="w", credential=Credential(None), shipped=False))


def test_states_are_reported_in_order_before_the_end(monkeypatch, handover):
    """What was refused is left out; what waits is reported while the pulse is closed."""
    service = Answers(Denied("not yours"))
    pulse = Pulse(handover, lambda: reporter(monkeypatch, handover, service))
    for status in ("Preparing", "Running", "Finalizing"):
        pulse.enter(status, AT)
    pulse.close().close()
    assert [request.status for request in service.heard if isinstance(request, SetRunStatus)] == [
        "Running",
        "Finalizing",
    ]


def test_without_any_connection_the_end_says_so(handover):
    def fail():
        raise Unavailable("nobody there")

    with pytest.raises(Unavailable, match=handover.run_id):
        Pulse(handover, fail).close()
