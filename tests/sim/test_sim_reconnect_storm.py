"""Two hundred agents lose their broker at the same moment, on a virtual clock."""

import heapq
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from agent.control.backoff import Backoff
from tests.support.sim import Rig, pipeline

AGENTS = 200
BACKOFF = Backoff()


@dataclass
class Wait:
    """The wait that was pending when the broker came back."""

    began_s: float
    ceiling_s: float


def storm(outage_s: float, chance: Callable[[], float]) -> tuple[list[float], list[Wait]]:
    """Return when each agent is connected again, and the wait that led there."""
    queue = [(0.0, agent, -1) for agent in range(AGENTS)]
    heapq.heapify(queue)
    connected, waits = [], {}
    while queue:
        now_s, agent, attempt = heapq.heappop(queue)
        if now_s > outage_s:
            connected.append(now_s)
            continue
        attempt += 1
        waits[agent] = Wait(now_s, BACKOFF.wait_s(attempt, lambda: 1.0))
        heapq.heappush(queue, (now_s + BACKOFF.wait_s(attempt, chance), agent, attempt))
    return connected, list(waits.values())


def expected_in(second: int, outage_s: float, waits: list[Wait]) -> float:
    """A pending wait ends in any part of what remains of its span alike."""
    total = 0.0
    for wait in waits:
        first_s = max(outage_s, wait.began_s + BACKOFF.floor_s)
        last_s = wait.began_s + wait.ceiling_s
        overlap_s = min(second + 1, last_s) - max(second, first_s)
        total += max(0.0, overlap_s) / (last_s - first_s)
    return total


def per_second(connected: list[float]) -> Counter[int]:
    return Counter(int(at_s) for at_s in connected)


@pytest.mark.parametrize("outage_s", [5.0, 30.0, 60.0, 300.0, 3600.0])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_they_come_back_spread_as_their_waits_say(outage_s: float, seed: int) -> None:
    connected, waits = storm(outage_s, random.Random(seed).random)
    assert len(connected) == AGENTS
    counts = per_second(connected)
    for second in range(int(outage_s), int(outage_s + BACKOFF.most_s) + 1):
        expected = expected_in(second, outage_s, waits)
        # a sum of independent yes-and-no's: five standard deviations and a little for small ones
        assert counts[second] <= expected + 5 * expected**0.5 + 3
    assert max(connected) <= outage_s + BACKOFF.most_s


@pytest.mark.parametrize("outage_s", [5.0, 30.0, 60.0, 300.0, 3600.0])
def test_without_jitter_all_would_come_in_one_second(outage_s: float) -> None:
    peak = max(per_second(storm(outage_s, lambda: 0.999)[0]).values())
    spread = max(per_second(storm(outage_s, random.Random(4).random)[0]).values())
    assert peak == AGENTS
    # the wait pending after an outage spans about as long as the outage, up to two minutes
    span_s = min(outage_s / 2, BACKOFF.most_s)
    assert spread <= AGENTS / span_s + 5 * (AGENTS / span_s) ** 0.5 + 3 or outage_s <= 5
    assert spread < peak


def test_their_memory_is_bounded_while_the_broker_is_away() -> None:
    bounds = {"limit_bytes": 65_536, "commit_interval_ms": 5000}
    rigs = [
        Rig({"pipelines": {"cam": pipeline()}, "outbox": bounds}, seed=seed) for seed in range(20)
    ]
    for rig in rigs:
        rig.serve()
        for _ in range(900):
            rig.answer(label="a" * 50)
            rig.wait(1000)
        it = rig.outbox
        assert len(it._hot) + len(it._hot_flying) <= 10, "the rest is on disk"
        assert len(it._waiting) + len(it._cold_flying) <= 2 * it._config.window
        assert it.bytes <= 65_536 + 10 * 400
        assert it.rows + it.dropped == 900
        assert rig.published == []
        rig.link_up()
        received = 0
        while sent := rig.send_out():
            assert len(sent) <= it._config.window
            received += len(sent)
            rig.acknowledge(sent)
        assert received == 900 - it.dropped
        assert sum(result["late"] for result in rig.results() if "late" in result) >= received - 2
