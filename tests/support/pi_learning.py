"""How the chain goes on: the emulated Pi learns together with a neighbour, and gets the outcome."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from tests.support.agents import LABELS
from tests.support.aggregator_rig import Process
from tests.support.federation import Learner, calibration, circle, digits, samples_of
from tests.support.pi_chain import DEVICE, OFF, Step, World
from tests.support.pi_machine import MODELS
from tests.support.secured_broker import Fleet, files

NEIGHBOUR = "neighbour"
HUB = "hub"
EACH = 240
ROUNDS = 2
KNOWN, JUDGES = digits()


@contextmanager
def neighbourhood(broker: Fleet, folder: Path) -> Iterator[None]:
    """An aggregator, and a second device with the digits that the Pi never saw."""
    url = f"mqtts://127.0.0.1:{broker.operators_port}"
    hub = Process(url, folder / HUB, files(broker.root / "aggregators" / HUB))
    odd = np.flatnonzero(KNOWN.labels % 2 == 1)[:EACH]
    learner = Learner(folder, NEIGHBOUR, samples_of(KNOWN, odd))
    hub.wait_until_up()
    agent = learner.start_secured(broker, NEIGHBOUR, "127.0.0.1")
    try:
        yield
    finally:
        agent.terminate()
        agent.wait()
        assert hub.stop() == 0


def own_files(folder: Path) -> dict[str, Path]:
    """What the Pi's owner has collected, even digits; and pictures that nobody learns from."""
    samples, pictures = folder / "samples.npz", folder / "judges.npy"
    even = np.flatnonzero(KNOWN.labels % 2 == 0)[:EACH]
    examples = (KNOWN.images[even].reshape(-1, 64) / 255).astype("<f4")
    np.savez(samples, examples=examples, labels=KNOWN.labels[even])
    np.save(pictures, JUDGES.images)
    return {path.name: path for path in (samples, pictures)}


def gets_samples(world: World) -> str:
    """A pipeline classifies pictures, and its owner gives it samples: as root, beside the agent."""
    serving = {
        "model": f"{MODELS}/digits.tflite",
        "source": {"kind": "replay", "path": f"{MODELS}/judges.npy", "rate_hz": 5.0, "loop": True},
        "preprocess": {"kind": "image"},
        "postprocess": {"kind": "classify", "labels": LABELS},
        "deadline_ms": 120_000,
        "learning": {"jobs": ["digits"]},
    }
    models = {"probation_results": 5, "probation_s": 5.0}
    pipelines = {"camera": OFF, "digits": serving}
    world.watch.desire({"version": 6, "models": models, "pipelines": pipelines}, DEVICE)
    world.wait(lambda: len(world.watch.of("digits")) > 5)
    assert world.watch.reports[DEVICE][-1].errors == {}
    words = ["selvedge", "samples", "import", "digits", f"{MODELS}/samples.npz"]
    return world.pi.must(*words, timeout_s=120).strip()


def learns(world: World) -> str:
    """Rounds that need the updates of both; each device was counted in each."""
    world.watch.files["inputs.npy"] = calibration(JUDGES)
    tree = circle(devices=2, rounds=ROUNDS) | {"deadline_s": 600}
    tree["evaluation"]["deadline_s"] = 240
    world.watch.start_job(tree)
    world.wait(lambda: bool(world.watch.outcomes))
    counted = {(number, device) for number, device, ack in world.watch.acks if ack.counted}
    both = {(number, name) for number in range(1, ROUNDS + 1) for name in (DEVICE, NEIGHBOUR)}
    assert both <= counted, world.watch.acks
    return f"{ROUNDS} rounds, two updates each"


def is_judged(world: World) -> str:
    """Both devices found the outcome better than the beginning, and it was shipped."""
    told = world.watch.outcomes[-1]
    assert told.shipped, told.reason
    judged = told.judged
    assert judged is not None
    assert judged.devices == 2
    assert judged.accuracy is not None
    assert judged.baseline_accuracy is not None
    assert judged.accuracy > 0.7 > judged.baseline_accuracy
    return f"{judged.baseline_accuracy:.0%} right before, {judged.accuracy:.0%} after"


def takes_the_model(world: World) -> str:
    """The Pi fetches the outcome, tries it, goes over to it and stays with it."""
    model = world.watch.release().artifact("tflite")
    assert model is not None
    digest = model.blob.sha256
    world.wait(lambda: world.watch.serving(DEVICE) == digest)
    world.wait(lambda: len(_by(world, digest)) >= 40)
    results = _by(world, digest)
    right = sum(label == str(JUDGES.labels[place]) for place, label in results)
    assert right / len(results) > 0.7
    return f"{right} of {len(results)} pictures right, of digits that it had only half of"


LEARNING: tuple[Step, ...] = (gets_samples, learns, is_judged, takes_the_model)


def _by(world: World, digest: str) -> list[tuple[int, str]]:
    found = []
    for one in world.watch.of("digits"):
        if one.model == digest:
            assert one.input is not None
            place = int(one.input.split("[")[1][:-1])
            found.append((place, str(one.outputs["top"][0]["label"])))
    return found
