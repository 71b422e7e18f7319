"""Make model.wasm, a network for handwritten digits trained here in seconds, and a digit for it."""

import argparse
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from toolchain import digits
from toolchain.convert.adapters.prebuilt_engine import load as load_engine
from toolchain.convert.convert import TARGETS, Choices, to_module, to_plan
from toolchain.digits.adapters.scikit import load as load_digits


def main() -> None:
    """Train, quantize, convert; the same seed gives the same files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "output", type=Path, nargs="?", default=Path(__file__).with_name("model.wasm")
    )
    parser.add_argument("--target", choices=tuple(TARGETS), default="simd")
    arguments = parser.parse_args()
    rng = np.random.default_rng(0)
    learned, held_out = digits.split(load_digits(), rng)
    with threadpool_limits(1):  # the matrices are too small to share
        model = digits.quantize(digits.train(learned, rng), learned.images)
    choices = Choices(target=arguments.target)
    module = to_module(to_plan(model, choices), load_engine(choices.target), "digits", choices)
    arguments.output.write_bytes(module)
    print(f"{arguments.output}: {len(module):,} bytes")
    sample = (held_out.images[:1] ^ 0x80).view(np.int8)  # the input's zero point is -128
    np.save(arguments.output.with_name("digit.npy"), sample)
    arguments.output.with_name("digit.bin").write_bytes(sample.tobytes())
    print(f"digit.npy and digit.bin beside it: a {held_out.labels[0]} that it has not seen")


if __name__ == "__main__":
    main()
