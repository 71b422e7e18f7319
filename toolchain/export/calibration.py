"""The inputs from which ranges are taken: an operator's, or noise where there are none."""

import io
from math import prod

import numpy as np
from numpy.typing import NDArray

from toolchain.errors import ModelRefused
from toolchain.export.layers import Floats
from toolchain.tflite.model import Quantization

HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
MAX_INPUTS = 4096
MAX_NUMBERS = 2**26
MAX_NUMBER = 2.0**40
NOISE_INPUTS = 256
UNIT = Quantization((float(np.float32(1 / 255)),), (-128,))
"""0 to 1: what inputs are believed to be where nobody says."""


def read_npy(data: bytes) -> NDArray[np.generic]:
    """An array of float32, float64 or int8 from a `.npy` file.

    Raises:
        ModelRefused: no such file.
    """
    file = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(file)
        shape, is_fortran, dtype = HEADERS[version](file)
    except Exception as error:  # numpy evaluates the header as a literal: many kinds of errors
        line = " ".join(str(error).split())[:100]
        raise ModelRefused(f"calibration: no .npy file: {line}") from None
    if dtype not in (np.dtype("<f4"), np.dtype("<f8"), np.dtype("i1")):
        raise ModelRefused("calibration: must be an array of float32, float64 or int8")
    claimed, present = prod(shape) * dtype.itemsize, len(data) - file.tell()
    if any(size < 0 for size in shape) or claimed != present:
        raise ModelRefused(f"calibration: claims {claimed} bytes of numbers and holds {present}")
    array = np.frombuffer(data, dtype, offset=file.tell())
    return array.reshape(shape, order="F" if is_fortran else "C")


def real_inputs(
    array: NDArray[np.generic], shape: tuple[int, ...], scale: Quantization | None
) -> Floats:
    """The array as real inputs, float32[n, *shape].

    Args:
        array: [n, …]; int8 stands for what `scale` says.
        shape: of one input.

    Raises:
        ModelRefused: another number of elements, none at all, or one that is not finite.
    """
    size = int(np.prod(shape))
    count = len(array) if array.ndim else 0
    if not 0 < count <= MAX_INPUTS or array.size != count * size or array.size > MAX_NUMBERS:
        raise ModelRefused(
            f"calibration: its shape is {list(array.shape)}; 1 to {MAX_INPUTS} inputs of "
            f"{size} numbers are needed"
        )
    if array.dtype == np.int8:
        if scale is None:
            raise ModelRefused("calibration: int8 needs an input scale; give one, or real values")
        real = (array.astype(np.float32) - scale.zero_points[0]) * np.float32(scale.scales[0])
    else:
        real = array.astype(np.float32)
    if not (np.abs(real) <= MAX_NUMBER).all():
        raise ModelRefused(f"calibration: a number is not finite, or beyond ±{MAX_NUMBER:g}")
    return real.reshape(count, *shape)


def noise(shape: tuple[int, ...], scale: Quantization) -> Floats:
    """Inputs for want of better: in the range of the input, from even to wholly irregular.

    Ranges of hidden layers that come of it are wider or narrower than those of real inputs, which
    costs accuracy: see docs/explain/export.md.
    """
    chance = np.random.Generator(np.random.PCG64(0))
    levels = chance.random((NOISE_INPUTS, *(1 for _ in shape)))
    spread = chance.random((NOISE_INPUTS, *(1 for _ in shape)))
    texture = chance.random((NOISE_INPUTS, *shape))
    unit = levels * (1 - spread) + texture * spread
    low = (-128 - scale.zero_points[0]) * scale.scales[0]
    return (low + unit * 255 * scale.scales[0]).astype(np.float32)


def to_int8(inputs: Floats, scale: Quantization) -> NDArray[np.int8]:
    """Inputs as the model takes them."""
    steps = np.rint(inputs / np.float64(scale.scales[0])) + scale.zero_points[0]
    whole: NDArray[np.int8] = np.clip(steps, -128, 127).astype(np.int8)
    return whole


def to_real(values: NDArray[np.int8], scale: Quantization) -> Floats:
    """What int8 values stand for."""
    return (values.astype(np.float32) - scale.zero_points[0]) * np.float32(scale.scales[0])
