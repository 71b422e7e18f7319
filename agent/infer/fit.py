"""Which array feeds which input of a model."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent.errors import ModelError
from agent.pipeline.preprocess.quantize import QUANTIZED, Quantizer
from agent.runtime.protocol import TensorInfo


def fit(
    arrays: Mapping[str, NDArray[Any]], wanted: Sequence[TensorInfo], *, quantized: bool
) -> list[NDArray[Any]]:
    """Return one array for each input of the model, in its shape and dtype.

    Args:
        arrays: one array under any name, or one for each input under the input's name.
        quantized: turn floats into the integers of a quantized input.

    Raises:
        ModelError: an array is missing, left over, or does not fit; the text says what is wanted.
    """
    names = [info.name for info in wanted]
    if len(arrays) == len(wanted) == 1:
        chosen = list(arrays.values())
    elif set(arrays) == set(names):
        chosen = [arrays[name] for name in names]
    else:
        raise ModelError(
            f"the model wants {'; '.join(map(str, wanted))}; "
            f"got {', '.join(sorted(arrays)) or 'nothing'}: name the arrays of an .npz like them"
        )
    return [
        _converted(array, info, quantized=quantized)
        for array, info in zip(chosen, wanted, strict=True)
    ]


def _converted(array: NDArray[Any], info: TensorInfo, *, quantized: bool) -> NDArray[Any]:
    from_float = array.dtype.kind == "f" and info.scale > 0 and info.dtype in QUANTIZED
    if from_float and quantized and array.shape == info.shape:
        if not np.isfinite(array).all():
            raise ModelError(f"{info} cannot hold NaN or infinity")
        stored = np.empty(info.shape, info.dtype)
        Quantizer(info).store(array, stored)
        return stored
    try:
        info.check(array)
    except ModelError as error:
        hint = "; --quantize converts floats" if from_float and not quantized else ""
        raise ModelError(f"{error}{hint}") from None
    return array
