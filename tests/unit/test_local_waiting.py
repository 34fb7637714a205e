"""Waiting for a fact."""

import math
import threading
import time

import pytest

from amlsdk.errors import InvalidArgument
from amlsdk.local.waiting import wait_for


def test_an_answer_that_is_there_is_given_at_once_also_a_false_one():
    assert wait_for(lambda: 0, 60) == 0


def test_without_a_wait_it_looks_once():
    looks = []
    assert wait_for(lambda: looks.append(1), 0) is None
    assert len(looks) == 1


def test_an_answer_that_comes_meanwhile_ends_the_wait():
    there = threading.Event()
    threading.Timer(0.05, there.set).start()
    began = time.monotonic()
    assert wait_for(lambda: there.is_set() or None, 30) is True
    assert time.monotonic() - began < 10


def test_the_wait_ends_with_a_last_look():
    began = time.monotonic()
    assert wait_for(lambda: None, 0.05) is None
    assert 0.05 <= time.monotonic() - began < 5


@pytest.mark.parametrize("wait_s", [-0.1, math.nan])
def test_a_wait_that_is_no_time_is_refused(wait_s):
    with pytest.raises(InvalidArgument, match="wait_s"):
        wait_for(lambda: 1, wait_s)
