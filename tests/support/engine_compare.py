"""Many random cases against a reference, and many mutated plans against the sanitizers."""

import json
import subprocess
from pathlib import Path

import numpy as np

from engine.host.build import FUZZ_PLANS, build
from tests.support.engine import difference, engine_of
from tests.support.engine_families import FAMILIES, reference
from toolchain.lowering.lower import lower
from toolchain.lowering.settings import Settings
from toolchain.plan.encode import encode
from toolchain.plan.numbers import Rounding, Status
from toolchain.tflite.reader import read


def compare(family: str, seeds: range) -> tuple[int, int]:
    """Cases and values compared with the reference; fails at the first that differs."""
    values = levels = 0
    for seed in seeds:
        made = FAMILIES[family](seed)
        mine = engine_of(made.model).run(made.inputs)
        theirs = reference(family)(made.model).run(made.inputs)
        assert difference(mine, theirs) == 0, f"{family}, seed {seed}"
        values += sum(output.size for output in theirs)
        levels += sum(len(np.unique(output)) for output in theirs)
    assert levels > 2 * len(seeds), "most outputs are constant: the cases say nothing"
    return len(seeds), values


def fuzz(folder: Path, seed: int, count: int) -> dict[Status, int]:
    """Mutate plans of every operator under ASan and UBSan; how often each status was answered."""
    paths = []
    for family in FAMILIES:
        for number in range(4):
            settings = Settings(Rounding(number % 2))
            plan = encode(lower(read(FAMILIES[family](number).model), settings))
            paths.append(folder / f"{family}-{number}.plan")
            paths[-1].write_bytes(plan)
    command = [build(FUZZ_PLANS), str(seed), str(count), *paths]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr[-4000:]
    return dict(zip(Status, json.loads(told.stdout), strict=True))
