"""RESIZE_NEAREST_NEIGHBOR and RESIZE_BILINEAR: where each row and column comes from, as tables."""

from collections.abc import Sequence

import numpy as np

from toolchain.lowering.node import Step
from toolchain.lowering.site import Site
from toolchain.plan.numbers import Opcode, Rounding
from toolchain.plan.parameters import Resize
from toolchain.tflite.dtype import DType
from toolchain.tflite.options import ResizeBilinear, ResizeNearestNeighbor

MAX_LENGTH = 32_767
ONE = 1 << 10
"""The whole distance between two neighbours."""


def lower_nearest(site: Site) -> Step:
    """Lower RESIZE_NEAREST_NEIGHBOR of any type (reference/resize_nearest_neighbor.h)."""
    options = site.operator.options
    assert isinstance(options, ResizeNearestNeighbor)
    corners = {
        "align_corners": options.align_corners,
        "half_pixel_centers": options.half_pixel_centers,
    }
    tables = [nearest(have, want, **corners) for have, want in _lengths(site)]
    return _step(site, Opcode.RESIZE_NEAREST, tables)


def lower_bilinear(site: Site) -> Step:
    """Lower RESIZE_BILINEAR, int8 (ResizeBilinearInteger in reference/resize_bilinear.h)."""
    options = site.operator.options
    assert isinstance(options, ResizeBilinear)
    if site.per_tensor(site.input(0, DType.INT8)) != site.per_tensor(site.output(DType.INT8)):
        site.refuse("its input and output are quantized differently; resizing does not rescale")
    corners = {
        "align_corners": options.align_corners,
        "half_pixel_centers": options.half_pixel_centers,
    }
    is_single = site.settings.rounding is Rounding.SINGLE
    between = float32_bilinear if is_single else bilinear
    tables = [between(have, want, **corners) for have, want in _lengths(site)]
    return _step(site, Opcode.RESIZE_BILINEAR_S8, tables)


def nearest(have: int, want: int, *, align_corners: bool, half_pixel_centers: bool) -> list[int]:
    """The input position of each output position, in float32 as the reference computes it."""
    spans = (have - 1, want - 1) if align_corners and want > 1 else (have, want)
    scale = np.float32(spans[0]) / np.float32(spans[1])
    at = (np.arange(want, dtype=np.float32) + np.float32(0.5 * half_pixel_centers)) * scale
    whole = np.floor(at)
    if align_corners:
        whole += at - whole >= 0.5
    return [max(0, min(int(one), have - 1)) for one in whole]


def bilinear(
    have: int,
    want: int,
    *,
    align_corners: bool,
    half_pixel_centers: bool,
) -> list[tuple[int, int, int]]:
    """For each output position two input positions, and how far from the first, in 1/1024."""
    spans = (have - 1, want - 1) if align_corners and want > 1 else (have, want)
    scale = (ONE * spans[0] + spans[1] // 2) // spans[1]
    found = []
    for position in range(want):
        at = position * scale + (scale // 2 - ONE // 2 if half_pixel_centers else 0)
        # C divides towards zero, and both ends of the picture are held.
        first = min(max(int(at / ONE), 0), have - 1)
        second = min(int((at + ONE - 1) / ONE), have - 1)
        found.append((first, second, at - ONE * first if first != second else 0))
    return found


def float32_bilinear(
    have: int, want: int, *, align_corners: bool, half_pixel_centers: bool
) -> list[tuple[int, int, int]]:
    """The same in 1/2048 and from float32 positions, as XNNPACK's init of indirection has them."""
    spans = (have - 1, want - 1) if align_corners and want > 1 else (have, want)
    scale = np.float32(spans[0]) / np.float32(spans[1])
    offset = np.float32(0.5) * scale - np.float32(0.5) if half_pixel_centers else np.float32(0)
    at = np.arange(want, dtype=np.float32) * scale + offset
    at = np.clip(at, np.float32(0), np.float32(have - 1))
    first = at.astype(np.int64)
    shares = np.rint((at - first.astype(np.float32)) * np.float32(2 * ONE)).astype(np.int64)
    return [
        (one, min(one + 1, have - 1), share)
        for one, share in zip(first.tolist(), shares.tolist(), strict=True)
    ]


def _lengths(site: Site) -> list[tuple[int, int]]:
    source, target = site.input(0), site.output()
    if len(source.shape) != 4 or len(target.shape) != 4 or 0 in source.shape:
        site.refuse(f"shapes {list(source.shape)} and {list(target.shape)} are no pictures")
    pairs = [(source.shape[axis], target.shape[axis]) for axis in (1, 2)]
    if max(max(pair) for pair in pairs) > MAX_LENGTH:
        site.refuse(f"a picture longer than {MAX_LENGTH}")
    return pairs


def _step(site: Site, opcode: Opcode, tables: Sequence[object]) -> Step:
    rows, columns = (site.constants.add(np.array(table, "<u2")) for table in tables)
    return Step(
        opcode,
        inputs=site.operator.inputs[:1],
        output=site.operator.outputs[0],
        parameters=Resize(rows, columns),
    )
