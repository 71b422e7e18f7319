"""Operators that move bytes: PAD, PADV2 and CONCATENATION."""

from math import prod

from toolchain.lowering.node import Step
from toolchain.lowering.site import Site
from toolchain.plan import parameters
from toolchain.plan.numbers import MAX_RANK, Opcode
from toolchain.tflite.dtype import DType
from toolchain.tflite.options import Concatenation


def lower_pad(site: Site) -> Step:
    """Lower PAD and PADV2, int8 with constant paddings; around PAD's input is the zero point."""
    source, target = site.input(0, DType.INT8), site.output(DType.INT8)
    if site.per_tensor(source) != site.per_tensor(target):
        site.refuse("its input and output are quantized differently; padding does not rescale")
    around = site.constant(1, DType.INT32)
    rank = len(source.shape)
    if around.shape != (rank, 2) or around.min(initial=0) < 0 or not 1 <= rank <= MAX_RANK:
        site.refuse(f"paddings {around.tolist()} for shape {list(source.shape)}")
    padded = tuple(
        length + int(before) + int(after)
        for length, (before, after) in zip(source.shape, around, strict=True)
    )
    if padded != target.shape:
        site.refuse(f"its output has shape {list(target.shape)}, but {list(padded)} comes out")
    value = site.per_tensor(target)[1]
    if site.index(2) is not None:
        value = int(site.constant(2, DType.INT8).reshape(-1)[0])
    b = [*around[:, 0].tolist(), *(0,) * (MAX_RANK - rank)]
    return Step(
        Opcode.PAD_S8,
        inputs=site.operator.inputs[:1],
        output=site.operator.outputs[0],
        parameters=parameters.Pad(b[0], b[1], b[2], b[3], b[4], b[5], value),
    )


def lower_concatenation(site: Site) -> Step:
    """Lower CONCATENATION of tensors that are quantized alike."""
    options = site.operator.options
    assert isinstance(options, Concatenation)
    target = site.output()
    sources = [site.input(i, target.dtype) for i in range(len(site.operator.inputs))]
    if options.activation:
        site.refuse(f"the fused activation {options.activation.name} is not supported")
    if target.dtype is not DType.FLOAT32:
        wanted = site.per_tensor(target)
        if any(site.per_tensor(source) != wanted for source in sources):
            site.refuse("its inputs are quantized differently from its output")
    axis = options.axis % len(target.shape)
    return Step(
        Opcode.CONCATENATION,
        inputs=site.operator.inputs,
        output=site.operator.outputs[0],
        parameters=parameters.Concatenation(prod(target.shape[:axis])),
    )
