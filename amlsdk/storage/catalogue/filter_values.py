"""The values of a filter: numbers, texts and times, each where it can be meant."""

from __future__ import annotations

import datetime as dt
import math
import re

from amlsdk.storage.catalogue.filter_reader import Reader
from amlsdk.storage.catalogue.filter_terms import RUN, Operand, Value
from amlsdk.storage.catalogue.filter_words import Word
from amlsdk.storage.catalogue.times import to_us

__all__ = ["read_text", "read_value"]

_INT64_DIGITS = 18
_TIME = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})"
    r"(?:[Tt ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,6}))?)?(?: ?(Z|z|[+-][0-9]{2}:?[0-5][0-9]))?)?"
)


def read_value(reader: Reader, operand: Operand) -> Value:
    """Read what an operand is compared with: a float or int, a text, or a time as microseconds since 1970 UTC.

    Raises:
        InvalidArgument: There is none, or it is not of the kind that the operand compares as.
    """
    word = reader.take()
    if word.kind == "number":
        return _number(reader, operand, word)
    if word.kind == "text":
        return _text_or_time(reader, operand, word)
    if word.keyword == "null":
        raise reader.fault(word, "nothing compares with null; write `is null` or `is not null`")
    if word.kind == "name" and "." in word.text:
        raise reader.fault(word, f"a value is expected, not a name; a text is quoted: '{word.text}'")
    if word.kind == "name":
        raise reader.fault(word, f"a value is expected; a text is quoted: '{word.text}'")
    raise reader.fault(word, f"a value is expected (0.3, 'a text', '2026-01-31'), not {word.shown}")


def read_text(reader: Reader, what: str) -> tuple[Word, str]:
    """Read a quoted text.

    Raises:
        InvalidArgument: Something else stands there.
    """
    word = reader.take()
    if word.kind != "text":
        raise reader.fault(word, f"{what} in quotes is expected, not {word.shown}")
    return word, _unquoted(word)


def _number(reader: Reader, operand: Operand, word: Word) -> Value:
    if operand.kind == "text":
        raise reader.fault(word, f"{operand.name} is a text; quote the value: '{word.text}'")
    if operand.kind == "time":
        raise reader.fault(word, f"{operand.name} is a time; write it in quotes: '2026-01-31' or '2026-01-31 18:30'")
    number = float(word.text)
    if math.isnan(number) and (operand.group != "metrics" or operand.part == "count"):
        hint = "is never nan" if operand.group in (RUN, "metrics") else "is nan only as a text; write 'nan'"
        raise reader.fault(word, f"{operand.name!r} {hint}")
    if operand.group != RUN:
        return number
    digits = word.text.lstrip("+-")
    return int(word.text) if digits.isdigit() and len(digits) <= _INT64_DIGITS else number


def _text_or_time(reader: Reader, operand: Operand, word: Word) -> Value:
    text = _unquoted(word)
    if operand.kind == "number":
        raise reader.fault(word, f"{operand.name!r} compares with numbers; write one without quotes")
    return _time(reader, word, text) if operand.kind == "time" else text


def _time(reader: Reader, word: Word, text: str) -> int:
    match = _TIME.fullmatch(text.strip())
    try:
        if match is None:
            raise ValueError("another form")  # noqa: TRY301  # one way out for all that is no time
        year, month, day, hour, minute, second = (int(part or 0) for part in match.groups()[:6])
        micros = int((match[7] or "").ljust(6, "0"))
        moment = dt.datetime(year, month, day, hour, minute, second, micros, tzinfo=_zone(match[8]))
    except ValueError as error:
        problem = "a time is expected, such as '2026-01-31', '2026-01-31 18:30' or '2026-01-31T18:30:00.5+01:00'"
        raise reader.fault(word, problem) from error
    return to_us(moment)


def _zone(text: str | None) -> dt.timezone:
    if text is None or text in "Zz":
        return dt.timezone.utc
    offset = dt.timedelta(hours=int(text[1:3]), minutes=int(text[-2:]))
    return dt.timezone(-offset if text[0] == "-" else offset)


def _unquoted(word: Word) -> str:
    quote = word.text[0]
    return word.text[1:-1].replace(quote * 2, quote)
