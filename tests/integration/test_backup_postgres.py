"""A service over PostgreSQL is copied while it is used, and restored elsewhere, by the commands of docs/operate.md."""

import contextlib
import os
import queue
import re
import shlex
import shutil
import subprocess
import threading
from pathlib import Path

import pytest
from postgres_server import why_not
from served import serving
from test_backup import BACKUP, facts_of, fill, publish

from amlsdk.errors import NotFound

pytestmark = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))

OPERATE = Path(__file__).parents[2] / "docs" / "operate.md"
STEPS = 50


def commands(heading):
    """The commands that the page shows below a heading."""
    section = OPERATE.read_text("utf-8").split(f"### {heading}\n")[1].split("\n#")[0]
    return [line.removeprefix("$ ") for line in section.splitlines() if line.startswith("$ ")]


class Machine:
    """Where the commands run: the folders of the page are in one of the test's, its database server is the tests' own.

    The service's user of the database is none of the server's administrators.
    """

    def __init__(self, server, folder):
        self.server, self.folder = server, folder
        self.root, self.blobs = folder / "var/lib/amlsdk", folder / "srv/blobs"
        for needed in (self.root.parent, self.blobs.parent, folder / "backup"):
            needed.mkdir(parents=True)
        server.execute(f"CREATE ROLE team LOGIN CREATEDB PASSWORD '{server.password}'")
        server.execute("CREATE DATABASE amlsdk TEMPLATE template0 OWNER team")

    @property
    def service(self):
        """Options of the service that is backed up."""
        database = self._here("postgresql+psycopg://amlsdk@db.example.com/amlsdk")
        return ("--blobs", str(self.blobs), "--database", database)

    def run(self, command):
        who = {"PGHOST": "127.0.0.1", "PGPORT": str(self.server.port), "PGUSER": "team"}
        path = os.pathsep.join([str(self.server._programs), os.environ["PATH"]])
        env = {**os.environ, **who, "PGPASSWORD": self.server.password, "PATH": path}
        done = subprocess.run(
            shlex.split(self._here(command)), env=env, cwd=BACKUP.parent, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, f"{command}:\n{done.stderr}"

    def back_up(self, *, before=lambda: None):
        """Carry out the page's commands; `before` each something is done."""
        for command in commands("Over PostgreSQL"):
            before()
            self.run(command)

    @contextlib.contextmanager
    def restoring(self, lost):
        """Lose all that a service kept, and begin another on what was copied, at the same address."""
        self.lose()
        *steps, serve = commands("Restore it from PostgreSQL")
        for command in steps:
            self.run(command)
        options = shlex.split(self._here(serve))[2:]
        with serving(self.root, *options, "--port", str(lost.port)) as restored:
            yield restored

    def lose(self):
        shutil.rmtree(self.root)
        shutil.rmtree(self.blobs)
        self.server.execute("DROP DATABASE amlsdk WITH (FORCE)")

    def clear(self):
        for name in ("amlsdk", "amlsdk_restored"):
            self.server.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        self.server.execute("DROP ROLE team")

    def _here(self, command):
        command = re.sub(r"(?<=[ =])(?=/(backup|srv|var/lib)/)", str(self.folder), command)
        return command.replace("amlsdk@db.example.com", f"team:{self.server.password}@127.0.0.1:{self.server.port}")


@pytest.fixture
def machine(postgres_server, tmp_path):
    made = Machine(postgres_server, tmp_path / "machine")
    yield made
    made.clear()


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("AMLSDK_HOME", str(tmp_path / "home"))


class User(threading.Thread):
    """Somebody who makes one run after another."""

    def __init__(self, workspace, folder):
        super().__init__()
        self._workspace, self._folder = workspace, folder
        self._ended, self._made = threading.Event(), queue.Queue()

    def run(self):
        number = 0
        while not self._ended.is_set():
            self._made.put(fill(self._workspace, self._folder, 50 + number % 200))
            number += 1

    def make_one(self):
        """Return when a run that began after this call has ended."""
        while not self._made.empty():
            self._made.get()
        for _ in range(2):
            self._made.get(timeout=60)

    def end(self):
        self._ended.set()
        self.join()


def shared(workspace, folder):
    """All that a workspace has besides its runs."""
    [model] = workspace.models.list()
    return {
        "workspace": workspace.record,
        "members": [member.record for member in workspace.members.list()],
        "tokens": {(token.id, token.name, token.user) for token in workspace.tokens.list()},
        "secret": workspace.secrets.get("password"),
        "projects": {project.name: (project.id, project.head) for project in workspace.projects.list()},
        "code": (workspace.projects["published"].clone(folder / "clone") / "train.py").read_bytes(),
        "model": (model.record, (model.download(folder / "model") / "model.txt").read_bytes()),
    }


def furnish(workspace, folder):
    """Everything that a service keeps, besides runs; returns how a member signs in."""
    folder.mkdir()
    publish(workspace, folder / "code")
    workspace.secrets.set("password", "hunter2")
    (folder / "model.txt").write_text("a tree")
    workspace.models.create("wine", folder / "model.txt", aliases=["best"])
    workspace.members.create("bob", role="reader")
    return workspace.tokens.create("bob's laptop", user="bob").secret


def contents(run):
    """The files of a run, all of them read."""
    return {entry.path: run.outputs.open(entry.path).read() for entry in run.outputs.list()}


def filled(name):
    """The files that `fill` gives a run of this name."""
    number = int(name.removeprefix("run "))
    return {f"outputs/{number}.bin": bytes([number]) * 100_000}


def log(run, first):
    """More points, all of which the service has when this returns."""
    for step in range(first, first + STEPS):
        run.log("loss", step, step=step)
    run.flush()


def test_what_was_backed_up_while_it_was_used_is_restored_elsewhere(machine, tmp_path):
    """A run ends before each command, so that files copied before the database would be too few."""
    with serving(machine.root, *machine.service) as served, served.connect(workspace="default") as workspace:
        bob = furnish(workspace, tmp_path / "first")
        cats = workspace.subscription.teams.create("vision").workspaces.create("cats")
        kept, of_cats = [fill(workspace, tmp_path, number) for number in (1, 2, 3)], fill(cats, tmp_path, 4)
        before = [shared(workspace, tmp_path / "first"), facts_of(cats, of_cats)]
        before += [facts_of(workspace, run_id) for run_id in kept]
        user = User(workspace, tmp_path)
        user.start()
        machine.back_up(before=user.make_one)
        user.end()
        assert served.end() == 0
    owner = served.token
    with machine.restoring(served) as restored, restored.connect(owner, workspace="default") as workspace:
        assert restored.token is None
        (tmp_path / "second").mkdir()
        with restored.connect(owner, workspace="cats") as cats, restored.connect(bob) as bobs:
            after = [shared(workspace, tmp_path / "second"), facts_of(cats, of_cats)]
            assert bobs.role == "reader"
        assert after + [facts_of(workspace, run_id) for run_id in kept] == before
        found = [run for run in workspace.runs.search() if run.status == "Completed"]
        assert len(found) > len(kept)
        for run in found:
            assert contents(run) == filled(run.name)
        assert contents(workspace.runs.get(fill(workspace, tmp_path, 5))) == filled("run 5")


def test_a_run_at_work_sends_what_the_restored_service_lacks(machine, tmp_path):
    """But for its files, which are with nobody any more; and what was deleted after the backup is there again."""
    late = tmp_path / "late.bin"
    late.write_bytes(b"late")
    with serving(machine.root, *machine.service) as served, served.connect() as workspace:
        workspace.members.create("bob", role="reader")
        bob = workspace.tokens.create("bob's laptop", user="bob")
        run = workspace.projects.get_or_create("wine").experiments.get_or_create("train").start_run()
        log(run, 0)
        early = fill(workspace, tmp_path, 1)
        machine.back_up()
        log(run, STEPS)
        run.upload_file("outputs/late.bin", late)
        run.flush()
        workspace.tokens.delete(bob.id)
        assert served.end() == 0
        with machine.restoring(served) as restored:
            log(run, 2 * STEPS)
            assert list(workspace.runs.get(run.id).series("loss").values) == list(range(3 * STEPS))
            with pytest.raises(NotFound, match="no blob"):
                contents(workspace.runs.get(run.id))
            run.upload_file("outputs/late.bin", late)
            run.complete()
            assert contents(workspace.runs.get(run.id)) == {"outputs/late.bin": b"late"}
            assert contents(workspace.runs.get(early)) == filled("run 1")
            with restored.connect(bob.secret) as bobs:
                assert bobs.role == "reader"
