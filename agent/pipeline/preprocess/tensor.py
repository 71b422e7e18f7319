"""Samples that already are what the model takes."""

import numpy as np

from agent.errors import ConfigError
from agent.pipeline.preprocess.describe import describe_sample, describe_tensor
from agent.pipeline.preprocess.quantize import QUANTIZED, Quantizer
from agent.pipeline.sample import Sample, Tensor
from agent.runtime.protocol import TensorInfo


class TensorPreprocessor:
    """Passes tensors through; floats are quantized for a quantized model.

    uint8 becomes int8 by -128 when the model's zero point is -128: then both count steps of the
    model's scale from zero, so the real value stays.

    Attributes:
        rejected: samples left out because they held NaN or infinity.
    """

    def __init__(self, tensor: TensorInfo) -> None:
        self._tensor = tensor
        self._dtype = np.dtype(tensor.dtype)
        self._size = int(np.prod(tensor.shape))
        self._quantizer = Quantizer(tensor) if tensor.scale > 0 and _computable(tensor) else None
        self._ready: Sample | None = None
        self.rejected = 0

    def push(self, sample: Sample) -> int:
        """Take a tensor of the model's size; an older one that was not filled is dropped.

        Raises:
            ConfigError: its size or type cannot feed this model.
        """
        data = sample.data
        if data.size != self._size or not self._takes(data):
            raise ConfigError(
                f"preprocess.kind tensor: the source gives {describe_sample(sample)}, but the "
                f"model's {describe_tensor(self._tensor)}: choose another source, or the "
                "preprocess.kind that computes this input"
            )
        if data.dtype.kind == "f" and not _is_finite(data):
            self.rejected += 1
            return int(self._ready is not None)
        self._ready = sample
        return 1

    def fill(self, tensor: Tensor) -> None:
        """Write the pushed tensor."""
        assert self._ready is not None, "fill without a ready input"
        data = self._ready.data.reshape(tensor.shape)
        self._ready = None
        if data.dtype == self._dtype:
            tensor[...] = data
        elif data.dtype.kind == "f":
            self._store_float(data, tensor)
        else:
            np.bitwise_xor(data, np.uint8(0x80), out=tensor.view(np.uint8))

    def _store_float(self, data: Tensor, tensor: Tensor) -> None:
        if self._quantizer is None:
            tensor[...] = data
        else:
            self._quantizer.store(data.astype(np.float32, copy=False), tensor)

    def _takes(self, data: Tensor) -> bool:
        if data.dtype == self._dtype:
            return True
        if data.dtype in (np.float32, np.float64):
            return self._quantizer is not None or self._dtype == np.float32
        return (
            data.dtype == np.uint8
            and self._dtype == np.int8
            and self._tensor.scale > 0
            and self._tensor.zero_point == -128
        )


def _computable(tensor: TensorInfo) -> bool:
    return tensor.dtype in QUANTIZED


def _is_finite(data: Tensor) -> bool:
    with np.errstate(over="ignore"):
        return bool(np.isfinite(data.astype(np.float32, copy=False)).all())
