"""The supervisor's end of the socket over which a worker is told what to do; `amlsdk.scoring` is the other."""

from __future__ import annotations

import contextlib
import itertools
import json
import select
import socket
import threading
from concurrent.futures import Future
from typing import Any

from amlsdk.errors import OperationFailed

__all__ = ["Control"]

_PIECE = 1 << 16
Message = dict[str, Any]


class Control:
    """Lines of JSON over a connected socket. One thread calls `receive`; any may call the rest.

    Args:
        connection: To the worker.
        also: A descriptor that `receive` looks at as well: it becomes readable when the worker has ended.
    """

    def __init__(self, connection: socket.socket, *, also: int | None = None) -> None:
        self._socket = connection
        self._watched = [connection.fileno()] + ([] if also is None else [also])
        self._numbers = itertools.count(1)
        self._asked: dict[int, Future[Message]] = {}
        self._lock = threading.Lock()
        self._rest = b""
        self._is_open = True

    def tell(self, do: str, **fields: Any) -> Future[Message]:
        """Say what to do; the answer comes with the future, or `OperationFailed` where there will be none."""
        answer: Future[Message] = Future()
        with self._lock:
            number = next(self._numbers)
            if self._is_open:
                self._asked[number] = answer
                try:
                    self._socket.sendall(json.dumps({"id": number, "do": do, **fields}).encode() + b"\n")
                except OSError:
                    self._is_open = False
        if not self._is_open:
            self.lose()
            if not answer.done():
                answer.set_exception(_gone())
        return answer

    def receive(self, timeout_s: float) -> list[Message] | None:
        """Return what the worker said unasked within so many seconds; None once it has ended or is cut off."""
        ready, _, _ = select.select(self._watched, [], [], max(0.0, timeout_s))
        if not ready:
            return []
        if self._socket.fileno() not in ready:
            return None
        try:
            piece = self._socket.recv(_PIECE)
        except OSError:
            piece = b""
        if not piece:
            return None
        *lines, self._rest = (self._rest + piece).split(b"\n")
        return [message for line in lines if (message := self._hear(line)) is not None]

    def hang_up(self) -> None:
        """Say nothing more: the worker drains and ends."""
        with self._lock:
            self._is_open = False
            # It may be gone.
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_WR)

    def lose(self) -> None:
        """Fail whoever still waits for an answer."""
        with self._lock:
            self._is_open = False
            waiting = list(self._asked.values())
            self._asked.clear()
        for answer in waiting:
            answer.set_exception(_gone())

    def close(self) -> None:
        """Close the socket."""
        self.lose()
        self._socket.close()

    def _hear(self, line: bytes) -> Message | None:
        message: Message = json.loads(line)
        if "id" not in message:
            return message
        with self._lock:
            answer = self._asked.pop(message["id"], None)
        if answer is not None:
            if message.get("ok"):
                answer.set_result(message)
            else:
                answer.set_exception(OperationFailed(str(message.get("error", "it refused"))))
        return None


def _gone() -> OperationFailed:
    return OperationFailed("the process ended before it answered")
