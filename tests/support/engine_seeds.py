"""Plans that fuzzers begin with: every operator in small, streams, and whole networks."""

from collections.abc import Iterator
from functools import partial

from benchmarks.mobilenet_v2 import models
from tests.support.engine import MODEL_NAMES, MODELS
from tests.support.engine_cases import one_operator
from tests.support.engine_cases_f32 import FLOAT_FAMILIES, case_f32
from tests.support.engine_cases_state import STREAMS
from tests.support.engine_families import FAMILIES
from tests.support.engine_packed import WIDE
from toolchain.lowering.lower import lower
from toolchain.lowering.settings import Settings
from toolchain.plan.encode import encode
from toolchain.plan.numbers import Rounding, Target
from toolchain.tflite.reader import read

EACH = 4


def integer_plans(target: Target) -> Iterator[tuple[str, bytes]]:
    """Names and plans of one operator each, with both roundings, and of streams."""
    wide = {name: partial(one_operator, make, name) for name, make in WIDE.items()}
    for family, make in {**FAMILIES, **wide}.items():
        for number in range(EACH):
            settings = Settings(Rounding(number % 2), target)
            yield f"{family}-{number}", encode(lower(read(make(number).model), settings))
    for family, stream in STREAMS.items():
        for number in range(2 * EACH):
            plan = lower(read(stream(number).model), Settings(target=target))
            yield f"{family}-{number}", encode(plan)


def float_plans(target: Target) -> Iterator[tuple[str, bytes]]:
    """Names and plans of one float32 operator each."""
    for family in FLOAT_FAMILIES:
        for number in range(3 * EACH):
            plan = lower(read(case_f32(family, number).model), Settings(target=target))
            yield f"{family}-f32-{number}", encode(plan)


def operator_plans(target: Target) -> Iterator[tuple[str, bytes]]:
    """Both kinds."""
    yield from integer_plans(target)
    yield from float_plans(target)


def network_plans(target: Target) -> Iterator[tuple[str, bytes]]:
    """Names and plans of the published models that are there, and of MobileNetV2 at 32x32 in
    float32, int8 and 16x8, with both roundings."""
    networks = dict(models(0.35, 32))
    for name in MODEL_NAMES:
        if (path := MODELS / f"{name}.tflite").exists():
            networks[name] = read(path.read_bytes())
    for name, model in networks.items():
        for rounding in Rounding:
            yield f"{name}-{rounding.name}", encode(lower(model, Settings(rounding, target)))
