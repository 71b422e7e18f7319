"""From layers to the steps of the engine, in which all shapes are known."""

from dataclasses import dataclass
from enum import IntEnum

from toolchain.errors import ModelRefused
from toolchain.training import network as n

LANES = 4


class Kind(IntEnum):
    """`sv_layer_kind` of engine/training/network.h."""

    LINEAR = 1
    DEPTHWISE = 2
    MAX_POOL = 3
    AVERAGE_POOL = 4


ACTIVATIONS = {"none": 0, "relu": 1, "relu6": 2}
Shape = tuple[int, int, int]
"""Height, width and channels; a vector has height and width 1."""
Two = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Step:
    """One layer of the engine.

    Attributes:
        input: its shape, as `output`.
        kernel: height and width of the window; a dense layer's is the whole picture.
        pad: lines above and pixels to the left of the picture that windows reach.
    """

    kind: Kind
    input: Shape
    output: Shape
    kernel: Two
    stride: Two = (1, 1)
    pad: Two = (0, 0)
    activation: int = 0

    @property
    def fan_in(self) -> int:
        """Numbers of which one output is the weighted sum."""
        return self.kernel[0] * self.kernel[1] * (self.input[2] if self.is_linear else 1)

    @property
    def fan_out(self) -> int:
        """Outputs that one input reaches."""
        return self.kernel[0] * self.kernel[1] * (self.output[2] if self.is_linear else 1)

    @property
    def is_linear(self) -> bool:
        """A convolution over all channels, or a dense layer."""
        return self.kind is Kind.LINEAR

    @property
    def weights(self) -> int:
        """How many weights it has."""
        return self.fan_in * self.output[2] if self.has_weights else 0

    @property
    def has_weights(self) -> bool:
        """It learns."""
        return self.kind in (Kind.LINEAR, Kind.DEPTHWISE)

    @property
    def parameters(self) -> int:
        """Weights and biases."""
        return self.weights + self.output[2] if self.has_weights else 0


def steps_of(network: n.Network) -> tuple[Step, ...]:
    """Work out every shape.

    Raises:
        ModelRefused: a layer does not fit what comes before it, or the outputs are no vector.
    """
    shape = _input(network.input)
    found: list[Step] = []
    for number, layer in enumerate(network.layers):
        try:
            step = _step(layer, shape)
        except ModelRefused as error:
            raise ModelRefused(f"network: layer {number} ({layer.kind}): {error}") from None
        if step is not None:
            found.append(step)
            shape = step.output
    if not found:
        raise ModelRefused("network: it has no layer that computes; add a dense one")
    if shape[:2] != (1, 1):
        raise ModelRefused(
            f"network: it ends with {shape[0]}×{shape[1]} pixels; end it with a dense layer "
            "or a global pool"
        )
    if not any(step.has_weights for step in found):
        raise ModelRefused("network: nothing in it learns; add a dense or convolution layer")
    return tuple(found)


def _input(shape: tuple[int, ...]) -> Shape:
    if len(shape) == 2:
        raise ModelRefused("network: input: give [features] or [height, width, channels]")
    height, width, channels = (1, 1, *shape)[-3:]
    if max(height, width) > n.MAX_LENGTH:
        raise ModelRefused(f"network: input: height and width are at most {n.MAX_LENGTH}")
    return height, width, channels


def _step(layer: n.Layer, shape: Shape) -> Step | None:
    height, width, channels = shape
    match layer:
        case n.Flatten():
            return None
        case n.Dense():
            output = (1, 1, layer.units)
            return Step(
                Kind.LINEAR,
                shape,
                output,
                (height, width),
                activation=ACTIVATIONS[layer.activation],
            )
        case n.GlobalAveragePool2D():
            return Step(Kind.AVERAGE_POOL, shape, (1, 1, channels), (height, width))
        case n.Conv2D():
            kind, outputs = Kind.LINEAR, layer.filters
        case n.DepthwiseConv2D():
            kind, outputs = Kind.DEPTHWISE, channels
        case n.MaxPool2D() | n.AveragePool2D():
            window = _two(layer.window)
            stride = window if layer.stride is None else _two(layer.stride)
            is_max = isinstance(layer, n.MaxPool2D)
            kind = Kind.MAX_POOL if is_max else Kind.AVERAGE_POOL
            return _windowed(kind, shape, channels, window, stride, layer.padding, 0)
    return _windowed(
        kind,
        shape,
        outputs,
        _two(layer.kernel),
        _two(layer.stride),
        layer.padding,
        ACTIVATIONS[layer.activation],
    )


def _windowed(
    kind: Kind,
    shape: Shape,
    outputs: int,
    kernel: Two,
    stride: Two,
    padding: n.Padding,
    activation: int,
) -> Step:
    lengths, pads = [], []
    for length, taps, step in zip(shape[:2], kernel, stride, strict=True):
        count = -(-length // step) if padding == "same" else (length - taps) // step + 1
        if count < 1:
            raise ModelRefused(f"a window of {taps} does not fit into {length}; pad with 'same'")
        lengths.append(count)
        pads.append(max(0, (count - 1) * step + taps - length) // 2 if padding == "same" else 0)
    output = (lengths[0], lengths[1], outputs)
    return Step(kind, shape, output, kernel, stride, (pads[0], pads[1]), activation)


def _two(pair: n.Pair) -> Two:
    return (pair, pair) if isinstance(pair, int) else (pair[0], pair[1])
