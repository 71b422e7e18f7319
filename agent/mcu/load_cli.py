"""`selvedge mcu load`: bring a model to a device."""

import argparse

from agent.mcu.adapters.device import add_device, device, upload
from agent.mcu.adapters.plan_source import FIRMWARE, plan_for, plan_of
from broker.contract.outcome import Outcome


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `mcu load`."""
    parser.add_argument("model", metavar="MODEL", help="a .tflite or .plan file")
    add_device(parser)


def run(arguments: argparse.Namespace) -> Outcome:
    """Upload the plan, unless the device has it, and let the device check it."""
    model = plan_of(arguments.model, target=FIRMWARE)
    with device(arguments) as attached:
        welcome = attached.connect()
        model = plan_for(model, arguments.model, welcome.about.target)
        sizes = upload(attached, model)
    tree = {
        "model": arguments.model,
        "board": welcome.about.board,
        "plan_sha256": model.sha256.hex(),
        "plan_bytes": len(model.plan.data),
        "arena_bytes": sizes.arena_bytes,
        "input_bytes": sizes.input_bytes,
        "output_bytes": sizes.output_bytes,
    }
    text = (
        f"{arguments.model} is on {welcome.about.board} as {tree['plan_sha256'][:16]}: "
        f"{tree['plan_bytes']:,} bytes, arena {sizes.arena_bytes:,} bytes"
    )
    return Outcome(text, tree)
