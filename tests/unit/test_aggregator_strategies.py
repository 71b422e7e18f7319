"""Strategies against plain numpy written from the papers, and cases worked by hand."""

import numpy as np
import pytest

from broker.aggregator.strategies.choose import STRATEGIES, strategy_of
from broker.aggregator.strategies.step import Mean
from broker.aggregator.sums import Total
from broker.contract.federated.codecs.choose import codec_of
from broker.contract.federated.codecs.spec import CodecSpec
from broker.contract.federated.errors import JobError
from broker.contract.federated.job import StrategySpec
from broker.contract.federated.slices import Cut

P = 500


def steps(spec, means, model):
    step, options = strategy_of(spec)
    state = {}
    for update in means:
        model, state = step(model, state, Mean(update, 3), options)
    return model


def means(count=6):
    chance = np.random.default_rng(7)
    return [chance.standard_normal(P) * 0.05 for _ in range(count)]


START = np.random.default_rng(1).standard_normal(P).astype(np.float32)


def test_fedavg_equals_averaging_the_models_of_the_devices():
    """The reference averages parameters, not updates, as the paper has it."""
    chance = np.random.default_rng(5)
    cut, examples = Cut(P, 128), [10, 200, 35]
    codec, model = codec_of(CodecSpec("f32"), P), START
    reference = START.astype(np.float64)
    for _ in range(10):
        changes = [(chance.standard_normal(P) * 0.1).astype(np.float32) for _ in examples]
        total = Total(cut)
        for change, weight in zip(changes, examples, strict=True):
            encoded = codec.encode(change, cut, 0)
            total.add([codec.decode(d, cut.length(n), n, 0) for n, d in enumerate(encoded)], weight)
        step, options = strategy_of(StrategySpec("fedavg"))
        model, _ = step(model, {}, Mean(total.mean(0, total.weight), 3), options)
        reference = np.average([reference + c for c in changes], axis=0, weights=examples)
    np.testing.assert_allclose(model, reference, rtol=0, atol=1e-6)


def test_fedavgm_keeps_a_momentum():
    model, v = START.astype(np.float64), np.zeros(P)
    for update in means():
        v = 0.7 * v + update
        model = model + 0.5 * v
    got = steps(StrategySpec("fedavgm", {"server_rate": 0.5, "momentum": 0.7}), means(), START)
    np.testing.assert_allclose(got, model, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ["fedadam", "fedyogi"])
def test_adaptive_ones_follow_their_paper(name):
    rate, beta1, beta2, tau = 0.05, 0.8, 0.95, 1e-2
    model, m, v = START.astype(np.float64), np.zeros(P), np.zeros(P)
    for update in means():
        m = beta1 * m + (1 - beta1) * update
        for i in range(P):
            square = update[i] ** 2
            if name == "fedadam":
                v[i] = beta2 * v[i] + (1 - beta2) * square
            elif v[i] > square:
                v[i] -= (1 - beta2) * square
            elif v[i] < square:
                v[i] += (1 - beta2) * square
        model = model + rate * m / (v**0.5 + tau)
    options = {"server_rate": rate, "beta1": beta1, "beta2": beta2, "tau": tau}
    np.testing.assert_allclose(
        steps(StrategySpec(name, options), means(), START), model, rtol=0, atol=1e-5
    )


def test_scaffold_by_hand():
    step, options = strategy_of(StrategySpec("scaffold", {"devices": 4}))
    model, state = np.zeros(2, np.float32), {}
    mean = Mean(np.array([1.0, -2.0]), 2, np.array([0.4, 0.8]))
    model, state = step(model, state, mean, options)
    model, state = step(model, state, mean, options)
    assert model.tolist() == [2.0, -4.0]
    np.testing.assert_allclose(state["control"], [0.4, 0.8])  # twice a half


def test_fedprox_is_fedavg_at_the_server():
    assert STRATEGIES["fedprox"].step is STRATEGIES["fedavg"].step


@pytest.mark.parametrize("name", sorted(STRATEGIES))
def test_a_step_changes_neither_model_nor_state(name):
    options = {"devices": 5} if name == "scaffold" else {}
    step, options = strategy_of(StrategySpec(name, options))
    mean = Mean(means()[0], 3, means()[1])
    model, state = step(START, {}, mean, options)
    copies = model.copy(), {key: value.copy() for key, value in state.items()}
    once, twice = step(model, state, mean, options), step(model, state, mean, options)
    assert once[0].tobytes() == twice[0].tobytes()
    assert once[0].dtype == np.float32
    assert model.tobytes() == copies[0].tobytes()
    assert all(state[key].tobytes() == copies[1][key].tobytes() for key in state)


@pytest.mark.parametrize(
    ("spec", "word"),
    [
        (StrategySpec("adam"), "fedadam"),
        (StrategySpec("fedavg", {"momentum": 0.9}), "server_rate"),
        (StrategySpec("fedavgm", {"momentum": 2}), "0 to 1"),
        (StrategySpec("scaffold"), "devices: is missing"),
    ],
)
def test_wrong_options_are_refused(spec, word):
    with pytest.raises(JobError, match=word):
        strategy_of(spec)
