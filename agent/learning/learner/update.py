"""From trained parameters to the messages of an update: difference, bound, noise, codec."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from agent.errors import ModelError
from agent.learning.learner.dataset import Floats
from broker.contract.federated.codecs.bits import update_seed
from broker.contract.federated.codecs.choose import codec_of, keeps_residual
from broker.contract.federated.codecs.codec import MAX_VALUE, to_fixed, to_values
from broker.contract.federated.codecs.feedback import encode_with_feedback
from broker.contract.federated.codecs.spec import CODEC_IDS
from broker.contract.federated.job import JobSpec, PrivacySpec
from broker.contract.federated.noise import gaussian
from broker.contract.federated.update import UpdateSlice, encode_slice


@dataclass(frozen=True)
class Encoded:
    """Messages in the order of their numbers; and what to keep once they are acknowledged.

    Attributes:
        residual: float32[vectors, P], or None where the codec leaves nothing behind.
    """

    messages: tuple[bytes, ...]
    residual: Floats | None


def clipped(update: Floats, norm: float | None) -> Floats:
    """An update no longer than `norm`, in its direction; None bounds nothing."""
    length = float(np.linalg.norm(update.astype(np.float64)))
    if norm is None or length <= norm:
        return update
    # Rounding to float32 may lengthen by an ulp: stay just below.
    return (update.astype(np.float64) * (norm / length * (1 - 2.0**-22))).astype(np.float32)


def protected(update: Floats, privacy: PrivacySpec, key: bytes) -> Floats:
    """The update, clipped; with the device's own noise under local privacy.

    Args:
        key: secret and new for every update: noise that is drawn twice can be taken away.

    Raises:
        ModelError: a value is beyond what codecs take.
    """
    bounded = clipped(update, privacy.clip_norm)
    if bounded.size and np.abs(bounded).max() > MAX_VALUE:
        raise ModelError(f"the update exceeds {MAX_VALUE}; lower the learning rate, or clip")
    if privacy.mode != "local" or privacy.clip_norm is None:
        return bounded
    deviation = privacy.noise_multiplier * privacy.clip_norm
    return to_values(to_fixed(bounded) + gaussian(key, "local", bounded.size, deviation))


def control_after(
    start: Floats, trained: Floats, control: Floats, own: Floats, steps: int, rate: float
) -> Floats:
    """SCAFFOLD's new c_i = c_i - c + (x - y) / (K η): option II of Karimireddy et al. 2020."""
    drift = (start.astype(np.float64) - trained) / (steps * rate)
    return (own.astype(np.float64) - control + drift).astype(np.float32)


def encode(
    spec: JobSpec,
    round_seed: str,
    device: str,
    vectors: Sequence[Floats],
    residual: Floats | None,
    examples: int,
    losses: tuple[float, float] | None,
) -> Encoded:
    """Encode an update of one vector, or of two.

    Args:
        residual: what the last acknowledged update left behind, float32[vectors, P].
        examples: what the slices claim.
        losses: for slice 0.

    Raises:
        CodecError: a value is beyond what the codec takes.
    """
    codec, cut = codec_of(spec.codec, spec.model.parameters), spec.cut
    pieces: list[bytes] = []
    left: list[Floats] = []
    for number, vector in enumerate(vectors):
        seed = update_seed(codec.name, round_seed, number, device)
        if keeps_residual(spec.codec):
            before = np.zeros_like(vector) if residual is None else residual[number]
            encoded, rest = encode_with_feedback(codec, vector, before, cut, seed)
            left.append(rest)
        else:
            encoded = codec.encode(vector, cut, seed)
        pieces += encoded
    name = CODEC_IDS[codec.name]
    messages = tuple(
        encode_slice(UpdateSlice(at, cut.count, examples, name, data, losses if at == 0 else None))
        for at, data in enumerate(pieces)
    )
    return Encoded(messages, np.stack(left) if left else None)
