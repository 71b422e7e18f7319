"""Make model.wasm for the page: a network for handwritten digits, trained here in seconds."""

import argparse
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from toolchain import digits
from toolchain.convert.adapters.prebuilt_engine import load as load_engine
from toolchain.convert.convert import TARGETS, Choices, to_module, to_plan
from toolchain.digits.adapters.scikit import load as load_digits


def main() -> None:
    """Train, quantize, convert; the same seed gives the same file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "output", type=Path, nargs="?", default=Path(__file__).with_name("model.wasm")
    )
    parser.add_argument("--target", choices=tuple(TARGETS), default="simd")
    arguments = parser.parse_args()
    rng = np.random.default_rng(0)
    learned, _ = digits.split(load_digits(), rng)
    with threadpool_limits(1):  # the matrices are too small to share
        model = digits.quantize(digits.train(learned, rng), learned.images)
    choices = Choices(target=arguments.target)
    module = to_module(to_plan(model, choices), load_engine(choices.target), "digits", choices)
    arguments.output.write_bytes(module)
    print(f"{arguments.output}: {len(module):,} bytes")


if __name__ == "__main__":
    main()
