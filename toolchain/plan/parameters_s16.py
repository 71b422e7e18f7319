"""Parameters of the int16 operators; `engine/include/selvedge/parameters.h` explains the fields."""

from dataclasses import dataclass

from toolchain.plan.numbers import Opcode
from toolchain.plan.parameters import Mean, NoParameters, Window
from toolchain.plan.records import I8, I16, I32, U8, U16, U32, Record


@dataclass(frozen=True, slots=True)
class OutputStage(Record):
    """From sums to int16: bias, multiplier and shift of each channel, then a range."""

    bias: U32
    multiplier: U32
    shift: U32
    low: I16
    high: I16
    is_wide: U32


@dataclass(frozen=True, slots=True)
class Conv2D(Record):
    """CONV_2D; weights are int8 [out, height, width, depth]."""

    stage: OutputStage
    window: Window
    weights: U32
    depth: U32


@dataclass(frozen=True, slots=True)
class DepthwiseConv2D(Record):
    """DEPTHWISE_CONV_2D; weights are int8 [height, width, out]."""

    stage: OutputStage
    window: Window
    weights: U32
    depth_multiplier: U32


@dataclass(frozen=True, slots=True)
class FullyConnected(Record):
    """FULLY_CONNECTED; weights are int8 [units, depth]."""

    stage: OutputStage
    weights: U32
    units: U32
    depth: U32


@dataclass(frozen=True, slots=True)
class Pool2D(Record):
    """AVERAGE_POOL_2D and MAX_POOL_2D."""

    window: Window
    low: I16
    high: I16


@dataclass(frozen=True, slots=True)
class Add(Record):
    """ADD, and SUB where `subtract` is 1."""

    left_multiplier: I32
    right_multiplier: I32
    output_multiplier: I32
    left_shift: I8
    right_shift: I8
    output_shift: I8
    subtract: U8
    low: I16
    high: I16


@dataclass(frozen=True, slots=True)
class Mul(Record):
    """MUL."""

    multiplier: I32
    low: I16
    high: I16
    shift: I8
    reserved0: U8 = 0
    reserved1: U16 = 0


@dataclass(frozen=True, slots=True)
class Softmax(Record):
    """SOFTMAX; the tables are int16[513]."""

    exponential: U32
    reciprocal: U32
    multiplier: I32
    shift: I32


@dataclass(frozen=True, slots=True)
class Sigmoid(Record):
    """LOGISTIC and TANH; the table is uint16[256]."""

    table: U32
    multiplier: I32
    shift: U32
    function: U32


OF_OPCODE: dict[Opcode, type[Record]] = {
    Opcode.CONV_2D_S16: Conv2D,
    Opcode.DEPTHWISE_CONV_2D_S16: DepthwiseConv2D,
    Opcode.FULLY_CONNECTED_S16: FullyConnected,
    Opcode.ADD_S16: Add,
    Opcode.AVERAGE_POOL_2D_S16: Pool2D,
    Opcode.MAX_POOL_2D_S16: Pool2D,
    Opcode.SOFTMAX_S16: Softmax,
    Opcode.QUANTIZE_F32_S16: NoParameters,
    Opcode.DEQUANTIZE_S16_F32: NoParameters,
    Opcode.MUL_S16: Mul,
    Opcode.SIGMOID_S16: Sigmoid,
    Opcode.MEAN_S16: Mean,
}
