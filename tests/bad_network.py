"""A network that fails on demand: a proxy between clients and a server."""

import asyncio
import contextlib
import socket
import threading

_PIECE = 64 << 10


class BadNetwork:
    """Passes connections on to a port of this machine: `cut`, `stall` and `slow` are how it fails, `mend` ends that.

    Args:
        port: Of the server.
    """

    def __init__(self, port):
        self._target = port
        self._delay_s = 0.0
        self._is_cut = False
        self._open, self._tasks = set(), set()
        self._loop = asyncio.new_event_loop()
        self._flows = asyncio.Event()
        self._flows.set()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=200)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._run, name="bad-network")
        self._thread.start()

    def cut(self):
        """Reset what is open, and whatever comes."""
        self._do(self._cut)

    def stall(self):
        """Take connections and bytes, and pass nothing on."""
        self._do(self._flows.clear)

    def slow(self, delay_s):
        """Let each piece take so long."""
        self._do(lambda: setattr(self, "_delay_s", delay_s))

    def mend(self, *, reset=False):
        """Pass everything on again; with `reset`, what was open meanwhile is lost."""
        self._do(lambda: self._mend(reset))

    def close(self):
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self):
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._take, sock=self._listener))
        self._loop.run_forever()
        server.close()
        self._loop.close()

    async def _end(self):
        self._cut()
        # One that passes nothing on never ends by itself.
        for task in self._tasks:
            task.cancel()
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _do(self, what):
        done = threading.Event()
        self._loop.call_soon_threadsafe(lambda: (what(), done.set()))
        done.wait()

    def _cut(self):
        self._is_cut = True
        self._reset()

    def _reset(self):
        for writer in self._open:
            writer.transport.abort()

    def _mend(self, reset):
        if reset:
            self._reset()
        self._is_cut, self._delay_s = False, 0.0
        self._flows.set()

    async def _take(self, reader, writer):
        task = asyncio.current_task()
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if self._is_cut:
            writer.transport.abort()
            return
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            return
        self._open |= {writer, far_writer}
        try:
            # What is reset on one side is reset on the other, as the first error ends both ways.
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await asyncio.gather(self._pass(reader, far_writer), self._pass(far_reader, writer))
        finally:
            self._open -= {writer, far_writer}
            for each in (writer, far_writer):
                each.transport.abort()

    async def _pass(self, reader, writer):
        while piece := await reader.read(_PIECE):
            await self._flows.wait()
            if self._delay_s:
                await asyncio.sleep(self._delay_s)
            writer.write(piece)
            await writer.drain()
        writer.write_eof()
