"""Several devices as one: a job goes to the least loaded healthy device that holds its plan."""

from collections.abc import Iterable, Iterator, Mapping

from firmware_bridge.bridge.accelerator import Accelerator
from firmware_bridge.bridge.jobs import Job, Outcome, Verdict
from firmware_bridge.bridge.states import State


class Pool:
    """The devices by name."""

    def __init__(self, names: Iterable[str]) -> None:
        self.devices = {name: Accelerator(name) for name in names}
        self._outcomes: list[Outcome] = []

    def submit(self, job: Job, plans: Mapping[bytes, bytes], now_ms: int) -> None:
        """Take a job; its outcome comes once, perhaps at once.

        A plan that no healthy device holds is brought to one. Where all that hold it are at work,
        it is also brought to one that has nothing to do.

        Args:
            plans: what is here to be brought, by sha256.
        """
        healthy = [one for one in self.devices.values() if one.is_healthy]
        wanted = {one.name: one.plan_for(job.variants) for one in healthy}
        fit = [one for one in healthy if not one.residency.is_unfit(wanted[one.name], now_ms)]
        lacking = [wanted[one.name] for one in fit if wanted[one.name] not in plans]
        if lacking:
            self._refuse(job, Verdict.UNKNOWN_PLAN, lacking[0])
            return
        holders = [one for one in fit if one.residency.holds(wanted[one.name])]
        at_hand = [one for one in holders if one.state is not State.UPLOADING]
        if not at_hand or all(one.load for one in at_hand):
            others = [one for one in fit if one not in holders and one.state is not State.UPLOADING]
            idle = [one for one in others if not holders or not one.load]
            if idle:
                chosen = _least_loaded(idle)
                sha256 = wanted[chosen.name]
                chosen.want(sha256, plans[sha256], now_ms)
        if at_hand:
            _least_loaded(at_hand).submit(job, now_ms)
        elif fit:
            self._refuse(job, Verdict.UNREADY)
        else:
            self._refuse(job, Verdict.REFUSED if healthy else Verdict.NO_DEVICE)

    def distrust(self, name: str, now_ms: int) -> None:
        """An answer of this device was shown to be wrong."""
        if name in self.devices:
            self.devices[name].distrust(now_ms)

    def poll(self, now_ms: int) -> None:
        """Do what is due."""
        for device in self.devices.values():
            device.poll(now_ms)

    @property
    def next_ms(self) -> int | None:
        """When `poll` must be called at the latest."""
        times = (device.next_ms for device in self.devices.values())
        return min((time for time in times if time is not None), default=None)

    def take_outcomes(self) -> Iterator[Outcome]:
        """What became of jobs since the last time."""
        for held in (self._outcomes, *(device.outcomes for device in self.devices.values())):
            taken = held[:]
            held.clear()
            yield from taken

    def _refuse(self, job: Job, verdict: Verdict, lacking: bytes = b"") -> None:
        self._outcomes.append(Outcome(job.token, verdict, outputs=lacking))


def _least_loaded(devices: list[Accelerator]) -> Accelerator:
    return min(devices, key=lambda one: one.load)
