"""Errors as replies, with the headers that tell a client what to do."""

from __future__ import annotations

import math

from starlette.responses import Response

from amlsdk.errors import AmlError, NotSignedIn
from amlsdk.server.limits import Busy, TooMany
from amlsdk.server.replies import fault_reply

__all__ = ["fault"]


def fault(error: AmlError) -> Response:
    """Return an error as a reply."""
    response = fault_reply(error)
    if isinstance(error, NotSignedIn):
        # RFC 6750, section 3.
        response.headers["www-authenticate"] = 'Bearer realm="amlsdk"'
    if isinstance(error, (Busy, TooMany)):
        response.headers["retry-after"] = str(max(1, math.ceil(error.retry_after_s)))
    return response
