"""A virtual device: the participant of the agent, with a learner of numpy and a disk in memory."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from broker.contract.federated.codecs.bits import update_seed
from broker.contract.federated.codecs.choose import codec_of, keeps_residual
from broker.contract.federated.codecs.codec import Vector
from broker.contract.federated.codecs.feedback import encode_with_feedback
from broker.contract.federated.codecs.spec import CODEC_IDS
from broker.contract.federated.job import JobSpec
from broker.contract.federated.participant import words as w
from broker.contract.federated.participant.machine import Participant
from broker.contract.federated.update import UpdateSlice, encode_slice
from broker.learning.simulation.task import Examples, judged, trained


@dataclass
class Memory:
    """What outlives rounds on a device: the codec's residual, SCAFFOLD's c_i."""

    residual: Vector | None = None
    control: Vector | None = None


class Device:
    """One device.

    Attributes:
        machine: its state in the job.
        slices: the encoded update on its disk.
        gone: it dropped out of the round that is open.
    """

    def __init__(
        self,
        name: str,
        spec: JobSpec,
        examples: Callable[[], Examples],
        chance: np.random.Generator,
    ) -> None:
        """Begin with nothing but examples, drawn when they are needed."""
        self.name, self._spec, self._examples, self._chance = name, spec, examples, chance
        self.machine = Participant(random=chance.random)
        self.slices: list[bytes] = []
        self.gone = False
        self.timer_ms: int | None = None
        self._memory, self._next = Memory(), Memory()

    @property
    def count(self) -> int:
        """How many examples it has."""
        return int(self._examples().labels.size)

    def train(self, task: w.Task, model: Vector, control: Vector | None) -> None:
        """Make the update of a round, encoded as on a real device: clip, noise, codec."""
        spec, local, examples = self._spec, self._spec.local, self._examples()
        own = self._memory.control
        if control is not None and own is None:
            own = np.zeros_like(control)
        correction = None if control is None or own is None else control - own
        before, _ = judged(model, examples)
        here, steps = trained(model, examples, local, correction, self._chance)
        after, _ = judged(here, examples)
        vectors = [self._bounded(here - model)]
        self._next = Memory(self._memory.residual, own)
        if correction is not None and own is not None:
            # Option II of the paper: c_i+ = c_i − c + (x − y) / (K η).
            change = (model - here) / np.float32(max(1, steps) * local.learning_rate)
            vectors.append((change - (correction + own)).astype(np.float32))
            self._next.control = own + vectors[1]
        codec = codec_of(spec.codec, spec.model.parameters)
        encoded: list[bytes] = []
        for at, vector in enumerate(vectors):
            seed = update_seed(codec.name, task.round.seed, at, self.name)
            if keeps_residual(spec.codec) and not at:
                kept = self._memory.residual
                kept = np.zeros_like(vector) if kept is None else kept
                pieces, self._next.residual = encode_with_feedback(
                    codec, vector, kept, spec.cut, seed
                )
                encoded += pieces
            else:
                encoded += codec.encode(vector, spec.cut, seed)
        count, number = examples.labels.size, CODEC_IDS[codec.name]
        losses: tuple[float, float] | None = (before, after)
        if spec.privacy.mode != "none":
            count, losses = 1, None
        self.slices = [
            encode_slice(UpdateSlice(n, len(encoded), count, number, data, None if n else losses))
            for n, data in enumerate(encoded)
        ]

    def settle(self, counted: bool) -> None:
        """The update has done its service; what goes with it counts if it did."""
        if counted:
            self._memory = self._next
        self.slices = []

    def _bounded(self, update: Vector) -> Vector:
        privacy = self._spec.privacy
        if privacy.clip_norm is None:
            return update
        norm = float(np.linalg.norm(update))
        update = update * np.float32(min(1.0, privacy.clip_norm / max(norm, 1e-12)))
        if privacy.mode == "local":
            deviation = privacy.noise_multiplier * privacy.clip_norm
            noise = self._chance.standard_normal(update.size) * deviation
            update = (update + noise).astype(np.float32)
        return update
