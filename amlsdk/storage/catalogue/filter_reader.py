"""Reads the words of a filter or an order one after the other."""

from __future__ import annotations

from amlsdk.errors import InvalidArgument
from amlsdk.storage.catalogue.filter_words import Sentence, Word, words_of

__all__ = ["Reader"]


class Reader:
    """A place in a sentence.

    Args:
        text: The sentence.
        what: What it is, for messages.
    """

    def __init__(self, text: str, what: str) -> None:
        self._sentence = Sentence(text, what)
        self._words = words_of(self._sentence)
        self._next = 0

    def peek(self) -> Word:
        """Return the next word and stay before it."""
        return self._words[self._next]

    def take(self) -> Word:
        """Return the next word and go past it; the end is never passed."""
        word = self._words[self._next]
        self._next = min(self._next + 1, len(self._words) - 1)
        return word

    def skip(self, keyword: str) -> bool:
        """Go past the next word if it is this one, and say whether it was."""
        if self.peek().keyword != keyword:
            return False
        self.take()
        return True

    def expect(self, keyword: str, *, why: str = "") -> None:
        """Go past the next word, which must be this one.

        Raises:
            InvalidArgument: It is another.
        """
        word = self.peek()
        if not self.skip(keyword):
            raise self.fault(word, f"{keyword!r} is expected{why}, not {word.shown}")

    def fault(self, word: Word, problem: str) -> InvalidArgument:
        """Return an error that points at a word."""
        return self._sentence.fault(word.place, problem)
