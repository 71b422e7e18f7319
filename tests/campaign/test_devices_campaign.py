"""Many kills of devices in ten-round jobs; what was killed, and how rounds closed, is printed."""

import pytest

from broker.adapters import private_broker
from tests.support.aggregator_rig import Process
from tests.support.fleet_kills import DEVICES, QUORUM, play

ROUNDS, KILLS = 10, 25


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_rounds_close_at_quorum_though_devices_die(seed, tmp_path):
    with private_broker.start(engine="mosquitto") as running:
        aggregator = Process(running.url, tmp_path / "aggregator")
        try:
            aggregator.wait_until_up()
            played = play(running.address.port, tmp_path, ROUNDS, KILLS, seed, deadline_s=20)
        finally:
            assert aggregator.stop() == 0
    updates = [report.updates for report in played.status.history]
    kills, right = sum(played.kills.values()), played.accuracy
    print(f"\nseed {seed}: {kills} kills {played.kills}; updates {updates}; {right:.1%} right")
    assert kills == KILLS, "the job was over too soon"
    assert played.status.state == "done"
    assert len(updates) == ROUNDS
    assert all(QUORUM <= count <= DEVICES for count in updates)
    assert right > 0.85
