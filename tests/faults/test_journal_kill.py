"""What a returned call wrote survives kill -9 of its process."""

import mmap
import os
import random
import signal

from amlsdk.journal.folder import is_locked, outstanding
from amlsdk.journal.lines import parse_batch
from amlsdk.journal.writer import JournalWriter
from amlsdk.records.ids import new_id

MOMENTS = 200


def log_for_ever(folder, run_id, shared, moment, said):
    """Log a counter as fast as can be, and tell how many calls have returned; speak up after so many."""
    writer = JournalWriter(folder, run_id)
    number = 0
    while True:
        writer.metric("counter", number)
        number += 1
        shared[0] = number
        if number == moment:
            os.write(said, b"x")


def kill_at(folder, run_id, moment, spins):
    """Kill a logging child soon after so many calls have returned; returns how many had returned in all."""
    told, said = os.pipe()
    # A number is stored here by one instruction, so that a kill leaves the old one or the new one; `struct.pack_into`
    # clears the bytes before it writes them.
    with mmap.mmap(-1, 8) as memory, memoryview(memory).cast("Q") as shared:
        child = os.fork()
        if child == 0:
            try:
                log_for_ever(folder, run_id, shared, moment, said)
            finally:
                os._exit(1)
        os.close(said)
        assert os.read(told, 1) == b"x", "the child ended by itself"
        for _ in range(spins):  # not a wait: it spreads the moments over the steps of one call
            pass
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(told)
        return shared[0]


def test_kill_9_at_200_random_moments_loses_no_returned_call(tmp_path):
    seeded = random.Random(20)
    for _ in range(MOMENTS):
        run_id = new_id()
        returned = kill_at(tmp_path, run_id, seeded.randrange(1, 500), seeded.randrange(300))
        [journal] = outstanding(tmp_path, run_id)
        data = journal.path.read_bytes()
        batch = parse_batch(data, first_offset=0)
        values = list(batch.series["counter"].values)
        assert values == list(range(len(values)))
        # The call that was killed may have written its line, or a part of it, and not have returned.
        assert returned <= len(values) <= returned + 1
        assert batch.bad == []
        assert len(data) - batch.used < 200
        assert not is_locked(journal.path)
