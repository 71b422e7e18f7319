"""Trainer modules with a few bytes changed, each used in a sandbox of its own."""

from collections import Counter

import numpy as np

from agent.errors import ModelError
from agent.learning.trainer.adapters.session import Limits, Session
from tests.support.networks import HEAD
from tests.support.trainers import module_of
from tests.support.wasm_mutants import mutant

BATCH = 8


def try_mutants(runtime: str, seeds: range, call_s: float = 4.0) -> Counter[str]:
    """What became of each: refused, ended while it trained, or an update; nothing else can be."""
    module = module_of(HEAD, "scalar" if runtime == "wasm3" else "simd")
    limits = Limits(call_s=call_s, total_s=20.0)
    return Counter(_try(mutant(module, seed), runtime, limits) for seed in seeds)


def _try(module: bytes, runtime: str, limits: Limits) -> str:
    examples = np.ones((BATCH, 64), "<f4").tobytes()
    try:
        session = Session(module, runtime, limits)
    except ModelError as error:
        return "died" if "died" in str(error) else "refused"
    with session:
        try:
            session.write_parameters(bytes(session.shape.parameter_bytes))
            session.write_hyper(np.array([0.1, 0.9, 0, 0, 0, 0, 0, 0], "<f4").tobytes())
            session.begin()
            for _ in range(2):
                session.train(examples, bytes(4 * BATCH), BATCH)
            assert len(session.parameters()) == session.shape.parameter_bytes
        except ModelError as error:
            return "died" if "died" in str(error) else "ended"
    return "trained"
