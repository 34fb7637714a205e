"""Repositories of projects, where clients and servers are killed, are slow, lie, or ask for too much."""

import contextlib
import gzip
import io
import os
import signal
import subprocess
import time
from types import SimpleNamespace

import anyio
import psutil
import pytest
import requests
from bad_network import BadNetwork
from raw_client import ask
from served import serving

import amlsdk
from amlsdk.repositories.mending import remove_leftovers
from amlsdk.server import git_backend, repositories
from amlsdk.server.git_commands import Commands
from amlsdk.server.limits import Busy
from amlsdk.server.run import ServerThread
from amlsdk.tenancy import TenantHost

LARGE = 60_000_000


def git(folder, *arguments, code=0, begin=False):
    own = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0"}
    command = ["git", "-c", "user.name=Ada", "-c", "user.email=ada@example.com", *arguments]
    if begin:
        return subprocess.Popen(
            command, cwd=folder, env={**os.environ, **own}, start_new_session=True, stderr=subprocess.DEVNULL
        )
    done = subprocess.run(command, cwd=folder, env={**os.environ, **own}, capture_output=True, text=True)
    assert code is None or done.returncode == code, done.stderr
    return (done.stdout + done.stderr).strip()


@pytest.fixture
def code(tmp_path):
    """A git repository with one commit."""
    folder = tmp_path / "code"
    folder.mkdir()
    git(folder, "init", "--quiet", "--initial-branch=main")
    commit(folder, "train.py", b"print('hello')\n")
    return folder


def commit(folder, name, content):
    (folder / name).write_bytes(content)
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "-m", name)
    return git(folder, "rev-parse", "HEAD")


class Place:
    """A published project: the address of its repository, its folder in the service, and the token."""

    def __init__(self, root, url, token, code):
        self.token = token
        with amlsdk.connect(url, token=token) as workspace:
            project = workspace.projects.create("wine", folder=code).publish()
            self.plain = workspace._client.backend.repository(project.id)
            self.workspace_id = workspace.id
        (self.folder,) = root.glob("workspaces/*/repositories/*.git")
        self.url = self.through(url)

    def through(self, url):
        """The address by way of another, with the token in it."""
        return self.plain.replace(self.plain.partition("/git/")[0], url).replace("http://", f"http://x:{self.token}@")

    def post(self, service, body, **headers):
        kind = {"Content-Type": f"application/x-{service}-request", "Authorization": f"Bearer {self.token}"}
        return requests.post(f"{self.plain}/{service}", data=body, headers={**kind, **headers}, timeout=60)

    def leftovers(self):
        objects = self.folder / "objects"
        return [*objects.glob("tmp_objdir-*"), *objects.glob("incoming-*")]

    def refs(self):
        return git(self.folder, "for-each-ref", "--format=%(refname)").split()

    def is_whole(self):
        return "error" not in git(self.folder, "fsck", "--full", "--strict")


@pytest.fixture
def place(tmp_path, code, monkeypatch):
    monkeypatch.setenv("AMLSDK_HOME", str(tmp_path / "home"))
    host = TenantHost(tmp_path / "service")
    with ServerThread(host) as server:
        yield Place(tmp_path / "service", server.url, host.first_token, code)
    host.close()


def until(fact, process=None):
    deadline = time.monotonic() + 30
    while not fact():
        assert time.monotonic() < deadline, "it did not come to be"
        assert process is None or process.poll() is None, "the push ended too early to be disturbed"
        os.sched_yield()


def gits():
    """Processes of git that servers of this process have begun."""
    found = []
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            if "http-backend" in child.cmdline() or "receive-pack" in child.cmdline():
                found.append(child)
    return found


def zeros(size):
    """A body that unpacks to so many zeros."""
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=9) as file:
        for _ in range(size >> 20):
            file.write(bytes(1 << 20))
    return packed.getvalue()


def test_a_push_that_is_killed_leaves_nothing_and_is_done_again(place, code):
    head = commit(code, "large.bin", os.urandom(LARGE))
    pushing = git(code, "push", "--quiet", place.url, "HEAD:refs/heads/large", begin=True)
    until(place.leftovers, pushing)
    os.killpg(pushing.pid, signal.SIGKILL)
    pushing.wait()
    until(lambda: not place.leftovers() and not gits())
    assert (place.refs(), place.is_whole()) == (["refs/heads/main"], True)
    git(code, "push", "--quiet", place.url, "HEAD:refs/heads/large")
    assert git(place.folder, "rev-parse", "refs/heads/large") == head


def test_a_server_that_is_killed_in_a_push_serves_on(tmp_path, code, monkeypatch):
    monkeypatch.setenv("AMLSDK_HOME", str(tmp_path / "home"))
    with serving(tmp_path / "service", "--rate", "0") as service:
        place = Place(tmp_path / "service", service.url, service.token, code)
        head = commit(code, "large.bin", os.urandom(LARGE))
        pushing = git(code, "push", "--quiet", place.url, "HEAD:refs/heads/large", begin=True)
        until(place.leftovers, pushing)
        service.kill()
        assert pushing.wait() != 0
        service.begin()
        assert "refs/heads/large" not in place.refs()
        git(code, "push", "--quiet", place.url, "HEAD:refs/heads/large")
        assert git(place.folder, "rev-parse", "refs/heads/large") == head
        assert place.is_whole()


def test_what_is_left_of_a_push_is_removed_when_it_is_old(place):
    objects = place.folder / "objects"
    old, new = objects / "tmp_objdir-incoming-old", objects / "tmp_objdir-incoming-new"
    for folder in (old, new):
        (folder / "pack").mkdir(parents=True)
    (objects / "pack" / "tmp_pack_old").write_bytes(b"x")
    for path in (old, objects / "pack" / "tmp_pack_old"):
        os.utime(path, (0, 0))
    remove_leftovers(place.folder)
    assert (old.exists(), new.exists(), (objects / "pack" / "tmp_pack_old").exists()) == (False, True, False)
    assert place.is_whole()


def test_a_slow_push_is_waited_for_and_a_silent_one_is_not(place, code, monkeypatch):
    monkeypatch.setattr(git_backend, "_SILENCE_S", 1.5)
    network = BadNetwork(int(place.plain.split("/")[2].rpartition(":")[2]))
    try:
        head = commit(code, "some.bin", os.urandom(1_500_000))
        network.slow(0.15)
        git(code, "push", "--quiet", place.through(network.url), "HEAD:refs/heads/slow")
        assert git(place.folder, "rev-parse", "refs/heads/slow") == head
        network.mend()
        commit(code, "large.bin", os.urandom(LARGE))
        pushing = git(code, "push", "--quiet", place.through(network.url), "HEAD:refs/heads/silent", begin=True)
        until(place.leftovers, pushing)
        network.stall()
        until(lambda: not place.leftovers() and not gits())
        network.mend(reset=True)
        assert pushing.wait() != 0
    finally:
        network.close()
    assert (place.refs(), place.is_whole()) == (["refs/heads/main", "refs/heads/slow"], True)


def test_what_a_client_says_does_not_unpack_to_more_than_git_needs(place):
    bomb = zeros(512 << 20)
    reply = place.post("git-upload-pack", bomb, **{"Content-Encoding": "gzip"})
    assert (reply.status_code, "at most 10485760 bytes" in reply.json()["message"]) == (400, True)
    reply = place.post("git-upload-pack", b"no gzip", **{"Content-Encoding": "gzip"})
    assert (reply.status_code, "is said to be gzip" in reply.json()["message"]) == (400, True)
    reply = place.post("git-upload-pack", b"x", **{"Content-Encoding": "br"})
    assert (reply.status_code, "gzip or plain bytes" in reply.json()["message"]) == (400, True)


def test_a_push_of_too_much_is_cut_off(place):
    """Commands are held in memory by git, so that there must not be any number of them."""
    command = f"{'0' * 40} {'1' * 40} refs/heads/{'x' * 100}".encode()
    line = b"%04x" % (len(command) + 4) + command
    many = gzip.compress(line * (64 << 20 >> 7))
    before = place.refs()
    with contextlib.suppress(requests.ConnectionError):
        place.post("git-receive-pack", many, **{"Content-Encoding": "gzip"})
    until(lambda: not gits())
    assert place.refs() == before
    at = SimpleNamespace(url=place.plain.partition("/git/")[0])
    path = f"/git/{place.plain.partition('/git/')[2]}/git-receive-pack"
    status, _, told = ask(at, "POST", path, token=place.token, Content_Length=str(3 << 30))
    assert (status, "keep large files out" in told["message"]) == (400, True)


@pytest.mark.parametrize("size", [1, 3, 4, 5, 7, 1000])
def test_commands_end_where_the_pack_begins_however_they_come(size):
    said = b"0009shal" + b"w" + b"000bcommand" + b"0000" + b"PACK" + b"\xff" * 100
    counted = Commands(most=30)
    for at in range(0, len(said), size):
        counted.take(said[at : at + size])
    with pytest.raises(Exception, match="does not begin with git's commands"):
        Commands(most=100).take(b"PACKxxxx")


def test_what_would_harm_whoever_checks_it_out_is_refused(place, code):
    blob = git(code, "rev-parse", "HEAD:train.py")
    entry = b"100644 ..\0" + bytes.fromhex(blob)
    made = subprocess.run(
        ["git", "hash-object", "-w", "-t", "tree", "--literally", "--stdin"], cwd=code, input=entry, capture_output=True
    )
    tree = made.stdout.decode().strip()
    head = git(code, "commit-tree", tree, "-m", "hostile")
    said = git(code, "push", place.url, f"{head}:refs/heads/hostile", code=1)
    assert "hasDotdot" in said
    assert place.refs() == ["refs/heads/main"]


def test_nothing_that_lies_in_a_repository_is_executed(place, code, tmp_path):
    mark = tmp_path / "executed"
    (place.folder / "hooks").mkdir(exist_ok=True)
    for name in ("pre-receive", "update", "post-receive", "post-update", "reference-transaction"):
        hook = place.folder / "hooks" / name
        hook.write_text(f"#!/bin/sh\ntouch {mark}\n")
        hook.chmod(0o755)
    commit(code, "more.txt", b"more")
    git(code, "push", "--quiet", place.url, "HEAD:main")
    git(tmp_path, "clone", "--quiet", place.url, "copy")
    assert not mark.exists()


def test_history_is_neither_written_over_nor_deleted_by_a_push(place, code):
    git(code, "commit", "--quiet", "--amend", "-m", "other")
    for reference in ("+HEAD:refs/heads/main", ":refs/heads/main"):
        assert "rejected" in git(code, "push", place.url, reference, code=1)
    assert place.refs() == ["refs/heads/main"]


def test_a_plain_clone_checks_out_the_branch_that_is_there(tmp_path, code, place):
    git(place.folder, "symbolic-ref", "HEAD", "refs/heads/trunk")
    git(tmp_path, "clone", "--quiet", place.url, "copy")
    assert (tmp_path / "copy" / "train.py").is_file()
    git(place.folder, "symbolic-ref", "HEAD", "refs/heads/trunk")
    git(place.folder, "pack-refs", "--all")
    git(tmp_path, "clone", "--quiet", place.url, "again")
    assert git(tmp_path / "again", "symbolic-ref", "--short", "HEAD") == "main"


def test_one_who_asks_often_leaves_turns_to_others(monkeypatch):
    monkeypatch.setattr(repositories, "_WAIT_S", 0.05)

    async def ask():
        turns = repositories._Turns()
        async with contextlib.AsyncExitStack() as held:
            for _ in range(repositories._MOST_AT_ONCE_OF_ONE):
                await held.enter_async_context(turns.of("ada"))
            with pytest.raises(Busy, match="as many git clients as it can"):
                await held.enter_async_context(turns.of("ada"))
            await held.enter_async_context(turns.of("bob"))
        async with turns.of("ada"):
            pass

    anyio.run(ask)
