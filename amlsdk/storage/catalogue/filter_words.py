"""The words of a filter or an order with their places, and errors that point at one."""

from __future__ import annotations

import re
import unicodedata

import attrs

from amlsdk.errors import InvalidArgument
from amlsdk.records.names import check_text

__all__ = ["Sentence", "Word", "words_of"]

_MAX_BYTES = 64 * 1024
_SHOWN = 60

_WORD = re.compile(
    r"""
    (?P<space>\s+)
  | (?P<number>[+-]?(?:(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|(?i:inf|infinity|nan)(?![\w./-])))
  | (?P<name>[^\W\d][\w./-]*(?:`[^`]*(?:``[^`]*)*`)?)
  | (?P<text>'[^']*(?:''[^']*)*'|"[^"]*(?:""[^"]*)*")
  | (?P<symbol><=|>=|!=|==|<>|&&|\|\||[=<>(),!~&|;])
    """,
    re.VERBOSE,
)
_REASONS = {
    "'": "this quote is never closed (a quote inside a text is doubled)",
    '"': "this quote is never closed (a quote inside a text is doubled)",
    "`": "a name in backticks follows metrics., params. or tags., and is closed by a backtick",
}


@attrs.frozen
class Sentence:
    """A filter or an order as it was given.

    Args:
        text: All of it.
        what: What it is, for messages: `filter`, `order_by`.
    """

    text: str
    what: str

    def fault(self, place: int, problem: str) -> InvalidArgument:
        """Return an error that shows the text with a caret under the character at `place`."""
        start = max(0, place - _SHOWN)
        before, after = self.text[start:place], self.text[place : place + _SHOWN]
        left = "..." if start else ""
        right = "..." if place + _SHOWN < len(self.text) else ""
        shown = left + _printable(before + after) + right
        indent = " " * (len(left) + _width(_printable(before)))
        return InvalidArgument(f"{self.what}, character {place + 1}: {problem}\n  {shown}\n  {indent}^")


@attrs.frozen
class Word:
    """A word of a sentence.

    Args:
        kind: `name`, `number`, `text`, `symbol` or `end`.
        text: As it stands there; empty at the end.
        place: Of its first character.
    """

    kind: str
    text: str
    place: int

    @property
    def keyword(self) -> str:
        """The word in lower case where it is a name or a symbol, else nothing."""
        return self.text.lower() if self.kind in ("name", "symbol") else ""

    @property
    def shown(self) -> str:
        """The word for a message."""
        return repr(self.text if len(self.text) <= _SHOWN else self.text[:_SHOWN] + "...") if self.text else "the end"


def words_of(sentence: Sentence) -> list[Word]:
    """Return the words, the last of kind `end`.

    Raises:
        InvalidArgument: Too long, or something that is no word; the message points at it.
    """
    _check_size(sentence)
    words: list[Word] = []
    place = 0
    while place < len(sentence.text):
        match = _WORD.match(sentence.text, place)
        if match is None:
            raise _no_word(sentence, place)
        if match.lastgroup != "space":
            words.append(Word(str(match.lastgroup), match.group(), place))
        place = match.end()
    return [*words, Word("end", "", len(sentence.text))]


def _check_size(sentence: Sentence) -> None:
    check_text(sentence.text, what=sentence.what)
    size = len(sentence.text.encode())
    if size > _MAX_BYTES:
        raise InvalidArgument(f"{sentence.what} has {size} bytes; at most {_MAX_BYTES} are read")


def _no_word(sentence: Sentence, place: int) -> InvalidArgument:
    found = sentence.text[place]
    expected = f"a name, a number, a quoted text or an operator is expected, not {found!r}"
    return sentence.fault(place, _REASONS.get(found, expected))


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text)


def _width(text: str) -> int:
    """Columns of a terminal: East Asian characters take two, combining ones none."""
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text
    )
