"""Which runtimes can run a model, and why one cannot."""

from collections.abc import Collection
from dataclasses import dataclass

from toolchain.inspect.arithmetic import is_dynamic_range
from toolchain.tflite.model import Model

TFLITE_PACKAGES = ("ai_edge_litert", "tflite_runtime")
"""Import names of the wheels that bring a TFLite interpreter; the first one found is used."""
_BUNDLED_CUSTOM = frozenset({"TFLite_Detection_PostProcess"})
"""Custom operators that these wheels bring along."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether one runtime can run the model on this machine."""

    runtime: str
    can_run: bool
    reason: str


def verdicts(model: Model, installed: Collection[str]) -> tuple[Verdict, ...]:
    """Judge every runtime; `installed` are the importable ones of `TFLITE_PACKAGES`."""
    package = next((name for name in TFLITE_PACKAGES if name in installed), None)
    refusal = _foreign_operator(model) or _without_package(package) or _mixture(model, package)
    return (Verdict("tflite", refusal is None, refusal or f"builtin operators under {package}"),)


def warnings(model: Model) -> tuple[str, ...]:
    """Say what loads and runs, but may be silently wrong."""
    where = _first_dynamic(model)
    if where is None:
        return ()
    return (
        f"dynamic-range model: {where} has integer weights and float activations; tflite-runtime "
        "2.14 loads it and answers wrongly; quantize with calibration data to static int8",
    )


def _foreign_operator(model: Model) -> str | None:
    for graph in model.graphs:
        for number, operator in enumerate(graph.operators):
            if operator.name == "CUSTOM" and operator.custom_name not in _BUNDLED_CUSTOM:
                return (
                    f"operator {number} is the custom operator {operator.custom_name!r}, "
                    "which no TFLite wheel brings; convert with builtin operators only"
                )
    return None


def _without_package(package: str | None) -> str | None:
    if package is None:
        return "no TFLite interpreter is installed; pip install ai-edge-litert"
    return None


def _mixture(model: Model, package: str | None) -> str | None:
    if package == "tflite_runtime" and _first_dynamic(model) is not None:
        return "tflite-runtime answers wrongly on dynamic-range models; quantize to static int8"
    return None


def _first_dynamic(model: Model) -> str | None:
    for graph in model.graphs:
        for number, operator in enumerate(graph.operators):
            if is_dynamic_range(graph, operator):
                return f"operator {number} ({operator.name})"
    return None
