"""The benchmark of the firmware: both builds give the same answers, twice at the same cost."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.engine import MODELS

ROOT = Path(__file__).parents[2]


def test_both_builds_are_counted():
    if not MODELS.is_dir():
        pytest.skip(f"{MODELS} is not there: the MLPerf Tiny models lie beside the project")
    told = subprocess.run(
        [sys.executable, "benchmarks/firmware.py", "--only", "kws_ref_model"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    found = json.loads(told.stdout)
    assert found["outputs_equal"]
    for build in found["builds"].values():
        (model,) = build["models"].values()
        assert model["same_twice"]
        assert model["arena_bytes"] == 16_000
        assert sum(model["by_operator"].values()) == model["instructions"]
