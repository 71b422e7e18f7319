"""How much memory the engine takes for a network: what engine/training/open.c counts, too."""

from dataclasses import dataclass

from toolchain.errors import ModelRefused
from toolchain.training.network import Network
from toolchain.training.steps import LANES, Kind, Shape, Step

MAX_FLOATS = 1 << 28
MAX_GROUP = 16
GROUP_FLOATS = 64 * 1024
"""Pictures that are computed together are to stay in the second cache."""
ALIGNMENT_FLOATS = 4
HYPER_FLOATS = 8


@dataclass(frozen=True, slots=True)
class Plan:
    """Counts of a network.

    Attributes:
        group: examples that are computed together.
        arena_bytes: all memory but stack, code and description.
    """

    parameters: int
    group: int
    arena_bytes: int


def plan(network: Network, steps: tuple[Step, ...]) -> Plan:
    """Count memory and choose how many examples are computed together.

    Raises:
        ModelRefused: the network is larger than the engine takes.
    """
    pictures = [_pictures(steps[0].input, _first_pixel(steps[0]), steps[0])]
    pictures += [
        _pictures(step.output, _lanes(step.output[2]), reader)
        for step, reader in zip(steps, (*steps[1:], None), strict=True)
    ]
    group = max(1, min(MAX_GROUP, network.batch, GROUP_FLOATS // sum(pictures)))
    parameters = sum(step.parameters for step in steps)
    gradient = 0
    pieces: list[int] = []
    pixel = _first_pixel(steps[0])
    for number, step in enumerate(steps):
        packed = _packed(step, pixel)
        pixel = _lanes(step.output[2])
        if step.has_weights:
            pieces.append(packed + pixel)
            gradient += pieces[-1]
        if step.is_linear and number > 0:
            pieces.append(packed // pixel * step.output[2])
    if max(*pictures, gradient, parameters) > MAX_FLOATS:
        raise ModelRefused(f"network: a layer or all weights have more than {MAX_FLOATS} numbers")
    outputs = steps[-1].output[2]
    features = network.input[0]
    for length in network.input[1:]:
        features *= length
    targets = outputs if network.loss == "squared_error" else 1
    pieces += [group * size for size in pictures]
    pieces += [HYPER_FLOATS, *[parameters] * 4, gradient, gradient]
    pieces += [group * max(pictures[1:])] * 2
    pieces += [network.batch * count for count in (features, targets, 1, outputs)]
    return Plan(parameters, group, sum(map(_aligned_bytes, pieces)))


def _packed(step: Step, pixel: int) -> int:
    taps = step.kernel[0] * step.kernel[1]
    if step.is_linear:
        return taps * pixel * _lanes(step.output[2])
    return taps * pixel


def _first_pixel(step: Step) -> int:
    return step.input[2] if step.kind is Kind.LINEAR else _lanes(step.input[2])


def _pictures(shape: Shape, pixel: int, reader: Step | None) -> int:
    """Floats of one picture with the border into which the windows of its reader reach."""
    lengths = list(shape[:2])
    if reader is not None and reader.has_weights:
        for i in range(2):
            reached = (reader.output[i] - 1) * reader.stride[i] + reader.kernel[i]
            lengths[i] = max(reader.pad[i] + lengths[i], reached)
    return _lanes(lengths[0] * lengths[1] * pixel)


def _lanes(count: int) -> int:
    return -(-count // LANES) * LANES


def _aligned_bytes(floats: int) -> int:
    return -(-floats // ALIGNMENT_FLOATS) * ALIGNMENT_FLOATS * 4
