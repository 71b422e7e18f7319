"""Shapes around the common operators: as many operands as there must be, of sizes that agree."""

from collections.abc import Callable

from toolchain.tflite import moving_shapes
from toolchain.tflite.dtype import DType
from toolchain.tflite.model import Graph
from toolchain.tflite.operands import Operands, Shape, operands_of
from toolchain.tflite.options import (
    Concatenation,
    Conv2D,
    DepthwiseConv2D,
    FullyConnected,
    Pool2D,
    TransposeConv,
)
from toolchain.tflite.slots import Padding

Shapes = tuple[Shape, ...]
Rule = Callable[[Operands], Shapes | None]


def check_shapes(graph: Graph) -> None:
    """Check the operators that are known here; others pass.

    An operator with a dimension that is only known at run time is held to its operand count alone.

    Raises:
        ModelRefused: an operand is missing, or its shape does not go with the others.
    """
    for number, operator in enumerate(graph.operators):
        if operator.name in RULES:
            _check(operands_of(graph, number), RULES[operator.name])


def _check(operands: Operands, rule: Rule) -> None:
    expected = rule(operands)
    if expected is None:
        return
    if len(operands.outputs) != len(expected):
        operands.refuse(f"has {len(operands.outputs)} outputs, not {len(expected)}")
    if any(tensor and tensor.is_dynamic for tensor in (*operands.inputs, *operands.outputs)):
        return
    for output, shape in zip(operands.outputs, expected, strict=True):
        if output.shape != shape:
            operands.refuse(
                f"its output has shape {list(output.shape)}, but {list(shape)} comes out"
            )


def _window(operands: Operands, size: Shape, kernel: Shape, dilation: Shape = (1, 1)) -> Shape:
    """Height and width that come out of a window sliding over an image of `size`."""
    options = operands.operator.options
    assert isinstance(options, Conv2D | DepthwiseConv2D | Pool2D)
    strides = (options.stride_h, options.stride_w)
    if min(*strides, *dilation, *kernel) < 1:
        operands.refuse(f"stride {strides}, dilation {dilation} or window {kernel} is not positive")
    if options.padding is Padding.SAME:
        return tuple(-(-length // stride) for length, stride in zip(size, strides, strict=True))
    return tuple(
        max(0, (length + stride - (window - 1) * apart - 1) // stride)
        for length, stride, window, apart in zip(size, strides, kernel, dilation, strict=True)
    )


def _conv(operands: Operands) -> Shape:
    image, weights = operands.input(0, 4).shape, operands.input(1, 4).shape
    options = operands.operator.options
    assert isinstance(options, Conv2D)
    if weights[3] == 0 or image[3] % weights[3]:
        operands.refuse(f"{image[3]} channels do not go into weights {list(weights)}")
    _bias(operands, weights[0])
    dilation = (options.dilation_h, options.dilation_w)
    size = _window(operands, image[1:3], weights[1:3], dilation)
    return (image[0], *size, weights[0])


def _depthwise(operands: Operands) -> Shape:
    image, weights = operands.input(0, 4).shape, operands.input(1, 4).shape
    options = operands.operator.options
    assert isinstance(options, DepthwiseConv2D)
    if weights[0] != 1 or image[3] == 0 or weights[3] % image[3]:
        operands.refuse(f"{image[3]} channels do not go into weights {list(weights)}")
    _bias(operands, weights[3])
    dilation = (options.dilation_h, options.dilation_w)
    size = _window(operands, image[1:3], weights[1:3], dilation)
    return (image[0], *size, weights[3])


def _transpose_conv(operands: Operands) -> None:
    weights, image = operands.input(1, 4).shape, operands.input(2, 4).shape
    assert isinstance(operands.operator.options, TransposeConv)
    if image[3] != weights[3]:
        operands.refuse(f"{image[3]} channels do not go into weights {list(weights)}")


def _fully_connected(operands: Operands) -> Shape | None:
    source, weights = operands.input(0), operands.input(1, 2).shape
    options, output = operands.operator.options, operands.outputs[0]
    assert isinstance(options, FullyConnected)
    units, depth = weights
    if depth == 0 or source.elements % depth:
        operands.refuse(f"{source.elements} values do not go into weights {list(weights)}")
    _bias(operands, units)
    if options.keep_num_dims:
        return (*source.shape[:-1], units)
    # Old converters wrote outputs of other ranks; the interpreter reads them as [batch, units].
    rows = source.elements // depth
    fits = output.shape[-1:] == (units,) and output.elements == rows * units
    return output.shape if fits else (rows, units)


def _bias(operands: Operands, channels: int) -> None:
    bias = operands.inputs[2] if len(operands.inputs) > 2 else None
    if bias is not None and bias.elements != channels:
        operands.refuse(f"a bias of {bias.elements} values for {channels} channels")


def _pool(operands: Operands) -> Shape:
    image = operands.input(0, 4).shape
    options = operands.operator.options
    assert isinstance(options, Pool2D)
    size = _window(operands, image[1:3], (options.filter_h, options.filter_w))
    return (image[0], *size, image[3])


def _same(operands: Operands) -> Shape:
    return operands.input(0).shape


def _same_elements(operands: Operands) -> Shape:
    source, output = operands.input(0), operands.outputs[0]
    return output.shape if output.elements == source.elements else source.shape


def _broadcast(operands: Operands) -> Shape:
    left, right = operands.input(0).shape, operands.input(1).shape
    rank = max(len(left), len(right))
    pairs = zip(_widen(left, rank), _widen(right, rank), strict=True)
    if any(a != b and 1 not in (a, b) for a, b in pairs):
        operands.refuse(f"shapes {list(left)} and {list(right)} do not broadcast")
    pairs = zip(_widen(left, rank), _widen(right, rank), strict=True)
    return tuple(b if a == 1 else a for a, b in pairs)


def _widen(shape: Shape, rank: int) -> Shape:
    return (1,) * (rank - len(shape)) + shape


def _concatenation(operands: Operands) -> Shape:
    shapes = [operands.input(i).shape for i in range(max(1, len(operands.inputs)))]
    options = operands.operator.options
    assert isinstance(options, Concatenation)
    rank = len(shapes[0])
    axis = operands.axis(options.axis, rank)
    around = {(shape[:axis], shape[axis + 1 :]) for shape in shapes}
    if len(around) != 1 or any(len(shape) != rank for shape in shapes):
        operands.refuse(f"shapes {[list(shape) for shape in shapes[:4]]} do not join")
    return (*shapes[0][:axis], sum(shape[axis] for shape in shapes), *shapes[0][axis + 1 :])


def _handle(operands: Operands) -> Shape:
    output = operands.outputs[0]
    if operands.inputs or output.dtype is not DType.RESOURCE:
        operands.refuse(f"makes {output.dtype.label} of {len(operands.inputs)} inputs")
    return output.shape


def _read(operands: Operands) -> Shape:
    _resource(operands)
    return operands.outputs[0].shape


def _assign(operands: Operands) -> Shapes:
    _resource(operands)
    operands.input(1)
    return ()


def _resource(operands: Operands) -> None:
    if operands.input(0).dtype is not DType.RESOURCE:
        operands.refuse(f"input 0 is {operands.input(0).dtype.label}, not a variable's handle")


def _one(rule: Callable[[Operands], Shape | None]) -> Rule:
    """Make a rule about the only output one about all outputs."""

    def shapes(operands: Operands) -> Shapes | None:
        if len(operands.outputs) != 1:
            operands.refuse(f"has {len(operands.outputs)} outputs, not 1")
        expected = rule(operands)
        return None if expected is None else (expected,)

    return shapes


_OF_ONE_OUTPUT: dict[str, Callable[[Operands], Shape | None]] = {
    "CONV_2D": _conv,
    "DEPTHWISE_CONV_2D": _depthwise,
    "TRANSPOSE_CONV": _transpose_conv,
    "FULLY_CONNECTED": _fully_connected,
    "CONCATENATION": _concatenation,
    **dict.fromkeys(("AVERAGE_POOL_2D", "MAX_POOL_2D", "L2_POOL_2D"), _pool),
    **dict.fromkeys(("ADD", "SUB", "MUL", "DIV", "MAXIMUM", "MINIMUM"), _broadcast),
    **dict.fromkeys(("RESHAPE", "SQUEEZE", "EXPAND_DIMS"), _same_elements),
    **dict.fromkeys(
        (
            "SOFTMAX",
            "LOGISTIC",
            "TANH",
            "RELU",
            "RELU6",
            "RELU_N1_TO_1",
            "LEAKY_RELU",
            "HARD_SWISH",
        ),
        _same,
    ),
    **dict.fromkeys(("QUANTIZE", "DEQUANTIZE"), _same),
    "VAR_HANDLE": _handle,
    "READ_VARIABLE": _read,
}

RULES: dict[str, Rule] = {
    **{name: _one(rule) for name, rule in _OF_ONE_OUTPUT.items()},
    **moving_shapes.RULES,
    "ASSIGN_VARIABLE": _assign,
    "CALL_ONCE": lambda operands: (),
}
