"""The parts of the learner: what it learns from, in which order, and what it lets out."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import ModelError
from agent.learning.learner.dataset import dataset, real, split
from agent.learning.learner.training import batches
from agent.learning.learner.update import clipped, control_after, encode, protected
from agent.learning.samples.fitting import fits, index_of
from agent.learning.samples.sample import Example, Sample
from broker.contract.federated.codecs.bits import update_seed
from broker.contract.federated.codecs.choose import codec_of
from broker.contract.federated.codecs.feedback import decode_vector
from broker.contract.federated.job import LocalSpec, PrivacySpec
from broker.contract.federated.update import decode_slice
from tests.support.jobs import SEED, job, made

KEY = bytes(range(32))
VECTORS = st.lists(st.floats(-100, 100, width=32), min_size=1, max_size=20).map(
    lambda values: np.array(values, np.float32)
)


def test_real_values() -> None:
    stored = np.array([-128, 0, 127], np.int8)
    assert real(Example(stored.tobytes(), "int8", 0.5, -128)).tolist() == [0, 64, 127.5]
    assert real(Example(stored.tobytes(), "int8")).tolist() == [-128, 0, 127]
    assert real(Example(b"\x01\x02", "int16", 1.0, 1)).tolist() == [0x0200]
    floats = np.array([1.5, -2], np.float32)
    assert real(Example(floats.tobytes(), "float32")).tolist() == [1.5, -2]


def test_labels_become_the_numbers_of_the_job() -> None:
    named = job(21).model
    found = [index_of(label, named) for label in ("no", "perhaps", "1", "3", "other", (1.0,))]
    assert found == [0, 2, 1, None, None, None]
    nameless = job(21, model=_model(labels=[])).model
    assert [index_of(label, nameless) for label in ("7", "no", "70000")] == [7, None, None]
    targets = job(21, model=_model(labels=[], label_kind=2)).model
    assert [fits(label, targets) for label in ((1.0, 2.0), (1.0,), "1")] == [True, False, False]
    two = dataset(
        [Sample("a", (1.0, 2.0), Example(b"x", "int8"))], [np.ones(6, np.float32)], targets
    )
    assert two.labels.tolist() == [[1, 2]]
    assert two.labels.dtype == np.float32


def test_what_is_held_out_is_the_same_in_every_round() -> None:
    samples, _ = made(400)
    ours, held = split(samples, "job", 0.25)
    assert sorted(ours + held) == list(range(400))
    assert 70 < len(held) < 130
    more, _ = made(500)
    assert split(more, "job", 0.25)[1][: len(held)] == held, "new samples move no old ones"
    assert split(samples, "another", 0.25)[1] != held
    assert split(samples, "job", 0.0)[1] == []


@given(
    count=st.integers(1, 50),
    epochs=st.integers(1, 4),
    size=st.integers(1, 60),
    max_steps=st.integers(1, 100),
)
def test_every_example_comes_once_an_epoch(
    count: int, epochs: int, size: int, max_steps: int
) -> None:
    local = LocalSpec(epochs=epochs, batch=size, max_steps=max_steps)
    found = [list(at) for at in batches(count, local, b"seed")]
    per_epoch = -(-count // size)
    assert len(found) == min(max_steps, epochs * per_epoch)
    assert all(1 <= len(at) <= size for at in found)
    for epoch in range(len(found) // per_epoch):
        whole = found[epoch * per_epoch : (epoch + 1) * per_epoch]
        assert Counter(i for at in whole for i in at) == dict.fromkeys(range(count), 1)
    assert found == [list(at) for at in batches(count, local, b"seed")]


def test_epochs_and_seeds_have_orders_of_their_own() -> None:
    local = LocalSpec(epochs=2, batch=100)
    first, second = (at.tolist() for at in batches(100, local, b"seed"))
    assert first != second != sorted(second)
    assert first != next(iter(batches(100, local, b"another"))).tolist()


@given(vector=VECTORS, norm=st.floats(1e-3, 1e3))
def test_a_clipped_update_keeps_its_direction(vector: np.ndarray, norm: float) -> None:
    found = clipped(vector, norm)
    length = np.linalg.norm(vector.astype(np.float64))
    assert np.linalg.norm(found.astype(np.float64)) <= norm
    if length <= norm:
        assert found is vector
    else:
        assert np.allclose(found, vector * (norm / length), rtol=1e-5, atol=1e-30)
    assert clipped(vector, None) is vector


def test_local_noise_has_the_deviation_that_the_job_asks_for() -> None:
    update = np.full(20_000, 0.001, np.float32)
    privacy = PrivacySpec("local", clip_norm=0.1, noise_multiplier=3.0)
    noise = protected(update, privacy, KEY).astype(np.float64) - clipped(update, 0.1)
    assert abs(noise.mean()) < 4 * 0.3 / 20_000**0.5
    assert abs(noise.std() / 0.3 - 1) < 0.03
    assert (np.abs(noise) > 0.3).mean() == pytest.approx(0.3173, abs=0.015)
    again = protected(update, privacy, KEY[::-1]).astype(np.float64) - clipped(update, 0.1)
    assert abs(np.corrcoef(noise, again)[0, 1]) < 0.05
    central = PrivacySpec("central", clip_norm=0.1, noise_multiplier=3.0)
    assert np.array_equal(protected(update, central, KEY), clipped(update, 0.1))


def test_what_no_codec_takes_is_refused() -> None:
    with pytest.raises(ModelError, match="exceeds 1024; lower the learning rate"):
        protected(np.array([2000], np.float32), PrivacySpec(), KEY)


def test_control_of_scaffold() -> None:
    start, y, c, own = (np.array([v], np.float32) for v in (5.0, 4.0, 0.25, 0.5))
    assert control_after(start, y, c, own, steps=4, rate=0.5) == np.float32(0.5 - 0.25 + 1 / 2)


def test_messages_of_two_vectors_and_what_top_k_leaves_behind() -> None:
    codec = {"name": "top_k", "options": {"fraction": 0.2, "bits": 8}}
    spec = job(21, codec=codec, strategy={"name": "scaffold", "options": {"devices": 4}})
    rng = np.random.default_rng(4)
    vectors = [rng.standard_normal(21).astype(np.float32) for _ in range(2)]
    before = rng.standard_normal((2, 21)).astype(np.float32)
    encoded = encode(spec, SEED, "dev", vectors, before, 9, (0.5, 0.25))
    slices = [decode_slice(message) for message in encoded.messages]
    assert [(s.number, s.of, s.examples, s.codec) for s in slices] == [
        (n, 6, 9, 4) for n in range(6)
    ]
    assert [s.losses for s in slices] == [(0.5, 0.25), *[None] * 5]
    decoder = codec_of(spec.codec, 21)
    assert encoded.residual is not None
    for number, vector in enumerate(vectors):
        data = [s.data for s in slices[3 * number : 3 * number + 3]]
        seed = update_seed("top_k", SEED, number, "dev")
        sent = decode_vector(decoder, data, spec.cut, seed)
        assert np.count_nonzero(sent) == 4
        assert np.allclose(sent + encoded.residual[number], vector + before[number], atol=1e-6)
    assert encode(job(21), SEED, "dev", vectors[:1], None, 9, None).residual is None


def _model(**changes: object) -> dict[str, object]:
    tree: dict[str, object] = {
        "name": "head",
        "parameters": 21,
        "initial": {"sha256": "0" * 64, "bytes": 84},
        "trainers": {"simd": {"sha256": "1" * 64, "bytes": 1000}},
        "example_floats": 6,
    }
    return tree | changes
