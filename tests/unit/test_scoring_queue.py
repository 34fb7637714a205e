"""Waiting requests are scored together where rows are independent, and none pays for another's fault."""

import asyncio
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from scoring_bundles import NUMBERS

from amlsdk.errors import InvalidArgument
from amlsdk.records.serving import ScoringSettings, ServiceSpec
from amlsdk.scoring import row_wise
from amlsdk.scoring.queue import FutureTicket, ScoringQueue
from amlsdk.scoring.service import Service
from amlsdk.sketches.counters import Counters


def serve(run):
    return Service(ServiceSpec(name="test", script="score.py", inputs=(NUMBERS,)), run)


def body(*rows):
    return json.dumps({"data": [[first, 0] for first in rows]}).encode()


def score(run, bodies, *, settings=None, sample_s=0.0):
    """Submit bodies in one turn of a loop; return the answers and what was counted."""

    async def submit():
        loop = asyncio.get_running_loop()
        counters = Counters(None)
        with ThreadPoolExecutor(1) as thread:
            queue = ScoringQueue(settings or ScoringSettings(), counters, thread=thread, loop=loop)
            queue.begin(serve(run), in_thread=False, sample_s=sample_s)
            tickets = [FutureTicket(loop) for _ in bodies]
            for ticket, each in zip(tickets, bodies, strict=True):
                queue.submit(ticket, each)
            replies = await asyncio.gather(*(ticket.reply for ticket in tickets))
        return [(reply.status, json.loads(reply.body)) for reply in replies], counters.traffic()

    return asyncio.run(submit())


def results(answers):
    return [answer.get("result", answer.get("message")) for _, answer in answers]


def firsts(data):
    return data[:, 0]


def test_requests_of_one_turn_are_scored_in_one_call():
    answers, traffic = score(row_wise(firsts), [body(1), body(2, 3), body(4)])
    assert results(answers) == [[1.0], [2.0, 3.0], [4.0]]
    assert (traffic.batches, traffic.rows, traffic.requests) == (1, 4, {200: 3})


def test_requests_whose_rows_may_depend_on_each_other_are_scored_one_by_one():
    def minus_mean(data):
        return data[:, 0] - data[:, 0].mean()

    answers, traffic = score(minus_mean, [body(1), body(2, 4)])
    assert results(answers) == [[0.0], [-1.0, 1.0]]
    assert traffic.batches == 2


def test_a_call_has_at_most_as_many_rows_as_allowed():
    answers, traffic = score(
        row_wise(firsts), [body(1), body(2), body(3, 4, 5, 6), body(7)], settings=ScoringSettings(max_batch=3)
    )
    assert results(answers) == [[1.0], [2.0], [3.0, 4.0, 5.0, 6.0], [7.0]]
    assert traffic.batches == 3


def test_a_row_that_fails_does_not_fail_its_neighbours(capsys):
    @row_wise
    def picky(data):
        if (data[:, 0] == 13).any():
            raise RuntimeError("unlucky")
        return data[:, 0]

    answers, _ = score(picky, [body(1), body(13), body(2)])
    assert [status for status, _ in answers] == [200, 500, 200]
    message = answers[1][1]["message"]
    assert "unlucky" not in message
    log = capsys.readouterr().err
    assert message.split()[-1] in log
    assert log.count("RuntimeError: unlucky") == 1


def test_a_row_that_is_refused_does_not_fail_its_neighbours():
    @row_wise
    def picky(data):
        if (data[:, 0] < 0).any():
            raise InvalidArgument("data: wine can't have less than no alcohol")
        return data[:, 0]

    answers, _ = score(picky, [body(1), body(-1)])
    assert [status for status, _ in answers] == [200, 422]
    assert answers[1][1] == {"code": "InvalidArgument", "message": "data: wine can't have less than no alcohol"}


def test_a_result_that_has_not_an_entry_for_each_row_ends_batches_and_is_said_once(capsys):
    answers, traffic = score(row_wise(lambda data: float(data[:, 0].sum())), [body(1), body(2)])
    assert results(answers) == [1.0, 2.0]
    assert traffic.batches == 2
    assert capsys.readouterr().err.count("scoring one by one") == 1


def test_a_result_that_can_not_be_written_fails_its_request_only(capsys):
    @row_wise
    def odd(data):
        return [1j if first == 13 else first for first in data[:, 0].tolist()]

    answers, _ = score(odd, [body(13), body(2)])
    assert [status for status, _ in answers] == [500, 200]
    assert "complex" in capsys.readouterr().err


def test_a_script_that_wants_to_end_the_process_only_fails():
    def leave(data):
        raise SystemExit(3)

    answers, _ = score(leave, [body(1)])
    assert answers[0][0] == 500


def test_too_many_waiting_requests_are_told_to_come_back():
    answers, traffic = score(firsts, [body(1), body(2), body(3)], settings=ScoringSettings(max_waiting=2))
    assert [status for status, _ in answers] == [200, 200, 429]
    assert answers[2][1]["code"] == "TooManyRequests"
    assert traffic.requests == {200: 2, 429: 1}


def test_calls_that_take_long_are_made_in_the_thread_and_short_ones_in_the_loop():
    threads = []

    def note(data):
        threads.append(threading.current_thread())
        return data[:, 0]

    score(note, [body(1)])
    score(note, [body(1)], sample_s=0.5)
    assert threads[0] is threading.main_thread()
    assert threads[1] is not threading.main_thread()


def test_a_request_that_is_not_answered_in_time_is_told_so_while_the_call_goes_on():
    release = threading.Event()

    def hang(data):
        release.wait(10)
        return data[:, 0]

    async def ask():
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1) as thread:
            queue = ScoringQueue(ScoringSettings(timeout_s=0.05), Counters(None), thread=thread, loop=loop)
            queue.begin(serve(hang), in_thread=True, sample_s=0.0)
            called, waiting = FutureTicket(loop), FutureTicket(loop)
            queue.submit(called, body(1))
            queue.submit(waiting, body(2))
            began = time.perf_counter()
            while not waiting.reply.done() and time.perf_counter() - began < 10:
                queue.expire()
                await asyncio.sleep(0.005)
            late = called.reply.result(), waiting.reply.result()
            release.set()
            after = FutureTicket(loop)
            queue.submit(after, body(3))
            return late, await after.reply

    late, after = asyncio.run(ask())
    assert [json.loads(reply.body)["code"] for reply in late] == ["Unavailable"] * 2
    assert after.status == 200


@pytest.mark.parametrize("in_thread", [True, False])
def test_a_request_whose_client_has_left_is_not_scored(in_thread):
    seen = []

    def note(data):
        seen.extend(data[:, 0].tolist())
        return data[:, 0]

    async def ask():
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1) as thread:
            queue = ScoringQueue(ScoringSettings(), Counters(None), thread=thread, loop=loop)
            queue.begin(serve(note), in_thread=in_thread, sample_s=0.0)
            gone, there = FutureTicket(loop), FutureTicket(loop)
            queue.submit(gone, body(1))
            queue.submit(there, body(2))
            gone.gone = True
            return await there.reply

    assert asyncio.run(ask()).status == 200
    assert seen == [2.0]
