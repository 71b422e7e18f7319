"""What is lowered by which function."""

from collections.abc import Callable

from toolchain.lowering.node import Step
from toolchain.lowering.operators import fully_connected, softmax
from toolchain.lowering.site import Site

LOWERINGS: dict[str, Callable[[Site], Step]] = {
    "FULLY_CONNECTED": fully_connected.lower,
    "SOFTMAX": softmax.lower,
}
