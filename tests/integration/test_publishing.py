"""Projects in git: published to the service or elsewhere, cloned by others, and what was not committed kept aside."""

import base64
import contextlib
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import attrs
import pytest
import requests
from conftest import served

import amlsdk
from amlsdk.errors import Conflict, Denied, InvalidArgument, NotFound
from amlsdk.resources.history import keep_history

AML = [sys.executable, "-m", "amlsdk"]


def git(folder, *arguments, code=0, **environment):
    own = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0", **environment}
    who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com"]
    done = subprocess.run(
        ["git", *who, *arguments], cwd=folder, env={**os.environ, **own}, capture_output=True, text=True
    )
    assert code is None or done.returncode == code, done.stderr
    return done.stdout.strip() if code == 0 else done.stderr


def commit(folder, name="train.py", text="print('hello')\n", message="work"):
    (folder / name).write_text(text)
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "-m", message)
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture
def code(tmp_path):
    """A git repository with one commit."""
    folder = tmp_path / "code"
    folder.mkdir()
    git(folder, "init", "--quiet", "--initial-branch=main")
    commit(folder)
    return folder


@pytest.fixture
def service(tmp_path, monkeypatch):
    """A service and its first owner's token."""
    monkeypatch.setenv("AMLSDK_HOME", str(tmp_path / "home"))
    with served(tmp_path / "service") as found:
        yield found


@pytest.fixture(params=["folder", "http"])
def workspace(request, tmp_path, monkeypatch):
    monkeypatch.setenv("AMLSDK_HOME", str(tmp_path / "home"))
    with contextlib.ExitStack() as opened:
        if request.param == "folder":
            yield opened.enter_context(amlsdk.connect(tmp_path / "workspace"))
            return
        url, token = opened.enter_context(served(tmp_path / "service"))
        yield opened.enter_context(amlsdk.connect(url, token=token))


@pytest.fixture
def project(workspace, code):
    return workspace.projects.create("wine", folder=code)


def member(workspace, url, user="bob", role="contributor"):
    workspace.members.create(user, role=role)
    return amlsdk.connect(url, token=workspace.tokens.create(user, user=user).secret)


def test_a_published_project_is_cloned_with_the_same_head(project, workspace, code, tmp_path):
    head = git(code, "rev-parse", "HEAD")
    published = project.publish()
    assert (published.remote, published.branch, published.head) == ("service", "main", head)
    assert published.record.published_at is not None
    place = workspace.projects["wine"].clone(tmp_path / "other")
    assert git(place, "rev-parse", "HEAD") == head
    assert git(place, "symbolic-ref", "--short", "HEAD") == "main"
    assert (place / "train.py").read_text() == "print('hello')\n"
    later = commit(code, text="print('again')\n")
    assert project.publish().head == later
    git(place, "fetch", "--quiet", str(code))
    assert git(place, "rev-parse", "FETCH_HEAD") == later


def test_what_was_not_published_can_not_be_cloned(project, tmp_path):
    with pytest.raises(NotFound, match=r"'wine' was not published: project.publish\(\) does that"):
        project.clone(tmp_path / "other")
    project.publish()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("mine")
    with pytest.raises(InvalidArgument, match="has something in it"):
        project.clone(tmp_path / "full")


def test_somebody_elses_commits_are_not_written_over(project, workspace, code, tmp_path):
    project.publish()
    others = workspace.projects["wine"].clone(tmp_path / "other")
    theirs = commit(others, text="theirs\n")
    bob = workspace.projects.get("wine").update(folder=others)
    assert bob.publish().head == theirs
    mine = commit(code, text="mine\n")
    bob.update(folder=code)
    with pytest.raises(Conflict, match="pull, merge, then publish again"):
        project.refresh().publish()
    assert workspace.projects["wine"].head == theirs
    assert git(code, "rev-parse", "HEAD") == mine


def test_a_deleted_project_leaves_no_repository(project, tmp_path):
    project.publish()
    [repository] = tmp_path.rglob("repositories/*.git")
    project.delete()
    assert not repository.exists()


def test_what_was_published_in_a_folder_is_there_when_the_folder_is_served(code, tmp_path, monkeypatch):
    monkeypatch.setenv("AMLSDK_HOME", str(tmp_path / "home"))
    with amlsdk.connect(tmp_path / "mine") as workspace:
        head = workspace.projects.create("wine", folder=code).publish().head
    with served(tmp_path / "mine") as (url, token), amlsdk.connect(url, token=token) as workspace:
        place = workspace.projects["wine"].clone(tmp_path / "other")
    assert git(place, "rev-parse", "HEAD") == head


def test_a_remote_of_ones_own_is_published_to(project, workspace, code, tmp_path):
    remote = tmp_path / "remote.git"
    git(tmp_path, "init", "--quiet", "--bare", str(remote))
    git(code, "remote", "add", "origin", str(remote))
    assert project.publish("origin", branch="shared").remote == str(remote)
    assert git(remote, "rev-parse", "refs/heads/shared") == git(code, "rev-parse", "HEAD")
    place = workspace.projects["wine"].clone(tmp_path / "other")
    assert git(place, "rev-parse", "HEAD") == git(code, "rev-parse", "HEAD")


@pytest.mark.parametrize(
    "remote",
    ["--upload-pack=touch /tmp/x", "ext::sh -c touch% /tmp/x", "http+unix://x/y", "a\nb", "-x"],
)
def test_a_remote_that_would_start_a_program_is_refused(project, remote):
    with pytest.raises(InvalidArgument, match="is no remote|are asked by"):
        project.publish(remote)


@pytest.mark.parametrize("branch", ["-d", "a..b", "", "a b", "refs/../x"])
def test_a_branch_that_is_none_is_refused(project, branch):
    with pytest.raises(InvalidArgument, match="can't name a branch"):
        project.publish(branch=branch)


def test_a_folder_without_a_repository_or_a_commit_says_what_to_do(workspace, tmp_path):
    with pytest.raises(InvalidArgument, match="has no folder on this machine"):
        workspace.projects.create("none").publish()
    folder = tmp_path / "plain"
    folder.mkdir()
    project = workspace.projects.create("plain", folder=folder)
    with pytest.raises(InvalidArgument, match="in no git repository: `git init`"):
        project.publish()
    git(folder, "init", "--quiet")
    with pytest.raises(InvalidArgument, match="has no commit yet"):
        project.publish()


def test_a_member_publishes_and_clones_and_a_reader_only_clones(service, code, tmp_path):
    url, token = service
    with amlsdk.connect(url, token=token) as ada:
        ada.projects.create("wine", folder=code).publish()
        with member(ada, url) as bob:
            place = bob.projects["wine"].clone(tmp_path / "bobs")
            theirs = commit(place, text="bob's\n")
            assert bob.projects["wine"].update(folder=place).publish().head == theirs
        with member(ada, url, user="eve", role="reader") as eve:
            place = eve.projects["wine"].clone(tmp_path / "eves")
            assert git(place, "rev-parse", "HEAD") == theirs
            commit(place, text="eve's\n")
            ada.projects["wine"].update(folder=place)
            with pytest.raises(Denied, match="role here does not allow it"):
                eve.projects["wine"].publish()
        assert ada.projects["wine"].head == theirs
    lines = [json.loads(line) for line in (tmp_path / "service" / "audit.jsonl").read_text().splitlines()]
    pushed = {(line["user"], line["outcome"]) for line in lines if line["operation"] == "Push"}
    assert {user for user, outcome in pushed if outcome == "ok"} >= {"bob"}
    assert {user for user, outcome in pushed if outcome == "Denied"} == {"eve"}


def test_a_token_lands_in_no_file_and_no_message(service, code, tmp_path):
    url, token = service
    with amlsdk.connect(url, token=token) as ada:
        project = ada.projects.create("wine", folder=code)
        project.publish()
        place = project.clone(tmp_path / "other")
        for folder in (place, code):
            for path in (folder / ".git").rglob("*"):
                assert not path.is_file() or token.encode() not in path.read_bytes(), path
        wrong = amlsdk.connect(url, token=token)
        wrong._client.address = attrs.evolve(wrong._client.address, token="aml_wrong")
        with pytest.raises(Denied) as raised:
            wrong.projects["wine"].publish()
        assert "aml_wrong" not in str(raised.value)
        wrong.close()


def location(workspace, name="wine"):
    return workspace._client.backend.repository(workspace.projects[name].id)


def test_plain_git_clients_sign_in_by_a_token_as_password(service, code, tmp_path):
    url, token = service
    with amlsdk.connect(url, token=token) as ada:
        ada.projects.create("wine", folder=code).publish()
        place = location(ada)
    with_token = place.replace("http://", f"http://anybody:{token}@")
    git(tmp_path, "clone", "--quiet", with_token, "mine")
    commit(tmp_path / "mine", text="plain\n")
    git(tmp_path / "mine", "push", "--quiet", "origin", "main")
    for protocol in ("0", "1", "2"):
        git(tmp_path, "-c", f"protocol.version={protocol}", "clone", "--quiet", with_token, f"v{protocol}")
        assert (tmp_path / f"v{protocol}" / "train.py").read_text() == "plain\n"
    said = git(tmp_path, "clone", place.replace("http://", "http://anybody:wrong@"), "wrong", code=128)
    assert "Authentication failed" in said
    assert requests.get(f"{place}/info/refs?service=git-upload-pack", timeout=30).status_code == 401


def test_a_foreign_repository_is_not_there(service, code):
    url, token = service
    with amlsdk.connect(url, token=token) as ada:
        ada.projects.create("wine", folder=code).publish()
        secret = (
            ada.subscription.teams.create("other").workspaces.create("other").tokens.create("x", role="reader").secret
        )
        place = location(ada)
    asked = f"{place}/info/refs?service=git-upload-pack"
    answers = [requests.get(asked, headers=basic(given), timeout=30) for given in (secret, token)]
    assert [answer.status_code for answer in answers] == [404, 200]


def basic(token):
    return {"Authorization": "Basic " + base64.b64encode(f"x:{token}".encode()).decode()}


@pytest.mark.parametrize(
    ("verb", "rest"),
    [
        ("GET", "HEAD"),
        ("GET", "config"),
        ("GET", "objects/info/packs"),
        ("GET", "info/refs"),
        ("GET", "info/refs?service=git-upload-archive"),
        ("GET", "../../secrets.key"),
        ("GET", "%2e%2e/%2e%2e/secrets.key"),
        ("POST", "info/refs?service=git-upload-pack"),
        ("GET", "git-upload-pack"),
        ("POST", "git-shell"),
    ],
)
def test_nothing_but_the_smart_protocol_is_answered(service, code, verb, rest):
    url, token = service
    with amlsdk.connect(url, token=token) as ada:
        ada.projects.create("wine", folder=code).publish()
        place = location(ada)
    body = b"" if verb == "POST" else None
    answer = requests.request(verb, f"{place}/{rest}", headers=basic(token), data=body, timeout=30)
    assert answer.status_code in {404, 405}
    assert b"[core]" not in answer.content


def test_a_large_push_and_many_at_once(service, code, tmp_path):
    """Fifty megabytes that can't be packed, and eight who push to branches of their own."""
    url, token = service
    with amlsdk.connect(url, token=token) as ada:
        (code / "large.bin").write_bytes(os.urandom(50_000_000))
        commit(code)
        project = ada.projects.create("wine", folder=code)
        project.publish()
        place = location(ada).replace("http://", f"http://x:{token}@")

    def push(number):
        mine = tmp_path / f"copy-{number}"
        git(tmp_path, "clone", "--quiet", "--depth=1", place, mine.name)
        git(mine, "checkout", "--quiet", "-b", f"branch-{number}")
        commit(mine, name=f"{number}.txt")
        git(mine, "push", "--quiet", "origin", f"branch-{number}")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(push, range(8)))
    listed = git(tmp_path, "ls-remote", "--heads", place)
    assert [f"branch-{number}" in listed for number in range(8)] == [True] * 8


def test_what_was_submitted_and_not_committed_is_kept_aside(project, code, tmp_path):
    """The run names a commit that has it; branch, index and files are as the user left them."""
    experiment = project.experiments.get_or_create("train")
    head = git(code, "rev-parse", "HEAD")
    clean = experiment.submit("train.py").wait()
    (code / "train.py").write_text("print('not committed')\n")
    (code / "new.txt").write_text("new\n")
    (code / ".gitignore").write_text("data/\n")
    (code / "data").mkdir()
    (code / "data" / "large.bin").write_bytes(b"x")
    before = git(code, "status", "--porcelain", "--branch")
    changed = experiment.submit("train.py").wait()
    again = experiment.submit("train.py").wait()
    assert git(code, "status", "--porcelain", "--branch") == before
    assert git(code, "rev-parse", "HEAD") == head
    kept = [run.refresh().context["git"]["history"] for run in (clean, changed, again)]
    assert kept[0] == head
    assert kept[1] == kept[2] != head
    assert git(code, "show", f"{kept[1]}:train.py") == "print('not committed')"
    assert git(code, "ls-tree", "-r", "--name-only", kept[1]).split() == [".gitignore", "new.txt", "train.py"]
    (code / "new.txt").write_text("newer\n")
    last = experiment.submit("train.py").wait().refresh().context["git"]["history"]
    assert git(code, "rev-list", "--first-parent", last).split()[:2] == [last, kept[1]]
    assert git(code, "branch", "--list").split() == ["*", "main"]


def test_what_was_kept_aside_reaches_other_members_with_what_is_published(service, code, tmp_path):
    url, token = service
    (code / "train.py").write_text("print('not committed')\n")
    with amlsdk.connect(url, token=token) as ada:
        project = ada.projects.create("wine", folder=code)
        run = project.experiments.get_or_create("train").submit("train.py").wait()
        kept = run.refresh().context["git"]["history"]
        project.publish()
        with member(ada, url) as bob:
            place, shown = bob.projects["wine"].clone(tmp_path / "bobs"), bob.tokens.create("git").secret
        # Bob has something of his own, which is not in the way of what others keep.
        (place / "train.py").write_text("print('of Bob')\n")
        own = keep_history(place, message="mine")
        with_token = location(ada).replace("http://", f"http://x:{shown}@")
        git(place, "fetch", "--quiet", with_token, "+refs/amlsdk/*:refs/amlsdk/*")
        assert git(place, "show", f"{kept}:train.py") == "print('not committed')"
        assert git(place, "rev-parse", "refs/amlsdk/history") == own
        assert keep_history(place, message="again") == own
    aml = [*AML, "-w", url, "run", "show", run.id]
    shown = subprocess.run(aml, capture_output=True, text=True, env={**os.environ, "AMLSDK_TOKEN": token}, timeout=60)
    assert kept in shown.stdout, shown.stderr


def test_a_history_that_is_refused_does_not_keep_what_is_committed_back(project, code, caplog):
    project.publish()
    git(code, "update-ref", "refs/amlsdk/history", "HEAD")
    project.publish()
    git(code, "update-ref", "refs/amlsdk/history", git(code, "commit-tree", "HEAD^{tree}", "-m", "unrelated"))
    head = commit(code, text="more\n")
    assert project.publish().head == head
    assert "history of what was not committed stays on this machine" in caplog.text


def test_many_who_submit_at_once_lose_nothing_of_the_history(code):
    """Each commit that is told of is on the way from the newest one."""

    def keep(number):
        (code / f"{number}.txt").write_text(str(number))
        return keep_history(code, message=str(number))

    with ThreadPoolExecutor(4) as pool:
        made = set(pool.map(keep, range(12)))
    kept = git(code, "rev-list", "refs/amlsdk/history").split()
    assert made <= set(kept)


def test_what_snapshots_leave_out_is_not_in_the_history(code):
    (code / ".amlignore").write_text("*.ckpt\n")
    (code / "large.ckpt").write_bytes(b"x")
    (code / "deep").mkdir()
    (code / "deep" / ".amlignore").write_text("other\n")
    for name in ("other", " space\nand line", "*.txt", "b\xe4d".encode("latin-1").decode(errors="surrogateescape")):
        (code / "deep" / name).write_text("x")
    (code / "train.py").unlink()
    kept = keep_history(code, message="all")
    listed = subprocess.run(["git", "ls-tree", "-r", "-z", "--name-only", kept], cwd=code, capture_output=True).stdout
    wanted = [b".amlignore", b"deep/ space\nand line", b"deep/*.txt", b"deep/.amlignore", b"deep/b\xe4d"]
    assert sorted(listed.split(b"\0")[:-1]) == sorted(wanted)


def test_a_history_that_can_not_be_kept_fails_no_run(project, code, monkeypatch):
    monkeypatch.setattr("amlsdk.resources.history.MOST_NEW_BYTES", 10)
    (code / "data.bin").write_bytes(b"x" * (2 << 20))
    run = project.experiments.get_or_create("train").submit("train.py").wait()
    found = run.refresh().context["git"]
    assert (run.status, found["history"]) == ("Completed", None)
    assert "files that git does not know are not kept" in found["error"]


def test_the_commands_publish_and_clone(service, code, tmp_path):
    url, token = service
    with amlsdk.connect(url, token=token) as ada:
        ada.projects.create("wine", folder=code)
    environment = {**os.environ, "AMLSDK_TOKEN": token}

    def aml(*arguments):
        done = subprocess.run(
            [*AML, "-w", url, *arguments], capture_output=True, text=True, env=environment, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    head = git(code, "rev-parse", "HEAD")
    assert aml("project", "publish", "wine") == f"published main {head} of {code} to service\n"
    assert "cloned wine into" in aml("project", "clone", "wine", str(tmp_path / "other"))
    assert git(tmp_path / "other", "rev-parse", "HEAD") == head
