"""The description of a network, as people write it: in Python or as JSON."""

from dataclasses import dataclass
from typing import Annotated, Literal

from broker.contract.shape import Doc, Length, Range, parse
from toolchain.errors import ModelRefused

MAX_LENGTH = 32767
MAX_CHANNELS = 1 << 20
MAX_LAYERS = 64
Count = Annotated[int, Range(1, MAX_CHANNELS)]
Size = Annotated[int, Range(1, MAX_LENGTH)]
Pair = Size | Annotated[tuple[Size, ...], Length(2, minimum=2)]
"""One length for height and width, or both."""
Activation = Literal["none", "relu", "relu6"]
Padding = Literal["valid", "same"]


@dataclass(frozen=True)
class Dense:
    """Every output sees every input; pictures are taken as they lie in memory."""

    units: Count
    activation: Activation = "none"
    kind: Literal["dense"] = "dense"


@dataclass(frozen=True)
class Conv2D:
    """A convolution over height and width."""

    filters: Count
    kernel: Pair
    stride: Pair = 1
    padding: Padding = "same"
    activation: Activation = "none"
    kind: Literal["conv2d"] = "conv2d"


@dataclass(frozen=True)
class DepthwiseConv2D:
    """A convolution of every channel with a window of its own."""

    kernel: Pair
    stride: Pair = 1
    padding: Padding = "same"
    activation: Activation = "none"
    kind: Literal["depthwise_conv2d"] = "depthwise_conv2d"


@dataclass(frozen=True)
class MaxPool2D:
    """The largest value under each window."""

    window: Pair = 2
    stride: Annotated[Pair | None, Doc("the window if left out")] = None
    padding: Padding = "valid"
    kind: Literal["max_pool2d"] = "max_pool2d"


@dataclass(frozen=True)
class AveragePool2D:
    """The mean under each window, of what lies inside the picture."""

    window: Pair = 2
    stride: Annotated[Pair | None, Doc("the window if left out")] = None
    padding: Padding = "valid"
    kind: Literal["average_pool2d"] = "average_pool2d"


@dataclass(frozen=True)
class GlobalAveragePool2D:
    """The mean of every channel."""

    kind: Literal["global_average_pool2d"] = "global_average_pool2d"


@dataclass(frozen=True)
class Flatten:
    """Says that pictures become vectors; a dense layer does that by itself."""

    kind: Literal["flatten"] = "flatten"


Layer = Dense | Conv2D | DepthwiseConv2D | MaxPool2D | AveragePool2D | GlobalAveragePool2D | Flatten


@dataclass(frozen=True)
class Network:
    """A chain of layers, and how it is trained.

    Attributes:
        input: the shape of one example: [features], or [height, width, channels].
        batch: examples that are handed over at once, at most.
    """

    input: Annotated[tuple[Count, ...], Length(3, minimum=1)]
    layers: Annotated[tuple[Layer, ...], Length(MAX_LAYERS, minimum=1)]
    loss: Annotated[
        Literal["cross_entropy", "squared_error"],
        Doc("of class numbers after softmax, or of as many targets as there are outputs"),
    ] = "cross_entropy"
    batch: Annotated[int, Range(1, MAX_LENGTH)] = 32


def read_network(tree: object) -> Network:
    """Parse a description from outside.

    Raises:
        ModelRefused: it is none; the text names the first fault.
    """
    found = parse(Network, tree)
    if isinstance(found, Network):
        return found
    raise ModelRefused(f"network: {found[0]}")
