"""Secrets masked in what is printed, however it was cut."""

import base64
import json
import os
import threading
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amlsdk.errors import Unavailable
from amlsdk.storage.secrets.masked_output import MaskedOutput
from amlsdk.storage.secrets.masking import Mask, MaskedStream

HIDDEN = 'p@ss "word"/ä\\x'
KEY = "-----BEGIN KEY-----\nMIIEvQIBADANBgkq\nhkiG9w0BAQEFAASC\n-----END KEY-----\n"


def whole(mask, content):
    stream = MaskedStream(mask)
    return stream.feed(content) + stream.finish()


@pytest.mark.parametrize(
    "shown",
    [
        HIDDEN,
        repr(HIDDEN)[1:-1],
        json.dumps(HIDDEN)[1:-1],
        json.dumps(HIDDEN, ensure_ascii=False)[1:-1],
        quote(HIDDEN, safe=""),
        base64.b64encode(HIDDEN.encode()).decode(),
        base64.urlsafe_b64encode(HIDDEN.encode()).decode().rstrip("="),
        repr({"DB": HIDDEN}),
        f"postgresql://ada:{quote(HIDDEN, safe='')}@host/db",
    ],
)
def test_a_secret_is_found_in_the_forms_that_are_often_printed(shown):
    masked = Mask([HIDDEN]).text(f"before {shown} after")
    assert masked.startswith("before ")
    assert masked.endswith(" after")
    assert "***" in masked
    assert not any(part in masked for part in ("p@ss", "word", "p%40", "cEBzcyAi"))


@pytest.mark.parametrize("before", ["", "a", "ab", "abc", "user:"])
def test_base64_of_something_longer_shows_nothing_of_the_secret(before):
    hidden = "correct horse battery staple"
    encoded = base64.b64encode(f"{before}{hidden} and more".encode()).decode()
    first, last = Mask([hidden]).text(encoded).split("***")
    # What is left is of what stands around it, and of its first and last byte less than a character of base64.
    assert encoded.startswith(first)
    assert encoded.endswith(last)
    assert len(first) <= -(-len(before) * 8 // 6)
    assert len(last) <= len(base64.b64encode(b" and more")) + 3


def test_lines_of_a_secret_are_secrets():
    masked = Mask([KEY]).text(f"key:\n{KEY}\n  MIIEvQIBADANBgkq\nend")
    assert "MIIE" not in masked
    assert masked == "key:\n***\n  ***\nend"


def test_what_is_too_short_to_hide_is_shown():
    assert Mask(["abc", ""]).text("abc abcd") == "abc abcd"
    assert Mask(["abcd"]).text("abc abcd") == "abc ***"


def test_overlapping_secrets_leave_nothing_of_either():
    assert Mask(["secret-one", "one-secret"]).text("secret-one-secret!") == "***!"
    assert Mask(["secret", "secret-longer"]).text("secret-longer secret") == "*** ***"


@given(
    values=st.lists(st.text("ab", min_size=4, max_size=10), min_size=1, max_size=3),
    content=st.text("abc\n", max_size=80),
    sizes=st.lists(st.integers(1, 7), min_size=1, max_size=80),
)
def test_what_is_shown_does_not_depend_on_where_it_was_cut(values, content, sizes):
    mask, data = Mask(values), content.encode()
    stream, pieces, at = MaskedStream(mask), [], 0
    for size in sizes:
        pieces.append(stream.feed(data[at : at + size]))
        at += size
    pieces += [stream.feed(data[at:]), stream.finish()]
    masked = b"".join(pieces)
    assert masked == whole(mask, data)
    assert not any(value.encode() in masked for value in values)


@given(content=st.binary(max_size=200), sizes=st.lists(st.integers(1, 50), max_size=20))
def test_bytes_without_a_secret_pass_as_they_are(content, sizes):
    stream, shown, at = MaskedStream(Mask(["there is no such text"])), b"", 0
    for size in sizes:
        shown += stream.feed(content[at : at + size])
        at += size
    assert shown + stream.feed(content[at:]) + stream.finish() == content


@given(text=st.text(max_size=60))
def test_any_text_can_be_masked(text):
    assert Mask(["hidden-word"]).text(text) == text
    assert Mask(["hidden-word"]).text(f"{text}hidden-word{text}") == f"{text}***{text}"


@pytest.fixture
def output(tmp_path):
    made = MaskedOutput(tmp_path / "pipe", tmp_path / "log", Mask(["hidden-word"]))
    yield made
    made.close()


def test_what_is_written_to_the_pipe_reaches_the_file_masked(output):
    with output.pipe.open("ab", buffering=0) as first, output.pipe.open("ab", buffering=0) as second:
        first.write(b"one hidden-")
        first.write(b"word\n")
        second.write(b"\xff\x00 two\n")
        output.settle()
        assert output.log.read_bytes() == b"one ***\n\xff\x00 two\n"
        first.write(b"the end is hidden-")
    output.close()
    assert output.log.read_bytes().endswith(b"the end is hidden-")
    assert not output.pipe.exists()
    assert output.log.stat().st_mode & 0o777 == 0o600


def test_much_output_passes_whole(output):
    lines = b"".join(b"%06d hidden-word and more\n" % number for number in range(100_000))

    def write():
        with output.pipe.open("ab") as pipe:
            pipe.write(lines)

    writer = threading.Thread(target=write)
    writer.start()
    writer.join()
    output.close()
    assert output.log.read_bytes() == lines.replace(b"hidden-word", b"***")


def test_a_pipe_that_a_lost_process_left_is_made_anew(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    made = MaskedOutput(tmp_path / "pipe", tmp_path / "log", Mask(["hidden-word"]))
    with made.pipe.open("ab") as pipe:
        pipe.write(b"here")
    made.close()
    made.close()
    assert made.log.read_bytes() == b"here"


def test_where_no_pipe_can_be_made_the_reason_is_told(tmp_path):
    (tmp_path / "pipe").write_text("a file of somebody else's")
    with pytest.raises(Unavailable, match="can't be masked in"):
        MaskedOutput(tmp_path / "pipe", tmp_path / "log", Mask(["hidden-word"]))
    assert (tmp_path / "pipe").read_text() == "a file of somebody else's"
