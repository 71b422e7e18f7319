"""What a source hands to a pipeline."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class Sample(NamedTuple):
    """One input as it was captured.

    Attributes:
        data: an image as uint8 [height, width, 3] in RGB or [height, width, 1]; sound as int16
            [samples], mono; sensor values as float32 [channels]; or a tensor ready for the model.
        captured_ns: monotonic time of capture.
        id: its name, when the source has one, such as a file name.
        rate_hz: sampling rate of sound; 0 for anything else.
    """

    data: NDArray[Any]
    captured_ns: int
    id: str | None = None
    rate_hz: int = 0


Tensor = NDArray[Any]
Floats = NDArray[np.float32]
