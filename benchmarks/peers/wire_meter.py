"""Counts what goes over the wire: a TCP proxy on loopback with a port for each client."""

import asyncio
import socket
import threading
from types import TracebackType
from typing import NamedTuple, Self

CHUNK_BYTES = 1 << 16


class Crossed(NamedTuple):
    """Bytes of TCP payload that crossed so far."""

    up: int
    down: int


class WireMeter:
    """Forwards as many ports as there are clients to one; `read` may be called from any thread.

    Attributes:
        ports: where the clients connect, in order.
    """

    def __init__(self, target_port: int, clients: int) -> None:
        """Listen; every connection to a port counts as that client's."""
        self._target = target_port
        self._bytes = [[0, 0] for _ in range(clients)]
        self._loop = asyncio.new_event_loop()
        sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(clients)]
        self.ports = [each.getsockname()[1] for each in sockets]
        self._thread = threading.Thread(target=self._run, args=(sockets,), daemon=True)
        self._thread.start()

    def read(self) -> list[Crossed]:
        """What each client sent and got."""
        return [Crossed(*each) for each in self._bytes]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self, sockets: list[socket.socket]) -> None:
        async def listen() -> None:
            for number, each in enumerate(sockets):
                await asyncio.start_server(self._serve(number), sock=each)

        self._loop.run_until_complete(listen())
        self._loop.run_forever()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))
        for each in sockets:
            each.close()

    def _serve(self, number: int):  # type: ignore[no-untyped-def]  # noqa: ANN202
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            far = await asyncio.open_connection("127.0.0.1", self._target)
            await asyncio.gather(
                self._pump(reader, far[1], number, 0), self._pump(far[0], writer, number, 1)
            )

        return serve

    async def _pump(
        self, source: asyncio.StreamReader, into: asyncio.StreamWriter, number: int, way: int
    ) -> None:
        try:
            while data := await source.read(CHUNK_BYTES):
                self._bytes[number][way] += len(data)
                into.write(data)
                await into.drain()
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            into.close()
