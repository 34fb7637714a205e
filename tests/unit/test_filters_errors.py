"""A wrong filter or order is refused with its place and what was expected there."""

from __future__ import annotations

import pytest

from amlsdk.errors import InvalidArgument
from amlsdk.storage.catalogue.filters import parse_filter
from amlsdk.storage.catalogue.orderings import parse_order

# The caret line says where the message must point; the words are what it must say.
WRONG_FILTERS = [
    ("status = Completed", "         ^", "a text is quoted: 'Completed'"),
    ("status = 'x", "         ^", "this quote is never closed"),
    ('status = "x', "         ^", "this quote is never closed"),
    ("status <> 'x'", "       ^", "did you mean !=?"),
    ("status 'x'", "       ^", "a comparison (=, !=, <, <=, >, >=, in, like, is null) is expected"),
    ("status = 5", "         ^", "status is a text; quote the value: '5'"),
    ("status = null", "         ^", "write `is null` or `is not null`"),
    ("status = tags.owner", "         ^", "a value is expected, not a name"),
    ("status like 5", "            ^", "a pattern in quotes is expected"),
    ("status not = 'x'", "           ^", "'in', 'like' or 'ilike' is expected"),
    ("status is nil", "          ^", "'null' is expected (or 'not null') after 'is'"),
    ("status is not 5", "              ^", "'null' is expected after 'is not'"),
    ("status in 'a'", "          ^", "'(' is expected before the values, as in ('a', 'b')"),
    ("status in ()", "           ^", "a value is expected"),
    ("status in ('a' 'b')", "               ^", "')' is expected or ','"),
    ("exit_code = '0'", "            ^", "'exit_code' compares with numbers; write one without quotes"),
    ("exit_code = nan", "            ^", "is never nan"),
    ("exit_code like '0'", "          ^", "like is for texts, and 'exit_code' is a number"),
    ("started_at > 2026", "             ^", "started_at is a time; write it in quotes"),
    ("started_at > '2026-02-30'", "             ^", "a time is expected, such as '2026-01-31'"),
    ("started_at > 'yesterday'", "             ^", "a time is expected"),
    ("started_at > '0001-01-01 00:00+14:99'", "             ^", "a time is expected"),
    ("metrics.loss < '0.3'", "               ^", "'loss' compares with numbers; write one without quotes"),
    ("metrics.loss < nan", "               ^", "compare by = or !="),
    ("params.depth = nan", "               ^", "write 'nan'"),
    ("count(metrics.loss) = nan", "                      ^", "is never nan"),
    ("metrics.loss <", "              ^", "a value is expected (0.3, 'a text', '2026-01-31'), not the end"),
    ("metrics.loss < 0.3 metrics.a > 1", "                   ^", "'and', 'or' or the end is expected, not 'metrics.a'"),
    ("metrics.loss < 0.3 && kind = 'x'", "                   ^", "did you mean and?"),
    ("metrics.loss < 0.3)", "                  ^", "'and', 'or' or the end is expected, not ')'"),
    ("(kind = 'x' or (kind = 'y'", "                          ^", "the ')' of the '(' at character 16 is expected"),
    ("metrics. = 1", "^", "metrics.`a name`"),
    ("metrics.`` = 1", "^", "a name is expected after metrics."),
    ("metrics.val`loss` = 1", "^", "stands in them whole: metrics.`valloss`"),
    ("metrics.`loss = 1", "        ^", "closed by a backtick"),
    ("kind = 'x' and metric.loss < 1", "               ^", "did you mean metrics.loss?"),
    ("parameters.depth = 1", "^", "did you mean params.depth?"),
    ("xyz.depth = 1", "^", "names are those of metrics., params. and tags."),
    ("run.status = 'x'", "^", "did you mean status?"),
    ("start_time > '2026-01-01'", "^", "did you mean started_at?"),
    ("statsu = 'x'", "^", "did you mean status?"),
    ("colour = 'x'", "^", "Attributes are id, name, number, status, kind,"),
    ("avg(metrics.loss) < 1", "^", "there are last, min, max, count"),
    ("min(params.depth) < 1", "    ^", "min(metrics.loss)"),
    ("min(min(metrics.a)) < 1", "    ^", "min(metrics.loss)"),
    ("min(metrics.loss < 1", "                 ^", "')' is expected"),
    ("0.3 > metrics.loss", "^", "a name is expected"),
    ("!status = 'x'", "^", "did you mean not?"),
    ("not", "   ^", "a name is expected"),
    ("kind = 'x' and or kind = 'y'", "               ^", "a name is expected"),
    ("kind = 'x'; drop table run", "          ^", "did you mean and?"),
    ("kind = 'x' -- and", "           ^", "a name, a number, a quoted text or an operator is expected, not '-'"),
    ("\tkind\n= x", "        ^", "a text is quoted: 'x'"),
    ("tags.日本 = x", "            ^", "a text is quoted: 'x'"),
]
WRONG_ORDERS = [
    ("metrics.loss up", "             ^", "'asc', 'desc', ',' or the end is expected, not 'up'"),
    ("metrics.loss asc desc", "                 ^", "',' or the end is expected, not 'desc'"),
    ("metrics.loss,", "             ^", "a name is expected"),
    ("metrics.loss, los", "              ^", "a run has no attribute 'los'"),
    ("id, " * 8 + "id", " " * 32 + "^", "an order has at most 8 keys"),
]


def refusal(read, text):
    with pytest.raises(InvalidArgument) as caught:
        read(text)
    message, shown, caret = str(caught.value).rsplit("\n", 2)
    assert shown.startswith("  ")
    assert caret.startswith("  ")
    return message, shown[2:], caret[2:]


@pytest.mark.parametrize(("text", "caret", "words"), WRONG_FILTERS, ids=[case[0] for case in WRONG_FILTERS])
def test_a_wrong_filter_is_shown_with_a_caret_under_the_fault(text, caret, words):
    message, shown, found = refusal(parse_filter, text)
    assert words in message
    assert message.startswith("filter, character ")
    assert shown == text.replace("\t", " ").replace("\n", " ")
    assert found == caret


@pytest.mark.parametrize(("text", "caret", "words"), WRONG_ORDERS, ids=[case[0] for case in WRONG_ORDERS])
def test_a_wrong_order_is_shown_with_a_caret_under_the_fault(text, caret, words):
    message, _, found = refusal(parse_order, text)
    assert words in message
    assert message.startswith("order_by, character ")
    assert found == caret


def test_of_a_long_filter_only_what_is_around_the_fault_is_shown():
    text = "kind = 'x' and " * 40 + "kind = oops" + " and kind = 'x'" * 40
    message, shown, caret = refusal(parse_filter, text)
    assert message.startswith("filter, character 608: ")
    assert shown.startswith("...")
    assert shown.endswith("...")
    assert len(shown) < 140
    assert shown[len(caret) - 1 :].startswith("oops")


def test_a_filter_of_more_than_64_kib_is_refused():
    fits = "kind = 'x'".ljust(64 * 1024)
    assert parse_filter(fits) is not None
    with pytest.raises(InvalidArgument, match="has 65537 characters"):
        parse_filter(fits + " ")
    with pytest.raises(InvalidArgument, match="has 65547 bytes"):
        parse_filter("tags.x = '" + "ä" * 32_768 + "'")


@pytest.mark.parametrize("text", ["kind = 'a\0b'", "kind = '\ud800'"])
def test_a_filter_with_what_no_database_keeps_is_refused(text):
    with pytest.raises(InvalidArgument, match="filter has"):
        parse_filter(text)


def test_a_thousand_terms_are_read_and_one_more_is_refused():
    assert parse_filter(" or ".join(["kind = 'x'"] * 1000)) is not None
    _, _, caret = refusal(parse_filter, " or ".join(["kind = 'x'"] * 1001))
    assert len(caret) > 60
    assert parse_filter(f"number in ({', '.join(['1'] * 1000)})") is not None
    message, _, _ = refusal(parse_filter, f"number in ({', '.join(['1'] * 1001)})")
    assert "at most 1000 comparisons and values" in message


@pytest.mark.parametrize("opened", ["(", "not ", "not ("])
def test_a_hundred_levels_are_read_and_one_more_is_refused(opened):
    levels = 50 if opened == "not (" else 100
    closed = ")" * levels if "(" in opened else ""
    assert parse_filter(opened * levels + "kind = 'x'" + closed) is not None
    message, _, _ = refusal(parse_filter, opened * (levels + 1) + "kind = 'x'" + closed + ")")
    assert "at most 100 parentheses and `not`" in message


@pytest.mark.parametrize("text", ["(" * 60_000, "not " * 16_000, "min(" * 16_000, "(not " * 13_000])
def test_no_depth_of_nesting_exhausts_the_stack(text):
    with pytest.raises(InvalidArgument):
        parse_filter(text)
