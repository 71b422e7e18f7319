"""Train handwritten digits with a trainer module, in its sandbox: `digits.py TRAINER.wasm`."""

import struct
import sys
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

from agent.learning.trainer.adapters.session import Session

EPOCHS, HELD_OUT = 10, 497


def main(path: str, runtime: str = "wasmtime") -> float:
    """Train a module of 64 features and 10 classes; return its accuracy on held-out digits."""
    pictures, digits = load_digits(return_X_y=True)
    order = np.random.default_rng(1).permutation(len(digits))
    examples, labels = (pictures[order] / 16).astype("<f4"), digits[order].astype("<i4")
    share = 0.0
    with Session(Path(path).read_bytes(), runtime) as session:
        session.write_parameters(bytes(session.shape.parameter_bytes))
        session.write_hyper(struct.pack("<8f", 0.02, 0.9, *[0.0] * 6))
        batch = session.shape.batch
        for epoch in range(EPOCHS):
            for start in range(HELD_OUT, len(labels), batch):
                x, y = examples[start : start + batch], labels[start : start + batch]
                loss = session.train(x.tobytes(), y.tobytes(), len(y))
            right = 0
            for start in range(0, HELD_OUT, batch):
                end = min(HELD_OUT, start + batch)
                x, y = examples[start:end], labels[start:end]
                right += session.evaluate(x.tobytes(), y.tobytes(), len(y)).correct
            share = right / HELD_OUT
            print(f"epoch {epoch + 1}: loss {loss:.3f}, {share:.1%} right of {HELD_OUT}")
    return share


if __name__ == "__main__":
    main(*sys.argv[1:])
