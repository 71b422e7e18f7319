"""`selvedge mcu infer`: run a model once on a device."""

import argparse
from typing import Any

from agent.errors import ModelError
from agent.infer.adapters.array_files import read_arrays, write_arrays
from agent.infer.fit import fit
from agent.infer.report import described, lines, named, output_name
from agent.mcu.adapters.device import add_device, device, upload
from agent.mcu.adapters.plan_source import FIRMWARE, plan_for, plan_of
from agent.mcu.tensors import pack, unpack
from agent.pipeline.postprocess.dequantize import Dequantizer
from broker.contract.outcome import Outcome
from firmware_bridge.calls.methods import Method, pack_infer, unpack_outputs


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `mcu infer`."""
    parser.add_argument("model", metavar="MODEL", help="a .tflite or .plan file")
    parser.add_argument(
        "--input", required=True, metavar="FILE", help=".npy, or .npz with an array for each input"
    )
    parser.add_argument(
        "--output",
        type=output_name,
        metavar="FILE",
        help="write the outputs here: .npy, or .npz when there are several",
    )
    add_device(parser)
    parser.add_argument(
        "--quantize", action="store_true", help="turn float inputs into the model's integers"
    )
    parser.add_argument(
        "--dequantize", action="store_true", help="turn the model's integers into float32"
    )


def run(arguments: argparse.Namespace) -> Outcome:
    """Upload the plan, unless the device has it, and ask for one answer."""
    model = plan_of(arguments.model, target=FIRMWARE)
    inputs = [record for _, record in model.plan.inputs]
    outputs = [record for _, record in model.plan.outputs]
    arrays = read_arrays(arguments.input)
    try:
        fitted = fit(arrays, [one.info for one in inputs], quantized=arguments.quantize)
    except ModelError as error:
        raise ModelError(f"input {arguments.input}: {error}") from None
    with device(arguments) as attached:
        about = attached.connect().about
        model = plan_for(model, arguments.model, about.target)
        upload(attached, model)
        reply = attached.call(Method.INFER, pack_infer(model.sha256, pack(inputs, fitted)))
        ticks, data = unpack_outputs(reply)
    results = unpack(outputs, data)
    if arguments.dequantize:
        results = [
            Dequantizer(one.info).real(array) if one.info.scale > 0 else array
            for one, array in zip(outputs, results, strict=True)
        ]
    answers = named([one.info for one in outputs], results)
    if arguments.output:
        write_arrays(arguments.output, answers)
    tree: dict[str, Any] = {
        "runtime": "mcu",
        "board": about.board,
        "outputs": [described(*answer, arguments.output) for answer in answers.items()],
        "latency_ms": round(1000 * ticks / max(1, about.clock_hz), 4),
        "sha256": model.sha256.hex(),
    }
    head = f"mcu ({about.board}): {tree['latency_ms']:.3f} ms"
    return Outcome("\n".join([head, *lines(tree["outputs"])]), tree)
