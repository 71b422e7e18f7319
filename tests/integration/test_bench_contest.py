"""The contest of the benchmark over real sockets, small: what it counts is what was sent."""

import asyncio
import subprocess
import sys
import threading

import numpy as np
import psutil
import pytest

from benchmarks.learning import beside_flower, data, selvedge_side
from benchmarks.learning.contest import made
from benchmarks.peers import memory
from benchmarks.peers.memory import Memory
from benchmarks.peers.wire_meter import Crossed, WireMeter
from broker.contract.federated.codecs.spec import CodecSpec
from tests.support.brokers import eventually

PARTS = ("learner", "trainer")
TAKE = "import sys, time; held = bytearray(b'x') * int(sys.argv[1]); time.sleep(60)"


def test_real_agents_learn_and_every_byte_is_counted():
    given = made(data.digits(), hidden=64, clients=2, rounds=3, seed=1)
    (side,) = selvedge_side.play(given, {"f32": CodecSpec("f32")})
    told = side.told()
    size = 4 * len(given.first)
    assert len(told["accuracy"]) == 4
    assert told["accuracy"][-1] > told["accuracy"][0] + 0.2
    # Parameters up and down once a round; beside them some messages, and metrics while it lasts.
    spare = 4000 + 300 * max(told["rounds_s"])
    assert size < told["up_bytes"] < size + spare
    assert size < told["down_bytes"] < size + spare
    processes = told["client"]["processes"]
    assert "agent.learning.learner.app" in processes
    # Its trainer, which has the learner's name until it has become itself.
    assert len(processes) > 2
    assert set(processes) <= {"selvedge agent", *(f"agent.learning.{one}.app" for one in PARTS)}
    assert 10 < told["client"]["alone_mb"] <= told["client"]["rss_mb"]
    (ratio,) = beside_flower.ratios([told, told | {"system": "flower"}])
    assert ratio["both_ways_bytes"] == ratio["round_time"] == 1


def test_the_meter_counts_each_client_both_ways():
    async def answer(reader, writer):
        writer.write(2 * await reader.read(1000))
        writer.close()

    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(asyncio.start_server(answer, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        with WireMeter(server.sockets[0].getsockname()[1], 2) as meter:
            for number, text in enumerate((b"abc", b"de")):
                reached = asyncio.run(_talk(meter.ports[number], text))
                assert reached == 2 * text
            assert meter.read() == [Crossed(3, 6), Crossed(2, 4)]
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        server.close()


async def _talk(port: int, text: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(text)
    told = await reader.read()
    writer.close()
    return told


def test_memory_is_that_of_a_process_and_its_children_and_ends_with_them(monkeypatch):
    monkeypatch.setattr(memory, "EVERY_S", 0.02)
    inner = [sys.executable, "-c", TAKE, str(40_000_000)]
    outer = f"import subprocess; subprocess.run({inner!r})"
    process = subprocess.Popen([sys.executable, "-c", outer], stdout=subprocess.DEVNULL)
    watched = Memory().watch(process.pid)
    assert eventually(lambda: watched.peak.rss > 50_000_000)
    watched.stop()
    both = [process.pid, *(each.pid for each in psutil.Process(process.pid).children())]
    alone = watched.peak.alone
    assert 45_000_000 < alone < watched.peak.rss, "both have the same interpreter"
    memory.end([process.pid])
    assert len(both) == 2
    assert not any(map(psutil.pid_exists, both))


@pytest.mark.parametrize("clients", [2, 5])
def test_a_contest_is_dealt_whole_and_its_arrays_are_the_vector(clients):
    given = made(data.digits(), hidden=7, clients=clients, rounds=1, seed=3)
    assert sum(map(len, given.fleet.devices.values())) == 1348
    pieces = given.arrays(given.first)
    assert [piece.shape for piece in pieces] == [(7, 64), (7,), (10, 7), (10,)]
    assert (np.concatenate([piece.ravel() for piece in pieces]) == given.first).all()
    assert 0 <= given.accuracy(given.first) < 0.4
