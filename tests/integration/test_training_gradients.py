"""What trainer modules compute, beside PyTorch and beside finite differences."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.networks import CNN, HEAD, MIXED, NETWORKS, SQUARED, networks
from tests.support.torch_oracle import Oracle
from tests.support.trainers import Wasm3Trainer, WasmtimeTrainer, module_of, started
from toolchain.training.initial import initial_parameters
from toolchain.training.network import Network

ALL = pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
STEPS = 12


def data(network: Network, trainer, count: int, seed: int = 0):
    rng = np.random.default_rng(seed)
    features = int(np.prod(network.input))
    examples = rng.standard_normal((count, features)).astype(np.float32)
    if network.loss == "squared_error":
        return examples, rng.standard_normal((count, trainer.outputs)).astype(np.float32)
    return examples, rng.integers(0, trainer.outputs, count).astype(np.int32)


def shaken(network: Network, seed: int = 0) -> np.ndarray:
    """Parameters whose biases are not all 0."""
    drawn = initial_parameters(network, seed)
    noise = np.random.default_rng(seed).uniform(-0.1, 0.1, len(drawn))
    return (drawn + noise).astype(np.float32)


@ALL
def test_losses_and_gradients_are_those_of_pytorch(network):
    trainer = started(network)
    trainer.parameters[:] = shaken(network)
    examples, labels = data(network, trainer, trainer.capacity)
    oracle = Oracle(network, trainer.parameters.copy())
    loss, _, _ = trainer.evaluate(examples, labels)
    assert loss == pytest.approx(oracle.losses(examples, labels).mean().item(), rel=1e-5)
    expected = oracle.gradient(examples, labels)
    found = trainer.gradient(examples, labels)
    assert np.abs(found - expected).max() <= 4e-6 * max(1.0, np.abs(expected).max())


@settings(max_examples=60)
@given(networks, st.integers(0, 2**32))
def test_gradients_of_random_networks_are_those_of_pytorch(network, seed):
    trainer = started(network)
    trainer.parameters[:] = shaken(network, seed)
    count = 1 + seed % trainer.capacity
    examples, labels = data(network, trainer, count, seed)
    expected = Oracle(network, trainer.parameters.copy()).gradient(examples, labels)
    found = trainer.gradient(examples, labels)
    # Two inputs of a limit or a maximum that differ in their last bits may send a slope elsewhere.
    assert np.abs(found - expected).max() <= 1e-4 * max(1.0, np.abs(expected).max())


@pytest.mark.parametrize("network", [HEAD, MIXED, SQUARED], ids=["head", "mixed", "squared error"])
def test_gradients_are_finite_differences(network):
    """Central ones of the loss that the module itself computes, along random directions."""
    trainer = started(network)
    trainer.parameters[:] = middle = shaken(network)
    examples, labels = data(network, trainer, trainer.capacity)
    gradient = trainer.gradient(examples, labels)
    rng = np.random.default_rng(5)
    for _ in range(5):
        direction = rng.standard_normal(len(middle))
        direction /= np.linalg.norm(direction)
        width = 5e-3
        losses = []
        for sign in (1, -1):
            trainer.parameters[:] = (middle + sign * width * direction).astype(np.float32)
            losses.append(trainer.evaluate(examples, labels)[0])
        slope = (losses[0] - losses[1]) / (2 * width)
        assert slope == pytest.approx(gradient @ direction, rel=0.03, abs=1e-3)


@ALL
def test_steps_are_those_of_pytorchs_sgd(network):
    trainer = started(network)
    trainer.set(learning_rate=0.05, momentum=0.9, weight_decay=0.01)
    oracle = Oracle(network, trainer.parameters.copy(), torch.float64)
    optimizer = torch.optim.SGD(oracle.learning, 0.05, momentum=0.9, weight_decay=0.01)
    for step in range(STEPS):
        examples, labels = data(network, trainer, trainer.capacity - step % 2, step)
        loss = oracle.losses(examples, labels).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        assert trainer.train(examples, labels) == pytest.approx(loss.item(), rel=1e-3)
    assert np.abs(trainer.parameters - oracle.flat()).max() < 1e-3


def test_the_proximal_term_pulls_to_the_anchor_and_the_control_is_added():
    trainer = started(SQUARED)
    examples, labels = data(SQUARED, trainer, 5)
    plain = trainer.gradient(examples, labels)
    rng = np.random.default_rng(2)
    before = trainer.parameters.copy()
    anchor, control = rng.standard_normal((2, len(before))).astype(np.float32)
    trainer.anchor[:], trainer.control[:] = anchor, control
    trainer.call("sv_begin")
    trainer.hyper[:5] = 0.5, 0, 0, 0.25, 0
    trainer.train(examples, labels)
    expected = before - 0.5 * (plain + 0.25 * (before - anchor) + control)
    assert np.abs(trainer.parameters - expected).max() < 1e-6


def test_begin_forgets_the_momentum_and_nothing_else():
    trainer, other = started(HEAD), started(HEAD)
    batches = [data(HEAD, trainer, 8, seed) for seed in range(3)]
    trainer.set(learning_rate=0.1, momentum=0.9)
    other.set(learning_rate=0.1, momentum=0.9)
    for batch in batches[:2]:
        trainer.train(*batch)
    other.parameters[:] = trainer.parameters
    trainer.call("sv_begin")
    trainer.train(*batches[2])
    other.train(*batches[2])
    assert trainer.parameters.tobytes() == other.parameters.tobytes()


@ALL
def test_clipping_bounds_every_example(network):
    trainer = started(network)
    trainer.parameters[:] = shaken(network)
    examples, labels = data(network, trainer, trainer.capacity)
    oracle = Oracle(network, trainer.parameters.copy())
    each = [oracle.gradient(examples[i : i + 1], labels[i : i + 1]) for i in range(len(examples))]
    norms = np.linalg.norm(each, axis=1)
    limit = float(np.median(norms))
    trainer.set(clip=limit)
    found = trainer.gradient(examples, labels)
    expected = np.mean(
        [g * min(1, limit / norm) for g, norm in zip(each, norms, strict=True)], axis=0
    )
    assert np.abs(found - expected).max() <= 4e-6 * max(1.0, limit)
    assert trainer.norms[: len(norms)] == pytest.approx(norms, rel=1e-4)
    assert np.linalg.norm(found) <= limit * 1.00001


def test_an_infinite_limit_tells_norms_and_changes_nothing():
    trainer = started(CNN)
    examples, labels = data(CNN, trainer, 6)
    plain = trainer.gradient(examples, labels)
    trainer.set(clip=np.inf)
    assert np.abs(trainer.gradient(examples, labels) - plain).max() < 2e-6
    assert (trainer.norms[:6] > 0).all()


@ALL
def test_every_build_gives_the_same_bytes(network):
    runs = []
    for make, target in itertools.product((WasmtimeTrainer, Wasm3Trainer), ("simd", "scalar")):
        if (make, target) == (Wasm3Trainer, "simd"):
            continue
        trainer = make(module_of(network, target))
        trainer.parameters[:] = initial_parameters(network, 4)
        trainer.set(learning_rate=0.05, momentum=0.9, clip=1.0)
        first = data(network, trainer, trainer.capacity, 1)
        losses = [trainer.train(*first)]
        trainer.set(clip=0.0)
        losses.append(trainer.train(*data(network, trainer, trainer.capacity, 2)))
        answers = trainer.evaluate(*first)
        runs.append((losses, answers[:2], answers[2].tobytes(), trainer.parameters.tobytes()))
    assert runs[0] == runs[1] == runs[2]


@pytest.mark.parametrize("labels", [[-1, 0], [0, 10], [2**31 - 1, 1]])
def test_labels_that_there_are_not_are_refused(labels):
    trainer = started(HEAD)
    trainer.set(learning_rate=0.1)
    before = trainer.parameters.copy()
    examples, _ = data(HEAD, trainer, 2)
    assert np.isnan(trainer.train(examples, np.array(labels, np.int32)))
    assert np.isnan(trainer.evaluate(examples, np.array(labels, np.int32))[0])
    assert (trainer.parameters == before).all()


@pytest.mark.parametrize("count", [0, 33, -1, 2**31 - 1])
def test_counts_outside_the_batch_are_refused(count):
    trainer = started(HEAD)
    assert np.isnan(trainer.call("sv_train", count))
    assert np.isnan(trainer.call("sv_evaluate", count))


@pytest.mark.parametrize("poison", [np.nan, np.inf, 3e38])
def test_a_loss_that_is_no_number_leaves_the_parameters(poison):
    trainer = started(HEAD)
    trainer.set(learning_rate=0.1)
    before = trainer.parameters.copy()
    examples, labels = data(HEAD, trainer, 4)
    examples[2] = poison
    assert np.isnan(trainer.train(examples, labels))
    assert (trainer.parameters == before).all()


def test_evaluation_counts_what_is_right_and_gives_probabilities():
    trainer = started(CNN)
    examples, labels = data(CNN, trainer, 20)
    loss, correct, answers = trainer.evaluate(examples, labels)
    outputs = Oracle(CNN, trainer.parameters.copy()).outputs(examples).detach()
    expected = torch.softmax(outputs, dim=1).numpy()
    assert np.abs(answers - expected).max() < 1e-6
    assert correct == (expected.argmax(axis=1) == labels).sum()
    assert loss == pytest.approx(-np.log(expected[range(20), labels]).mean(), rel=1e-5)
