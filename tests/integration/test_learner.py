"""The learner with a real trainer module: against numpy, by seed, and what it refuses."""

from dataclasses import replace
from hashlib import sha256
from typing import Any

import numpy as np
import pytest

from agent.errors import ModelError, SampleError
from agent.learning.learner.dataset import Floats, real
from agent.learning.learner.learn import Start
from agent.learning.learner.training import batches
from agent.learning.samples.fitting import index_of
from agent.learning.samples.sample import Example, Sample
from broker.contract.federated.codecs.bits import update_seed
from broker.contract.federated.codecs.choose import codec_of
from broker.contract.federated.codecs.feedback import decode_vector
from broker.contract.federated.job import JobSpec
from broker.contract.federated.update import UpdateSlice, decode_slice
from tests.support.jobs import FLOATS, SEED, job, made
from tests.support.learner import FIRST, PARAMETERS, learned


def slices(messages: tuple[bytes, ...]) -> list[UpdateSlice]:
    return [decode_slice(message) for message in messages]


def vector(spec: JobSpec, messages: tuple[bytes, ...], number: int = 0) -> Floats:
    count = spec.cut.per_vector
    data = [one.data for one in slices(messages)[number * count : (number + 1) * count]]
    seed = update_seed(spec.codec.name, SEED, number, "dev")
    return decode_vector(codec_of(spec.codec, PARAMETERS), data, spec.cut, seed)


def by_hand(spec: JobSpec, samples: list[Sample], order: Any, shift: Any = 0.0) -> Any:
    """Softmax regression by SGD in float64: the difference that it makes to FIRST."""
    at = FIRST.astype(np.float64)
    x = np.array([real(one.example) for one in samples], np.float64)
    y = np.eye(3)[[index_of(one.label, spec.model) for one in samples]]
    for some in order:
        weights, biases = at[:-3].reshape(3, FLOATS), at[-3:]
        scores = np.exp(x[some] @ weights.T + biases)
        error = (scores / scores.sum(axis=1, keepdims=True) - y[some]) / len(some)
        gradient = np.concatenate([(error.T @ x[some]).ravel(), error.sum(axis=0)])
        at = at - spec.local.learning_rate * (gradient + shift)
    return at - FIRST


def order_of(spec: JobSpec, count: int) -> Any:
    return batches(count, spec.local, sha256(f"{SEED}/3/dev/order".encode()).digest())


def test_an_update_is_what_numpy_makes_of_the_same_batches() -> None:
    spec, (samples, _) = job(PARAMETERS), made(53)
    found = learned(spec, samples, Start(FIRST))
    assert found.steps == 14
    assert found.examples == 53
    update = vector(spec, found.messages)
    assert np.allclose(update, by_hand(spec, samples, order_of(spec, 53)), atol=1e-5)
    assert found.losses is not None
    before, after = found.losses
    assert after < before
    assert slices(found.messages)[0].losses == pytest.approx(found.losses, rel=1e-6)
    assert learned(spec, samples, Start(FIRST)) == found, "the same seed, the same bytes"
    assert learned(spec, samples, Start(FIRST), seed="0" * 16).messages != found.messages


def test_scaffold_trains_with_its_control_and_sends_the_change_of_its_own() -> None:
    options = {"name": "scaffold", "options": {"devices": 4}}
    spec, (samples, _) = job(PARAMETERS, strategy=options), made(40)
    rng = np.random.default_rng(3)
    control, own = (0.1 * rng.standard_normal((2, PARAMETERS))).astype(np.float32)
    found = learned(spec, samples, Start(FIRST, control, own))
    shift = control.astype(np.float64) - own
    update = by_hand(spec, samples, order_of(spec, 40), shift)
    assert np.allclose(vector(spec, found.messages), update, atol=1e-5)
    change = -control - update / (found.steps * spec.local.learning_rate)
    assert np.allclose(vector(spec, found.messages, 1), change, atol=1e-5)
    assert found.own_control is not None
    assert np.allclose(found.own_control - own, change, atol=1e-5)


def test_rounds_with_top_k_lose_nothing_and_learn() -> None:
    codec = {"name": "top_k", "options": {"fraction": 0.2, "bits": 8}}
    spec, (samples, _) = job(PARAMETERS, codec=codec), made(60)
    start = Start(FIRST)
    losses = []
    for _ in range(8):
        found = learned(spec, samples, start)
        assert found.residual is not None
        assert found.losses is not None
        losses.append(found.losses[0])
        model = start.model + vector(spec, found.messages)
        start = Start(model, residual=found.residual)
    assert losses[-1] < 0.6 * losses[0]


def test_privacy_tells_less() -> None:
    samples, _ = made(60)
    private = {"mode": "central", "clip_norm": 0.05, "noise_multiplier": 1.0}
    judged = {"holdout": 0.3}
    spec = job(PARAMETERS, privacy=private, evaluation=judged)
    found = learned(spec, samples, Start(FIRST))
    assert (found.examples, found.losses) == (1, None)
    assert np.linalg.norm(vector(spec, found.messages)) <= 0.05
    assert found.evaluation is not None
    assert 5 < found.evaluation.examples < 35
    spec = job(PARAMETERS, privacy=private | {"mode": "local"}, evaluation=judged)
    found = learned(spec, samples, Start(FIRST))
    assert (found.examples, found.losses, found.evaluation) == (1, None, None)
    assert slices(found.messages)[0].losses is None
    length = np.linalg.norm(vector(spec, found.messages))
    assert 0.05 < length < 0.05 * (1 + PARAMETERS**0.5 + 6), "what the aggregator lets pass"


@pytest.mark.parametrize(
    ("changes", "count", "words"),
    [
        ({"participation": {"min_examples": 9}}, 8, "fewer than 9 samples fit"),
        ({}, 0, "fewer than 1 samples fit"),
        ({"local": {"batch": 9}}, 20, "takes 8 examples at once, the job 9"),
        ({"local": {"batch": 8, "learning_rate": 1000.0, "epochs": 60}}, 20, "lower the learning"),
    ],
)
def test_what_cannot_be_learned(changes: dict[str, Any], count: int, words: str) -> None:
    samples, _ = made(count)
    huge = [replace(one, example=Example(real(one.example) * 1e15, "float32")) for one in samples]
    used = huge if "learning" in words else samples
    with pytest.raises((ModelError, SampleError), match=words):
        learned(job(PARAMETERS, **changes), used, Start(FIRST))


def test_another_trainer_than_that_of_the_job_is_refused() -> None:
    samples, _ = made(8)
    spec = job(PARAMETERS + 3)
    with pytest.raises(ModelError, match=f"has {PARAMETERS} parameters; the job says"):
        learned(spec, samples, Start(np.zeros(PARAMETERS + 3, np.float32)))
