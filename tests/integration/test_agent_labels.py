"""Labels over a real broker: the sample is the very input that the model was given."""

import numpy as np

from agent.learning.samples.adapters.sqlite_samples import SAMPLES_FILE, SqliteSamples
from broker.adapters.private_broker import RunningBroker
from tests.support.agents import Bench, Fleet, RunningAgent


def test_a_labelled_result_becomes_a_sample_and_is_forgotten(
    mosquitto: RunningBroker, bench: Bench
) -> None:
    port = mosquitto.address.port
    changes = {"samples": {"recent": 1000}, "preprocess": {"kind": "image"}}
    config = bench.config({"digits": bench.pipeline(**changes)})
    with Fleet(port) as fleet, RunningAgent(config, port) as agent:
        fleet.wait(lambda: fleet.count("digits") >= 20)
        results = fleet.results["dev-1", "digits"][:8:3]
        for result in results:
            args = {"pipeline": "digits", "sequence": result.sequence, "label": 7}
            fleet.order_command("label", f"l{result.sequence}", args)
        for result in results:
            assert fleet.outcome("label", f"l{result.sequence}").status == "successful"
        store = SqliteSamples(agent.state / SAMPLES_FILE)
        kept = {sample.origin: sample for sample in store.load("digits")}
        images = np.load(bench.images)
        assert len(kept) == len(results)
        for result in results:
            sample = kept[f"result {result.sequence}"]
            assert result.input
            image = images[int(result.input.split("[")[1][:-1])]
            stored = np.frombuffer(sample.example.data, sample.example.dtype).astype(int)
            # An int8 model with whole-range pixels is given the picture less 128.
            seen = stored - (-128 if sample.example.dtype == "int8" else 0)
            assert np.abs(seen - image.ravel()).max() <= 1
            assert sample.label == "7"
        fleet.order_command("forget", "f", {"pipeline": "digits"})
        assert fleet.outcome("forget", "f").status == "successful"
        assert store.load("digits") == []
        late = {"pipeline": "digits", "sequence": results[0].sequence, "label": 7}
        fleet.order_command("label", "late", late)
        assert "newer ones" in (fleet.outcome("label", "late").reason or "")
        store.close()
        assert agent.stop() == 0


def test_a_sensor_that_tells_the_outcome_labels_by_itself(
    mosquitto: RunningBroker, bench: Bench
) -> None:
    port = mosquitto.address.port
    outcome = {"topic": "barn/door", "path": "state", "within_s": 10.0}
    changes = {"samples": {"recent": 1000, "outcome": outcome}, "preprocess": {"kind": "image"}}
    config = bench.config({"digits": bench.pipeline(**changes)})
    with Fleet(port) as fleet, RunningAgent(config, port) as agent:
        fleet.wait(lambda: fleet.count("digits") >= 10)
        fleet.client.publish("barn/door", b'{"state": "7"}')
        store = SqliteSamples(agent.state / SAMPLES_FILE)
        fleet.wait(lambda: len(store.load("digits")) == 1)
        (sample,) = store.load("digits")
        assert sample.label == "7"
        # The sensor's word came after the tenth result, and the nearest is not an old one.
        assert int(sample.origin.removeprefix("result ")) >= 8
        store.close()
        assert agent.stop() == 0
