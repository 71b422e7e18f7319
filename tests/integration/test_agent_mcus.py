"""An agent and its bridge: microcontrollers as the broker sees them, over their ups and downs."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import psutil

from broker.adapters.private_broker import RunningBroker
from broker.contract.messages import McuStatus, decode
from broker.contract.topics import McuStatusChannel
from firmware_bridge.adapters.emulator import Emulator
from tests.support.agents import Bench, Fleet, RunningAgent
from tests.support.boards import firmware_process, image, plan_of
from tests.support.chaos import Truth
from tests.support.chaos_world import pipeline
from toolchain.plan.numbers import Target


class Watch(Fleet):
    """A fleet's client that also keeps the last status of each microcontroller."""

    def __init__(self, port: int) -> None:
        self.mcus: dict[str, McuStatus | None] = {}
        super().__init__(port)

    def _sort(self, channel: object, payload: bytes) -> None:
        if isinstance(channel, McuStatusChannel):
            self.mcus[channel.mcu] = decode(McuStatus, payload) if payload else None
        super()._sort(channel, payload)

    def is_in(self, state: str, mcu: str = "m4") -> bool:
        status = self.mcus.get(mcu)
        return status is not None and status.state == state


@contextmanager
def watched(broker: RunningBroker, bench: Bench, **mcus: Any) -> Iterator[tuple[Watch, Any]]:
    config = bench.config({}, mcus=mcus)
    port = broker.address.port
    watch = Watch(port)
    with watch, RunningAgent(config, port) as agent:
        yield watch, agent


def test_each_device_runs_the_plan_for_its_kernels_and_answers_as_this_machine(
    mosquitto: RunningBroker, bench: Bench
) -> None:
    config, model = pipeline(bench), bench.model.read_bytes()
    truth = Truth(config, model, np.load(bench.images))
    plans = {target: plan_of(model, target)[1][:8].hex() for target in Target}
    assert plans[Target.PORTABLE] != plans[Target.CORTEX_M]
    links = {name: bench.folder / name for name in ("plain", "board")}
    mcus = {name: {"port": str(link)} for name, link in links.items()}
    port = mosquitto.address.port
    with (
        Watch(port) as watch,
        RunningAgent(bench.config({"digits": config}, mcus=mcus), port),
        firmware_process() as plain,
        Emulator(image()) as board,
    ):
        results = watch.results.setdefault(("dev-1", "digits"), [])

        def is_serving(name: str | None) -> bool:
            status = watch.mcus.get(name or "")
            is_told = name is None or (status is not None and bool(status.plans))
            return is_told and sum(one.mcu == name for one in results) >= 10

        # Both come when the pipeline is at work already, the second in place of the first.
        watch.wait(lambda: is_serving(None))
        links["plain"].symlink_to(plain.port)
        watch.wait(lambda: is_serving("plain"))
        assert watch.mcus["plain"].plans == (plans[Target.PORTABLE],)
        plain.process.kill()
        links["board"].symlink_to(board.port)
        watch.wait(lambda: is_serving("board"))
        assert watch.mcus["board"].plans == (plans[Target.CORTEX_M],)
        assert all(truth.is_right(one) for one in results)


def bridge_of(agent: RunningAgent) -> psutil.Process:
    found = [one for one in agent.children() if "firmware_bridge.app" in one.cmdline()]
    assert len(found) == 1
    return found[0]


def test_a_microcontroller_comes_goes_and_comes_back(
    mosquitto: RunningBroker, bench: Bench
) -> None:
    link = bench.folder / "ttyACM0"
    with watched(mosquitto, bench, m4={"port": str(link)}) as (watch, agent):
        watch.wait(lambda: watch.is_in("connecting"))
        with firmware_process() as device:
            link.symlink_to(device.port)
            watch.wait(lambda: watch.is_in("ready"))
            status = watch.mcus["m4"]
            assert status is not None
            assert (status.board, status.port) == ("posix", str(link))
            assert (status.plans, status.reason) == ((), None)
            watch.wait(lambda: watch.status() is not None and watch.status().mcus == ("m4",))
            link.unlink()
        watch.wait(lambda: watch.is_in("connecting"))
        with firmware_process() as device:
            link.symlink_to(device.port)
            watch.wait(lambda: watch.is_in("ready"))
            watch.wait(lambda: "m4" in watch.metrics["dev-1"][-1].mcus)
            bridge = watch.metrics["dev-1"][-1].bridge
            assert bridge is not None
            assert bridge.rss_bytes
        assert agent.stop() == 0
        watch.wait(lambda: watch.is_in("stopped"))
        assert not watch.broken


def test_a_bridge_that_dies_is_started_again(mosquitto: RunningBroker, bench: Bench) -> None:
    with (
        firmware_process() as device,
        watched(mosquitto, bench, m4={"port": device.port}) as (watch, agent),
    ):
        watch.wait(lambda: watch.is_in("ready"))
        first = bridge_of(agent)
        first.kill()
        watch.wait(lambda: watch.is_in("stopped"))
        watch.wait(lambda: watch.is_in("ready"))
        second = bridge_of(agent)
        assert second.pid != first.pid
        agent.kill()
        assert psutil.wait_procs([second], timeout=5)[1] == []


def test_microcontrollers_are_configured_over_mqtt(mosquitto: RunningBroker, bench: Bench) -> None:
    with (
        firmware_process() as device,
        watched(mosquitto, bench) as (watch, agent),
    ):
        watch.wait(lambda: watch.status() is not None)
        watch.desire({"mcus": {"m4": {"port": device.port}, "bad": {"port": "file:///x"}}})
        watch.wait(lambda: watch.is_in("ready"))
        assert "mcus.bad.port" in watch.reports["dev-1"][-1].errors
        assert watch.reports["dev-1"][-1].applied["mcus"]["m4"]["port"] == device.port
        watch.desire({})
        watch.wait(lambda: "m4" in watch.mcus and watch.mcus["m4"] is None)
        watch.wait(lambda: not agent.children())
