"""Arrays as files of numpy."""

import io
from typing import Any

import numpy as np


def npy(array: np.ndarray, **options: Any) -> bytes:
    """As `numpy.save` writes it."""
    out = io.BytesIO()
    np.save(out, array, **options)
    return out.getvalue()
