"""What runs print."""

import threading
import time

import pytest
from making import make_run, submit

from amlsdk.errors import InvalidArgument, NotFound
from amlsdk.operations.jobs import CancelRun
from amlsdk.operations.runs import AppendOutput, ReadOutput
from amlsdk.records.ids import new_id
from amlsdk.records.streams import ByteStream


def append(service, run, content, offset=0):
    return service.send(AppendOutput(run_id=run.id, offset=offset, content=ByteStream.of(content))).offset


def read(service, run, **fields):
    return service.send(ReadOutput(run_id=run.id, **fields)).read()


def test_a_run_that_printed_nothing_has_no_bytes(service):
    assert read(service, make_run(service)) == b""


def test_output_is_read_back_byte_by_byte(service):
    run = make_run(service)
    content = bytes(range(256)) * 8192
    assert append(service, run, content) == len(content)
    assert read(service, run) == content


def test_bytes_that_are_there_already_are_skipped(service):
    run = make_run(service)
    assert append(service, run, b"hello") == 5
    assert append(service, run, b"hello") == 5
    assert append(service, run, b"lo, world", offset=3) == 12
    assert append(service, run, b"hel") == 12
    assert read(service, run) == b"hello, world"


def test_a_gap_is_answered_with_the_end_and_keeps_nothing(service):
    run = make_run(service)
    append(service, run, b"hello")
    assert append(service, run, b"!", offset=6) == 5
    assert read(service, run) == b"hello"


def test_a_part_of_the_output_can_be_read(service):
    run = make_run(service)
    append(service, run, b"hello, world")
    assert read(service, run, after=7) == b"world"
    assert read(service, run, after=3, limit_bytes=4) == b"lo, "
    assert read(service, run, after=12) == b""
    assert read(service, run, after=99) == b""


def test_a_read_waits_for_the_next_bytes(service):
    run = make_run(service)
    append(service, run, b"hello")
    later = threading.Timer(0.2, lambda: append(service, run, b"!", offset=5))
    later.start()
    began = time.monotonic()
    assert read(service, run, after=5, wait_s=30) == b"!"
    assert time.monotonic() - began < 15
    later.join()


def test_a_read_waits_no_longer_than_the_run_goes_on(service):
    run = submit(service)
    service.send(CancelRun(run_id=run.id))
    began = time.monotonic()
    assert read(service, run, wait_s=30) == b""
    assert time.monotonic() - began < 15


@pytest.mark.parametrize("fields", [{"after": -1}, {"limit_bytes": 0}, {"wait_s": -1.0}])
def test_what_can_not_be_read_is_refused(service, fields):
    run = make_run(service)
    with pytest.raises(InvalidArgument):
        read(service, run, **fields)


def test_output_before_the_first_byte_is_refused(service):
    run = make_run(service)
    with pytest.raises(InvalidArgument, match="begin at 0"):
        append(service, run, b"x", offset=-1)


@pytest.mark.parametrize("request_class", [ReadOutput, AppendOutput])
def test_output_of_an_unknown_run_is_not_found(service, request_class):
    fields = {"offset": 0, "content": ByteStream.of(b"x")} if request_class is AppendOutput else {}
    with pytest.raises(NotFound, match="no run"):
        service.send(request_class(run_id=new_id(), **fields))
