"""FedAvg as one would write it down: numpy, float64, a softmax head, nothing of ours."""

from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

Reals = NDArray[np.float64]
Order = Callable[[str, int, int], Iterable[NDArray[np.intp]]]
"""From a device, the number of a round and a count of examples to the batches of its training."""


def fedavg(
    model: Reals,
    devices: Mapping[str, tuple[Reals, NDArray[np.int32]]],
    rate: float,
    rounds: Iterable[int],
    order: Order,
) -> Iterator[Reals]:
    """McMahan et al. 2017, algorithm 1: the model after each round; weights [classes, features]
    come before biases."""
    for number in rounds:
        total = np.zeros_like(model)
        for name, (x, y) in devices.items():
            here = model.copy()
            for at in order(name, number, len(y)):
                classes = here.size // (x.shape[1] + 1)
                weights, bias = here[:-classes].reshape(classes, -1), here[-classes:]
                scores = x[at] @ weights.T + bias
                slope = np.exp(scores - scores.max(axis=1, keepdims=True))
                slope /= slope.sum(axis=1, keepdims=True)
                slope[np.arange(len(at)), y[at]] -= 1
                slope /= len(at)
                here -= rate * np.concatenate([(slope.T @ x[at]).ravel(), slope.sum(axis=0)])
            total += len(y) * (here - model)
        model = model + total / sum(len(y) for _, y in devices.values())
        yield model
