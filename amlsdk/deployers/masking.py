"""What a supervisor says itself, without the values of secrets."""

from __future__ import annotations

import logging

from amlsdk.storage.secrets.masking import Mask

__all__ = ["mask_log"]


def mask_log(logger: logging.Logger, mask: Mask) -> None:
    """Have the present handlers of a logger mask what they write: an answer to a sample may have anything in it."""
    for handler in logger.handlers:
        handler.setFormatter(_Masked(handler.formatter or logging.Formatter(), mask))


class _Masked(logging.Formatter):
    def __init__(self, inner: logging.Formatter, mask: Mask) -> None:
        super().__init__()
        self._inner, self._mask = inner, mask

    def format(self, record: logging.LogRecord) -> str:
        return self._mask.text(self._inner.format(record))
