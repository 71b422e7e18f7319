"""FULLY_CONNECTED, float32 with constant weights."""

from toolchain.lowering.float_stage import float_stage, float_weights
from toolchain.lowering.node import Step
from toolchain.lowering.packing import pack
from toolchain.lowering.site import Site
from toolchain.plan.numbers import Opcode
from toolchain.plan.parameters_f32 import FullyConnected as Parameters
from toolchain.tflite.options import FullyConnected


def lower(site: Site) -> Step:
    """Lower from float32 to float32."""
    options = site.operator.options
    assert isinstance(options, FullyConnected)
    weights = float_weights(site)
    if weights.ndim != 2:
        site.refuse(f"its weights have shape {list(weights.shape)}, not 2 dimensions")
    units, depth = weights.shape
    stage = float_stage(site, units, options.activation)
    packed = pack(site, Opcode.FULLY_CONNECTED_F32, weights, 0)
    return Step(
        Opcode.FULLY_CONNECTED_F32,
        inputs=site.operator.inputs[:1],
        output=site.operator.outputs[0],
        parameters=Parameters(stage, site.constants.add(packed.weights), units, depth),
        layout=packed.layout,
        scratch_bytes=packed.scratch_bytes,
    )
