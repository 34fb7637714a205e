"""What every keeper of output promises, asked of each."""

import threading

import pytest
from postgres_server import ON_SERVER

from amlsdk.records.streams import CHUNK, ByteStream
from amlsdk.storage.catalogue import migrating
from amlsdk.storage.catalogue.database import Database
from amlsdk.storage.catalogue.schema import output_chunk
from amlsdk.storage.outputs.base import log_key, run_key
from amlsdk.storage.outputs.folder import FolderOutputs
from amlsdk.storage.outputs.table import TableOutputs

KEY = run_key("01kdyj3a0000000000000000r1")


@pytest.fixture(params=["folder", "sqlite", ON_SERVER])
def outputs(request, tmp_path):
    if request.param == "folder":
        yield FolderOutputs(tmp_path)
        return
    if request.param == "postgres":
        yield TableOutputs(request.getfixturevalue("postgres_catalogue"))
        return
    database = Database(f"sqlite:///{tmp_path}/catalogue.sqlite")
    migrating.create(database)
    yield TableOutputs(database)
    database.close()


def append(outputs, content, *, offset, key=KEY):
    return outputs.append(key, ByteStream.of(content), offset=offset)


def whole(outputs, key=KEY):
    return outputs.read(key, start=0, stop=outputs.size(key)).read()


def test_what_was_appended_is_read_in_any_range(outputs):
    content = bytes(range(256)) * 1000
    for start in range(0, len(content), 50_000):
        append(outputs, content[start : start + 50_000], offset=start)
    assert outputs.size(KEY) == len(content)
    assert whole(outputs) == content
    for start, stop in ((0, 0), (0, 1), (49_999, 50_001), (123_456, 234_567), (len(content) - 1, len(content))):
        found = outputs.read(KEY, start=start, stop=stop)
        assert (found.size_bytes, found.read()) == (stop - start, content[start:stop])


def test_nothing_is_there_before_the_first_byte(outputs):
    assert outputs.size(KEY) == 0
    assert append(outputs, b"", offset=0) == 0


def test_bytes_that_are_there_are_skipped_and_a_gap_changes_nothing(outputs):
    assert append(outputs, b"0123", offset=0) == 4
    assert append(outputs, b"0123", offset=0) == 4
    assert append(outputs, b"2345", offset=2) == 6
    assert append(outputs, b"9", offset=9) == 6
    assert append(outputs, b"01", offset=0) == 6
    assert whole(outputs) == b"012345"


def test_a_long_stream_is_kept_whole(outputs):
    content = bytes(range(251)) * (3 * CHUNK // 251)
    assert append(outputs, content, offset=0) == len(content)
    assert whole(outputs) == content


def test_output_of_others_is_not_touched(outputs):
    other = log_key("01kdyj3a0000000000000000r1")
    append(outputs, b"mine", offset=0)
    append(outputs, b"other", offset=0, key=other)
    outputs.delete(KEY)
    outputs.delete(KEY)
    assert (outputs.size(KEY), whole(outputs, other)) == (0, b"other")


def test_many_that_append_the_same_at_once_keep_it_once(outputs):
    content = b"".join(b"%06d\n" % number for number in range(20_000))
    failures = []

    def send(piece):
        try:
            for start in range(0, len(content), piece):
                append(outputs, content[start : start + piece], offset=start)
        except BaseException as error:  # noqa: BLE001  # told by the assertion
            failures.append(error)

    threads = [threading.Thread(target=send, args=(piece,)) for piece in (7_001, 10_007, 33_333, 140_000)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert whole(outputs) == content


@pytest.mark.parametrize("outputs", ["sqlite", ON_SERVER], indirect=True)
def test_a_line_at_a_time_leaves_few_rows(outputs):
    for number in range(200):
        append(outputs, b"x" * 1000, offset=1000 * number)
    with outputs.database.read() as connection:
        rows = connection.execute(output_chunk.select()).all()
    assert len(rows) <= 5
    assert outputs.size(KEY) == 200_000


@pytest.mark.parametrize("outputs", ["sqlite", ON_SERVER], indirect=True)
def test_reading_ends_where_it_was_deleted(outputs):
    append(outputs, b"x" * 3 * CHUNK, offset=0)
    chunks = iter(outputs.read(KEY, start=0, stop=3 * CHUNK))
    next(chunks)
    outputs.delete(KEY)
    assert list(chunks) == []
