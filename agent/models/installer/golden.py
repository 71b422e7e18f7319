"""Golden samples: what a model made of known inputs elsewhere, it must make of them here."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from agent.errors import ModelError
from agent.runtime.protocol import LoadedModel, TensorInfo
from broker.contract.bundle.manifest import Golden, Manifest, TensorSpec

SCALE_TOLERANCE = 1e-5
FLOAT_TOLERANCE = 1e-3
"""Of a float32 output, relative to its size where that is above 1: kernels sum in other orders."""

Array = NDArray[np.generic]


def check_tensors(manifest: Manifest, model: LoadedModel) -> None:
    """Refuse a model whose tensors are not those of its manifest.

    Raises:
        ModelError: it names the first that differs.
    """
    for what, specs, infos in (
        ("inputs", [manifest.input.tensor], model.inputs),
        ("outputs", [one.tensor for one in manifest.outputs], model.outputs),
    ):
        if len(specs) != len(infos):
            raise ModelError(f"has {len(infos)} {what}; its manifest says {len(specs)}")
        for spec, info in zip(specs, infos, strict=True):
            if not _is_same(spec, info):
                raise ModelError(
                    f"its {info} with scale {info.scale:g} and zero point {info.zero_point} is not"
                    f" {spec.dtype} {list(spec.shape)} with {spec.scale:g} and {spec.zero_point}"
                    " as its manifest says"
                )


def _is_same(spec: TensorSpec, info: TensorInfo) -> bool:
    if spec.shape != info.shape or spec.dtype != info.dtype:
        return False
    if spec.dtype == "float32" or (spec.scale == 0 and info.scale == 0):
        return True
    is_near = abs(spec.scale - info.scale) <= SCALE_TOLERANCE * max(spec.scale, info.scale)
    return is_near and spec.zero_point == info.zero_point


def samples_of(data: bytes, count: int, specs: Sequence[TensorSpec]) -> Iterator[list[Array]]:
    """Cut a blob of golden tensors into samples; its length is that of the manifest."""
    step = sum(spec.size_bytes for spec in specs)
    for sample in range(count):
        place, tensors = sample * step, list[Array]()
        for spec in specs:
            flat = np.frombuffer(data, np.dtype(spec.dtype).newbyteorder("<"), spec.elements, place)
            tensors.append(flat.astype(spec.dtype).reshape(spec.shape))
            place += spec.size_bytes
        yield tensors


def check_samples(
    golden: Golden,
    inputs: Iterator[list[Array]],
    outputs: Iterator[list[Array]],
    run: Callable[[list[Array]], list[Array]],
) -> None:
    """Run every sample.

    Raises:
        ModelError: an output differs by more than the manifest allows, or the runtime failed.
    """
    for number, (given, wanted) in enumerate(zip(inputs, outputs, strict=True)):
        for place, (got, want) in enumerate(zip(run(given), wanted, strict=True)):
            if want.dtype.kind == "f":
                worst, most, unit = _float_difference(got, want), FLOAT_TOLERANCE, ""
            else:
                difference = got.astype(np.int64) - want.astype(np.int64)
                worst, most, unit = int(np.abs(difference).max()), golden.tolerance, " quanta"
            if not worst <= most:
                raise ModelError(
                    f"golden sample {number} of {golden.count}: output {place} is off by {worst:g}"
                    f"{unit}; {most:g} are allowed"
                )


def _float_difference(got: Array, want: Array) -> float:
    """The greatest difference; NaN is one from everything but NaN."""
    a, b = got.astype(np.float64), want.astype(np.float64)
    with np.errstate(invalid="ignore"):
        off = np.abs(a - b) / np.maximum(1.0, np.abs(b))
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    return float(np.where(same, 0.0, np.where(np.isnan(off), np.inf, off)).max())
