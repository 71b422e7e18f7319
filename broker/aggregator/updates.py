"""A whole update from the disk: checked, bounded, and weighed."""

from collections.abc import Sequence

from broker.aggregator.sums import clipped
from broker.contract.federated.codecs.bits import update_seed
from broker.contract.federated.codecs.codec import Codec, Decoded
from broker.contract.federated.job import JobSpec


def weight_of(spec: JobSpec, examples: int) -> int:
    """What an update counts.

    Its examples, up to the job's most; 1 under privacy, where their number is data too, and for
    SCAFFOLD, whose paper has plain means.
    """
    if spec.privacy.mode != "none" or spec.strategy.name == "scaffold":
        return 1
    return min(examples, spec.participation.max_examples)


def norm_bound(spec: JobSpec) -> float | None:
    """The L2 norm that an update may have.

    Under local privacy it holds the device's noise as well, whose norm exceeds z · clip · (√P + 6)
    with a probability below 10⁻⁷.
    """
    privacy = spec.privacy
    if privacy.clip_norm is None or privacy.mode != "local":
        return privacy.clip_norm
    noise: float = privacy.noise_multiplier * (float(spec.model.parameters) ** 0.5 + 6)
    return privacy.clip_norm * (1 + noise)


def decoded_update(
    spec: JobSpec, codec: Codec, round_seed: str, device: str, data: Sequence[bytes]
) -> Sequence[Decoded]:
    """All slices of an update.

    Args:
        round_seed: as the round's message has it.
        data: the codec's bytes of each slice, in order.

    Raises:
        CodecError: a slice is refused; nothing of the update counts then.
    """
    cut = spec.cut
    seeds = [update_seed(codec.name, round_seed, v, device) for v in range(cut.vectors)]
    pieces: list[Decoded] = []
    for number, encoded in enumerate(data):
        index = cut.index_of(number)
        seed = seeds[cut.vector_of(number)]
        pieces.append(codec.decode(encoded, cut.length(index), index, seed))
    bound = norm_bound(spec)
    return pieces if bound is None else clipped(pieces, cut, bound)
