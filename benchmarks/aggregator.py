"""What an aggregator costs: memory by the number of devices, and parameters folded a second.

Memory: a process of its own for each number of devices, whose updates of int8 arrive interleaved,
fifty devices at a time, and wait on a disk. The resident peak counts from when the job has begun.
Folding: a whole update decoded, checked and added, on one core; beside it plain numpy that adds
the same integers, scaled, to sums of float64 without a check. Simulation: the command itself.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from broker.aggregator.adapters.store_sqlite import SqliteStore
from broker.aggregator.job.aggregation import Aggregation
from broker.aggregator.sums import Total
from broker.aggregator.updates import decoded_update
from broker.contract.blobs import BlobRef, blob_ref
from broker.contract.federated.codecs.choose import codec_of
from broker.contract.federated.codecs.spec import BLOCK, CODEC_IDS, CodecSpec
from broker.contract.federated.job import JobSpec, ModelSpec, ParticipationSpec
from broker.contract.federated.update import UpdateSlice, encode_slice

TOGETHER, BATCH = 50, 256


def main() -> None:
    """Print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parameters", type=int, default=2**20)
    parser.add_argument("--devices", type=int, nargs="+", default=[10, 100, 1000])
    parser.add_argument("--simulated", type=int, default=10_000, help="devices; 0: none")
    parser.add_argument("--child", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child is not None:
        print(json.dumps(memory(arguments.parameters, arguments.child)))
        return
    told: dict[str, Any] = {"benchmark": "aggregator", "parameters": arguments.parameters}
    with threadpool_limits(1):
        told["fold"] = folding(arguments.parameters)
    told["memory"] = [child(arguments.parameters, devices) for devices in arguments.devices]
    peaks = [each["peak_mb"] for each in told["memory"]]
    told["memory_ratio"] = round(max(peaks) / min(peaks), 3)
    if arguments.simulated:
        told["simulation"] = simulation(arguments.simulated)
    print(json.dumps(told, indent=1))


def job(parameters: int, devices: int) -> JobSpec:
    """One round of int8."""
    initial = blob_ref(np.zeros(parameters, "<f4").tobytes())
    model = ModelSpec("big", parameters, initial, {"simd": BlobRef("0" * 64, 1)}, 64)
    wanted = ParticipationSpec(goal=devices, quorum=devices)
    return JobSpec("big", model, rounds=1, codec=CodecSpec("int8"), participation=wanted)


def encoded(spec: JobSpec) -> list[bytes]:
    """The codec's bytes of one update."""
    chance = np.random.default_rng(1)
    vector = (chance.standard_normal(spec.model.parameters) * 1e-3).astype(np.float32)
    return codec_of(spec.codec, spec.model.parameters).encode(vector, spec.cut, 7)


def folding(parameters: int) -> dict[str, float]:
    """Parameters a second, the best of nine."""
    spec = job(parameters, 10)
    codec, data, total = codec_of(spec.codec, parameters), encoded(spec), Total(spec.cut)
    blocks = parameters // BLOCK
    sums = np.zeros((blocks, BLOCK))
    integers = np.random.default_rng(1).integers(-127, 128, (blocks, BLOCK), np.int8)
    scales = np.full((blocks, 1), 1e-5)
    ours, plain = [], []
    for _ in range(9):
        began = time.perf_counter()
        total.add(decoded_update(spec, codec, "0" * 16, "d", data), 37)
        ours.append(time.perf_counter() - began)
        began = time.perf_counter()
        sums += integers * (scales * 37)
        plain.append(time.perf_counter() - began)
    return {
        "million_parameters_per_s": round(parameters / min(ours) / 1e6, 1),
        "plain_numpy_million_parameters_per_s": round(parameters / min(plain) / 1e6, 1),
    }


def child(parameters: int, devices: int) -> dict[str, Any]:
    """Measure in a process of its own."""
    argv = [sys.executable, "-m", "benchmarks.aggregator", "--parameters", str(parameters)]
    done = subprocess.run([*argv, "--child", str(devices)], capture_output=True, check=True)
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def memory(parameters: int, devices: int) -> dict[str, Any]:
    """Feed one round and look at the peak."""
    spec = job(parameters, devices)
    data = encoded(spec)
    number = CODEC_IDS["int8"]
    pieces = [encode_slice(UpdateSlice(n, len(data), 100, number, d)) for n, d in enumerate(data)]
    with tempfile.TemporaryDirectory() as folder:
        store = SqliteStore(Path(folder) / "job.sqlite")
        at = Aggregation(spec, store, lambda count: b"\x07" * count)
        at.begin(np.zeros(parameters, np.float32), 0)
        at.commit(0)
        began, count = time.perf_counter(), 0
        for first in range(0, devices, TOGETHER):
            names = [f"d{n}" for n in range(first, min(first + TOGETHER, devices))]
            for n, piece in enumerate(pieces):
                for name in names:
                    at.receive(1, name, n, piece, 0)
                    count += 1
                    if count % BATCH == 0:
                        at.commit(0)
        at.commit(0)
        seconds = time.perf_counter() - began
        store.close()
    assert at.job.history[0].updates == devices
    return {
        "devices": devices,
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        "seconds": round(seconds, 1),
        "million_parameters_per_s_through_the_disk": round(parameters * devices / seconds / 1e6, 1),
    }


def simulation(devices: int) -> dict[str, Any]:
    """Ten rounds, a fifth of the trainings lost."""
    argv = [sys.executable, "-m", "selvedge", "fl", "simulate", "--json", "--rounds", "10"]
    argv += ["--devices", str(devices), "--dropout", "0.2"]
    done = subprocess.run(argv, capture_output=True, check=True)
    told: dict[str, Any] = json.loads(done.stdout)
    return told


if __name__ == "__main__":
    main()
