"""The digest of a prefix, continued without its bytes."""

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amlsdk.errors import OperationFailed
from amlsdk.journal.digests import BLOCK, PrefixDigest

SIZES = [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK, 3 * BLOCK + 17]


def content(size: int) -> bytes:
    return bytes(number * 7 % 251 for number in range(size))


def by_definition(data: bytes) -> str:
    chain = b""
    while len(data) >= BLOCK:
        chain, data = hashlib.sha256(chain + data[:BLOCK]).digest(), data[BLOCK:]
    return hashlib.sha256(chain + data).hexdigest()


@pytest.mark.parametrize("size", SIZES)
def test_the_digest_is_that_of_its_definition(size):
    digest = PrefixDigest()
    digest.update(content(size))
    assert digest.hexdigest() == by_definition(content(size))


@settings(max_examples=60, derandomize=True, deadline=None)
@given(cuts=st.lists(st.integers(0, 3 * BLOCK + 17), max_size=6))
def test_how_the_bytes_are_cut_and_where_the_state_was_kept_does_not_matter(cuts):
    data = content(3 * BLOCK + 17)
    digest, at = PrefixDigest(), 0
    for cut in [*sorted(cuts), len(data)]:
        digest.update(data[at:cut])
        digest = PrefixDigest.from_state(digest.state())
        at = cut
    assert digest.offset == len(data)
    assert digest.hexdigest() == by_definition(data)


def test_the_state_stays_small():
    digest = PrefixDigest()
    digest.update(content(10 * BLOCK - 1))
    assert len(digest.state()) == 8 + 32 + BLOCK - 1


def test_a_copy_goes_its_own_way():
    digest = PrefixDigest()
    digest.update(b"a")
    digest.copy().update(b"b")
    assert (digest.offset, digest.hexdigest()) == (1, by_definition(b"a"))


@pytest.mark.parametrize("state", [b"", b"1234567", b"\0" * 9, (BLOCK).to_bytes(8, "little"), b"\xff" * 40])
def test_bytes_that_are_no_state_are_refused(state):
    with pytest.raises(OperationFailed, match="not the state"):
        PrefixDigest.from_state(state)
