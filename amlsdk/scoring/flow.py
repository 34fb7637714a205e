"""When a connection is read from: not while requests wait that came already, or while answers are not taken."""

from __future__ import annotations

import asyncio
from collections.abc import Sized

from uvicorn.protocols.http.flow_control import FlowControl

__all__ = ["Flow"]


class Flow(FlowControl):
    """uvicorn's flow control, held back.

    uvicorn reads on after each answer, and whenever an application asks for a body: a client that sends requests
    without end and reads no answers would fill the memory with them.

    Args:
        transport: Of the connection.
        pipeline: Requests that came before an earlier one was answered.
    """

    def __init__(self, transport: asyncio.Transport, pipeline: Sized) -> None:
        super().__init__(transport)
        self._pipeline = pipeline

    def resume_reading(self) -> None:
        """Read on, if there is nothing to be done first."""
        if not self._pipeline and not self.write_paused:
            super().resume_reading()
