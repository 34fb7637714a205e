"""Servers and writers are killed and the network fails, at random: nothing is lost, nothing is there twice.

AMLSDK_TEST_ROUNDS sets how many rounds there are.
"""

import contextlib
import os
import random
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest
from bad_network import BadNetwork
from served import Served

import amlsdk
from amlsdk.errors import AmlError

ROUNDS = int(os.environ.get("AMLSDK_TEST_ROUNDS", "20"))
WRITERS = 3
PATIENCE_S = 60.0
QUIET = amlsdk.Config(capture_context=False, capture_source=False, system_metrics_s=None, retry_s=10.0)

# One run after the other. What has returned is written down where a kill can't take it back: the number of points in
# eight bytes of shared memory, all else as lines of a file.
WRITER = """
import mmap, os, random, sys
import amlsdk
from amlsdk.errors import AmlError

url, seed, board = sys.argv[1], int(sys.argv[2]), sys.argv[3]
chance = random.Random(seed)
said = os.open(board, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
with open(board + ".points", "w+b") as file:
    file.write(bytes(8))
    file.flush()
    points = memoryview(mmap.mmap(file.fileno(), 8)).cast("Q")
quiet = {"capture_context": False, "capture_source": False, "system_metrics_s": None}
config = amlsdk.Config(**quiet, retry_s=0.5, timeout_s=1.0)

def say(*words):
    os.write(said, (" ".join(map(str, words)) + "\\n").encode())

def experiment():
    while True:
        try:
            workspace = amlsdk.connect(url, config=config)
            return workspace.projects.get_or_create("p").experiments.get_or_create("e")
        except AmlError:
            continue

def one_run(experiment):
    run = experiment.start_run(tags={"writer": str(seed)})
    points[0] = 0
    say("begun", run.id)
    for _ in range(chance.randrange(2, 40)):
        for _ in range(chance.randrange(1, 300)):
            run.log("counter", points[0])
            points[0] += 1
        if chance.random() < 0.5:
            try:
                run.flush()
                say("acknowledged", run.id, points[0])
            except AmlError:
                pass
    run.complete()
    say("ended", run.id, points[0])

found = experiment()
while True:
    try:
        one_run(found)
    except AmlError:
        continue
"""


def until(fact, what, timeout_s=PATIENCE_S):
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        with contextlib.suppress(AmlError):
            found = fact()
            if found:
                return found
        time.sleep(0.01)
    raise AssertionError(f"it never came to be that {what}")


class Writer:
    """A process that logs, and what it has said by now."""

    def __init__(self, url, seed, folder):
        self.board = folder / f"writer-{seed}"
        command = [sys.executable, "-c", WRITER, url, str(seed), str(self.board)]
        self.errors = Path(f"{self.board}.errors").open("wb")  # noqa: SIM115  # closed in `kill`
        self.process = subprocess.Popen(command, stderr=self.errors)

    def said(self):
        lines = self.board.read_text().splitlines() if self.board.exists() else []
        return [line.split() for line in lines]

    def points(self):
        path = Path(f"{self.board}.points")
        content = path.read_bytes() if path.exists() else b""
        return struct.unpack("Q", content)[0] if len(content) == 8 else 0

    def progress(self):
        """Grows with whatever it does."""
        return len(self.said()), self.points()

    def is_in_a_run(self):
        said = self.said()
        return bool(said) and said[-1][0] != "ended"

    def acknowledged(self):
        return sum(words[0] == "acknowledged" for words in self.said())

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.errors.close()


class Play:
    """A server, a network and writers, and what can befall them."""

    def __init__(self, folder, seed):
        self.chance = random.Random(seed)
        self.folder, self.number = folder, 0
        self.server = Served(folder / "service", "--owner", "ada", "--rate", "0")
        os.environ["AMLSDK_TOKEN"] = self.server.token
        self.network = BadNetwork(self.server.port)
        self.writers, self.killed = [], []
        for _ in range(WRITERS):
            self.begin_writer()

    def begin_writer(self):
        self.number += 1
        self.writers.append(Writer(self.network.url, self.number, self.folder))

    def wait_for_writers(self):
        """Let each writer do something, whatever has befallen the service."""
        before = {writer: writer.progress() for writer in self.writers}
        until(lambda: all(writer.progress() != said for writer, said in before.items()), "all writers go on")

    def wait_for_service(self):
        """See that what writers flush arrives again."""
        before = {writer: writer.acknowledged() for writer in self.writers}
        until(lambda: any(writer.acknowledged() > said for writer, said in before.items()), "something arrives")

    def kill_server(self):
        self.server.kill()
        if self.chance.random() < 0.5:
            self.wait_while_away()
        self.server.begin()

    def wait_while_away(self):
        """Let what is logged now wait on the disk; one that begins a run has to wait for the service itself."""
        for _ in range(self.chance.randrange(1, 6)):
            before = {writer: writer.progress() for writer in self.writers}
            # All of them may be about to begin a run, for which they have to wait.
            with contextlib.suppress(AssertionError):
                until(lambda said=before: self.has_gone_on(said), "some writer goes on", timeout_s=2.0)

    def has_gone_on(self, before):
        moved = any(writer.progress() != said for writer, said in before.items())
        # Those that would begin a run now have to wait for the service.
        return moved or not any(writer.is_in_a_run() for writer in before)

    def kill_writer(self):
        writer = self.chance.choice(self.writers)
        until(writer.said, "the writer has begun a run")
        self.writers.remove(writer)
        writer.kill()
        self.killed.append(writer)
        self.begin_writer()

    def cut(self):
        self.network.cut()
        self.wait_while_away()
        self.network.mend()

    def stall(self):
        self.network.stall()
        self.wait_while_away()
        self.network.mend(reset=self.chance.random() < 0.5)

    def slow(self):
        self.network.slow(0.05)
        self.wait_for_writers()
        self.network.mend()

    def befall(self):
        events = (self.kill_server, self.kill_writer, self.cut, self.stall, self.slow)
        for event in self.chance.sample(events, k=self.chance.randrange(1, 3)):
            event()
        self.wait_for_service()

    def close(self):
        for writer in self.writers:
            writer.kill()
        self.killed += self.writers
        self.writers = []
        self.network.close()
        self.server.close()


@pytest.fixture
def play(tmp_path, monkeypatch):
    monkeypatch.setenv("AMLSDK_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("AMLSDK_TOKEN", "")
    play = Play(tmp_path, seed=20_170_925)
    yield play
    play.close()


@pytest.mark.timeout(60 + 10 * ROUNDS)
def test_nothing_is_lost_or_doubled_and_no_run_is_in_a_false_state(play, tmp_path):
    play.wait_for_service()
    for _ in range(ROUNDS):
        play.befall()
    for writer in play.writers:
        writer.kill()
    play.killed += play.writers
    play.writers = []
    with amlsdk.connect(play.network.url, config=QUIET) as workspace:
        waiting = tmp_path / "home" / "spool"
        until(lambda: not [*waiting.glob("*/journals/*.json*")], "everything has been sent")
        check_all(workspace, play)
    errors = [Path(f"{writer.board}.errors").read_text() for writer in play.killed]
    assert not [text for text in errors if "Traceback" in text]
    assert [*waiting.glob("*/journals/*.conflict")] == []


def check_all(workspace, play):
    runs = {run.id: run for run in workspace.runs.list(limit=None)}
    said = {}
    for writer in play.killed:
        check_writer(runs, writer, said)
    for run in runs.values():
        assert run.record.status in ("Completed", "Failed", "Canceled"), (run.id, run.record)
        # One that the service recorded and whose writer never heard of it has nothing in it.
        counted = run.record.metrics["counter"].count if "counter" in run.record.metrics else 0
        assert run.id in said or counted == 0
    assert len(said) >= WRITERS
    assert sum(status == "ended" for status in said.values()) > 0


def check_writer(runs, writer, said):
    least, ended = {}, set()
    for word, run_id, *number in writer.said():
        least[run_id] = max(least.get(run_id, 0), int(number[0]) if number else 0)
        said[run_id] = word
        if word == "ended":
            ended.add(run_id)
    last = writer.said()[-1][1] if writer.said() else None
    if last is not None and last not in ended:
        least[last] = max(least[last], writer.points())
    for run_id, logged in least.items():
        record = runs[run_id].record
        # One whose writer was killed before its first point has none.
        values = list(runs[run_id].series("counter").values) if "counter" in record.metrics else []
        assert values == list(range(len(values))), run_id
        assert logged <= len(values) <= (logged if run_id in ended else logged + 1), run_id
        check_state(record, is_ended=run_id in ended)


def check_state(record, *, is_ended):
    # Killed after it had ended its run, and before it could say so.
    allowed = ("Completed",) if is_ended else ("Failed", "Completed")
    assert record.status in allowed, record
    if record.status == "Failed":
        assert "ended without ending the run" in record.error
