"""`selvedge mcu bench`: what one inference costs on a device, operator by operator."""

import argparse
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

from agent.mcu.adapters.device import add_device, device, upload
from agent.mcu.adapters.plan_source import FIRMWARE, plan_for, plan_of
from agent.mcu.operators import operators
from broker.contract.outcome import Outcome
from firmware_bridge.adapters.emulator import instructions
from firmware_bridge.calls.methods import Method, Timing, pack_bench

LONGEST_S = 120.0


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `mcu bench`."""
    parser.add_argument("model", metavar="MODEL", help="a .tflite or .plan file")
    add_device(parser)
    parser.add_argument(
        "--repeat", type=_count, default=2, metavar="N", help="runs; the last one counts (2)"
    )


def run(arguments: argparse.Namespace) -> Outcome:
    """Upload the plan and time it: instructions on the emulated board, milliseconds elsewhere."""
    model = plan_of(arguments.model, target=FIRMWARE)
    with device(arguments, counting=arguments.emulate) as attached:
        about = attached.connect().about
        model = plan_for(model, arguments.model, about.target)
        sizes = upload(attached, model)
        body = pack_bench(model.sha256, arguments.repeat)
        timing = Timing.unpack(attached.call(Method.BENCH, body, LONGEST_S))
    names = operators(model.plan.data)
    tree: dict[str, Any] = {
        "model": arguments.model,
        "board": about.board,
        "instructions": None,
        "ms": None,
        "arena_bytes": sizes.arena_bytes,
        "stack_bytes": timing.stack_high_water_bytes,
    }
    cost: Callable[[int], float] = instructions
    unit = "instructions"
    if not arguments.emulate:
        unit, cost = "ms", partial(_ms, clock_hz=max(1, about.clock_hz))
    costs = [cost(ticks) for ticks in timing.operator_ticks]
    is_whole = arguments.emulate and len(costs) == len(names)
    tree[unit] = sum(costs) if is_whole else cost(timing.ticks)
    tree["operators"] = [
        {"operator": name, unit: each} for name, each in zip(names, costs, strict=False)
    ]
    return Outcome(_text(tree, unit), tree)


def _text(tree: dict[str, Any], unit: str) -> str:
    kinds: Counter[str] = Counter()
    for each in tree["operators"]:
        kinds[each["operator"]] += each[unit]
    total = tree[unit]
    rows = [(name, cost, 100 * cost / total if total else 0) for name, cost in kinds.most_common()]
    form = "{:24} {:>14,} {:5.1f} %" if unit == "instructions" else "{:24} {:>14.3f} {:5.1f} %"
    lines = [form.format(*row) for row in rows]
    shown = f"{total:,} instructions" if unit == "instructions" else f"{total:.3f} ms"
    return "\n".join(
        [
            f"{tree['model']} on {tree['board']}: {shown} an inference, arena "
            f"{tree['arena_bytes']:,} bytes, stack {tree['stack_bytes']:,} bytes",
            *lines,
        ]
    )


def _ms(ticks: int, clock_hz: int) -> float:
    return round(1000 * ticks / clock_hz, 4)


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 10_000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to 10000")
    return int(text)
