"""Scoring once, in this process, without HTTP: what a manifest's check of its script does."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from amlsdk.errors import AmlError, InvalidArgument, OperationFailed
from amlsdk.scoring.replies import Reply
from amlsdk.scoring.service import load_service

__all__ = ["score_once"]

_OK, _CLIENT_ERRORS = 200, range(400, 500)


def score_once(root: Path, body: Mapping[str, Any]) -> dict[str, Any]:
    """Load a bundle and score one request as the service would; the working folder becomes `app`.

    Args:
        root: The bundle.
        body: The request.

    Returns:
        The answer: `{"result": ...}`.

    Raises:
        InvalidArgument: The request is not as the contract has it, or `run` refused it.
        OperationFailed: `run` failed; its traceback was written to standard error.
    """
    reply = load_service(root).score_body(msgspec.json.encode(body))
    answer: dict[str, Any] = msgspec.json.decode(reply.body)
    if reply.status == _OK:
        return answer
    raise _error(reply, answer["message"])


def _error(reply: Reply, message: str) -> AmlError:
    return InvalidArgument(message) if reply.status in _CLIENT_ERRORS else OperationFailed(message)
