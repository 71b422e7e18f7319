"""The benchmark of runtimes measures the same computation everywhere, and names what it lacks."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.peers.files import SHARED
from benchmarks.peers.install import MissingError
from benchmarks.peers.process import Running

ROOT = Path(__file__).parents[2]
OURS = ("node", "wasmtime-simd", "wasmtime-scalar", "wasm3", "host")


def test_every_runtime_of_ours_gives_the_bytes_of_tflite_micro():
    if not SHARED.is_dir():
        pytest.skip(f"{SHARED} is not there: the MLPerf Tiny models lie beside the project")
    told = subprocess.run(
        [
            *(sys.executable, "benchmarks/runtimes.py", "--models", "ad01", "--rounds", "1"),
            *("--block-ms", "1", "--runtimes", "tflite-micro", *OURS),
        ],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    (found,) = json.loads(told.stdout)["models"]
    rows = {row["runtime"]: row for row in found["rows"]}
    assert {name: row.get("missing") for name, row in rows.items()} == dict.fromkeys(rows)
    assert len({row["sha256"] for row in rows.values()}) == 1
    assert all(row["runs"] >= 1 and row["median_ms"] > 0 for row in rows.values())
    assert all(name in told.stderr for name in ("tflite-micro", *OURS))


def test_a_process_that_ends_is_missing_with_its_last_line():
    with pytest.raises(MissingError, match="ValueError: no such thing"):
        Running([sys.executable, "-c", "raise ValueError('no such thing')"])


@pytest.mark.parametrize("folder", ["benchmarks/peers", "examples/javascript"])
def test_locked_npm_packages_are_exact_and_name_no_registry(folder):
    wanted = json.loads((ROOT / folder / "package.json").read_text())
    locked = json.loads((ROOT / folder / "package-lock.json").read_text())["packages"]
    for name, version in (wanted.get("dependencies") or wanted["optionalDependencies"]).items():
        assert locked[f"node_modules/{name}"]["version"] == version
    assert all("integrity" in one for name, one in locked.items() if name)
    assert not any("resolved" in one for one in locked.values())
