"""An agent whose one pipeline runs on one microcontroller, and faults that it lives through."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from broker.adapters.private_broker import RunningBroker
from broker.contract.messages import Result
from tests.support.agents import Bench, Fleet, RunningAgent
from tests.support.chaos import Truth, gaps_ms

RATE_HZ = 50.0
DEADLINE_MS = 1000
PERIOD_MS = 1000 / RATE_HZ
PARDON = 70
"""So many good answers, and a fault is forgotten."""
PATIENCE_S = 45.0


class Chaos:
    """An agent with one pipeline on one microcontroller."""

    def __init__(self, agent: RunningAgent, fleet: Fleet, truth: Truth) -> None:
        self.agent, self.fleet, self.truth = agent, fleet, truth

    @property
    def results(self) -> list[Result]:
        return self.fleet.results.get(("dev-1", "digits"), [])

    def until(self, where: str | None, count: int = 1) -> None:
        """Wait for so many further answers from there."""
        start = len(self.results)

        def is_done() -> bool:
            return sum(one.mcu == where for one in self.results[start:]) >= count

        self.fleet.wait(is_done, PATIENCE_S)

    def through(self, fault: Callable[[], object], mend: Callable[[], object]) -> None:
        """Break something that works, see answers from here, mend it, see it come back."""
        self.until("m4", PARDON)
        fault()
        self.until(None, 3)
        mend()
        self.until("m4")

    @property
    def bridge(self) -> psutil.Process:
        """The process that owns the port."""
        (found,) = [one for one in self.agent.children() if "firmware_bridge.app" in one.cmdline()]
        return found

    def kill_bridge(self) -> None:
        self.bridge.kill()

    def pause_bridge(self) -> None:
        self.bridge.suspend()

    def resume_bridge(self) -> None:
        self.bridge.resume()

    def judge(self) -> None:
        """No gap longer than a deadline, none out of order, none wrong, none unsaid."""
        results = self.results
        assert [one.sequence for one in results] == list(range(len(results)))
        assert all(self.truth.is_right(one) for one in results)
        assert max(gaps_ms(results)) <= DEADLINE_MS + PERIOD_MS
        assert {(one.runtime, one.mcu) for one in results} == {("mcu", "m4"), ("host", None)}
        assert not self.fleet.broken


def pipeline(bench: Bench, **more: Any) -> dict[str, Any]:
    return bench.pipeline(
        source={"kind": "replay", "path": str(bench.images), "rate_hz": RATE_HZ, "loop": True},
        postprocess={"kind": "regress"},
        runtime="mcu",
        mcu={"deadline_ms": DEADLINE_MS} | more,
        deadline_ms=10_000,
    )


@contextmanager
def chaos(bench: Bench, broker: RunningBroker, truth: Truth, port: Path) -> Iterator[Chaos]:
    config = bench.config({"digits": pipeline(bench)}, mcus={"m4": {"port": str(port)}})
    with Fleet(broker.address.port) as fleet, RunningAgent(config, broker.address.port) as agent:
        yield Chaos(agent, fleet, truth)
