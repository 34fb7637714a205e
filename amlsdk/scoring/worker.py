"""A process that serves a bundle: from its options to its end."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import secrets
import signal
import socket
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import msgspec

from amlsdk.errors import AmlError, InvalidArgument
from amlsdk.scoring.control import Control
from amlsdk.scoring.keys import keys_of
from amlsdk.scoring.openapi import openapi
from amlsdk.scoring.options import Options, read_options
from amlsdk.scoring.queue import FutureTicket, ScoringQueue
from amlsdk.scoring.service import Service, load_service
from amlsdk.sketches.counters import SUFFIX, Counters, read_traffic

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None, *, root: Path | None = None) -> NoReturn:
    """Serve a bundle until told to end; does not return.

    Args:
        arguments: The command line; that of this process where none is given.
        root: The bundle, where it is known already.
    """
    # As the first process of a container this one would otherwise not be ended by SIGTERM while it loads.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    try:
        options = read_options(sys.argv[1:] if arguments is None else arguments, os.environ, root=root)
        _runner()(_Worker(options).serve())
    except AmlError as error:
        _end(1, f"amlsdk: the service can't start: {error}")
    except KeyboardInterrupt:
        _end(0)
    except Exception as error:  # noqa: BLE001  # the supervisor shows the last lines to whoever asked for this service
        traceback.print_exc()
        _end(1, f"amlsdk: the service can't start: {type(error).__name__}: {error}")
    _end(0)


class _Worker:
    def __init__(self, options: Options) -> None:
        self._options = options
        # One thread, in which the script is loaded, and called where calls are long: some libraries want to be called
        # by the thread that loaded them.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="scoring")
        self._ending = asyncio.Event()

    async def serve(self) -> None:
        loop = asyncio.get_running_loop()
        options = self._options
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._ending.set)
        keys = keys_of(options.keys, os.environ, wanted=options.settings.keys)
        counters = _counters(options.traffic)
        # What serves is imported while the script is.
        loading = loop.run_in_executor(self._thread, _load, options.root)
        from amlsdk.scoring.desk import Desk
        from amlsdk.scoring.listening import Listening

        self._queue = ScoringQueue(options.settings, counters, thread=self._thread, loop=loop)
        traffic = counters.traffic if options.traffic is None else partial(read_traffic, options.traffic)
        self._desk = Desk(options.settings, keys, self._queue, traffic)
        self._listening = Listening(self._desk, _listener(options), loop=loop)
        control, following = await self._begin_control()
        if options.fd is None:
            # In a container probes are answered while the model is being loaded: alive, not ready.
            await self._listening.accept()
        if not await self._begin_scoring(loading):
            return
        if control is not None:
            control.say({"event": "loaded"})
        await self._ending.wait()
        await self._listening.drain(options.settings.drain_s)
        if following is not None:
            following.cancel()

    async def _begin_scoring(self, loading: asyncio.Future[tuple[Service, float]]) -> bool:
        """Begin to score as soon as the service is loaded; return whether it is to go on."""
        ending = asyncio.ensure_future(self._ending.wait())
        await asyncio.wait((loading, ending), return_when=asyncio.FIRST_COMPLETED)
        if not loading.done():
            return False
        ending.cancel()
        service, sample_s = loading.result()
        # What is loaded stays: the collector need not look at it again and again while requests wait.
        gc.freeze()
        self._desk.openapi = msgspec.json.encode(openapi(service.spec, keys=self._desk.has_keys))
        self._queue.begin(service, in_thread=not _works_here(service, sample_s), sample_s=sample_s)
        return True

    async def _begin_control(self) -> tuple[Control | None, asyncio.Task[None] | None]:
        if self._options.control_fd is None:
            return None, None
        orders = {"score": self._score, "accept": self._accept, "drain": self._drain, "stats": self._stats}
        control = Control(socket.socket(fileno=self._options.control_fd), orders)
        reader = await control.connect()

        async def follow() -> None:
            await control.follow(reader)
            self._ending.set()

        return control, asyncio.ensure_future(follow())

    async def _score(self, order: Mapping[str, Any]) -> Mapping[str, Any]:
        ticket = FutureTicket(asyncio.get_running_loop())
        ticket.counted = False
        self._queue.submit(ticket, json.dumps(order["body"]).encode())
        reply = await ticket.reply
        return {"status": reply.status, "body": json.loads(reply.body)}

    async def _accept(self, _: Mapping[str, Any]) -> Mapping[str, Any]:
        await self._listening.accept()
        return {}

    async def _drain(self, order: Mapping[str, Any]) -> Mapping[str, Any]:
        await self._listening.drain(float(order.get("grace_s", self._options.settings.drain_s)))
        return {}

    async def _stats(self, _: Mapping[str, Any]) -> Mapping[str, Any]:
        queue = self._queue
        return {"connections": self._listening.connections, "in_flight": queue.in_flight, "waiting": queue.waiting}


def _load(root: Path) -> tuple[Service, float]:
    try:
        service = load_service(root)
    except SystemExit as error:
        raise InvalidArgument(f"the scoring script ends the process as it is loaded: SystemExit({error})") from error
    # Twice: the first call imports and allocates what later ones find.
    service.check_sample()
    began = time.perf_counter()
    service.check_sample()
    return service, time.perf_counter() - began


def _works_here(service: Service, sample_s: float) -> bool:
    """Return whether the script may be called by this thread, which did not load it."""
    if sample_s > 1:
        return False
    try:
        service.check_sample()
    except InvalidArgument:
        print("amlsdk: `run` works only in the thread that called `init`: all calls are made there", file=sys.stderr)  # noqa: T201
        return False
    return True


def _counters(folder: Path | None) -> Counters:
    if folder is None:
        return Counters(None)
    folder.mkdir(parents=True, exist_ok=True)
    return Counters(folder / f"{os.getpid()}-{secrets.token_hex(4)}{SUFFIX}")


def _listener(options: Options) -> socket.socket:
    if options.fd is not None:
        return socket.socket(fileno=options.fd)
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    # asyncio turns Nagle's algorithm off only where the protocol is named; with it a reply takes 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((options.host, options.port))
    except OSError as error:
        raise InvalidArgument(f"port {options.port} of {options.host} can't be had: {error.strerror}") from error
    print(f"amlsdk: listening at {listener.getsockname()[0]} port {listener.getsockname()[1]}", flush=True)  # noqa: T201
    return listener


def _runner() -> Any:
    with contextlib.suppress(ImportError):
        import uvloop

        return uvloop.run
    return asyncio.run


def _end(code: int, line: str = "") -> NoReturn:
    if line:
        print(line, file=sys.stderr)  # noqa: T201
    # Not by `sys.exit`: a call of `run` that hangs in the thread would be waited for.
    with contextlib.suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)
