"""What virtual devices learn: clusters in space, and a softmax head trained by numpy.

Every device has classes of its own liking, drawn from a Dirichlet distribution: the smaller its
concentration, the fewer classes a device knows.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from broker.contract.federated.codecs.codec import Vector
from broker.contract.federated.job import LocalSpec

FEATURES, CLASSES = 32, 10
PARAMETERS = (FEATURES + 1) * CLASSES
TEST_EXAMPLES = 2_000
Labels = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Examples:
    """float32[n, FEATURES] and the class of each."""

    features: Vector
    labels: Labels


@dataclass(frozen=True)
class Task:
    """One problem: the centres of its classes, and how different devices are."""

    centres: Vector
    concentration: float
    examples: int

    def of_device(self, chance: np.random.Generator) -> Examples:
        """What one device has; equal chance, equal examples."""
        liking = chance.dirichlet(np.full(CLASSES, self.concentration))
        count = int(chance.integers(self.examples // 2 or 1, 3 * self.examples // 2 + 1))
        return self._drawn(chance, chance.choice(CLASSES, count, p=liking))

    def held_out(self, chance: np.random.Generator) -> Examples:
        """Examples of all classes alike."""
        return self._drawn(chance, chance.integers(0, CLASSES, TEST_EXAMPLES))

    def _drawn(self, chance: np.random.Generator, labels: Labels) -> Examples:
        noise = chance.standard_normal((labels.size, FEATURES), np.float32)
        return Examples(self.centres[labels] + noise, labels)


def new_task(chance: np.random.Generator, concentration: float, examples: int) -> Task:
    """Draw a problem on which a head that sees all data gets about nine of ten right."""
    centres = chance.standard_normal((CLASSES, FEATURES), np.float32) * np.float32(0.45)
    return Task(centres, concentration, examples)


def judged(parameters: Vector, examples: Examples) -> tuple[float, float]:
    """Mean cross-entropy, and the share of right answers."""
    weights, bias = _split(parameters)
    chances = _softmax(examples.features @ weights + bias)
    rows = np.arange(examples.labels.size)
    loss = -np.log(np.maximum(chances[rows, examples.labels], 1e-12)).mean()
    return float(loss), float((chances.argmax(axis=1) == examples.labels).mean())


def trained(
    start: Vector,
    examples: Examples,
    local: LocalSpec,
    correction: Vector | None,
    chance: np.random.Generator,
) -> tuple[Vector, int]:
    """Train from `start`: SGD with momentum, weight decay, FedProx's pull, SCAFFOLD's correction.

    Returns:
        The parameters, and how many steps led there.
    """
    here, velocity = start.copy(), np.zeros_like(start)
    steps = 0
    for _ in range(local.epochs):
        order = chance.permutation(examples.labels.size)
        for at in range(0, order.size, local.batch):
            if steps >= local.max_steps:
                return here, steps
            batch = order[at : at + local.batch]
            slope = _slope(here, examples.features[batch], examples.labels[batch])
            slope += local.weight_decay * here + local.prox_mu * (here - start)
            if correction is not None:
                slope += correction
            velocity = local.momentum * velocity + slope
            here = (here - local.learning_rate * velocity).astype(np.float32)
            steps += 1
    return here, steps


def _slope(parameters: Vector, features: Vector, labels: Labels) -> Vector:
    weights, bias = _split(parameters)
    error = _softmax(features @ weights + bias)
    error[np.arange(labels.size), labels] -= 1
    error /= labels.size
    return np.concatenate([(features.T @ error).reshape(-1), error.sum(axis=0)])


def _split(parameters: Vector) -> tuple[Vector, Vector]:
    whole = FEATURES * CLASSES
    return parameters[:whole].reshape(FEATURES, CLASSES), parameters[whole:]


def _softmax(scores: Vector) -> Vector:
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    chances: Vector = powers / powers.sum(axis=1, keepdims=True)
    return chances
