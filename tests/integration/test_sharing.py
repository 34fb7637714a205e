"""What people of a team meet that one person alone does not: each other's folders, tokens and outages."""

import contextlib
import subprocess
import threading
import time

import pytest
from served import AML

import amlsdk
from amlsdk.cli import following
from amlsdk.errors import Conflict, InvalidArgument, NotFound, NotSignedIn, Unavailable
from amlsdk.resources.capture.source import SourceFile

QUIET = amlsdk.Config(capture_context=False, capture_source=False, system_metrics_s=None, retry_s=0.0)


@pytest.fixture
def ada(team):
    with team.connect(config=QUIET) as workspace:
        yield workspace


@pytest.fixture
def bob(team, ada):
    """A contributor of Ada's workspace, by a token that she made."""
    ada.members.create("bob", role="contributor")
    with team.connect(ada.tokens.create("laptop", user="bob").secret, config=QUIET) as workspace:
        yield workspace


def aml(*arguments, code=0):
    done = subprocess.run([*AML, *arguments], capture_output=True, text=True, timeout=60)
    assert done.returncode == code, (done.stdout, done.stderr)
    return done.stdout if code == 0 else done.stderr


def folder_of(tmp_path, name):
    folder = tmp_path / name
    folder.mkdir()
    (folder / "train.py").write_text(f"print('the code of {name}')\n")
    return folder


def test_each_connection_submits_from_the_folder_it_named_itself(ada, bob, tmp_path):
    hers, his = folder_of(tmp_path, "ada"), folder_of(tmp_path, "bob")
    mine = ada.projects.get_or_create("wine", folder=hers)
    theirs = bob.projects.get_or_create("wine", folder=his)
    assert (mine.refresh().folder, theirs.refresh().folder) == (hers, his)
    ada.projects.get_or_create("wine", folder=hers)
    assert (ada.projects["wine"].folder, bob.projects["wine"].folder) == (hers, his)
    run = bob.projects["wine"].experiments.get_or_create("e").submit("train.py").wait()
    assert list(run.logs()) == ["the code of bob"]


def test_a_folder_that_another_connection_named_is_taken_where_none_was(ada, bob, tmp_path):
    place = folder_of(tmp_path, "ada")
    ada.projects.create("wine", folder=place)
    assert bob.projects["wine"].folder == place
    assert bob.projects["wine"].update(folder=tmp_path).folder == tmp_path
    assert ada.projects["wine"].folder == place


def test_the_command_publishes_the_folder_that_is_given_and_says_which(team, ada, bob, tmp_path):
    hers, his = folder_of(tmp_path, "ada"), folder_of(tmp_path, "bob")
    for folder in (hers, his):
        who = ["-c", "user.name=x", "-c", "user.email=x@example.com"]
        subprocess.run(["git", "init", "--quiet", "--initial-branch=main"], cwd=folder, check=True)
        subprocess.run(["git", *who, "add", "."], cwd=folder, check=True)
        subprocess.run(["git", *who, "commit", "--quiet", "-m", folder.name], cwd=folder, check=True)
    bob.projects.create("wine", folder=his)
    assert f" of {hers} to service" in aml("-w", team.url, "project", "publish", "wine", "--folder", str(hers))
    aml("-w", team.url, "project", "clone", "wine", str(tmp_path / "cloned"))
    assert "the code of ada" in (tmp_path / "cloned" / "train.py").read_text()


def test_a_member_of_several_places_is_listed_with_where_each_role_comes_from(team, ada):
    vision = ada.subscription.teams.create("vision")
    with vision.workspaces.create("cats") as cats:
        cats.members.create("bob")
        shown = [
            ["ada", "inherited from the subscription"],
            ["ada", "inherited from the team"],
            ["ada", ""],
            ["bob", ""],
        ]
        members = cats.members
        assert sorted([each.user, members.how(each.record)] for each in members) == sorted(shown)
        assert "inherited from the team" in repr(members)
    said = aml("-w", f"{team.url}/w/cats", "member", "list")
    assert (said.count("from the subscription"), said.count("from the team")) == (1, 1)
    assert "inherited from the subscription" in aml("-w", team.url, "team", "show", "vision")


def test_an_owner_revokes_the_token_of_another_by_its_name(team, ada, bob):
    assert ada.tokens.get("laptop").user == "bob"
    assert ada.tokens.get("laptop").refresh().user == "bob"
    ada.tokens.delete("laptop")
    with pytest.raises(NotSignedIn):
        bob.info()
    ada.tokens.delete("laptop")


def test_an_owners_own_token_of_a_name_comes_before_those_of_others(team, ada, bob):
    own = ada.tokens.create("laptop")
    assert ada.tokens.get("laptop") == own
    ada.tokens.delete("laptop")
    assert bob.info()["role"] == "contributor"


def test_nobody_but_an_owner_finds_the_tokens_of_others(ada, bob):
    ada.tokens.create("dashboard")
    with pytest.raises(NotFound, match="you have no token 'dashboard'; there are 'laptop'"):
        bob.tokens.get("dashboard")
    bob.tokens.delete("dashboard")
    assert [token.name for token in ada.tokens.list()] == ["dashboard"]


def test_a_name_that_several_tokens_have_revokes_none_of_them(ada, bob):
    ids = [bob.tokens.create("ci").id for _ in range(2)]
    for workspace in (bob, ada):
        with pytest.raises(
            Conflict, match=f"more than one token is named 'ci'; revoke it by its id: {ids[0]}, {ids[1]}"
        ):
            workspace.tokens.delete("ci")
    ada.tokens.delete(ids[0])
    ada.tokens.delete("ci")
    assert "ci" not in bob.tokens


def test_the_command_says_where_it_has_revoked_nothing(team, bob):
    assert "you have no token 'labtop'" in aml("-w", team.url, "token", "delete", "labtop", code=1)
    assert aml("-w", team.url, "token", "delete", "laptop") == "revoked laptop\n"
    with pytest.raises(NotSignedIn):
        bob.info()


def test_a_workspace_that_is_not_there_or_not_for_the_caller_is_told_in_the_services_words(team):
    said = aml("-w", f"{team.url}/w/secret", "info", code=1)
    assert said == "error: there is no workspace 'secret' that you are a member of\n"


@pytest.mark.parametrize("command", [["whoami"], ["team", "list"], ["info"]])
def test_where_no_workspace_is_named_commands_say_how_to_name_one(team, tmp_path, command):
    said = aml(*command, code=1)
    assert said.startswith(
        f"error: there is no workspace in '{tmp_path / '.amlsdk'}': -w FOLDER|URL or AMLSDK_WORKSPACE"
    )


def test_a_service_without_its_scheme_does_not_become_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for place in ("127.0.0.1:8765", "localhost:8765", "aml.example.com:443"):
        with pytest.raises(InvalidArgument, match=f"{place}' looks like a service, whose URL begins with http"):
            amlsdk.connect(place)
    assert list(tmp_path.iterdir()) == []
    amlsdk.connect("./localhost:8765").close()
    amlsdk.connect("localhost:8765").close()


def test_a_url_of_a_workspace_takes_no_second_one(team):
    for url in (f"{team.url}/w/default", f"{team.url}/w/default/"):
        with pytest.raises(InvalidArgument, match="is a workspace already; workspace='cats' names another"):
            amlsdk.connect(url, workspace="cats")


def test_a_token_read_from_a_file_may_end_with_a_newline(team):
    with amlsdk.connect(team.url, token=f"{team.token}\n") as workspace:
        assert workspace.role == "owner"


def leave_a_journal(team):
    """End a run while the service is away, and leave its journal to others."""
    workspace = team.connect(config=QUIET)
    run = workspace.projects.get_or_create("p").experiments.get_or_create("e").start_run()
    team.kill()
    run.log("loss", 1)
    workspace._client.shipper.last_words = lambda: None
    run.complete()
    workspace.close()


def test_an_outage_is_told_once_while_only_others_journals_wait(team, ada, caplog):
    leave_a_journal(team)
    caplog.clear()
    shipper = ada._client.shipper
    for _ in range(3):
        shipper._look_at = 0.0
        for _ in range(3):
            shipper._go_round(ada._client)
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_what_can_not_be_synced_names_its_service(team, monkeypatch):
    leave_a_journal(team)
    team.begin()
    monkeypatch.setenv("AMLSDK_TOKEN", "aml_wrong")
    done = subprocess.run([*AML, "sync"], capture_output=True, text=True, timeout=60)
    assert f"unreached: {team.url}: the token is unknown here" in done.stdout
    assert done.stdout.endswith("0 of 1 journals are complete\n")


@pytest.fixture
def notebook(monkeypatch):
    """A run of a notebook, as far as its source is concerned."""
    monkeypatch.setattr("amlsdk.resources.interactive._in_notebook", lambda: True)
    source = [SourceFile("notebook.py", b"# %% [1]\n")]
    monkeypatch.setattr("amlsdk.resources.interactive.source_of_process", lambda: source)


def begin_with_patience(team, stack):
    config = amlsdk.Config(capture_context=False, system_metrics_s=None, retry_s=300.0)
    workspace = stack.enter_context(team.connect(config=config))
    return workspace.projects.get_or_create("p").experiments.get_or_create("e").start_run()


@pytest.mark.usefixtures("notebook")
def test_a_notebooks_run_ends_soon_also_while_the_service_is_away(team, monkeypatch, caplog):
    monkeypatch.setattr("amlsdk.resources.interactive._CELLS_S", 0.0)
    with contextlib.ExitStack() as stack:
        run = begin_with_patience(team, stack)
        team.kill()
        begun = time.monotonic()
        run.complete()
        assert time.monotonic() - begun < 60
        assert "its cells were not kept" in caplog.text
        team.begin()
        assert run.wait(timeout_s=60).status == "Completed"


@pytest.mark.usefixtures("notebook")
def test_a_notebooks_run_keeps_its_cells_where_the_service_is_back_soon(team, monkeypatch):
    monkeypatch.setattr("amlsdk.resources.interactive._CELLS_S", 60.0)
    with contextlib.ExitStack() as stack:
        run = begin_with_patience(team, stack)
        team.kill()
        back = threading.Thread(target=team.begin)
        back.start()
        run.complete()
        back.join()
        assert run.wait(timeout_s=60).files.read_text("source/notebook.py") == "# %% [1]\n"


class _Followed:
    """A run whose service has gone: waiting ends in an error, and a cancellation is not answered."""

    id = "01m8pf22v7x7jnh6kw7zfaa0t2"

    def __init__(self):
        self.answered = threading.Event()

    def wait(self, **_):
        raise Unavailable("GetRun was tried 19 times in 60 s")

    def cancel(self):
        self.answered.wait(30)


def test_who_can_follow_a_run_no_more_is_told_that_it_goes_on():
    with pytest.raises(Unavailable, match=f"the run goes on: `aml run logs --follow {_Followed.id}`"):
        following.run_to_end(_Followed, detach=False, as_json=False)


def test_who_leaves_in_a_hurry_is_told_that_nobody_answered(monkeypatch, capsys):
    monkeypatch.setattr(following, "_PATIENCE_S", 0.0)
    interruption, run = following._Interruption(), _Followed()

    def follow():
        with interruption:
            interruption.concerns(run)
            interruption._interrupt(2, None)
            interruption._interrupt(2, None)

    with pytest.raises(KeyboardInterrupt):
        follow()
    run.answered.set()
    assert f"`aml run cancel {_Followed.id}` asks again" in capsys.readouterr().err


def test_the_command_says_where_it_has_deleted_no_secret(team, ada):
    ada.secrets.set("api-key", "hunter2")
    assert "there is no secret 'api-kay'; `aml secret list`" in aml(
        "-w", team.url, "secret", "delete", "api-kay", code=1
    )
    assert aml("-w", team.url, "secret", "delete", "api-key") == "deleted api-key\n"
    assert ada.secrets.list() == []
