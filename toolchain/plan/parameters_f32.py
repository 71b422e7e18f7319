"""Parameters of the float32 operators; `parameters.h` in the engine explains the fields."""

from dataclasses import dataclass

from toolchain.plan.numbers import Opcode
from toolchain.plan.parameters import Window
from toolchain.plan.records import F32, U8, U16, U32, Record


@dataclass(frozen=True, slots=True)
class FloatStage(Record):
    """Bias of each channel, then a range, which is infinite where there is no activation."""

    bias: U32
    low: F32
    high: F32


@dataclass(frozen=True, slots=True)
class Conv2D(Record):
    """CONV_2D; weights are [out, height, width, depth]."""

    stage: FloatStage
    window: Window
    weights: U32
    depth: U32


@dataclass(frozen=True, slots=True)
class DepthwiseConv2D(Record):
    """DEPTHWISE_CONV_2D; weights are [height, width, out]."""

    stage: FloatStage
    window: Window
    weights: U32
    depth_multiplier: U32


@dataclass(frozen=True, slots=True)
class FullyConnected(Record):
    """FULLY_CONNECTED; weights are [units, depth]."""

    stage: FloatStage
    weights: U32
    units: U32
    depth: U32


@dataclass(frozen=True, slots=True)
class Add(Record):
    """ADD, and SUB where `subtract` is 1."""

    low: F32
    high: F32
    subtract: U32


@dataclass(frozen=True, slots=True)
class Mul(Record):
    """MUL."""

    low: F32
    high: F32


@dataclass(frozen=True, slots=True)
class Pool2D(Record):
    """AVERAGE_POOL_2D and MAX_POOL_2D."""

    window: Window
    low: F32
    high: F32


@dataclass(frozen=True, slots=True)
class Softmax(Record):
    """SOFTMAX of `beta` times the input."""

    beta: F32


@dataclass(frozen=True, slots=True)
class Mean(Record):
    """MEAN over the middle of [outer, count, inner]; SUM where `divides` is 0."""

    outer: U32
    count: U32
    inner: U32
    divides: U32


@dataclass(frozen=True, slots=True)
class Unary(Record):
    """A `Function` of one value; CLAMP has a range, LEAKY_RELU a slope below 0."""

    function: U32
    low: F32 = 0.0
    high: F32 = 0.0
    slope: F32 = 0.0


@dataclass(frozen=True, slots=True)
class ResizeBilinear(Record):
    """RESIZE_BILINEAR; at most one of the two is 1."""

    align_corners: U8
    half_pixel_centers: U8
    reserved: U16 = 0


OF_OPCODE: dict[Opcode, type[Record]] = {
    Opcode.CONV_2D_F32: Conv2D,
    Opcode.DEPTHWISE_CONV_2D_F32: DepthwiseConv2D,
    Opcode.FULLY_CONNECTED_F32: FullyConnected,
    Opcode.ADD_F32: Add,
    Opcode.MUL_F32: Mul,
    Opcode.AVERAGE_POOL_2D_F32: Pool2D,
    Opcode.MAX_POOL_2D_F32: Pool2D,
    Opcode.SOFTMAX_F32: Softmax,
    Opcode.MEAN_F32: Mean,
    Opcode.UNARY_F32: Unary,
    Opcode.RESIZE_BILINEAR_F32: ResizeBilinear,
}
