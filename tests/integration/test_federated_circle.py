"""The whole circle: devices train, the aggregator quantizes and ships, the devices serve it."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from agent.config.samples import SamplesConfig
from agent.learning.samples.adapters.sqlite_samples import SAMPLES_FILE, SqliteSamples
from broker.adapters.private_broker import RunningBroker
from tests.support.agents import Bench, RunningAgent
from tests.support.aggregator_rig import Process
from tests.support.exports import litert
from tests.support.federation import Watch, calibration, circle, digits, samples_of

KNOWN, JUDGES = digits()
DEVICES = ("pi-0", "pi-1")


@pytest.fixture
def agents(mosquitto: RunningBroker, bench: Bench) -> Iterator[list[RunningAgent]]:
    """Two devices with half of the classes each, that classify pictures while they learn."""
    running = []
    for place, device in enumerate(DEVICES):
        state = bench.folder / f"state-{device}"
        mine = np.flatnonzero(KNOWN.labels % 2 == place)[:240]
        store = SqliteSamples(state / SAMPLES_FILE)
        store.put("digits", samples_of(KNOWN, mine), SamplesConfig(), 5)
        store.close()
        learning = {"jobs": ["digits"]}
        config = bench.config(
            {"digits": bench.pipeline(learning=learning)},
            models={"probation_results": 5, "probation_s": 0.5},
        )
        running.append(RunningAgent(config, mosquitto.address.port, device, state=state))
    yield running
    for agent in running:
        agent.kill()


def test_what_devices_learn_comes_back_to_them_as_a_model(
    mosquitto: RunningBroker, agents: list[RunningAgent], tmp_path: Path
) -> None:
    aggregator = Process(mosquitto.url, tmp_path / "aggregator")
    try:
        with Watch(mosquitto.address.port) as watch:
            watch.files["inputs.npy"] = calibration(JUDGES)
            watch.start_job(circle(devices=2, rounds=3))
            watch.wait(lambda: bool(watch.outcomes), 90)
            told = watch.outcomes[-1]
            assert told.shipped, told.reason
            judged = told.judged
            assert judged is not None
            assert judged.devices == len(DEVICES)
            assert judged.baseline_accuracy is not None
            assert judged.accuracy is not None
            # The first head is all zeros: every class is as likely.
            assert judged.baseline_loss == pytest.approx(np.log(10), abs=1e-3)
            assert judged.accuracy > 0.75 > 0.25 > judged.baseline_accuracy
            manifest = watch.release()
            model = manifest.artifact("tflite")
            assert model is not None
            images = (JUDGES.images.astype(int) - 128).astype(np.int8)
            answers = litert(watch.blob(model.blob), images)
            assert (answers.argmax(axis=1) == JUDGES.labels).mean() > 0.75
            for device in DEVICES:
                watch.wait(lambda d=device: watch.serving(d) == model.blob.sha256, 60)
            for agent in agents:
                assert agent.stop() == 0, agent.output()
    finally:
        assert aggregator.stop() == 0
