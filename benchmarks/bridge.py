"""What offloading costs the Pi's side: CPU of the bridge and of the runtime at 10 inferences/s.

The board is emulated; its QEMU is another process, whose time is not counted. Latency is beside
that of the same calls without a bridge, by one program that owns the port, on a second board.
"""

import hashlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from agent.config.mcus import OffloadConfig
from agent.offload.adapters.bridge_devices import BridgeDevices
from agent.offload.model import OffloadedModel
from agent.runtime.adapters.host import HostModel
from agent.runtime.plan_file import read_plan
from firmware_bridge.adapters.attached import Attached
from firmware_bridge.adapters.emulator import Emulator
from firmware_bridge.adapters.serial_port import SerialPort
from firmware_bridge.bridge.variants import Offer
from firmware_bridge.calls.methods import Method, pack_infer, unpack_outputs
from firmware_bridge.firmware.build import build
from toolchain.convert.convert import Choices, to_plan
from toolchain.plan.numbers import Target

MODELS = Path(__file__).parents[2] / "shared" / "models"
NAMES = ("ad01_int8", "kws_ref_model")
RATE_HZ = 10
INFERENCES = 300
WARM_S = 30.0
TICK_S = 1 / os.sysconf("SC_CLK_TCK")


def cpu_s(pid: int) -> float:
    """CPU time of a process, to a clock tick."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * TICK_S


def measure(name: str, bridge_port: str, direct_port: str, folder: Path) -> dict[str, Any]:
    """Offload one model at `RATE_HZ`, each time followed by the same call without a bridge."""
    source = (MODELS / f"{name}.tflite").read_bytes()
    common, special = (to_plan(source, Choices(target=one)) for one in ("portable", "cortex-m"))
    plan = read_plan(common)
    path = folder / f"{name}.sock"
    settings = {"socket": str(path), "mcus": {"m4": {"port": bridge_port}}}
    words = [sys.executable, "-m", "firmware_bridge.app", json.dumps(settings)]
    with (
        subprocess.Popen(words) as bridge,
        Attached(SerialPort(direct_port)) as direct,
    ):
        try:
            direct.connect()
            output_bytes = sum(record.bytes for _, record in plan.outputs)
            offer = Offer.of(common, {Target.CORTEX_M: special})
            devices = BridgeDevices(path, offer, output_bytes)
            engine = HostModel(plan)
            config = OffloadConfig(deadline_ms=1000)
            model = OffloadedModel(plan, devices, engine, engine, config, time.monotonic_ns)
            on_board = special, hashlib.sha256(special).digest()
            return {"model": name, **compare(model, direct, on_board, bridge.pid)}
        finally:
            bridge.kill()


def compare(
    model: OffloadedModel, direct: Attached, plan: tuple[bytes, bytes], bridge: int
) -> dict[str, Any]:
    """Run both ways, `INFERENCES` times; CPU is for each inference, percent for `RATE_HZ` of them.

    A busy machine may not keep the rate, which changes only what `rate_hz` says.
    """
    chance = np.random.default_rng(4)
    info = model.inputs[0]
    inputs = chance.integers(-128, 128, (INFERENCES, *info.shape), dtype=np.int8)
    warm(model)
    offloaded_ms, direct_ms = [], []
    remote, ours_s, bridge_s, began = 0, 0.0, cpu_s(bridge), time.monotonic()
    for number, values in enumerate(inputs):
        due = began + number / RATE_HZ
        time.sleep(max(0.0, due - time.monotonic()))
        used, at = time.process_time(), time.perf_counter()
        outputs = model.run([values])[0]
        offloaded_ms.append(1000 * (time.perf_counter() - at))
        ours_s += time.process_time() - used
        remote += model.where[0] == "mcu"
        direct.upload(*plan)  # a watchdog may bite while this machine is busy, and the plan is gone
        at = time.perf_counter()
        reply = direct.call(Method.INFER, pack_infer(plan[1], values.tobytes()))
        direct_ms.append(1000 * (time.perf_counter() - at))
        assert unpack_outputs(reply)[1] == outputs.tobytes()
    took = time.monotonic() - began
    bridge_s = cpu_s(bridge) - bridge_s
    return {
        "inferences": INFERENCES,
        "on_the_board": remote,
        "rate_hz": round(INFERENCES / took, 2),
        "bridge_cpu_ms": round(1000 * bridge_s / INFERENCES, 3),
        "runtime_cpu_ms": round(1000 * ours_s / INFERENCES, 3),
        "cpu_percent": round(100 * (bridge_s + ours_s) / INFERENCES * RATE_HZ, 2),
        "latency_ms": round(statistics.median(offloaded_ms), 2),
        "without_bridge_ms": round(statistics.median(direct_ms), 2),
        "added_ms": round(statistics.median(offloaded_ms) - statistics.median(direct_ms), 2),
    }


def warm(model: OffloadedModel) -> None:
    """Until answers come from the board: the plan has to be brought there."""
    end = time.monotonic() + WARM_S
    while time.monotonic() < end:
        model.invoke()
        if model.where[0] == "mcu":
            return
        time.sleep(0.05)
    sys.exit(f"no answer from the board in {WARM_S:g} s: {model.warning}")


def main() -> None:
    """Print one JSON object."""
    if not MODELS.is_dir():
        sys.exit(f"{MODELS}: the models of MLPerf Tiny are needed")
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name in NAMES:
            with Emulator(build()) as first, Emulator(build()) as second:
                rows.append(measure(name, first.port, second.port, Path(folder)))
    print(json.dumps({"benchmark": "bridge", "rows": rows}, indent=1))


if __name__ == "__main__":
    main()
