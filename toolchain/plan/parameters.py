"""Parameters of each operator; `engine/include/selvedge/parameters.h` explains the fields."""

from dataclasses import dataclass

from toolchain.plan.numbers import Opcode
from toolchain.plan.records import I8, I32, U8, U16, U32, Record


@dataclass(frozen=True, slots=True)
class OutputStage(Record):
    """From int32 sums to int8: bias, multiplier and shift of each channel, then a range."""

    bias: U32
    multiplier: U32
    shift: U32
    low: I8
    high: I8
    weight_zero_point: I8 = 0
    reserved: U8 = 0


@dataclass(frozen=True, slots=True)
class Window(Record):
    """A window that slides over a picture."""

    kernel_h: U16
    kernel_w: U16
    stride_h: U16
    stride_w: U16
    dilation_h: U16
    dilation_w: U16
    pad_top: U16
    pad_left: U16


@dataclass(frozen=True, slots=True)
class Conv2D(Record):
    """CONV_2D; weights are [out, height, width, depth]."""

    stage: OutputStage
    window: Window
    weights: U32
    depth: U32


@dataclass(frozen=True, slots=True)
class DepthwiseConv2D(Record):
    """DEPTHWISE_CONV_2D; weights are [height, width, out]."""

    stage: OutputStage
    window: Window
    weights: U32
    depth_multiplier: U32


@dataclass(frozen=True, slots=True)
class FullyConnected(Record):
    """FULLY_CONNECTED; weights are [units, depth]."""

    stage: OutputStage
    weights: U32
    units: U32
    depth: U32


@dataclass(frozen=True, slots=True)
class Pool2D(Record):
    """AVERAGE_POOL_2D and MAX_POOL_2D."""

    window: Window
    low: I8
    high: I8
    halves_up: U8 = 0
    reserved: U8 = 0


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
    low: I8
    high: I8
    reserved: U16 = 0


@dataclass(frozen=True, slots=True)
class Mul(Record):
    """MUL."""

    multiplier: I32
    shift: I8
    low: I8
    high: I8
    reserved: U8 = 0


@dataclass(frozen=True, slots=True)
class Softmax(Record):
    """SOFTMAX; the table is int32[256]."""

    table: U32


@dataclass(frozen=True, slots=True)
class Table(Record):
    """Any function of one int8; the table is int8[256]."""

    table: U32


@dataclass(frozen=True, slots=True)
class Mean(Record):
    """MEAN over the middle of [outer, count, inner]."""

    multiplier: I32
    shift: I32
    outer: U32
    count: U32
    inner: U32


@dataclass(frozen=True, slots=True)
class Pad(Record):
    """PAD and PADV2: how far the input is moved in each dimension, and the element around it."""

    before0: U32
    before1: U32
    before2: U32
    before3: U32
    before4: U32
    before5: U32
    value: I32


@dataclass(frozen=True, slots=True)
class Concatenation(Record):
    """CONCATENATION of tensors of one type and quantization, each seen as [outer, rest]."""

    outer: U32


@dataclass(frozen=True, slots=True)
class StridedCopy(Record):
    """A copy of every so manieth element, in up to six dimensions, outermost first."""

    start: U32
    count0: U32
    count1: U32
    count2: U32
    count3: U32
    count4: U32
    count5: U32
    step0: I32
    step1: I32
    step2: I32
    step3: I32
    step4: I32
    step5: I32


@dataclass(frozen=True, slots=True)
class Resize(Record):
    """RESIZE_NEAREST_NEIGHBOR and RESIZE_BILINEAR: tables of where rows and columns come from."""

    rows: U32
    columns: U32


@dataclass(frozen=True, slots=True)
class NoParameters(Record):
    """QUANTIZE and DEQUANTIZE: the tensors say it all."""


OF_OPCODE: dict[Opcode, type[Record]] = {
    Opcode.CONV_2D_S8: Conv2D,
    Opcode.DEPTHWISE_CONV_2D_S8: DepthwiseConv2D,
    Opcode.FULLY_CONNECTED_S8: FullyConnected,
    Opcode.ADD_S8: Add,
    Opcode.AVERAGE_POOL_2D_S8: Pool2D,
    Opcode.MAX_POOL_2D_S8: Pool2D,
    Opcode.SOFTMAX_S8: Softmax,
    Opcode.TABLE_S8: Table,
    Opcode.MUL_S8: Mul,
    Opcode.MEAN_S8: Mean,
    Opcode.PAD: Pad,
    Opcode.CONCATENATION: Concatenation,
    Opcode.QUANTIZE_F32_S8: NoParameters,
    Opcode.DEQUANTIZE_S8_F32: NoParameters,
    Opcode.STRIDED_COPY: StridedCopy,
    Opcode.RESIZE_NEAREST: Resize,
    Opcode.RESIZE_BILINEAR_S8: Resize,
}
