"""Results end to end over a link that loses acknowledgements, breaks, and an agent that is killed.

The core, the outbox and its rows are real; the pipeline child, the disk, the broker and the clock
are simulated, and every loss is drawn from a seed.
"""

import json
import random
from dataclasses import dataclass, field

import pytest

from agent.control.events import Publish, Tick
from tests.support.fake_store import FakeStore
from tests.support.sim import Rig, pipeline

COMMIT_MS = 1000
TREE = {
    "pipelines": {"cam": pipeline()},
    "outbox": {"window": 8, "commit_interval_ms": COMMIT_MS},
}


@dataclass
class Broker:
    """What subscribers saw, in order; each message may come more than once."""

    log: list[dict[str, object]] = field(default_factory=list)


class Link:
    """Keeps unacknowledged publications over a reconnect, as an MQTT client does."""

    def __init__(self, rig: Rig, broker: Broker, chance: random.Random) -> None:
        self._rig = rig
        self._broker = broker
        self._chance = chance
        self._flying: list[Publish] = []
        self.acknowledged: set[int] = set()

    def up(self) -> None:
        self._rig.link_up()
        again, self._flying = self._flying, []
        for message in again:
            self.send(message)

    def send(self, message: Publish) -> None:
        self._flying.append(message)
        if not self._rig.linked or self._chance.random() < 0.1:
            return  # lost on its way to the broker
        self._broker.log.append(json.loads(message.payload))
        if self._chance.random() < 0.2:
            return  # its acknowledgement is lost
        self._flying.remove(message)
        self.acknowledged.add(json.loads(message.payload)["outputs"]["n"])
        self._rig.acknowledge([message])

    def flow(self) -> None:
        for message in self._rig.send_out():
            self.send(message)


@dataclass
class Run:
    """One simulated stretch of time."""

    seed: int
    kills: bool
    broken_disk: bool = False

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        self.store, self.broker = FakeStore(), Broker()
        self.produced = 0
        self.safe: set[int] = set()
        self.came_ms: dict[int, int] = {}
        self.young: set[int] = set()
        self.dropped = 0
        self.killed = 0
        self.start(now_ms=1_000)

    def start(self, now_ms: int) -> None:
        self.rig = Rig(TREE, store=self.store, now_ms=now_ms, seed=self.seed)
        self.link = Link(self.rig, self.broker, self.chance)
        self.rig.serve()

    def kill(self) -> None:
        """Memory is gone, with the client's own; the clock goes on, or begins anew with a boot."""
        self.note_safe()
        self.dropped += self.rig.outbox.dropped
        self.killed += 1
        since_ms = self.rig.now_ms - COMMIT_MS
        self.young |= {n for n, at_ms in self.came_ms.items() if at_ms >= since_ms}
        self.came_ms.clear()
        self.store.refuse = lambda _: False
        self.start(self.chance.choice([0, self.rig.now_ms]))

    def note_safe(self) -> None:
        """What the disk holds or the broker acknowledged must never be lost."""
        self.safe |= {json.loads(row.payload)["outputs"]["n"] for row in self.store.rows.values()}
        self.safe |= self.link.acknowledged

    def step(self) -> None:
        draw = self.chance.random()
        if self.kills and draw < 0.006:
            self.kill()
        elif self.rig.linked and draw < 0.03:
            self.rig.link_down()
        elif not self.rig.linked and draw < 0.2:
            self.link.up()
        if self.broken_disk and draw > 0.99:
            broken = self.chance.choice(["append", "delete", "load", ""])
            self.store.refuse = lambda name: name == broken
        for _ in range(self.chance.randrange(4)):
            self.produced += 1
            self.came_ms[self.produced] = self.rig.now_ms
            self.rig.answer(n=self.produced)
        self.rig.wait(self.chance.choice([1, 20, 200]))
        if self.rig.linked:
            self.link.flow()

    def finish(self) -> None:
        """The link holds from now on, and so does the disk."""
        self.note_safe()
        self.store.refuse = lambda _: False
        self.rig.wait(61_000)
        for _ in range(10_000):
            if self.rig.outbox.rows == 0:
                break
            self.rig.link_down()
            self.link.up()
            self.link.flow()
            self.rig.handle(Tick())
        assert self.rig.outbox.rows == 0
        self.note_safe()
        self.dropped += self.rig.outbox.dropped


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("kills", "broken"), [(False, False), (True, False), (False, True)])
def test_nothing_that_was_acknowledged_is_lost(seed: int, kills: bool, broken: bool) -> None:
    run = Run(seed, kills, broken)
    for _ in range(1500):
        run.step()
    run.finish()
    received: dict[int, int] = {}
    for result in run.broker.log:
        n, sequence = result["outputs"]["n"], result["sequence"]  # type: ignore[index, call-overload]
        assert received.setdefault(sequence, n) == n, "one sequence for two results"
    arrived = set(received.values())
    assert len(arrived) == len(received), "one result under two sequences"
    assert run.safe <= arrived, "acknowledged or on disk, and lost"
    assert run.produced > 1000
    assert run.dropped == 0
    if kills:
        assert run.killed > 0
    lost = set(range(1, run.produced + 1)) - arrived
    assert lost <= run.young, "only what was younger than the commit interval when it was killed"
    assert len(run.broker.log) > len(received), "losses did make duplicates"
