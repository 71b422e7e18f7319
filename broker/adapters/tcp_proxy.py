"""A TCP proxy on loopback that misbehaves on purpose: latency, cut, stall, refuse, random cuts.

with TcpProxy(broker_port) as proxy:
    connect(proxy.port)
    proxy.cut()          # every connection dies with a reset
    proxy.allow(False)   # new ones are refused until allow(True)
    proxy.stall(True)    # half-open: bytes are taken and go nowhere until stall(False)
"""

import asyncio
import contextlib
import random
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

CHUNK_BYTES = 64 * 1024
RESET_ON_CLOSE = struct.pack("ii", 1, 0)
Result = TypeVar("Result")


@dataclass(eq=False)
class _Pair:
    """One connection through the proxy: two streams and the bytes that crossed so far."""

    writers: list[asyncio.StreamWriter] = field(default_factory=list)
    number: int = 0
    crossed_bytes: int = 0
    cut_at_bytes: int | None = None

    def reset(self) -> None:
        for writer in self.writers:
            connection = writer.get_extra_info("socket")
            with contextlib.suppress(OSError):
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
            writer.transport.abort()


class TcpProxy:
    """Forwards a loopback port to `target_port`; all methods may be called from any thread.

    Attributes:
        port: where clients connect.
        connects: monotonic times, in seconds, at which clients were accepted.
        refused: how many were turned away while `allow(False)`.
        crossed_bytes: bytes forwarded in both directions.
    """

    def __init__(
        self,
        target_port: int,
        *,
        target_host: str = "127.0.0.1",
        latency_s: float = 0.0,
        cut_every_bytes: int | None = None,
        seed: int = 0,
        overhear: Callable[[int, bool, bytes], None] | None = None,
    ) -> None:
        """Listen on a free port.

        Args:
            target_port: the port behind; nothing needs to listen there yet.
            target_host: the host behind.
            latency_s: delay of every chunk, each way.
            cut_every_bytes: mean number of bytes after which a connection is reset, at random.
            seed: of those random lengths.
            overhear: called with the number of the connection, whether the client is the sender,
                and the bytes, just before they are passed on.
        """
        self.target_host = target_host
        self.target_port = target_port
        self.connects: list[float] = []
        self.refused = 0
        self.crossed_bytes = 0
        self._latency_s = latency_s
        self._cut_every_bytes = cut_every_bytes
        self._overhear = overhear
        self._random = random.Random(seed)  # noqa: S311 - reproducible, not secret
        self._allowed = True
        self._pairs: set[_Pair] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port: int = self._listener.getsockname()[1]
        self._loop = asyncio.new_event_loop()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._thread = threading.Thread(target=self._run, name="tcp-proxy", daemon=True)
        self._thread.start()

    def cut(self) -> None:
        """Reset every connection, both ends."""
        self._call(self._cut)

    def allow(self, allowed: bool) -> None:
        """Accept new connections, or reset each as soon as it comes."""
        self._call(lambda: setattr(self, "_allowed", allowed))

    def stall(self, stalled: bool) -> None:
        """Accept and keep connections, but forward nothing: the peer looks alive and is not."""
        self._call(self._flowing.clear if stalled else self._flowing.set)

    def latency(self, seconds: float) -> None:
        """Delay every chunk from now on, each way."""
        self._call(lambda: setattr(self, "_latency_s", seconds))

    @property
    def open_connections(self) -> int:
        """Connections that are forwarded now."""
        return self._call(lambda: len(self._pairs))

    def close(self) -> None:
        """Reset every connection and stop listening."""
        if self._thread.is_alive():
            self._call(self._cut)
            self._loop.call_soon_threadsafe(self._server.cancel)
            self._thread.join(5)

    def __enter__(self) -> "TcpProxy":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _call(self, action: Callable[[], Result]) -> Result:
        async def act() -> Result:
            return action()

        return asyncio.run_coroutine_threadsafe(act(), self._loop).result(5)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._server = self._loop.create_task(self._serve())
        with contextlib.suppress(asyncio.CancelledError):
            self._loop.run_until_complete(self._server)
        for task in self._tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*self._tasks, return_exceptions=True))
        self._loop.close()

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._accept, sock=self._listener)
        async with server:
            await server.serve_forever()

    def _cut(self) -> None:
        for pair in list(self._pairs):
            pair.reset()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self._allowed:
            self.refused += 1
            _Pair([writer]).reset()
            return
        self.connects.append(time.monotonic())
        task = self._loop.create_task(self._forward(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        pair = _Pair([writer], len(self.connects))
        if self._cut_every_bytes is not None:
            pair.cut_at_bytes = int(self._random.expovariate(1 / self._cut_every_bytes))
        self._pairs.add(pair)
        try:
            far_reader, far_writer = await asyncio.open_connection(
                self.target_host, self.target_port
            )
            pair.writers.append(far_writer)
            await asyncio.gather(
                self._pump(pair, reader, far_writer), self._pump(pair, far_reader, writer)
            )
        except (OSError, asyncio.CancelledError):
            pair.reset()
        finally:
            self._pairs.discard(pair)
            for end in pair.writers:
                end.close()

    async def _pump(
        self, pair: _Pair, source: asyncio.StreamReader, sink: asyncio.StreamWriter
    ) -> None:
        due = 0.0
        while True:
            await self._flowing.wait()
            chunk = await source.read(CHUNK_BYTES)
            await self._flowing.wait()
            if self._latency_s or due > self._loop.time():
                due = max(due, self._loop.time() + self._latency_s)
                self._loop.call_at(due, self._write, pair, sink, chunk)
            else:
                self._write(pair, sink, chunk)
            if not chunk:
                return
            await sink.drain()

    def _write(self, pair: _Pair, sink: asyncio.StreamWriter, chunk: bytes) -> None:
        if not chunk:
            if sink.can_write_eof() and not sink.is_closing():
                sink.write_eof()
            return
        if self._overhear is not None:
            self._overhear(pair.number, sink is not pair.writers[0], chunk)
        pair.crossed_bytes += len(chunk)
        self.crossed_bytes += len(chunk)
        if pair.cut_at_bytes is not None and pair.crossed_bytes > pair.cut_at_bytes:
            sink.write(chunk[: max(0, pair.cut_at_bytes - pair.crossed_bytes)])
            pair.reset()
        else:
            sink.write(chunk)
