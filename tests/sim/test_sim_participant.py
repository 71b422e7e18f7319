"""Devices that take part over a bad link, with restarts, before an aggregator that forgets nothing.

The clock is virtual. Messages get lost in either direction, links go down, devices restart with
what their disk holds, the learner fails now and then. What must hold: every update is summed
exactly once, rounds close, and nothing is left on a disk.
"""

import heapq
import itertools
import random

import numpy as np
import pytest

from broker.contract.blobs import BlobRef
from broker.contract.federated.codecs.bits import update_seed
from broker.contract.federated.codecs.choose import codec_of
from broker.contract.federated.codecs.spec import CODEC_IDS, CodecOptions, CodecSpec
from broker.contract.federated.job import JobSpec, ModelSpec, ParticipationSpec
from broker.contract.federated.participant import words as w
from broker.contract.federated.participant.eligible import consider
from broker.contract.federated.participant.machine import Participant, State
from broker.contract.federated.round import Ack, Missing, Round
from broker.contract.federated.slices import missing
from broker.contract.federated.update import UpdateSlice, decode_slice, encode_slice

PARAMETERS, EXAMPLES, ROUNDS, DEVICES = 900, 64, 3, 10
REF = BlobRef("ab" * 32, 4 * PARAMETERS)


def job(codec: CodecSpec) -> JobSpec:
    model = ModelSpec("head", PARAMETERS, REF, {"simd": REF}, 64)
    wanted = ParticipationSpec(fraction=1.0, goal=DEVICES, quorum=DEVICES)
    return JobSpec("digits", model, codec=codec, participation=wanted, slice_parameters=256)


class World:
    """A clock, a bad link, an aggregator, and devices."""

    def __init__(self, spec: JobSpec, loss: float, seed: int) -> None:
        self.spec, self.loss = spec, loss
        self.codec = codec_of(spec.codec, PARAMETERS)
        self.chance = random.Random(seed)
        self.now_ms = 0
        self.queue: list[tuple[int, int, object]] = []
        self.order = itertools.count()
        self.number = 0
        self.held: dict[str, dict[int, UpdateSlice]] = {}
        self.sums = np.zeros(PARAMETERS, np.int64)
        self.expected = np.zeros(PARAMETERS, np.int64)
        self.counted: list[tuple[str, int]] = []
        self.bytes = 0
        self.devices = [Device(self, f"pi-{n}") for n in range(DEVICES)]

    def later(self, wait_ms: int, act) -> None:
        heapq.heappush(self.queue, (self.now_ms + wait_ms, next(self.order), act))

    def carry(self, act) -> None:
        """Over the broker: late, twice, or never."""
        for _ in range(self.chance.choice([1, 1, 1, 2])):
            if self.chance.random() >= self.loss:
                self.later(self.chance.randrange(1, 500), act)

    def seed(self) -> str:
        return f"{self.number:016x}"

    def announce(self) -> Round:
        return Round("digits", self.number, "open", REF, open_for_s=60.0, seed=self.seed())

    def open(self) -> None:
        self.number += 1
        self.held = {}
        for device in self.devices:
            device.hear(self.announce())
        self.later(5_000, self.remind)

    def remind(self) -> None:
        """Tell every device what is lacking, as an aggregator does that has heard of it."""
        for device in self.devices:
            if held := self.held.get(device.name):
                self.answer(device, held)
        if self.number <= ROUNDS:
            self.later(30_000, self.remind)

    def answer(self, device: "Device", held: dict[int, UpdateSlice]) -> None:
        key = ("digits", self.number)
        gaps = missing(held, self.spec.cut.count)
        word = w.Lacking(key, Missing(tuple(gaps))) if gaps else w.Acked(key, Ack(True, True))
        self.carry(lambda: device.feed(word))

    def take(self, device: "Device", key: w.Key, payload: bytes) -> None:
        self.bytes += len(payload)
        if key != ("digits", self.number):
            return
        piece = decode_slice(payload)
        held = self.held.setdefault(device.name, {})
        if piece.number in held:
            assert held[piece.number] == piece, "an update that changed"
            self.answer(device, held)
            return
        held[piece.number] = piece
        if len(held) == piece.of:
            self.fold(device, held)

    def fold(self, device: "Device", held: dict[int, UpdateSlice]) -> None:
        self.counted.append((device.name, self.number))
        seed = update_seed(self.spec.codec.name, self.seed(), 0, device.name)
        for number, piece in held.items():
            cut = self.spec.cut
            decoded = self.codec.decode(piece.data, cut.length(number), number, seed)
            decoded.add_to(self.sums[cut.span(number)], piece.examples)
        self.answer(device, held)
        if len([1 for _, number in self.counted if number == self.number]) == DEVICES:
            self.later(1_000, self.open)

    def run(self) -> None:
        self.open()
        while self.number <= ROUNDS:
            assert self.queue, "nothing is going to happen any more"
            self.now_ms, _, act = heapq.heappop(self.queue)
            assert self.now_ms < 24 * 3_600_000, "no end within a day"
            act()


class Device:
    """Performs effects; its disk survives a restart, its machine does not."""

    def __init__(self, world: World, name: str) -> None:
        self.world, self.name = world, name
        self.disk: dict[w.Key, list[bytes]] = {}
        self.committed: list[w.Key] = []
        self.settled: w.Key | None = None
        self.made: set[int] = set()
        self.trainings = 0
        self.life = 0
        self.start()
        world.later(world.chance.randrange(60_000), self.suffer)

    def start(self) -> None:
        self.life += 1
        self.machine = Participant(random=self.world.chance.random)
        if self.settled:
            self.feed(w.Settled(self.settled))
        for key, slices in self.disk.items():
            self.feed(w.Kept(key, len(slices)))
        self.feed(w.Up())

    def suffer(self) -> None:
        """A restart, or a link that is down for a while, some time or other."""
        if self.world.chance.random() < 0.3:
            self.start()
        else:
            self.feed(w.Down())
            self.feed(w.Up())
        if self.world.number:
            self.hear(self.world.announce())
        self.world.later(self.world.chance.randrange(20_000, 200_000), self.suffer)

    def hear(self, told: Round) -> None:
        kept = next(iter(self.disk), None)
        self.feed(consider(self.world.spec, told, self.name, EXAMPLES, kept=kept))

    def feed(self, event: w.Event) -> None:
        for effect in self.machine.handle(event, self.world.now_ms):
            self.perform(effect)
        if self.machine.due_ms is not None:
            wait_ms = max(0, self.machine.due_ms - self.world.now_ms)
            self.soon(wait_ms, w.Due)

    def soon(self, wait_ms: int, make) -> None:
        """Something of this life: nothing that a restart survives."""
        life = self.life
        self.world.later(wait_ms, lambda: self.feed(make()) if self.life == life else None)

    def perform(self, effect: w.Effect) -> None:
        chance = self.world.chance
        match effect:
            case w.Fetch(task):
                good = chance.random() > 0.2
                answer = w.Fetched(task.key) if good else w.FetchFailed(task.key, "no chunk")
                self.soon(chance.randrange(100, 4_000), lambda: answer)
            case w.Train(task):
                self.soon(chance.randrange(1_000, 20_000), lambda: self.train(task.key))
            case w.Send(key, slices):
                for number in slices:
                    payload = self.disk[key][number]
                    self.world.carry(lambda p=payload: self.world.take(self, key, p))
                self.soon(600, lambda: w.Flushed(key))
            case w.Settle(key, counted):
                self.settled = key
                self.committed += [key] if counted else []
                del self.disk[key]
            case w.Discard(key):
                del self.disk[key]

    def train(self, key: w.Key) -> w.Event:
        """Deterministic for each round, so that training again after a restart changes nothing."""
        if self.trainings % 5 == 4:
            self.trainings += 1
            return w.TrainFailed(key, "out of memory")
        self.trainings += 1
        world, cut = self.world, self.world.spec.cut
        own = int.from_bytes(f"{self.name}{key}".encode()[-8:], "little")
        update = np.random.default_rng(own).standard_normal(PARAMETERS).astype(np.float32)
        seed = update_seed(world.spec.codec.name, f"{key[1]:016x}", 0, self.name)
        encoded = world.codec.encode(update, cut, seed)
        identifier = CODEC_IDS[world.spec.codec.name]
        if key[1] not in self.made:
            self.made.add(key[1])
            for at, data in enumerate(encoded):
                decoded = world.codec.decode(data, cut.length(at), at, seed)
                decoded.add_to(world.expected[cut.span(at)], EXAMPLES)
        self.disk[key] = [
            encode_slice(UpdateSlice(at, cut.count, EXAMPLES, identifier, data))
            for at, data in enumerate(encoded)
        ]
        return w.Trained(key, cut.count)


@pytest.mark.parametrize("loss", [0.0, 0.3, 0.6])
@pytest.mark.parametrize(
    "codec",
    [CodecSpec("int8"), CodecSpec("one_bit"), CodecSpec("top_k", CodecOptions(0.05, 4))],
    ids=lambda codec: codec.name,
)
def test_every_update_is_summed_once_whatever_the_link_and_the_devices_suffer(codec, loss):
    world = World(job(codec), loss, seed=int(10 * loss))
    world.run()
    everyone = [(d.name, number) for number in range(1, ROUNDS + 1) for d in world.devices]
    assert sorted(world.counted) == sorted(everyone)
    assert np.array_equal(world.sums, world.expected)
    assert world.sums.any()
    for device in world.devices:
        device.feed(w.Ended("the job is done"))
        assert device.disk == {}
        assert device.machine.state is State.IDLE
        assert len(set(device.committed)) == len(device.committed)
    told = sum(len(device.committed) for device in world.devices)
    assert told >= (0.9 if not loss else 0.5) * len(everyone)
