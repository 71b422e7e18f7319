"""One pipeline as the main process knows it."""

from dataclasses import dataclass

from agent.channel.messages import Progress, Ready
from agent.config.device import PipelineConfig
from agent.control.supervisor import State, Supervisor
from broker.contract.messages import PipelineStatus, ReleaseStatus

MAX_COUNT = 2**53 - 1
"""A message holds no larger count, whatever a child says it has counted."""


@dataclass
class Pipeline:
    """One pipeline as the main process knows it.

    Attributes:
        config: with the model that serves.
        asked: the number of the model that its child is to adopt, until it has or has not.
    """

    config: PipelineConfig
    supervisor: Supervisor
    ready: Ready | None = None
    source: str | None = None
    warning: str | None = None
    results: int = 0
    frames: int = 0
    drops: int = 0
    wanted: bool = True
    shipped: ReleaseStatus | None = None
    asked: str | None = None
    asked_due_ms: int = 0
    _frames_before: int = 0
    _drops_before: int = 0

    def count(self, progress: Progress) -> None:
        """Take in the counters of the present child, which began at zero."""
        self.frames = min(MAX_COUNT, self._frames_before + progress.frames)
        self.drops = min(MAX_COUNT, self._drops_before + progress.drops)
        self.source, self.warning = progress.source, progress.warning

    def child_ended(self) -> None:
        """Keep the counters of the child that is gone."""
        self._frames_before, self._drops_before = self.frames, self.drops
        self.source = self.warning = None

    def status(self) -> PipelineStatus:
        """Say where it stands."""
        state = self.supervisor.state
        reason = self.supervisor.reason or self.warning
        serving = self.ready if state in (State.RUNNING, State.STOPPING) else None
        return PipelineStatus(
            state=state.value,
            reason=reason[:400] if reason else None,
            model=serving.model if serving else None,
            runtime=serving.runtime if serving else None,
            runtime_reason=serving.runtime_reason if serving else None,
            source=self.source,
            shipped=self.shipped,
        )
