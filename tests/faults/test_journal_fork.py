"""Forks and threads while logging: every process has its own journal, every line is written once."""

import os
import signal
import threading

import pytest

from amlsdk.journal.folder import is_locked, outstanding
from amlsdk.journal.lines import parse_batch
from amlsdk.journal.writer import JournalWriter
from amlsdk.records.ids import new_id

# Python 3.12 and newer warn of any fork beside threads; that it is safe here is what these tests show.
pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


def fork(work) -> int:
    """Run something in a child, which ends with 0 where nothing was raised; one that hangs is ended by its alarm."""
    child = os.fork()
    if child == 0:
        signal.alarm(15)
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    return child


def wait(child: int) -> None:
    assert os.waitpid(child, 0)[1] == 0


def read(path):
    return parse_batch(path.read_bytes(), first_offset=0)


def test_parent_and_child_both_log_and_nothing_is_doubled(tmp_path):
    writer = JournalWriter(tmp_path, new_id())
    for value in range(500):
        writer.metric("before", value)

    def work():
        for value in range(1000):
            writer.metric("child", value)
        writer.close()

    child = fork(work)
    for value in range(1000):
        writer.metric("parent", value)
    wait(child)
    writer.close()
    own = read(writer.path)
    [other] = [read(file.path) for file in outstanding(tmp_path) if file.writer != writer.writer]
    assert {name: list(points.values) for name, points in own.series.items()} == {
        "before": list(range(500)),
        "parent": list(range(1000)),
    }
    assert {name: list(points.values) for name, points in other.series.items()} == {"child": list(range(1000))}
    assert own.others[0].data["p"] == os.getpid()
    assert other.others[0].data["p"] == child
    assert own.bad == other.bad == []


def test_steps_of_a_child_count_from_0(tmp_path):
    writer = JournalWriter(tmp_path, new_id())
    writer.metric("m", 1)
    wait(fork(lambda: writer.metric("m", 2)))
    writer.close()
    [other] = [read(file.path) for file in outstanding(tmp_path) if file.writer != writer.writer]
    assert list(other.series["m"].steps) == [0]


def test_a_child_that_logs_nothing_makes_no_journal_and_does_not_end_its_parents(tmp_path):
    writer = JournalWriter(tmp_path, new_id())
    writer.metric("m", 1)
    wait(fork(writer.close))
    assert is_locked(writer.path)
    assert [file.path for file in outstanding(tmp_path)] == [writer.path]
    assert not read(writer.path).ended
    writer.close()


def test_what_waits_in_the_parents_memory_is_not_written_by_the_child(tmp_path):
    folder = tmp_path / "journals"
    folder.write_text("in the way")
    writer = JournalWriter(folder, new_id())
    writer.metric("m", 1)
    folder.unlink()
    wait(fork(lambda: (writer.metric("m", 2), writer.close())))
    [file] = outstanding(folder)
    assert list(read(file.path).series["m"].values) == [2]
    writer.close()
    assert list(read(writer.path).series["m"].values) == [1]


def test_the_lock_of_a_parent_ends_with_it_though_its_child_lives(tmp_path):
    said, told = os.pipe(), os.pipe()

    def parent():
        writer = JournalWriter(tmp_path, new_id())
        writer.metric("m", 1)
        if os.fork() == 0:
            os.write(said[1], b"c")
            os.close(told[1])
            os.read(told[0], 1)  # lives until the test ends
            os._exit(0)
        os._exit(0)  # neither closed nor collected, as after kill -9

    wait(fork(parent))
    assert os.read(said[0], 1) == b"c"
    [file] = outstanding(tmp_path)
    assert not is_locked(file.path)
    for end in (*said, *told):
        os.close(end)


def test_children_forked_while_threads_log_can_log_and_close(tmp_path):
    writer = JournalWriter(tmp_path, new_id())
    stop = threading.Event()

    def work(name):
        while not stop.is_set():
            writer.metric(name, 1)

    threads = [threading.Thread(target=work, args=(f"t{number}",)) for number in range(3)]
    for thread in threads:
        thread.start()
    try:
        for value in range(20):
            wait(fork(lambda value=value: (writer.metric("child", value), writer.close())))
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    writer.close()
    children = [read(file.path) for file in outstanding(tmp_path) if file.writer != writer.writer]
    assert sorted(batch.series["child"].values[0] for batch in children) == list(range(20))
    assert all(batch.ended and set(batch.series) == {"child"} for batch in children)
    assert "child" not in read(writer.path).series


def test_eight_threads_log_10_000_points_each_and_no_step_comes_twice(tmp_path):
    writer = JournalWriter(tmp_path, new_id())

    def work(number):
        for value in range(10_000):
            writer.metric("shared", number * 10_000 + value)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    writer.close()
    batch = read(writer.path)
    assert sorted(batch.series["shared"].steps) == list(range(80_000))
    assert sorted(batch.series["shared"].values) == list(range(80_000))
    assert batch.bad == []


def test_threads_that_meet_a_name_at_once_share_its_counter(tmp_path):
    writer = JournalWriter(tmp_path, new_id())
    start = threading.Barrier(8)

    def work():
        for number in range(100):
            start.wait()
            writer.metric(f"m{number}", 1)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    writer.close()
    assert all(sorted(points.steps) == list(range(8)) for points in read(writer.path).series.values())


def test_a_signal_handler_may_log_at_any_time(tmp_path):
    """The handler runs in the thread that is inside a call, so it must not wait for that call."""
    writer = JournalWriter(tmp_path, new_id())
    seen = []

    def handler(*_):
        writer.metric("signals", 1)
        seen.append(1)

    before = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
    try:
        count = 0
        while len(seen) < 200:
            writer.metric("m", count)
            count += 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    writer.close()
    batch = read(writer.path)
    assert list(batch.series["m"].values) == list(range(count))
    assert sorted(batch.series["signals"].steps) == list(range(len(seen)))
    assert batch.bad == []
