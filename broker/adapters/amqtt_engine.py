"""`python -m broker.adapters.amqtt_engine HOST PORT`: the embedded broker as a process."""

import asyncio
import logging
import signal
import sys
import warnings
from asyncio import StreamReader, StreamWriter
from collections.abc import Callable, Coroutine

from amqtt.broker import Broker

from broker.adapters.amqtt_broker import LISTENER, GuardedBroker, broker_config
from broker.adapters.amqtt_door import admit

MAX_CONNECTIONS = 1000
BACKLOG = 256


async def serve(
    host: str,
    port: int,
    stop: asyncio.Event,
    on_ready: Callable[[int], None],
    kind: type[Broker] = GuardedBroker,
) -> None:
    """Serve until `stop` is set; `on_ready` gets the port once connections are accepted."""
    broker = kind(broker_config())
    await broker.start()
    open_doors: set[asyncio.Task[None]] = set()

    async def client(reader: StreamReader, writer: StreamWriter) -> None:
        adapters = await admit(reader, writer)
        if adapters is not None:
            await broker.external_connected(*adapters, LISTENER)

    def accept(reader: StreamReader, writer: StreamWriter) -> None:
        if len(open_doors) >= MAX_CONNECTIONS:
            writer.transport.abort()
            return
        task = asyncio.create_task(_quiet(client(reader, writer), writer))
        open_doors.add(task)
        task.add_done_callback(open_doors.discard)

    server = await asyncio.start_server(accept, host, port, reuse_address=True, backlog=BACKLOG)
    on_ready(server.sockets[0].getsockname()[1])
    await stop.wait()
    server.close()  # and no wait for it: from Python 3.12 on that waits for every client as well
    await broker.shutdown()
    for task in open_doors:
        task.cancel()


async def _quiet(work: Coroutine[None, None, None], out: StreamWriter) -> None:
    """One client's bad bytes end that client's connection and nothing else."""
    try:
        await work
    except Exception:
        logging.getLogger(__name__).exception("a client is dropped")
    finally:
        out.transport.abort()


async def _main(host: str, port: int) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await serve(host, port, stop, _announce)


def _announce(port: int) -> None:
    sys.stderr.write(f"amqtt on port {port} running\n")
    sys.stderr.flush()


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    asyncio.run(_main(sys.argv[1], int(sys.argv[2])))
