"""A slice of the benchmark of federated learning: its structure, and what is exact."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.learning import data
from benchmarks.learning.accuracy import equal_to_reference
from benchmarks.learning.problems import DIGITS_HEAD

ROOT = Path(__file__).parents[2]


def bench(*arguments, **environment):
    told = subprocess.run(
        [sys.executable, "benchmarks/federated.py", *arguments],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
    )
    return json.loads(told.stdout)


def test_fedavg_equals_twenty_lines_of_numpy():
    assert 0 < equal_to_reference(DIGITS_HEAD, rounds=4, seed=5) < 1e-6


def test_every_strategy_learns_and_data_that_are_missing_are_named(tmp_path):
    told = bench(
        *("--parts", "accuracy", "--problems", "digits-dirichlet", "fsdd", "mnist-label"),
        *("--rounds", "4", "--seeds", "1"),
        SELVEDGE_DATA=str(tmp_path),
    )
    digits, *missing = sorted(told["accuracy"], key=lambda row: row["problem"])
    assert [str(tmp_path) in row["missing"] for row in missing] == [True, True]
    rows = {row["strategy"]: row for row in digits["rows"]}
    assert set(rows) == {
        *("central", "fedavg", "fedavgm", "fedadam", "fedyogi", "fedprox", "scaffold")
    }
    assert all(len(row["accuracy"]) == 5 for row in rows.values())
    assert len({row["accuracy"][0] for row in rows.values()}) == 1, "one start for all"
    assert all(row["accuracy"][-1] > row["accuracy"][0] + 0.1 for row in rows.values())
    assert rows["scaffold"]["upload_bytes"] > 1.9 * rows["fedavg"]["upload_bytes"]
    assert rows["fedavg"]["upload_bytes"] == pytest.approx(4 * digits["parameters"], rel=0.01)


def test_owners_are_those_that_were_asked_for():
    labels = np.random.default_rng(1).integers(0, 10, 2000).astype(np.int32)
    owners = data.by_dirichlet(labels, 10, 0.1, seed=3)
    counts = np.array([np.bincount(labels[owners == d], minlength=10) for d in range(10)])
    assert counts.sum() == len(labels)
    assert counts.sum(axis=1).min() >= data.LEAST_EXAMPLES
    # At 0.1 most of a class lies with few devices.
    assert np.mean(counts.max(axis=0) / counts.sum(axis=0)) > 0.4
    assert (owners == data.by_dirichlet(labels, 10, 0.1, seed=3)).all()
    assert all(len(set(labels[data.by_label(labels) == d])) == 1 for d in range(10))
