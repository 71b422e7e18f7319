"""Many random cases against a reference, and many mutated plans against the sanitizers."""

import json
import subprocess
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np

from engine.host.build import FUZZ_PLANS, build
from tests.support.engine import KERNELS, Lite, Micro, difference, edge_inputs, engine_of
from tests.support.engine_cases import Case
from tests.support.engine_cases_state import STREAMS
from tests.support.engine_families import FAMILIES, reference
from tests.support.engine_seeds import operator_plans
from toolchain.lowering.settings import Settings
from toolchain.plan.decode import decode
from toolchain.plan.numbers import Rounding, Status, Target
from toolchain.tflite.reader import read

OFTEN = 4


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


def compare_single(family: str, seeds: range) -> tuple[int, int, int]:
    """Cases, values, and differing values of single rounding and LiteRT's default kernels."""
    cases = values = differing = 0
    for seed in seeds:
        made = FAMILIES[family](seed)
        if not _has_weight_zero_point(made):
            mine = engine_of(made.model, Settings(Rounding.SINGLE)).run(made.inputs)
            theirs = Lite(made.model, reference=False).run(made.inputs)
            differing += difference(mine, theirs)
            values += sum(output.size for output in theirs)
            cases += 1
    return cases, values, differing


def _has_weight_zero_point(made: Case) -> bool:
    """Not in TFLite's int8 specification; LiteRT's delegate leaves such weights to a kernel that
    rounds twice."""
    found = (one.quantization for one in read(made.model).main.tensors if one.name == "w")
    return any(one is not None and any(one.zero_points) for one in found)


def compare_model_single(model: bytes, seed: int, count: int) -> tuple[int, int]:
    """Values, and differing ones, of single rounding and LiteRT's default kernels."""
    engine, lite = engine_of(model, Settings(Rounding.SINGLE)), Lite(model, reference=False)
    shape = engine.plan.tensors[engine.plan.inputs[0]].shape
    values = differing = 0
    for inputs in edge_inputs(shape, np.random.default_rng(seed), count):
        theirs = lite.run([inputs])
        differing += difference(engine.run([inputs]), theirs)
        values += theirs[0].size
    return values, differing


def compare_streams(
    family: str, seeds: range, reference: type[Micro | Lite] = Micro
) -> tuple[int, int]:
    """Models and values compared, run after run, and once more after a reset."""
    values = 0
    for seed in seeds:
        made = STREAMS[family](seed)
        engine, other = engine_of(made.model), reference(made.model)
        theirs = [other.run(inputs) for inputs in made.runs]
        for _ in range(2):
            for run, inputs in enumerate(made.runs):
                found = difference(engine.run(inputs), theirs[run])
                assert found == 0, f"{family}, seed {seed}, run {run}"
            engine.reset()
        values += sum(output.size for outputs in theirs for output in outputs)
    return len(seeds), values


def fuzz(
    folder: Path,
    seed: int,
    count: int,
    target: Target = Target.PORTABLE,
    plans: Callable[[Target], Iterable[tuple[str, bytes]]] = operator_plans,
) -> dict[Status, int]:
    """Mutate plans, most often those for the target's own kernels, under ASan and UBSan; how often
    each status was answered."""
    paths: list[Path] = []
    for name, plan in plans(target):
        path = folder / f"{name}.plan"
        path.write_bytes(plan)
        is_packed = any(one.layout for one in decode(plan).operators)
        paths += [path] * (OFTEN if is_packed else 1)
    command = [build(replace(FUZZ_PLANS, kernels=KERNELS[target])), str(seed), str(count), *paths]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr[-4000:]
    return dict(zip(Status, json.loads(told.stdout), strict=True))
