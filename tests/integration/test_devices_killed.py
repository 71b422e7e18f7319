"""Devices are killed while they learn: rounds close at quorum, and the model is none the worse."""

from pathlib import Path

from broker.adapters.private_broker import RunningBroker
from tests.support.aggregator_rig import Process
from tests.support.fleet_kills import DEVICES, QUORUM, play

ROUNDS, KILLS = 2, 3


def test_rounds_close_though_devices_die(mosquitto: RunningBroker, tmp_path: Path) -> None:
    aggregator = Process(mosquitto.url, tmp_path / "aggregator")
    try:
        aggregator.wait_until_up()
        played = play(mosquitto.address.port, tmp_path, ROUNDS, KILLS, seed=1, deadline_s=8)
    finally:
        assert aggregator.stop() == 0
    assert sum(played.kills.values()) == KILLS, "the job was over too soon"
    assert played.status.state == "done"
    updates = [report.updates for report in played.status.history]
    assert len(updates) == ROUNDS
    assert all(QUORUM <= count <= DEVICES for count in updates)
    assert all(report.refused == 0 for report in played.status.history)
    assert played.accuracy > 0.8
    print(f"\nkilled while {played.kills}; updates {updates}; {played.accuracy:.1%}")
