"""Options of the common builtin operators: each field knows its slot in the schema's table.

Reader and writer both go by these declarations. An operator whose options are not listed here is
read with `options=None`.
"""

from dataclasses import dataclass
from typing import Annotated

from toolchain.tflite.dtype import DType
from toolchain.tflite.slots import Activation, Padding, Slot, WeightsFormat


@dataclass(frozen=True, slots=True)
class Options:
    """Base of every operator's options."""


@dataclass(frozen=True, slots=True)
class Conv2D(Options):
    """CONV_2D; weights are [out, height, width, in]."""

    padding: Annotated[Padding, Slot(0, "b")] = Padding.SAME
    stride_w: Annotated[int, Slot(1, "i")] = 0
    stride_h: Annotated[int, Slot(2, "i")] = 0
    activation: Annotated[Activation, Slot(3, "b")] = Activation.NONE
    dilation_w: Annotated[int, Slot(4, "i")] = 1
    dilation_h: Annotated[int, Slot(5, "i")] = 1


@dataclass(frozen=True, slots=True)
class DepthwiseConv2D(Options):
    """DEPTHWISE_CONV_2D; weights are [1, height, width, out]."""

    padding: Annotated[Padding, Slot(0, "b")] = Padding.SAME
    stride_w: Annotated[int, Slot(1, "i")] = 0
    stride_h: Annotated[int, Slot(2, "i")] = 0
    depth_multiplier: Annotated[int, Slot(3, "i")] = 0
    activation: Annotated[Activation, Slot(4, "b")] = Activation.NONE
    dilation_w: Annotated[int, Slot(5, "i")] = 1
    dilation_h: Annotated[int, Slot(6, "i")] = 1


@dataclass(frozen=True, slots=True)
class TransposeConv(Options):
    """TRANSPOSE_CONV; weights are [out, height, width, in]."""

    padding: Annotated[Padding, Slot(0, "b")] = Padding.SAME
    stride_w: Annotated[int, Slot(1, "i")] = 0
    stride_h: Annotated[int, Slot(2, "i")] = 0
    activation: Annotated[Activation, Slot(3, "b")] = Activation.NONE


@dataclass(frozen=True, slots=True)
class Pool2D(Options):
    """AVERAGE_POOL_2D, MAX_POOL_2D and L2_POOL_2D."""

    padding: Annotated[Padding, Slot(0, "b")] = Padding.SAME
    stride_w: Annotated[int, Slot(1, "i")] = 0
    stride_h: Annotated[int, Slot(2, "i")] = 0
    filter_w: Annotated[int, Slot(3, "i")] = 0
    filter_h: Annotated[int, Slot(4, "i")] = 0
    activation: Annotated[Activation, Slot(5, "b")] = Activation.NONE


@dataclass(frozen=True, slots=True)
class FullyConnected(Options):
    """FULLY_CONNECTED; weights are [out, in]."""

    activation: Annotated[Activation, Slot(0, "b")] = Activation.NONE
    weights_format: Annotated[WeightsFormat, Slot(1, "b")] = WeightsFormat.DEFAULT
    keep_num_dims: Annotated[bool, Slot(2, "?")] = False
    asymmetric_quantize_inputs: Annotated[bool, Slot(3, "?")] = False


@dataclass(frozen=True, slots=True)
class BatchMatMul(Options):
    """BATCH_MATMUL."""

    transpose_left: Annotated[bool, Slot(0, "?")] = False
    transpose_right: Annotated[bool, Slot(1, "?")] = False
    asymmetric_quantize_inputs: Annotated[bool, Slot(2, "?")] = False


@dataclass(frozen=True, slots=True)
class Softmax(Options):
    """SOFTMAX over the last axis."""

    beta: Annotated[float, Slot(0, "f")] = 0.0


@dataclass(frozen=True, slots=True)
class Add(Options):
    """ADD."""

    activation: Annotated[Activation, Slot(0, "b")] = Activation.NONE
    pot_scale_int16: Annotated[bool, Slot(1, "?")] = True


@dataclass(frozen=True, slots=True)
class Sub(Options):
    """SUB."""

    activation: Annotated[Activation, Slot(0, "b")] = Activation.NONE
    pot_scale_int16: Annotated[bool, Slot(1, "?")] = True


@dataclass(frozen=True, slots=True)
class Mul(Options):
    """MUL."""

    activation: Annotated[Activation, Slot(0, "b")] = Activation.NONE


@dataclass(frozen=True, slots=True)
class Div(Options):
    """DIV."""

    activation: Annotated[Activation, Slot(0, "b")] = Activation.NONE


@dataclass(frozen=True, slots=True)
class Concatenation(Options):
    """CONCATENATION."""

    axis: Annotated[int, Slot(0, "i")] = 0
    activation: Annotated[Activation, Slot(1, "b")] = Activation.NONE


@dataclass(frozen=True, slots=True)
class Reshape(Options):
    """RESHAPE; a shape given as tensor goes before this one."""

    new_shape: Annotated[tuple[int, ...], Slot(0, "[i]")] = ()


@dataclass(frozen=True, slots=True)
class Squeeze(Options):
    """SQUEEZE; no axes means all of length 1."""

    axes: Annotated[tuple[int, ...], Slot(0, "[i]")] = ()


@dataclass(frozen=True, slots=True)
class Reducer(Options):
    """MEAN, SUM, REDUCE_MAX and their kin."""

    keep_dims: Annotated[bool, Slot(0, "?")] = False


@dataclass(frozen=True, slots=True)
class StridedSlice(Options):
    """STRIDED_SLICE."""

    begin_mask: Annotated[int, Slot(0, "i")] = 0
    end_mask: Annotated[int, Slot(1, "i")] = 0
    ellipsis_mask: Annotated[int, Slot(2, "i")] = 0
    new_axis_mask: Annotated[int, Slot(3, "i")] = 0
    shrink_axis_mask: Annotated[int, Slot(4, "i")] = 0
    offset: Annotated[bool, Slot(5, "?")] = False


@dataclass(frozen=True, slots=True)
class Split(Options):
    """SPLIT."""

    num_splits: Annotated[int, Slot(0, "i")] = 0


@dataclass(frozen=True, slots=True)
class SplitV(Options):
    """SPLIT_V."""

    num_splits: Annotated[int, Slot(0, "i")] = 0


@dataclass(frozen=True, slots=True)
class Pack(Options):
    """PACK."""

    values_count: Annotated[int, Slot(0, "i")] = 0
    axis: Annotated[int, Slot(1, "i")] = 0


@dataclass(frozen=True, slots=True)
class Unpack(Options):
    """UNPACK."""

    num: Annotated[int, Slot(0, "i")] = 0
    axis: Annotated[int, Slot(1, "i")] = 0


@dataclass(frozen=True, slots=True)
class Gather(Options):
    """GATHER."""

    axis: Annotated[int, Slot(0, "i")] = 0
    batch_dims: Annotated[int, Slot(1, "i")] = 0


@dataclass(frozen=True, slots=True)
class LeakyRelu(Options):
    """LEAKY_RELU."""

    alpha: Annotated[float, Slot(0, "f")] = 0.0


@dataclass(frozen=True, slots=True)
class Gelu(Options):
    """GELU."""

    approximate: Annotated[bool, Slot(0, "?")] = False


@dataclass(frozen=True, slots=True)
class ResizeBilinear(Options):
    """RESIZE_BILINEAR."""

    align_corners: Annotated[bool, Slot(2, "?")] = False
    half_pixel_centers: Annotated[bool, Slot(3, "?")] = False


@dataclass(frozen=True, slots=True)
class ResizeNearestNeighbor(Options):
    """RESIZE_NEAREST_NEIGHBOR."""

    align_corners: Annotated[bool, Slot(0, "?")] = False
    half_pixel_centers: Annotated[bool, Slot(1, "?")] = False


@dataclass(frozen=True, slots=True)
class VarHandle(Options):
    """VAR_HANDLE; both names together say which variable it is."""

    container: Annotated[str, Slot(0, "s")] = ""
    shared_name: Annotated[str, Slot(1, "s")] = ""


@dataclass(frozen=True, slots=True)
class CallOnce(Options):
    """CALL_ONCE: the graph that is run before the first run."""

    graph: Annotated[int, Slot(0, "i")] = 0


@dataclass(frozen=True, slots=True)
class Cast(Options):
    """CAST; the tensors' own types say the same."""

    source: Annotated[DType, Slot(0, "b")] = DType.FLOAT32
    target: Annotated[DType, Slot(1, "b")] = DType.FLOAT32
