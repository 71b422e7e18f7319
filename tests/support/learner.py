"""A small head, and learning of it without a process of its own."""

import numpy as np

from agent.learning.learner.dataset import real
from agent.learning.learner.learn import Learned, Start, learn
from agent.learning.samples.sample import Sample
from agent.learning.trainer.adapters.session import Session
from broker.contract.federated.job import JobSpec
from tests.support.jobs import FLOATS, SEED, task
from tests.support.trainers import module_of
from toolchain.training import network as n

HEAD = n.Network((FLOATS,), (n.Dense(3),), batch=8)
PARAMETERS = 3 * FLOATS + 3
KEY = bytes(32)
FIRST = np.random.default_rng(8).standard_normal(PARAMETERS).astype(np.float32)


def learned(spec: JobSpec, samples: list[Sample], start: Start, seed: str = SEED) -> Learned:
    """What a device makes of samples that all fit."""
    examples = [real(one.example) for one in samples]
    with Session(module_of(HEAD)) as trainer:
        return learn(task(spec, seed=seed), "dev", samples, examples, start, trainer, KEY)
