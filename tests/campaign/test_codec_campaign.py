"""50,000 spoilt slices for every codec and for the message around it; counts are printed."""

import random
from collections import Counter

import numpy as np
import pytest

from broker.contract.federated.codecs.choose import codec_of
from broker.contract.federated.codecs.codec import MAX_VALUE
from broker.contract.federated.codecs.spec import CODEC_IDS, CodecOptions, CodecSpec
from broker.contract.federated.errors import CodecError, UpdateError
from broker.contract.federated.slices import Cut
from broker.contract.federated.update import UpdateSlice, decode_slice, encode_slice
from tests.support import codec_reference

COUNT = 50_000
SEED = 20_000

pytestmark = pytest.mark.filterwarnings("error")


def spoilt(octets: bytes, chance: random.Random) -> bytes:
    data = bytearray(octets)
    for _ in range(chance.choice([1, 1, 2, 8])):
        match chance.randrange(4):
            case 0 if data:
                data[chance.randrange(len(data))] = chance.randrange(256)
            case 1 if data:
                del data[chance.randrange(len(data))]
            case 2:
                data.insert(chance.randrange(len(data) + 1), chance.randrange(256))
            case 3 if data:
                data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return bytes(data)


@pytest.mark.parametrize("bits", [4, 8, 32])
@pytest.mark.parametrize("name", CODEC_IDS)
def test_spoilt_bytes_of_a_codec(name, bits):
    spec = CodecSpec(name, CodecOptions(0.1, bits))
    chance, outcomes = random.Random(SEED + bits), Counter[str]()
    cut = Cut(200, 70)
    codec = codec_of(spec, cut.parameters)
    values = np.random.default_rng(bits).standard_normal(200).astype(np.float32)
    good = codec.encode(values, cut, SEED)
    for _ in range(COUNT):
        at = chance.randrange(cut.per_vector)
        data, length = spoilt(good[at], chance), cut.length(at)
        try:
            decoded = codec.decode(data, length, at, SEED)
        except CodecError:
            outcomes["refused"] += 1
            continue
        outcomes["decoded"] += 1
        sums = np.zeros(length, np.int64)
        decoded.add_to(sums, 1)
        assert np.abs(sums).max() <= 1.001 * MAX_VALUE * 2**32
        if outcomes["decoded"] % 20 == 0:
            assert sums.tolist() == codec_reference.decode(spec, data, length, at, SEED)
    print(f"\n{name} {bits}: {dict(outcomes)}, seed {SEED + bits}")
    assert min(outcomes["refused"], outcomes["decoded"]) > COUNT // 100


def test_spoilt_messages():
    chance, outcomes = random.Random(SEED), Counter[str]()
    good = encode_slice(UpdateSlice(0, 3, 64, 1, bytes(range(40)), (0.5, 0.25)))
    for _ in range(COUNT):
        try:
            piece = decode_slice(spoilt(good, chance))
        except UpdateError:
            outcomes["refused"] += 1
        else:
            outcomes["decoded"] += 1
            assert piece.data == bytes(range(40))
    print(f"\nmessages: {dict(outcomes)}, seed {SEED}")
    assert outcomes["refused"] > outcomes["decoded"] > 0
