"""The digits that come with scikit-learn: 1797 images of 8×8 from the UCI test set."""

import numpy as np

from toolchain.digits.dataset import IMAGE_SHAPE, Digits
from toolchain.errors import UnavailableError

_INK = 16


def load() -> Digits:
    """Load all digits, their ink 0…16 stretched to 0…255.

    Raises:
        UnavailableError: scikit-learn is not installed.
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise UnavailableError(
            "digits: scikit-learn is missing; install it with pip install 'selvedge[demo]'"
        ) from None
    bunch = load_digits()
    ink = np.rint(bunch.data * (255 / _INK)).astype(np.uint8)
    return Digits(ink.reshape(-1, *IMAGE_SHAPE), bunch.target.astype(np.int64))
