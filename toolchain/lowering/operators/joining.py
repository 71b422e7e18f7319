"""Operators that put tensors side by side, whatever their type: PAD, PADV2, CONCATENATION, PACK."""

from math import prod

import numpy as np

from toolchain.lowering.node import Step
from toolchain.lowering.site import Site
from toolchain.plan import parameters
from toolchain.plan.numbers import MAX_RANK, Opcode
from toolchain.tflite.dtype import DType
from toolchain.tflite.model import Tensor
from toolchain.tflite.options import Concatenation, Pack


def lower_pad(site: Site) -> Step:
    """Lower PAD and PADV2 with constant paddings; around PAD's input is what means 0."""
    source, target = site.input(0), site.output(site.input(0).dtype)
    if _meaning(site, source) != _meaning(site, target):
        site.refuse("its input and output are quantized differently; padding does not rescale")
    rank, around = len(source.shape), np.array(site.integers(1), np.int64)
    if around.size != 2 * rank or around.min(initial=0) < 0 or not 1 <= rank <= MAX_RANK:
        site.refuse(f"paddings {around.tolist()} for shape {list(source.shape)}")
    before, after = around[::2].tolist(), around[1::2].tolist()
    padded = tuple(n + a + b for n, a, b in zip(source.shape, before, after, strict=True))
    if padded != target.shape:
        site.refuse(f"its output has shape {list(target.shape)}, but {list(padded)} comes out")
    b = [*before, *(0,) * (MAX_RANK - rank)]
    return Step(
        Opcode.PAD,
        inputs=site.operator.inputs[:1],
        output=site.operator.outputs[0],
        parameters=parameters.Pad(b[0], b[1], b[2], b[3], b[4], b[5], _around(site, target)),
    )


def _around(site: Site, target: Tensor) -> int:
    """The element around a padded tensor, as the bits of an int32."""
    if site.index(2) is None:
        return site.per_tensor(target)[1] if target.dtype is DType.INT8 else 0
    value = site.constant(2, target.dtype).reshape(-1)[:1]
    if target.dtype is DType.FLOAT32:
        value = value.view("<i4")
    return int(value[0])


def lower_concatenation(site: Site) -> Step:
    """Lower CONCATENATION of tensors that are quantized alike."""
    options = site.operator.options
    assert isinstance(options, Concatenation)
    if options.activation:
        site.refuse(f"the fused activation {options.activation.name} is not supported")
    return _join(site, options.axis % max(1, len(site.output().shape)))


def lower_pack(site: Site) -> Step:
    """Lower PACK: the bytes lie as those of a concatenation along the new dimension."""
    options = site.operator.options
    assert isinstance(options, Pack)
    return _join(site, options.axis % max(1, len(site.output().shape)))


def _join(site: Site, axis: int) -> Step:
    target = site.output()
    sources = [site.input(i, target.dtype) for i in range(len(site.operator.inputs))]
    if any(_meaning(site, source) != _meaning(site, target) for source in sources):
        site.refuse("its inputs are quantized differently from its output")
    return Step(
        Opcode.CONCATENATION,
        inputs=site.operator.inputs,
        output=site.operator.outputs[0],
        parameters=parameters.Concatenation(prod(target.shape[:axis])),
    )


def _meaning(site: Site, tensor: Tensor) -> tuple[float, int] | None:
    """What an integer means; None for plain numbers."""
    if tensor.dtype is DType.INT8:
        return site.per_tensor(tensor)
    found = tensor.quantization if tensor.dtype is DType.INT16 else None
    return None if found is None else (found.scales[0], found.zero_points[0])
