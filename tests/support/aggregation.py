"""A small job, its updates as bytes, and an aggregation that can be crashed."""

import random
from pathlib import Path

import numpy as np

from broker.aggregator.adapters.store_sqlite import SqliteStore
from broker.aggregator.job.aggregation import Aggregation, Limits
from broker.aggregator.job.words import Say
from broker.contract.blobs import BlobRef, blob_ref
from broker.contract.federated.channels import AckChannel
from broker.contract.federated.codecs.bits import update_seed
from broker.contract.federated.codecs.choose import codec_of
from broker.contract.federated.codecs.spec import CODEC_IDS, CodecSpec
from broker.contract.federated.job import JobSpec, ModelSpec, ParticipationSpec
from broker.contract.federated.update import UpdateSlice, encode_slice

P = 600
START = np.random.default_rng(1).standard_normal(P).astype(np.float32)
TRAINER = BlobRef("ab" * 32, 100)
START_MS = 1_700_000_000_000
OFTEN = Limits(2, 10_000, 0)


def job(devices: int = 4, codec: str = "int8", **more) -> JobSpec:
    """A job whose rounds close when all devices have sent."""
    model = ModelSpec("head", P, blob_ref(START.tobytes()), {"simd": TRAINER}, 64)
    wanted = ParticipationSpec(goal=devices, quorum=max(1, devices // 2), retries=1)
    settings = {"participation": wanted, "rounds": 3, "slice_parameters": 256, "deadline_s": 60.0}
    return JobSpec("digits", model, codec=CodecSpec(codec), **(settings | more))


def update(spec: JobSpec, device: str, number: int, seed: str) -> list[bytes]:
    """What a device sends in a round; the same whenever it is asked."""
    chance = np.random.default_rng([*device.encode(), number])
    codec = codec_of(spec.codec, P)
    encoded = []
    for vector in range(spec.cut.vectors):
        values = (chance.standard_normal(P) * 0.05).astype(np.float32)
        told = update_seed(codec.name, seed, vector, device)
        encoded += codec.encode(values, spec.cut, told)
    count, examples = len(encoded), int(chance.integers(1, 200))
    return [
        encode_slice(
            UpdateSlice(n, count, examples, CODEC_IDS[codec.name], data, None if n else (2.0, 1.5))
        )
        for n, data in enumerate(encoded)
    ]


class Bench:
    """An aggregation on a file, with a clock and chance of its own."""

    def __init__(
        self,
        spec: JobSpec,
        path: Path | None,
        limits: Limits = OFTEN,
        salt: str = "",
        start: np.ndarray = START,
    ) -> None:
        """Begin the job; without a path it is in memory and cannot be restarted."""
        self.spec, self.path, self.limits, self._salt = spec, path, limits, salt
        self._start = start
        self.now_ms = START_MS
        self.chance = random.Random(5)
        self.said = []
        self.store: SqliteStore | None = None
        self.restart()

    def restart(self) -> None:
        """Whatever was not committed is gone, and so is the process."""
        if self.store is not None:
            self.store.close()
        self.store = SqliteStore(self.path)
        # Every round draws what its number says, so that histories can be compared.
        self.at = Aggregation(self.spec, self.store, self.draw, self.limits)
        self.at.announce()
        self.at.begin(self._start, self.now_ms)
        self.commit()

    def draw(self, count: int) -> bytes:
        """Chance, the same for the same round."""
        number = self.at.job.number if hasattr(self, "at") else 0
        return random.Random(f"{self._salt}/{number}/{count}").randbytes(count)

    def commit(self) -> None:
        """Commit, and keep what is said."""
        self.said += self.at.commit(self.now_ms)

    @property
    def seed(self) -> str:
        """Of the round that is open."""
        assert self.at.job.round is not None
        return self.at.job.round.seed

    def send(self, device: str, numbers=None, number: int | None = None) -> None:
        """Send slices of a device's update, without a commit."""
        number = self.at.job.number if number is None else number
        if self.at.job.round is None:
            return
        pieces = update(self.spec, device, number, self.seed)
        for n in range(len(pieces)) if numbers is None else numbers:
            self.at.receive(number, device, n, pieces[n], self.now_ms)

    def ack(self, device: str):
        """The last word on a device."""
        words = [
            out.message
            for out in self.said
            if isinstance(out, Say)
            and isinstance(out.channel, AckChannel)
            and out.channel.device == device
        ]
        return words[-1] if words else None

    @property
    def model(self) -> bytes:
        """The newest parameters."""
        return self.at.vectors.model.tobytes()
