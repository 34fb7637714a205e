"""Tokens of pages."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amlsdk.errors import InvalidArgument
from amlsdk.storage.catalogue.paging import decode_token, encode_token, page_limit

KEYS = st.lists(
    st.none() | st.text() | st.integers(-(1 << 63), (1 << 63) - 1) | st.floats(allow_nan=False), min_size=1, max_size=4
)


@given(KEYS)
def test_a_token_gives_back_its_keys(keys):
    assert decode_token(encode_token(keys), len(keys)) == keys


def test_infinity_is_a_key():
    assert decode_token(encode_token([math.inf, -math.inf]), 2) == [math.inf, -math.inf]


@given(st.data())
def test_a_token_with_another_character_is_refused(data):
    token = encode_token(["name", 12])
    place = data.draw(st.integers(0, len(token) - 2))
    letter = data.draw(st.sampled_from("AZaz09-_+/=é ").filter(lambda letter: letter != token[place]))
    with pytest.raises(InvalidArgument, match="no token of this list"):
        decode_token(token[:place] + letter + token[place + 1 :], 2)


@pytest.mark.parametrize("text", ["", "x", "AAAA", "=" * 9, "\ud800", encode_token([1]), encode_token([1, 2, 3])])
def test_what_is_no_token_of_the_list_is_refused(text):
    with pytest.raises(InvalidArgument, match="no token of this list"):
        decode_token(text, 2)


@pytest.mark.parametrize("keys", [[[1]], [{"a": 1}], [1 << 63]])
def test_keys_that_no_list_has_are_refused(keys):
    with pytest.raises(InvalidArgument, match="no token of this list"):
        decode_token(encode_token(keys), 1)


def test_a_page_has_1_to_10000_items():
    assert [page_limit(1), page_limit(10_000)] == [1, 10_000]
    for wrong in (0, -1, 10_001):
        with pytest.raises(InvalidArgument, match="1 to 10000"):
            page_limit(wrong)
