"""Who took part? With central noise the best guess from the released model comes to nothing.

The attacker knows every update and the model before and after, and scores a device by how far the
model moved along that device's update. For clipped updates that hardly overlap, theory gives the
area under the curve: Φ(1 / (√2 z)), with z the noise multiplier.
"""

import numpy as np

from broker.aggregator.privacy.accountant import epsilon
from broker.contract.federated.codecs.spec import CODEC_IDS
from broker.contract.federated.job import PrivacySpec
from broker.contract.federated.update import UpdateSlice, encode_slice
from tests.support.aggregation import START, Bench, P, job
from tests.support.membership import auc, ceiling

MEMBERS, TRIALS, CLIP = 8, 40, 0.7


def released(spec, updates, trial) -> np.ndarray:
    """What one round adds to the model, as everybody sees it."""
    bench = Bench(spec, None, salt=f"{trial}")
    for n, update in enumerate(updates):
        for at in range(spec.cut.count):
            data = update[spec.cut.span(at)].astype("<f4").tobytes()
            piece = UpdateSlice(at, spec.cut.count, 9, CODEC_IDS["f32"], data)
            bench.at.receive(1, f"d{n}", at, encode_slice(piece), bench.now_ms)
    moved = bench.at.vectors.model.astype(np.float64) - START
    bench.store.close()
    return moved


def attacked(noise: float) -> float:
    """The area under the curve of the attack."""
    privacy = PrivacySpec("central", CLIP, noise)
    spec = job(devices=MEMBERS, codec="f32", rounds=1, privacy=privacy)
    inside, outside = [], []
    for trial in range(TRIALS):
        chance = np.random.default_rng([trial, 7])
        updates = chance.standard_normal((2 * MEMBERS, P))
        moved = released(spec, updates[:MEMBERS], trial)
        scores = updates @ moved / np.linalg.norm(updates, axis=1)
        inside += list(scores[:MEMBERS])
        outside += list(scores[MEMBERS:])
    return auc(np.array(inside), np.array(outside))


def test_the_attack_fails_as_epsilon_falls():
    curves = {noise: attacked(noise) for noise in (0.01, 0.5, 1.5, 8.0)}
    spent = [epsilon(PrivacySpec("central", CLIP, noise), 1) for noise in curves]
    assert spent == sorted(spent, reverse=True)
    assert list(curves.values()) == sorted(curves.values(), reverse=True)
    assert curves[0.01] > 0.99
    for noise, area in curves.items():
        assert abs(area - ceiling(noise)) < 0.06, (noise, area)
    assert curves[8.0] < 0.57
