"""A small model of handwritten digits: trained in numpy in seconds, quantized, written."""

from toolchain.digits.dataset import Digits, split
from toolchain.digits.network import Network, accuracy, forward, normalize
from toolchain.digits.quantizing import NETWORK, quantize, vector
from toolchain.digits.training import train

__all__ = [
    "NETWORK",
    "Digits",
    "Network",
    "accuracy",
    "forward",
    "normalize",
    "quantize",
    "split",
    "train",
    "vector",
]
