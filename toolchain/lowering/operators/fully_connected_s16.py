"""FULLY_CONNECTED, int16 with constant int8 weights."""

from toolchain.lowering.node import Step
from toolchain.lowering.output_stage import MAX_TERMS
from toolchain.lowering.output_stage_s16 import output_stage
from toolchain.lowering.packing import pack
from toolchain.lowering.site import Site
from toolchain.plan import parameters_s16 as parameters
from toolchain.plan.numbers import Opcode
from toolchain.tflite.dtype import DType
from toolchain.tflite.options import FullyConnected
from toolchain.tflite.slots import WeightsFormat


def lower(site: Site) -> Step:
    """Lower with constant int8 weights and int16 output."""
    options = site.operator.options
    assert isinstance(options, FullyConnected)
    weights = site.constant(1, DType.INT8)
    if options.weights_format is not WeightsFormat.DEFAULT or weights.ndim != 2:
        site.refuse("its weights are shuffled; convert the model without that")
    units, depth = weights.shape
    if depth > MAX_TERMS:
        site.refuse(f"{depth} inputs for each output, more than the limit of {MAX_TERMS}")
    stage = output_stage(site, units, 0, options.activation)
    packed = pack(site, Opcode.FULLY_CONNECTED_S16, weights, 0)
    offset = site.constants.add(packed.weights)
    return Step(
        Opcode.FULLY_CONNECTED_S16,
        inputs=site.operator.inputs[:1],
        output=site.operator.outputs[0],
        parameters=parameters.FullyConnected(stage, offset, units, depth),
        layout=packed.layout,
        scratch_bytes=packed.scratch_bytes,
    )
