"""Answers to scoring requests, before they are written to a connection."""

from __future__ import annotations

import json

import attrs

__all__ = ["JSON", "Problem", "Refused", "Reply", "refusal"]

JSON = b"application/json"

Headers = tuple[tuple[bytes, bytes], ...]


@attrs.define
class Reply:
    """An answer.

    Args:
        status: Of HTTP.
        body: As it is sent.
        headers: Beside those that say what the body is and how long.
        content_type: Of the body.
    """

    status: int
    body: bytes
    headers: Headers = ()
    content_type: bytes = JSON


class Refused(Exception):
    """A request is answered with an error; the answer is `reply`."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status)
        self.reply = reply


class Problem(Exception):
    """A value is not as the schema has it; the message says where, what was expected and what was found."""


def refusal(status: int, code: str, message: str, headers: Headers = ()) -> Reply:
    """Return an answer that says what is wrong, as `{"code": ..., "message": ...}`."""
    return Reply(status, json.dumps({"code": code, "message": message}).encode(), headers)
