"""A load of requests at a steady rate, over connections that are kept and over new ones."""

from __future__ import annotations

import asyncio
import collections
import threading
import time

__all__ = ["Load", "LoadThread"]

_ANSWER_S = 15.0


class Load:
    """Sends `POST /score` at a rate, half over kept connections and half each over a new one.

    A kept connection is left where its server says `Connection: close`, as HTTP wants it (RFC 9112, section 9.6).
    Whatever is not an answer with status 200 is a failure.

    Attributes:
        answers: How often each body was the answer.
        failures: What went wrong, as text, with its time since the beginning.
        seconds: How long each answer took.
    """

    def __init__(self, port: int, body: bytes, *, key: str, rate: float, kept: int = 4) -> None:
        self.answers: collections.Counter[bytes] = collections.Counter()
        self.failures: list[tuple[float, str]] = []
        self.seconds: list[float] = []
        self._port, self._rate, self._kept = port, rate, kept
        head = (
            "POST /score HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            f"Authorization: Bearer {key}\r\nContent-Length: {len(body)}\r\n"
        )
        self._keeping = f"{head}\r\n".encode() + body
        self._closing = f"{head}Connection: close\r\n\r\n".encode() + body
        self._stop = False

    def stop(self) -> None:
        """Send no more."""
        self._stop = True

    async def run(self) -> None:
        """Send until told to stop, and wait for the last answers."""
        self._begun = time.monotonic()
        each = self._kept / (self._rate / 2)
        await asyncio.gather(self._new_ones(2 / self._rate), *(self._keep(each) for _ in range(self._kept)))

    async def _new_ones(self, pause: float) -> None:
        waiting: set[asyncio.Task[None]] = set()
        async for _ in self._ticks(pause):
            task = asyncio.create_task(self._once())
            waiting.add(task)
            task.add_done_callback(waiting.discard)
        await asyncio.gather(*waiting)

    async def _once(self) -> None:
        writer = None
        begun = time.monotonic()
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
            writer.write(self._closing)
            await self._answer(reader, begun)
        except (OSError, EOFError, asyncio.TimeoutError) as error:
            self._fail(f"new connection: {error!r}")
        finally:
            if writer is not None:
                writer.close()

    async def _keep(self, pause: float) -> None:
        reader = writer = None
        async for _ in self._ticks(pause):
            begun = time.monotonic()
            try:
                if writer is None:
                    reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
                writer.write(self._keeping)
                is_last = await self._answer(reader, begun)
            except (OSError, EOFError, asyncio.TimeoutError) as error:
                self._fail(f"kept connection: {error!r}")
                is_last = True
            if is_last and writer is not None:
                writer.close()
                writer = None
        if writer is not None:
            writer.close()

    async def _ticks(self, pause: float):
        due = time.monotonic()
        while not self._stop:
            yield
            due += pause
            await asyncio.sleep(max(0.0, due - time.monotonic()))

    async def _answer(self, reader: asyncio.StreamReader, begun: float) -> bool:
        head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), _ANSWER_S)).lower()
        _, _, rest = head.partition(b"content-length:")
        body = await reader.readexactly(int(rest.partition(b"\r\n")[0]))
        self.seconds.append(time.monotonic() - begun)
        self.answers[body] += 1
        if not head.startswith(b"http/1.1 200"):
            self._fail(f"{head[9:12].decode()} {body[:200]!r}")
        return b"connection: close" in head

    def _fail(self, what: str) -> None:
        self.failures.append((round(time.monotonic() - self._begun, 3), what))


class LoadThread:
    """A load in a thread of its own, as a context manager."""

    def __init__(self, *arguments, **options) -> None:
        self.load = Load(*arguments, **options)
        self._thread = threading.Thread(target=lambda: asyncio.run(self.load.run()))

    def __enter__(self) -> Load:
        self._thread.start()
        return self.load

    def __exit__(self, *_: object) -> None:
        self.load.stop()
        self._thread.join()
