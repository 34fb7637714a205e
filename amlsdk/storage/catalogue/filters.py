r"""The filter language: `metrics.loss < 0.3 and params.depth = 4 and tags.owner in ('a', 'b')`.

Grammar, keywords in either case::

    condition   both {"or" both}
    both        one {"and" one}
    one         "not" one | "(" condition ")" | comparison
    comparison  operand ("=" | "!=" | "<" | "<=" | ">" | ">=") value
                operand ["not"] "in" "(" value {"," value} ")"
                operand ["not"] ("like" | "ilike") text
                operand "is" ["not"] "null"
    operand     "metrics." name | "params." name | "tags." name | attribute
                ("last" | "min" | "max" | "count") "(" "metrics." name ")"
    name        letters, digits and _ . - /, or anything in backticks

Values are numbers (also nan, inf, -inf), quoted texts, and quoted times in ISO 8601 form (UTC unless they say).
An unquoted number compares as a number, also with params and tags; a quoted one as a text. Texts compare by code
point; in patterns `%` stands for any text, `_` for a character, and `\` takes that meaning from the next one.

What a run lacks satisfies nothing but `is null`: no comparison, also not `!=`, `not in` and `not like`. Nor does a
param or tag that does not read as a finite number satisfy a comparison with one. A metric that is NaN satisfies
`= nan` alone. But `not` turns a whole condition around: `not params.depth = 4` holds for runs without that param.
"""

from __future__ import annotations

import math

from amlsdk.storage.catalogue.filter_names import read_operand
from amlsdk.storage.catalogue.filter_reader import Reader
from amlsdk.storage.catalogue.filter_terms import (
    Comparison,
    Condition,
    Leaf,
    Matching,
    Membership,
    Operand,
    Presence,
    Value,
    either,
    every,
    negated,
)
from amlsdk.storage.catalogue.filter_values import read_text, read_value
from amlsdk.storage.catalogue.filter_words import Word

__all__ = ["parse_filter"]

_MAX_TERMS = 1000
_MAX_NESTING = 100
_MAX_PATTERN = 1000
_OPERATORS = {"=": "=", "==": "=", "!=": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
_EXPECTED = "a comparison (=, !=, <, <=, >, >=, in, like, is null) is expected"
_INSTEAD = {"<>": "!=", "&&": "and", "&": "and", "||": "or", "|": "or", "!": "not", "~": "like", ";": "and", ",": "and"}


def parse_filter(text: str | None) -> Condition | None:
    """Return what a filter says; None where it says nothing.

    Raises:
        InvalidArgument: It can't be read; the message shows the place and what is expected there. Or it is longer
            than 64 KiB, has over 1000 terms, or over 100 levels of parentheses and `not`.
    """
    if text is None or not text.strip():
        return None
    return _Parser(Reader(text, "filter")).whole()


class _Parser:
    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._terms = 0
        self._nesting = 0

    def whole(self) -> Condition:
        condition = self._condition()
        word = self._reader.peek()
        if word.kind != "end":
            raise self._unexpected(word, "'and', 'or' or the end is expected")
        return condition

    def _condition(self) -> Condition:
        """Read up to a closing parenthesis or the end. One frame a level, so that depth is bounded by us alone."""
        choices = [[self._one()]]
        while True:
            if self._reader.skip("and"):
                choices[-1].append(self._one())
            elif self._reader.skip("or"):
                choices.append([self._one()])
            else:
                return either(map(every, choices))

    def _one(self) -> Condition:
        turns = 0
        word = self._reader.peek()
        while self._reader.skip("not"):
            turns += 1
            self._deeper(word, turns)
        word = self._reader.peek()
        if self._reader.skip("("):
            self._nesting += turns + 1
            self._deeper(word)
            condition = self._condition()
            self._nesting -= turns + 1
            self._close(word)
        else:
            condition = self._comparison()
        return negated(condition) if turns % 2 else condition

    def _deeper(self, word: Word, more: int = 0) -> None:
        if self._nesting + more > _MAX_NESTING:
            raise self._reader.fault(word, f"at most {_MAX_NESTING} parentheses and `not` may stand in each other")

    def _close(self, opened: Word) -> None:
        word = self._reader.peek()
        if not self._reader.skip(")"):
            why = f"'and', 'or' or the ')' of the '(' at character {opened.place + 1} is expected"
            raise self._unexpected(word, why)

    def _unexpected(self, word: Word, expected: str) -> Exception:
        instead = _INSTEAD.get(word.text)
        hint = f"; did you mean {instead}?" if instead else ""
        return self._reader.fault(word, f"{expected}, not {word.shown}{hint}")

    def _comparison(self) -> Leaf:
        word = self._reader.peek()
        if word.text in _INSTEAD:
            raise self._unexpected(word, "a name, 'not' or '(' is expected")
        self._count(word)
        operand = read_operand(self._reader)
        word = self._reader.peek()
        if word.kind == "symbol" and word.text in _OPERATORS:
            return self._ordinary(operand)
        if self._reader.skip("is"):
            return self._presence(operand)
        return self._worded(operand, turned=self._reader.skip("not"))

    def _worded(self, operand: Operand, *, turned: bool) -> Leaf:
        word = self._reader.take()
        if word.keyword == "in":
            return Membership(operand, self._values(operand), turned)
        if word.keyword in ("like", "ilike"):
            return self._matching(operand, word, turned=turned)
        raise self._unexpected(word, "'in', 'like' or 'ilike' is expected" if turned else _EXPECTED)

    def _ordinary(self, operand: Operand) -> Comparison:
        operator = _OPERATORS[self._reader.take().text]
        word = self._reader.peek()
        value = read_value(self._reader, operand)
        if operator not in ("=", "!=") and isinstance(value, float) and math.isnan(value):
            raise self._reader.fault(word, "nan is neither less nor greater than a number; compare by = or !=")
        return Comparison(operand, operator, value)

    def _presence(self, operand: Operand) -> Presence:
        present = self._reader.skip("not")
        self._reader.expect("null", why=" after 'is not'" if present else " (or 'not null') after 'is'")
        return Presence(operand, present)

    def _values(self, operand: Operand) -> tuple[Value, ...]:
        self._reader.expect("(", why=" before the values, as in ('a', 'b')")
        values = [read_value(self._reader, operand)]
        while self._reader.skip(","):
            self._count(self._reader.peek())
            values.append(read_value(self._reader, operand))
        self._reader.expect(")", why=" or ','")
        return tuple(values)

    def _matching(self, operand: Operand, word: Word, *, turned: bool) -> Matching:
        if operand.kind not in ("text", "any"):
            raise self._reader.fault(word, f"{word.keyword} is for texts, and {operand.name!r} is a {operand.kind}")
        place, pattern = read_text(self._reader, "a pattern")
        if len(pattern) > _MAX_PATTERN:
            raise self._reader.fault(place, f"a pattern has at most {_MAX_PATTERN} characters, not {len(pattern)}")
        return Matching(operand, pattern, turned, ignore_case=word.keyword == "ilike")

    def _count(self, word: Word) -> None:
        self._terms += 1
        if self._terms > _MAX_TERMS:
            raise self._reader.fault(word, f"a filter has at most {_MAX_TERMS} comparisons and values")
