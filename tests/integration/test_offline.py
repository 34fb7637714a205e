"""Journals that wait: a service that is away, tokens that open nothing any more, processes that are killed."""

import contextlib
import datetime as dt
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from served import AML

import amlsdk
from amlsdk.errors import NotSignedIn, Unavailable
from amlsdk.logins import Logins
from amlsdk.operations.jobs import SetRunStatus
from amlsdk.operations.runs import GetRunContext
from amlsdk.operations.tenancy import DeleteToken
from amlsdk.records.tokens import id_of_token

QUIET = amlsdk.Config(capture_context=False, capture_source=False, system_metrics_s=None, retry_s=0.0)

# Begins a run, says its id, logs what it is told to by its standard input, and is ended or killed.
WRITER = """
import sys, amlsdk
config = amlsdk.Config(capture_context=False, capture_source=False, system_metrics_s=None)
ws = amlsdk.connect(sys.argv[1], config=config)
run = ws.projects.get_or_create("p").experiments.get_or_create("e").start_run()
print(run.id, flush=True)
for line in sys.stdin:
    for number in range(int(line)):
        run.log("loss", number)
    print("logged", flush=True)
"""


@pytest.fixture
def elsewhere(team, tmp_path):
    """A connection from another machine, so to speak: it has nothing to send."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("AMLSDK_HOME", str(tmp_path / "elsewhere"))
        workspace = amlsdk.connect(team.url, config=QUIET)
    with workspace:
        yield workspace


@pytest.fixture
def writer(team):
    """A process that logs."""
    with contextlib.ExitStack() as stack:

        def begin():
            process = stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", WRITER, team.url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
                )
            )
            stack.callback(process.kill)
            run_id = process.stdout.readline().strip()
            assert run_id, "it ended by itself"
            return process, run_id

        yield begin


def logs(process, count):
    process.stdin.write(f"{count}\n")
    process.stdin.flush()
    assert process.stdout.readline() == "logged\n"


def begin(workspace):
    return workspace.projects.get_or_create("p").experiments.get_or_create("e").start_run()


def spooled(tmp_path):
    return sorted((tmp_path / "home" / "spool").glob("*/journals/*.jsonl"))


def noted(tmp_path):
    return sorted((tmp_path / "home" / "spool").glob("*/journals/*.begun.json"))


def until(fact, timeout_s=20.0):
    """Return what a fact is as soon as it holds."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        with contextlib.suppress(Unavailable):
            found = fact()
            if found:
                return found
        time.sleep(0.02)
    raise AssertionError("it never came to be")


def count_of(workspace, run_id, name="loss"):
    metrics = workspace.runs.get(run_id).record.metrics
    return metrics[name].count if name in metrics else 0


def aml(*arguments, code=0):
    done = subprocess.run([*AML, *arguments], capture_output=True, text=True, timeout=60)
    assert done.returncode == code, (done.stdout, done.stderr)
    return done.stdout


def test_a_run_goes_on_while_the_service_is_away_and_all_is_there_soon_after_its_return(team, elsewhere):
    with amlsdk.connect(team.url, config=QUIET) as workspace:
        run = begin(workspace)
        run.log("loss", 0)
        run.flush()
        team.kill()
        for step in range(1, 2000):
            run.log("loss", step, step=step)
        with pytest.raises(Unavailable):
            run.flush()
        run.log("loss", 2000, step=2000)
        team.begin()
        back = time.monotonic()
        until(lambda: count_of(elsewhere, run.id) == 2001)
        assert time.monotonic() - back < 5
        assert elsewhere.runs.get(run.id).status == "Running"
        run.complete()
        assert run.status == "Completed"
        assert list(elsewhere.runs.get(run.id).series("loss").values) == list(range(2001))


def test_a_run_ends_while_the_service_is_away_and_whoever_comes_next_sends_it(team, elsewhere, tmp_path, caplog):
    workspace = amlsdk.connect(team.url, config=QUIET)
    run = begin(workspace)
    run.log("loss", 1)
    team.kill()
    begun = time.monotonic()
    run.complete()
    workspace._client.shipper.last_words = lambda: None
    workspace.close()
    assert time.monotonic() - begun < 10
    assert "waits in" in caplog.text
    assert (len(spooled(tmp_path)), len(noted(tmp_path))) == (1, 1)
    team.begin()
    assert elsewhere.runs.get(run.id).status == "Running"
    with amlsdk.connect(team.url, config=QUIET):
        until(lambda: elsewhere.runs.get(run.id).status == "Completed")
        until(lambda: not spooled(tmp_path) and not noted(tmp_path))
    assert count_of(elsewhere, run.id) == 1


def test_a_killed_process_loses_nothing_and_its_run_has_failed(team, elsewhere, writer, tmp_path):
    process, run_id = writer()
    team.kill()
    logs(process, 500)
    process.kill()
    process.wait()
    team.begin()
    assert len(noted(tmp_path)) == 1
    with amlsdk.connect(team.url, config=QUIET):
        until(lambda: count_of(elsewhere, run_id) == 500)
        until(lambda: not spooled(tmp_path) and not noted(tmp_path))
    run = elsewhere.runs.get(run_id)
    assert (run.status, run.error.startswith("the process ")) == ("Failed", True)
    assert "ended without ending the run" in run.error
    assert aml("sync") == "nothing waits\n"


def test_a_half_written_line_of_a_killed_process_is_named(team, elsewhere, writer, tmp_path):
    process, run_id = writer()
    logs(process, 10)
    process.kill()
    process.wait()
    (path,) = spooled(tmp_path)
    with path.open("ab") as file:
        file.write(b'{"v":1,"k":"met')
    told = json.loads(aml("sync", "--json"))
    assert [(each["run_id"], each["state"]) for each in told] == [(run_id, "done")]
    assert (count_of(elsewhere, run_id), spooled(tmp_path)) == (10, [])
    assert len(elsewhere._client.send(GetRunContext(run_id=run_id)).bad_lines) == 1


def test_a_token_that_opens_nothing_any_more_does_not_disturb_and_another_login_is_enough(
    team, elsewhere, monkeypatch, caplog
):
    with amlsdk.connect(team.url) as owner:
        token = owner.subscription.tokens.create("laptop")
    secret = token.secret
    monkeypatch.delenv("AMLSDK_TOKEN")
    Logins().keep(team.url, secret)
    with amlsdk.connect(team.url, config=QUIET) as workspace:
        run = begin(workspace)
        run.log("loss", 0)
        run.flush()
        elsewhere._client.send(DeleteToken(token_id=id_of_token(secret)))
        until(lambda: _refused(run))
        run.log("last", 1)
        Logins().keep(team.url, team.token)
        until(lambda: count_of(elsewhere, run.id, "last") == 1)
        run.complete()
        assert run.status == "Completed"


def _refused(run):
    run.log("loss", 1)
    try:
        run.flush()
    except NotSignedIn:
        return True
    return False


def test_journals_are_sent_from_a_copied_folder_and_stay_there(team, elsewhere, writer, tmp_path):
    """As from a cluster without a network, whose files somebody carries."""
    process, run_id = writer()
    team.kill()
    logs(process, 100)
    copy = tmp_path / "carried"
    shutil.copytree(spooled(tmp_path)[0].parent, copy)
    process.kill()
    process.wait()
    shutil.rmtree(tmp_path / "home")
    team.begin()
    said = aml("-w", team.url, "sync", str(copy))
    assert f"run {run_id}: " in said
    assert " bytes sent, complete" in said
    assert count_of(elsewhere, run_id) == 100
    assert len(list(copy.glob("*.jsonl"))) == 1
    again = aml("-w", team.url, "sync", str(copy), "--remove")
    assert "nothing new, complete" in again
    assert list(copy.glob("*.jsonl")) == []
    assert count_of(elsewhere, run_id) == 100


def test_a_spool_knows_its_service(team, elsewhere, writer, tmp_path):
    process, run_id = writer()
    team.kill()
    logs(process, 7)
    process.kill()
    process.wait()
    shutil.copytree(tmp_path / "home", tmp_path / "carried")
    assert "unreached" in aml("sync", code=1)
    team.begin()
    assert "complete" in aml("sync", str(tmp_path / "carried"))
    assert count_of(elsewhere, run_id) == 7
    aml("sync")
    assert (spooled(tmp_path), noted(tmp_path)) == ([], [])


def test_what_is_refused_is_said_and_set_aside(team, elsewhere, writer, tmp_path):
    process, run_id = writer()
    logs(process, 3)
    process.kill()
    process.wait()
    until(lambda: elsewhere.runs.get(run_id).status == "Failed")
    elsewhere.runs.get(run_id).delete()
    told = json.loads(aml("sync", "--json", code=1))
    assert [each["state"] for each in told] == ["refused"]
    assert "has no run" in told[0]["reason"]
    aside = list((tmp_path / "home" / "spool").glob("*/journals/*.orphan"))
    assert len(aside) == 1
    assert aml("sync") == "nothing waits\n"


def test_a_folder_without_journals_says_what_they_are_called(team, tmp_path):
    (tmp_path / "empty").mkdir()
    done = subprocess.run([*AML, "sync", str(tmp_path / "empty")], capture_output=True, text=True)
    assert (done.returncode, "<run id>.<writer>.jsonl" in done.stderr) == (1, True)


def test_a_run_that_can_not_begin_is_unavailable_and_leaves_nothing(team, tmp_path):
    with amlsdk.connect(team.url, config=QUIET) as workspace:
        experiment = workspace.projects.get_or_create("p").experiments.get_or_create("e")
        team.kill()
        with pytest.raises(Unavailable):
            experiment.start_run()
        team.begin()
        until(lambda: not noted(tmp_path))
        assert experiment.runs.list() == []


def test_a_run_that_was_recorded_though_no_answer_came_is_cancelled(team, elsewhere, monkeypatch):
    """The reply is lost: the run is there, and nobody is in it."""
    with amlsdk.connect(team.url, config=QUIET) as workspace:
        experiment = workspace.projects.get_or_create("p").experiments.get_or_create("e")
        send = workspace._client.service.send

        def lose(request):
            send(request)
            raise Unavailable("the reply was cut off")

        with monkeypatch.context() as patched:
            patched.setattr(workspace._client.service, "send", lose)
            with pytest.raises(Unavailable):
                experiment.start_run()
        until(lambda: [run.status for run in elsewhere.runs.list()] == ["Canceled"])
        assert "did not answer" in elsewhere.runs.list()[0].error


def test_one_deleted_run_does_not_hold_up_the_others(team, elsewhere):
    with amlsdk.connect(team.url, config=QUIET) as workspace:
        one, two = begin(workspace), begin(workspace)
        one.log("loss", 1)
        one.flush()
        folder = team.root / "workspaces" / workspace.id
        assert folder.is_dir()
        elsewhere._client.send(SetRunStatus(**_ended(one)))
        elsewhere.runs.get(one.id).delete()
        one.log("loss", 2)
        two.log("loss", 2)
        until(lambda: count_of(elsewhere, two.id) == 1)
        two.complete()
        one.complete()


def _ended(run):
    return {
        "run_id": run.id,
        "supervisor": run.record.owner,
        "status": "Canceled",
        "at": dt.datetime.now(dt.timezone.utc),
    }


def test_connecting_does_not_wait_for_what_is_left(team, writer, tmp_path, elsewhere):
    process, run_id = writer()
    team.kill()
    logs(process, 100_000)
    process.kill()
    process.wait()
    team.begin()
    with amlsdk.connect(team.url, config=QUIET) as workspace:
        assert Path(spooled(tmp_path)[0]).stat().st_size > 5_000_000
        until(lambda: count_of(elsewhere, run_id) == 100_000)
        assert workspace.name == "default"
