"""The virtual clock, the bad link, and who is told what: the rest is the real thing.

Devices are participants of `broker.contract`, the aggregator is that of `broker.aggregator`. What
is simulated is time, loss, training by numpy, and dropping out: a device that drops out of a round
loses power while it trains and is back when the next one opens.
"""

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from broker.aggregator.job.aggregation import Aggregation
from broker.aggregator.job.machine import State
from broker.aggregator.job.words import Out, Say, Show
from broker.aggregator.store import Store
from broker.contract.federated.channels import AckChannel, MissingChannel, RoundChannel
from broker.contract.federated.codecs.codec import Vector
from broker.contract.federated.job import JobSpec
from broker.contract.federated.participant import words as w
from broker.contract.federated.participant.eligible import consider
from broker.contract.federated.participant.machine import Participant
from broker.contract.federated.round import Ack, Missing, Round
from broker.learning.simulation.device import Device
from broker.learning.simulation.task import Examples, judged, new_task

Act = Callable[[], None]
START_MS = 1_700_000_000_000
BATCH_MS = 50
"""The aggregator commits what came within so long at once, as a real one under load."""


@dataclass(frozen=True)
class Conditions:
    """What devices and links are like.

    Attributes:
        dropout: share of the trainings that come to nothing.
        loss: share of the messages that get lost.
        training_s: median time of a training; a tenth of the devices take thrice as long.
        concentration: of the Dirichlet distribution of a device's classes.
        examples: of a device, on average.
    """

    devices: int = 100
    dropout: float = 0.1
    loss: float = 0.01
    training_s: float = 20.0
    concentration: float = 0.5
    examples: int = 30


@dataclass
class World:
    """One job from its first round to its end.

    Attributes:
        scores: held-out loss and accuracy of each round's model, the first one before training.
        dropped: trainings that came to nothing.
        lost: messages that got lost.
    """

    spec: JobSpec
    store: Store
    conditions: Conditions
    seed: int
    scores: list[tuple[float, float]] = field(default_factory=list)
    dropped: int = 0
    lost: int = 0

    def __post_init__(self) -> None:
        chance = self.chance = np.random.default_rng([self.seed, 0])
        self.now_ms = START_MS
        self._acts: list[tuple[int, int, Act]] = []
        self._order = itertools.count()
        self._committing = False
        self._task = new_task(chance, self.conditions.concentration, self.conditions.examples)
        self._held_out = self._task.held_out(chance)
        self._blobs: dict[str, Vector] = {}
        self.devices = {f"d{n}": self._device(n) for n in range(self.conditions.devices)}
        self.aggregation = Aggregation(self.spec, self.store, chance.bytes)

    def run(self, seen: Callable[["World"], None] = lambda _: None) -> None:
        """Play until the job is over; `seen` is called after each round."""
        self.aggregation.begin(np.zeros(self.spec.model.parameters, np.float32), self.now_ms)
        self._commit()
        finished = -1
        while self._acts:
            self.now_ms, _, act = heapq.heappop(self._acts)
            act()
            if (job := self.aggregation.job).finished != finished:
                finished = job.finished
                seen(self)
            if job.state is not State.RUNNING and not self._committing:
                return

    def _device(self, number: int) -> Device:
        """Chance of its own, so that a device is the same among any number of others."""

        def examples() -> Examples:
            return self._task.of_device(np.random.default_rng([self.seed, 1, number]))

        chance = np.random.default_rng([self.seed, 2, number])
        return Device(f"d{number}", self.spec, examples, chance)

    def _later(self, wait_ms: float, act: Act) -> None:
        heapq.heappush(self._acts, (self.now_ms + int(wait_ms), next(self._order), act))

    def _carry(self, act: Act) -> None:
        if self.chance.random() < self.conditions.loss:
            self.lost += 1
        else:
            self._later(self.chance.uniform(5, 400), act)

    def _commit(self) -> None:
        self._committing = False
        self.aggregation.tick(self.now_ms)
        for out in self.aggregation.commit(self.now_ms):
            self._hear(out)

    def _commit_soon(self) -> None:
        if not self._committing:
            self._committing = True
            self._later(BATCH_MS, self._commit)

    def _hear(self, out: Out) -> None:
        match out:
            case Show(ref, data):
                if ref.sha256 not in self._blobs:
                    self._blobs[ref.sha256] = np.frombuffer(data, "<f4").astype(np.float32)
            case Say(RoundChannel(), Round() as told):
                self.scores.append(judged(self._blobs[told.model.sha256], self._held_out))
                if told.state == "open":
                    self._open(told)
            case Say(AckChannel(_, number, name), Ack() as ack):
                event = w.Acked((self.spec.id, number), ack)
                self._carry(lambda: self._feed(self.devices[name], event))
            case Say(MissingChannel(_, number, name), Missing() as gaps):
                lacking = w.Lacking((self.spec.id, number), gaps)
                self._carry(lambda: self._feed(self.devices[name], lacking))

    def _open(self, told: Round) -> None:
        keep = {told.model.sha256} | ({told.control.sha256} if told.control else set())
        self._blobs = {name: blob for name, blob in self._blobs.items() if name in keep}
        for device in self.devices.values():
            self._later(self.chance.uniform(5, 2_000), partial(self._tell, device, told))
        self._later(told.open_for_s * 1000, self._commit)

    def _tell(self, device: Device, told: Round) -> None:
        opened = self.aggregation.job.round
        if opened is None or opened.number != told.number:
            return
        if device.gone:
            device.gone, device.machine = False, Participant(random=self.chance.random)
        self._feed(device, w.Up())
        self._feed(device, consider(self.spec, told, device.name, device.count))

    def _feed(self, device: Device, event: w.Event) -> None:
        if device.gone:
            return
        for effect in device.machine.handle(event, self.now_ms):
            self._perform(device, effect)
        due_ms = device.machine.due_ms
        if due_ms is not None and due_ms != device.timer_ms:
            device.timer_ms = due_ms
            self._later(due_ms - self.now_ms, lambda: self._feed(device, w.Due()))

    def _perform(self, device: Device, effect: w.Effect) -> None:
        match effect:
            case w.Fetch(task):
                self._later(100, lambda: self._feed(device, w.Fetched(task.key)))
            case w.Train(task):
                self._train(device, task)
            case w.Send(key, numbers):
                for number in numbers:
                    self._send(device, key, number)
                self._later(50, lambda: self._feed(device, w.Flushed(key)))
            case w.Settle(_, counted):
                device.settle(counted)
            case w.Discard():
                device.settle(False)

    def _train(self, device: Device, task: w.Task) -> None:
        if self.chance.random() < self.conditions.dropout:
            self.dropped += 1
            device.gone = True
            return
        slow = 3.0 if self.chance.random() < 0.1 else 1.0
        spread = float(self.chance.lognormal(0, 0.3))

        def done() -> None:
            model = self._blobs.get(task.round.model.sha256)
            if device.gone or model is None or device.machine.task != task:
                return
            told = task.round.control
            control = None if told is None else self._blobs[told.sha256]
            if self.spec.cut.vectors > 1 and control is None:
                control = np.zeros_like(model)
            device.train(task, model, control)
            self._feed(device, w.Trained(task.key, len(device.slices)))

        self._later(1000 * self.conditions.training_s * slow * spread, done)

    def _send(self, device: Device, key: w.Key, number: int) -> None:
        if number >= len(device.slices):
            return
        payload, name = device.slices[number], device.name

        def arrive() -> None:
            self.aggregation.receive(key[1], name, number, payload, self.now_ms)
            self._commit_soon()

        self._carry(arrive)
