"""FULLY_CONNECTED."""

from toolchain.lowering.node import Step
from toolchain.lowering.output_stage import MAX_TERMS, place_stage, stage_numbers
from toolchain.lowering.packing import pack
from toolchain.lowering.site import Site
from toolchain.plan import parameters
from toolchain.plan.numbers import Opcode
from toolchain.tflite.dtype import DType
from toolchain.tflite.options import FullyConnected
from toolchain.tflite.slots import WeightsFormat


def lower(site: Site) -> Step:
    """Lower with int8 input, constant int8 weights and int8 output."""
    options = site.operator.options
    assert isinstance(options, FullyConnected)
    site.input(0, DType.INT8)
    site.output(DType.INT8)
    weights = site.constant(1, DType.INT8)
    if options.weights_format is not WeightsFormat.DEFAULT or weights.ndim != 2:
        site.refuse("its weights are shuffled; convert the model without that")
    units, depth = weights.shape
    if depth > MAX_TERMS:
        site.refuse(f"{depth} inputs for each output, more than the limit of {MAX_TERMS}")
    numbers = stage_numbers(site, weights, 0, options.activation)
    packed = pack(
        site, Opcode.FULLY_CONNECTED_S8, weights, numbers.weight_zero_point, None, numbers
    )
    return Step(
        Opcode.FULLY_CONNECTED_S8,
        inputs=site.operator.inputs[:1],
        output=site.operator.outputs[0],
        parameters=parameters.FullyConnected(
            stage=place_stage(site, numbers, packed.stage),
            weights=site.constants.add(packed.weights),
            units=units,
            depth=depth,
        ),
        layout=packed.layout,
        scratch_bytes=packed.scratch_bytes,
    )
