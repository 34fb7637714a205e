"""A fork waits for a moment when nobody uses the catalogue."""

import threading
import time

from amlsdk.storage.catalogue.uses import Uses


def at_it(uses):
    """A thread that is in the midst of a use, and what ends it."""
    begun, end = threading.Event(), threading.Event()

    def work():
        with uses:
            begun.set()
            end.wait()

    thread = threading.Thread(target=work)
    thread.start()
    begun.wait()
    return thread, end


def test_who_is_at_it_is_waited_for_and_who_comes_waits():
    uses, order = Uses(), []
    first, end = at_it(uses)

    def later():
        with uses:
            order.append("later")

    pausing = threading.Thread(target=lambda: (uses.pause(timeout_s=30), order.append("paused")))
    pausing.start()
    while not uses._paused:
        time.sleep(0.001)
    second = threading.Thread(target=later)
    second.start()
    end.set()
    pausing.join()
    assert order == ["paused"]
    uses.resume()
    for thread in (first, second):
        thread.join()
    assert order == ["paused", "later"]


def test_it_is_not_waited_for_ever():
    uses = Uses()
    thread, end = at_it(uses)
    uses.pause(timeout_s=0.01)
    uses.resume()
    end.set()
    thread.join()


def test_who_pauses_in_a_use_of_its_own_goes_on():
    uses = Uses()
    with uses:
        uses.pause(timeout_s=30)
        with uses:
            pass
        uses.resume()
    assert uses._depths == {}


def test_a_child_that_was_forked_within_a_use_leaves_it():
    uses = Uses()
    uses.__exit__(None, None, None)
    assert uses._depths == {}
