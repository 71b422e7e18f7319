"""Real agents, a real aggregator, a real broker: jobs are learned, whatever is killed meanwhile."""

from pathlib import Path

import numpy as np

from broker.adapters.private_broker import RunningBroker
from tests.support.aggregator_rig import Process
from tests.support.federation import Learner, Watch, accuracy, digits, job, samples_of

pytest_plugins = ["tests.support.brokers"]

KNOWN, JUDGES = digits()
ALL = np.arange(len(KNOWN.labels))


def learners(folder: Path, count: int = 3, each: int = 150) -> list[Learner]:
    """Devices with digits of their own."""
    return [
        Learner(folder, f"pi-{place}", samples_of(KNOWN, ALL[place * each : (place + 1) * each]))
        for place in range(count)
    ]


def test_three_devices_learn_digits_together(broker: RunningBroker, tmp_path: Path) -> None:
    port = broker.address.port
    aggregator = Process(broker.url, tmp_path / "aggregator")
    try:
        with Watch(port) as watch:
            agents = [learner.start(port) for learner in learners(tmp_path)]
            watch.start_job(job())
            watch.wait(watch.is_over, 60)
            for agent in agents:
                assert agent.stop() == 0, agent.output()
            status = watch.jobs[-1]
            assert [report.updates for report in status.history] == [3] * 4
            found = accuracy(watch.blob(status.model), JUDGES)
            assert found > 0.85, found
    finally:
        assert aggregator.stop() == 0
