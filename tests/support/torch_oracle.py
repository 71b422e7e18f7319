"""PyTorch's answers for a network of ours: losses, gradients and steps of SGD."""

from itertools import pairwise

import numpy as np
import torch
from torch.nn import functional

from toolchain.training.network import Network
from toolchain.training.steps import Kind, Step, steps_of

torch.set_num_threads(1)


class Oracle:
    """A network in float64 (or float32), with parameters in the order of `sv_params`."""

    def __init__(self, network: Network, parameters: np.ndarray, dtype=torch.float64) -> None:
        self.steps = steps_of(network)
        self.is_classes = network.loss == "cross_entropy"
        self.dtype = dtype
        self.input = self.steps[0].input
        sizes = np.cumsum([0, *(step.parameters for step in self.steps)])
        self.parts = [
            torch.tensor(parameters[start:end], dtype=dtype, requires_grad=True)
            for start, end in pairwise(sizes)
        ]

    @property
    def learning(self) -> list[torch.Tensor]:
        return [part for part in self.parts if len(part)]

    def outputs(self, examples: np.ndarray) -> torch.Tensor:
        now = torch.tensor(examples, dtype=self.dtype).reshape(-1, *self.input).permute(0, 3, 1, 2)
        for step, part in zip(self.steps, self.parts, strict=True):
            now = _apply(step, part, now)
        return now.reshape(len(examples), -1)

    def losses(self, examples: np.ndarray, labels: np.ndarray) -> torch.Tensor:
        outputs = self.outputs(examples)
        if self.is_classes:
            return functional.cross_entropy(outputs, torch.tensor(labels).long(), reduction="none")
        targets = torch.tensor(labels, dtype=self.dtype)
        return ((outputs - targets) ** 2).mean(dim=1)

    def gradient(self, examples: np.ndarray, labels: np.ndarray) -> np.ndarray:
        found = torch.autograd.grad(self.losses(examples, labels).mean(), self.learning)
        return np.concatenate([part.numpy() for part in found])

    def flat(self) -> np.ndarray:
        return np.concatenate([part.detach().numpy() for part in self.learning])


def _apply(step: Step, part: torch.Tensor, now: torch.Tensor) -> torch.Tensor:
    now = functional.pad(now, _border(step), value=-np.inf if step.kind is Kind.MAX_POOL else 0.0)
    inputs, outputs = step.input[2], step.output[2]
    match step.kind:
        case Kind.LINEAR:
            weights = part[: step.weights].reshape(outputs, *step.kernel, inputs)
            now = functional.conv2d(
                now, weights.permute(0, 3, 1, 2), part[step.weights :], step.stride
            )
        case Kind.DEPTHWISE:
            weights = part[: step.weights].reshape(1, *step.kernel, outputs)
            now = functional.conv2d(
                now,
                weights.permute(3, 0, 1, 2),
                part[step.weights :],
                step.stride,
                groups=outputs,
            )
        case Kind.MAX_POOL:
            now = functional.max_pool2d(now, step.kernel, step.stride)
        case Kind.AVERAGE_POOL:
            inside = functional.pad(
                torch.ones((1, 1, *step.input[:2]), dtype=now.dtype), _border(step)
            )
            counts = functional.avg_pool2d(inside, step.kernel, step.stride)
            now = functional.avg_pool2d(now, step.kernel, step.stride) / counts
    now = now[:, :, : step.output[0], : step.output[1]]
    return (lambda x: x, functional.relu, functional.relu6)[step.activation](now)


def _border(step: Step) -> tuple[int, int, int, int]:
    """Left, right, top, bottom: as far as windows reach."""
    ends = [
        max(0, (step.output[i] - 1) * step.stride[i] + step.kernel[i] - step.pad[i] - step.input[i])
        for i in range(2)
    ]
    return step.pad[1], ends[1], step.pad[0], ends[0]
