"""From a model's bytes to a plan, and from a plan to a module."""

import hashlib
from dataclasses import dataclass

from broker.contract.version import VERSION
from toolchain.convert.join import join
from toolchain.convert.label import Label
from toolchain.inspect.macs import macs as count_macs
from toolchain.lowering.lower import lower
from toolchain.lowering.settings import Settings
from toolchain.plan.encode import encode
from toolchain.plan.numbers import Rounding, Target
from toolchain.tflite.reader import read

TARGETS = {
    "scalar": Target.SWAR,
    "simd": Target.SIMD128,
    "portable": Target.PORTABLE,
    "cortex-m": Target.CORTEX_M,
}
"""Builds of the engine by the name that a user gives, and how they want constants packed."""
ROUNDINGS = {rounding.name.lower(): rounding for rounding in Rounding}


@dataclass(frozen=True, slots=True)
class Choices:
    """What a user may choose; names are keys of `ROUNDINGS` and `TARGETS`."""

    rounding: str = "double"
    target: str = "scalar"


def to_plan(model: bytes, choices: Choices) -> bytes:
    """Lower a .tflite file to a plan.

    Raises:
        ModelRefused: it is no model, or has an operator that the engine lacks.
    """
    settings = Settings(ROUNDINGS[choices.rounding], TARGETS[choices.target])
    return encode(lower(read(model), settings))


def macs_of(model: bytes) -> int:
    """Count the multiply-accumulates of one run of a .tflite file."""
    graph = read(model).main
    return sum(count_macs(graph, operator) for operator in graph.operators)


def to_module(
    plan: bytes, engine: bytes, name: str, choices: Choices, macs: int | None = None
) -> bytes:
    """Join a plan and the prebuilt engine of the same target.

    Raises:
        ModelRefused: the model needs more memory than a module has.
    """
    label = Label(
        name=name,
        engine=VERSION,
        engine_sha256=hashlib.sha256(engine).hexdigest(),
        plan_sha256=hashlib.sha256(plan).hexdigest(),
        rounding=choices.rounding,
        target=choices.target,
        macs=macs,
    )
    return join(engine, plan, label)
