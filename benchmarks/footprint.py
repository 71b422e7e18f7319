"""What an agent costs: memory of its processes, time to the first result, bytes written.

The agent is a real one, on a private broker, with one pipeline at one result a second; beside it
stand a bare Python and a Python that only imported what any peer would need, in the same run.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from broker.adapters import private_broker
from broker.contract.messages import Metrics, Result, decode

MODEL = Path(__file__).parents[2] / "shared" / "models" / "vww_96_int8.tflite"
TOPIC = "selvedge/v1/devices/bench"
MB = 2**20


def main() -> None:
    """Print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long to run online")
    parser.add_argument("--offline-seconds", type=float, default=60.0, help="and without broker")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measured = run(Path(folder), arguments.seconds, arguments.offline_seconds)
    print(json.dumps({"benchmark": "footprint", **measured, "beside": beside()}, indent=1))


def run(folder: Path, online_s: float, offline_s: float) -> dict[str, Any]:
    """Measure one agent."""
    frames = folder / "frames.npy"
    np.save(frames, np.random.default_rng(1).integers(0, 256, (16, 96, 96, 3), np.uint8))
    config = folder / "agent.toml"
    config.write_text(
        f"""metrics_interval_s = 5.0
[pipelines.person]
model = "{MODEL}"
source = {{ kind = "replay", path = "{frames}", rate_hz = 1.0, loop = true }}
preprocess = {{ kind = "image" }}
postprocess = {{ kind = "classify", labels = ["no person", "person"] }}
"""
    )
    metrics: list[Metrics] = []
    first: list[float] = []
    results: list[Result] = []

    def take(_: object, __: object, message: mqtt.MQTTMessage) -> None:
        payload = bytes(message.payload)
        if message.topic.endswith("/metrics"):
            metrics.append(decode(Metrics, payload))
        else:
            first.append(time.monotonic())
            results.append(decode(Result, payload))

    with private_broker.start() as broker:
        client = mqtt.Client(CallbackAPIVersion.VERSION2, "footprint")
        client.on_message = take
        client.connect(broker.address.host, broker.address.port)
        client.subscribe([(f"{TOPIC}/metrics", 1), (f"{TOPIC}/results/+", 1)])
        client.loop_start()
        began = time.monotonic()
        agent = subprocess.Popen(
            [
                *(sys.executable, "-m", "selvedge", "agent", "--config", str(config)),
                *("--device", "bench", "--broker", broker.url, "--state", str(folder / "state")),
            ],
            stderr=subprocess.DEVNULL,
        )
        try:
            time.sleep(online_s)
            main_pid, child_pid = agent.pid, child_of(agent.pid)
            online = memory(main_pid), memory(child_pid)
            written_online = written(main_pid)
            online_for_s = time.monotonic() - began
            client.loop_stop()
            client.disconnect()
            broker.kill()
            time.sleep(offline_s)
            written_offline = written(main_pid) - written_online
        finally:
            agent.terminate()
            agent.wait()
    return {
        "main_rss_mb": online[0]["rss_mb"],
        "main_pss_mb": online[0]["pss_mb"],
        "pipeline_rss_mb": online[1]["rss_mb"],
        "pipeline_pss_mb": online[1]["pss_mb"],
        "first_result_s": round(first[0] - began, 2),
        "results": len(results),
        "cpu_percent_main": metrics[-1].cpu_percent if metrics else None,
        "written_mb_per_hour_online": round(written_online / MB * 3600 / online_for_s, 2),
        "written_mb_per_hour_offline": round(written_offline / MB * 3600 / offline_s, 2),
    }


def beside() -> dict[str, float]:
    """RSS in MB of a Python that imported what a peer of each process needs at least."""
    imports = {
        "bare python": "",
        "paho.mqtt.client": "import paho.mqtt.client",
        "numpy, ai_edge_litert": "import numpy, ai_edge_litert.interpreter",
    }
    rss = "print(int(open('/proc/self/statm').read().split()[1]) * 4096)"
    return {
        name: round(int(subprocess.check_output([sys.executable, "-c", f"{line}\n{rss}"])) / MB, 1)
        for name, line in imports.items()
    }


def memory(pid: int) -> dict[str, float]:
    """Resident and proportional memory of a process, in MB."""
    fields = dict(
        line.split(":", 1)
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    )
    return {
        f"{name.lower()}_mb": round(int(fields[name].split()[0]) / 1024, 1)
        for name in ("Rss", "Pss")
    }


def written(pid: int) -> int:
    """Bytes that a process caused to be written to storage."""
    lines = dict(line.split(":") for line in Path(f"/proc/{pid}/io").read_text().splitlines())
    return int(lines["write_bytes"])


def child_of(pid: int) -> int:
    """The only child of a process."""
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])


if __name__ == "__main__":
    main()
