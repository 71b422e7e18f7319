"""Samples and tensors in the words of a refusal."""

from agent.pipeline.sample import Sample
from agent.runtime.protocol import TensorInfo


def describe_sample(sample: Sample) -> str:
    """Say what a source gave, such as `uint8 [480, 640, 3]`."""
    sound = f" of sound at {sample.rate_hz} Hz" if sample.rate_hz else ""
    name = f" {sample.id[:80]!r}" if sample.id else ""
    return f"{sample.data.dtype} {list(sample.data.shape)}{sound}{name}"


def describe_tensor(tensor: TensorInfo) -> str:
    """Say what a model wants, such as `input 'x' is int8 [1, 96, 96, 3]`."""
    return f"input '{tensor.name}' is {tensor.dtype} {list(tensor.shape)}"


def squeezed(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return `shape` without its dimensions of one."""
    return tuple(length for length in shape if length != 1)
