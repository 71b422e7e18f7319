"""Numbers with names."""

from collections.abc import Sequence
from math import isfinite

import numpy as np

from agent.config.processing import RegressPostprocess
from agent.errors import ConfigError
from agent.pipeline.postprocess.bounds import check_size
from agent.pipeline.postprocess.dequantize import Dequantizer, Tree, describe_output, elements
from agent.pipeline.sample import Tensor
from agent.runtime.protocol import TensorInfo

DIGITS = 7
"""Significant digits of a reported number: what float32 holds."""


def significant(value: float) -> float:
    """Round to `DIGITS` significant digits."""
    return float(f"{value:.{DIGITS}g}")


class RegressPostprocessor:
    """value × scale + offset for each value of the outputs, in order."""

    needs_input = False

    def __init__(self, config: RegressPostprocess, outputs: Sequence[TensorInfo]) -> None:
        """Prepare for all outputs together.

        Raises:
            ConfigError: names, scale or offset do not fit, or results could grow too long.
        """
        count = sum(elements(output) for output in outputs)
        given = "; ".join(describe_output(output) for output in outputs[:4])
        names = config.names or tuple(str(index) for index in range(count))
        for key, length in (
            ("names", len(names)),
            ("scale", len(config.scale)),
            ("offset", len(config.offset)),
        ):
            if length != count and (key == "names" or length != 1):
                raise ConfigError(
                    f"postprocess.{key}: has {length} entries, but the model's {given}: "
                    f"give {count}"
                )
        if len(set(names)) != count:
            raise ConfigError("postprocess.names: a name is given twice: give each value its own")
        check_size(names, count, 16, "choose a model with fewer outputs or shorter names")
        self._names = names
        self._readers = [Dequantizer(output) for output in outputs]
        self._scale = np.broadcast_to(np.array(config.scale, np.float64), (count,)).tolist()
        self._offset = np.broadcast_to(np.array(config.offset, np.float64), (count,)).tolist()

    def result(self, outputs: Sequence[Tensor], model_input: Tensor | None) -> Tree | None:
        """Return every value by its name; NaN and infinity as null."""
        stored = zip(self._readers, outputs, strict=True)
        real = [
            reader.one(value) for reader, output in stored for value in output.reshape(-1).tolist()
        ]
        values: dict[str, float | None] = {}
        finite = True
        for name, value, scale, offset in zip(
            self._names, real, self._scale, self._offset, strict=True
        ):
            number = significant(value * scale + offset)
            values[name] = number if isfinite(number) else None
            finite = finite and values[name] is not None
        tree: Tree = {"task": "regress", "values": values}
        return tree if finite else {**tree, "finite": False}
