"""What the four MLPerf Tiny models cost on the emulated Cortex-M4.

Instructions an inference are counted exactly and split by operator, for the portable kernels and
for those with DSP instructions. They are no cycles. Beside them stands what TFLite Micro with
CMSIS-NN took on the same board and emulator: constants that are quoted, not measured here, since no
package registry has either.
"""

import argparse
import hashlib
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from firmware_bridge.adapters.attached import Attached
from firmware_bridge.adapters.emulator import Emulator, instructions
from firmware_bridge.adapters.serial_port import SerialPort
from firmware_bridge.calls.methods import (
    Method,
    Stat,
    Timing,
    pack_bench,
    pack_infer,
    unpack_outputs,
)
from firmware_bridge.firmware.build import build
from toolchain.convert.convert import macs_of
from toolchain.lowering.lower import lower
from toolchain.lowering.settings import Settings
from toolchain.plan.decode import decode
from toolchain.plan.encode import encode
from toolchain.plan.numbers import Target
from toolchain.tflite.reader import read

MODELS = Path(__file__).resolve().parents[2] / "shared" / "models"
BUILDS = {"portable": Target.PORTABLE, "cortex_m": Target.CORTEX_M}
RUNS = 2
LONGEST_S = 240.0
QUOTED: dict[str, Any] = {
    "source": "TFLite Micro 90b983c2 with CMSIS-NN 4ab83cc3, int8 kernels only, "
    "arm-none-eabi-gcc 12.2 -O2, hard float, DSP on, QEMU 7.2 mps2-an386 with -icount; "
    "counted once, elsewhere, and quoted here",
    "text_rodata_bytes": 61_700,
    "stack_bytes": 932,
    "models": {
        "vww_96_int8": {"instructions": 24_101_893, "arena_bytes": 100_720},
        "kws_ref_model": {"instructions": 7_698_370, "arena_bytes": 22_832},
        "pretrainedResnet_quant": {"instructions": 29_864_068, "arena_bytes": 55_008},
        "ad01_int8": {"instructions": 582_963, "arena_bytes": 3_024},
    },
}


def main() -> None:
    """Print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=Path, default=MODELS)
    names = list(QUOTED["models"])
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="NAME")
    arguments = parser.parse_args()
    found = {name: arguments.models / f"{name}.tflite" for name in arguments.only}
    missing = [str(path) for path in found.values() if not path.exists()]
    if missing:
        sys.exit(f"no model {missing[0]}; name their folder with --models")
    models = {name: path.read_bytes() for name, path in found.items()}
    measured = {name: measure(name, models) for name in BUILDS}
    told = {
        "benchmark": "firmware",
        "board": "mps2-an386, emulated",
        "macs": {name: macs_of(model) for name, model in models.items()},
        "builds": measured,
        "quoted_over_ours": {
            name: round(
                QUOTED["models"][name]["instructions"]
                / measured["cortex_m"]["models"][name]["instructions"],
                2,
            )
            for name in models
        },
        "outputs_equal": len({json.dumps(each.pop("outputs")) for each in measured.values()}) == 1,
        "quoted": QUOTED,
    }
    print(json.dumps(told, indent=1))


def measure(kernels: str, models: dict[str, bytes]) -> dict[str, Any]:
    """One build of the firmware with all models, one behind the other."""
    found = {}
    image = build(counting=True, kernels=kernels)
    with (
        Emulator(image, counts_instructions=True) as emulator,
        Attached(SerialPort(emulator.port)) as device,
    ):
        device.connect()
        for name, model in models.items():
            found[name] = measure_model(device, model, BUILDS[kernels])
        code_bytes = Stat.unpack(device.call(Method.STAT)).code_bytes
    outputs = {name: each.pop("output") for name, each in found.items()}
    return {"text_rodata_bytes": code_bytes, "models": found, "outputs": outputs}


def measure_model(device: Attached, model: bytes, target: Target) -> dict[str, Any]:
    """Upload, run twice with one random input, count each operator."""
    lowered = lower(read(model), Settings(target=target))
    plan, macs = encode(lowered), macs_of(model)
    sha256 = hashlib.sha256(plan).digest()
    sizes = device.upload(plan, sha256)
    values = np.random.default_rng(1).integers(-128, 128, sizes.input_bytes, np.int8)
    answer = device.call(Method.INFER, pack_infer(sha256, values.tobytes()), LONGEST_S)
    _, outputs = unpack_outputs(answer)
    counts = [count(device, sha256) for _ in range(2)]
    kinds: Counter[str] = Counter()
    for operator, cost in zip(decode(plan).operators, counts[0][0], strict=True):
        kinds[operator.opcode.name] += cost
    total = sum(kinds.values())
    return {
        "instructions": total,
        "instructions_per_mac": round(total / macs, 3),
        "same_twice": counts[0] == counts[1],
        "by_operator": dict(kinds.most_common()),
        "arena_bytes": sizes.arena_bytes,
        "plan_bytes": len(plan),
        "stack_bytes": counts[0][1],
        "output": hashlib.sha256(outputs).hexdigest(),
    }


def count(device: Attached, sha256: bytes) -> tuple[list[int], int]:
    """Instructions of each operator, and the stack's high-water mark."""
    timing = Timing.unpack(device.call(Method.BENCH, pack_bench(sha256, RUNS), LONGEST_S))
    return [instructions(ticks) for ticks in timing.operator_ticks], timing.stack_high_water_bytes


if __name__ == "__main__":
    main()
