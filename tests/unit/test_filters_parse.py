"""What filters and orders say."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amlsdk.storage.catalogue.filter_patterns import glob_of, like_of, pieces_of
from amlsdk.storage.catalogue.filter_terms import Comparison, Operand
from amlsdk.storage.catalogue.filters import parse_filter
from amlsdk.storage.catalogue.orderings import parse_order

DAY_US = 86_400_000_000
NEW_YEAR_US = 1_767_225_600_000_000


def comparison(text):
    found = parse_filter(text)
    assert isinstance(found, Comparison)
    return found


def value(text):
    return comparison(text).value


@pytest.mark.parametrize("text", [None, "", "  \n"])
def test_an_empty_filter_says_nothing_and_an_empty_order_has_no_keys(text):
    assert parse_filter(text) is None
    assert parse_order(text) == ()


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("kind = 'a' or kind = 'b' and kind = 'c'", "kind = 'a' or (kind = 'b' and kind = 'c')"),
        ("kind = 'a' and kind = 'b' or kind = 'c'", "(kind = 'a' and kind = 'b') or kind = 'c'"),
        ("not kind = 'a' and kind = 'b'", "(not kind = 'a') and kind = 'b'"),
        ("NOT Kind = 'a'".replace("Kind", "kind"), "not kind == 'a'"),
        ("not (kind = 'a' or kind = 'b')", "not kind = 'a' and not kind = 'b'"),
        ("not not (kind = 'a')", "kind='a'"),
        ("((((kind = 'a')) and (kind = 'b' and (kind = 'c'))))", "kind = 'a' AND kind = 'b' aNd kind = 'c'"),
        ("last(metrics.a) > 1", "metrics.a>1"),
        ("MIN(metrics.`a`) > 1", "min ( metrics.a ) > 1"),
        ("tags.a NOT IN ('x')", "tags.a not in('x')"),
        ("metrics.a>=-1.5e3", "metrics.a >= -1500"),
        ("started_at > '2026-01-01'", "started_at > '2026-01-01T00:00:00Z'"),
        ("started_at > '2026-01-01 01:00+01:00'", "started_at > '2025-12-31T23:00:00.000-0100'"),
    ],
)
def test_these_say_the_same(text, same):
    assert parse_filter(text) == parse_filter(same)


@pytest.mark.parametrize(
    ("text", "group", "name"),
    [
        ("metrics.loss < 1", "metrics", "loss"),
        ("metrics.val.loss < 1", "metrics", "val.loss"),
        ("metrics.a-b/c_1.2<1", "metrics", "a-b/c_1.2"),
        ("metrics.and<1", "metrics", "and"),
        ("metrics.`val loss` < 1", "metrics", "val loss"),
        ("metrics.`a``b'\"` < 1", "metrics", "a`b'\""),
        ("params.größe = 1", "params", "größe"),
        ("tags.1st = 'x'", "tags", "1st"),
        ("number = 1", "run", "number"),
    ],
)
def test_names(text, group, name):
    assert comparison(text).operand == Operand(group, name)


@pytest.mark.parametrize(
    ("text", "number"),
    [("0.3", 0.3), (".5", 0.5), ("-1.", -1.0), ("+2e-3", 0.002), ("INF", math.inf), ("-infinity", -math.inf)],
)
def test_numbers(text, number):
    assert value(f"metrics.a = {text}") == number


def test_nan_is_a_number_to_compare_metrics_with():
    assert math.isnan(value("metrics.a = NaN"))


@pytest.mark.parametrize(
    ("text", "kind"), [("7", int), ("-7", int), ("7.0", float), ("1e2", float), ("9" * 30, float), ("9" * 5000, float)]
)
def test_whole_numbers_stay_whole_for_attributes_where_they_fit(text, kind):
    assert type(value(f"number = {text}")) is kind
    assert value(f"number = {text}") == float(text)


@pytest.mark.parametrize("quote", ["'", '"'])
@given(text=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
def test_any_text_can_be_quoted(quote, text):
    quoted = quote + text.replace(quote, quote * 2) + quote
    assert value(f"tags.a = {quoted}") == text


@given(name=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1))
def test_any_name_can_stand_in_backticks(name):
    quoted = name.replace("`", "``")
    assert comparison(f"params.`{quoted}` = 1").operand.name == name
    assert parse_order(f"params.`{quoted}` desc")[0].operand.name == name


@pytest.mark.parametrize(
    ("text", "micros"),
    [
        ("2026-01-01", NEW_YEAR_US),
        ("2026-01-02", NEW_YEAR_US + DAY_US),
        ("2026-01-01 00:01", NEW_YEAR_US + 60_000_000),
        ("2026-01-01T00:00:01.5", NEW_YEAR_US + 1_500_000),
        ("2026-01-01T00:00:00.000001z", NEW_YEAR_US + 1),
        ("2026-01-01 05:30 +05:30", NEW_YEAR_US),
        ("1969-12-31 23:59:59", -1_000_000),
    ],
)
def test_times_are_utc_unless_they_say(text, micros):
    assert value(f"started_at > '{text}'") == micros


def test_an_order_has_keys_with_directions_ascending_unless_said():
    keys = parse_order("metrics.loss, started_at DESC , min(metrics.a) asc,params.`b c` desc")
    assert [(key.operand.group, key.operand.name, key.operand.part, key.descending) for key in keys] == [
        ("metrics", "loss", "last", False),
        ("run", "started_at", "last", True),
        ("metrics", "a", "min", False),
        ("params", "b c", "last", True),
    ]


@pytest.mark.parametrize(
    ("pattern", "glob", "like"),
    [
        ("a%b_c", "a*b?c", "a%b_c"),
        (r"100\%", "100%", r"100\%"),
        (r"a\_b\\c", r"a_b\c", r"a\_b\\c"),
        ("*?[x]", "[*][?][[]x]", "*?[x]"),
        ("\\", "\\", "\\\\"),
        (r"\a", r"\a", r"\\a"),
    ],
)
def test_patterns_mean_the_same_to_both_operators(pattern, glob, like):
    assert glob_of(pattern) == glob
    assert like_of(pattern) == like


@given(pattern=st.text("a%_\\*"))
def test_a_pattern_for_like_reads_as_itself(pattern):
    assert list(pieces_of(like_of(pattern))) == list(pieces_of(pattern))
