"""Every child of the main process: who it is for, and who is told what it says."""

from agent.channel.messages import Answer, Recalled, Snapshot
from agent.config.device import DeviceConfig
from agent.control.adoptions import Adoptions
from agent.control.commands import Commands
from agent.control.delivery import Delivery
from agent.control.events import BRIDGE, Action, ChildEnded, ChildSaid, Now
from agent.control.mcus import Microcontrollers
from agent.control.pipelines import Pipelines


class Children:
    """Pipelines and the bridge, and what becomes of their words."""

    def __init__(
        self,
        pipelines: Pipelines,
        adoptions: Adoptions,
        mcus: Microcontrollers,
        commands: Commands,
        delivery: Delivery,
    ) -> None:
        self._pipelines = pipelines
        self._adoptions = adoptions
        self._mcus = mcus
        self._commands = commands
        self._delivery = delivery

    def configure(self, config: DeviceConfig, now: Now) -> list[Action]:
        """Start, change and stop children so that they become what is wanted."""
        bridge = self._mcus.configure(config.mcus, now)
        return bridge + self._pipelines.configure(self._adoptions.serving(config.pipelines), now)

    def stop(self, now: Now) -> list[Action]:
        """Ask all of them to end."""
        return [*self._pipelines.stop_all(now), *self._mcus.stop(now)]

    def all_stopped(self) -> bool:
        """Tell whether none is left."""
        return self._pipelines.all_stopped() and self._mcus.is_stopped()

    def said(self, event: ChildSaid, now: Now) -> list[Action]:
        """Take a child's message."""
        name, message = event.pipeline, event.message
        if isinstance(message, Snapshot | Recalled):
            return self._commands.answered(message, now)
        if isinstance(message, Answer):
            actions = self._pipelines.child_said(name, message, now)
            if pipeline := self._pipelines.items().get(name):
                actions += self._delivery.answered(name, pipeline, message, now)
            return actions
        if name == BRIDGE:
            return self._mcus.said(message, now)
        self._commands.labelling.heard(name, message)
        return self._pipelines.child_said(name, message, now)

    def ended(self, event: ChildEnded, now: Now) -> list[Action]:
        """A child is gone, wanted or not."""
        if event.pipeline == BRIDGE:
            return self._mcus.ended(event.cause, now)
        return self._pipelines.child_ended(event.pipeline, event.cause, now)

    def tick(self, now: Now) -> list[Action]:
        """Let time pass."""
        return self._pipelines.tick(now) + self._mcus.tick(now) + self._commands.tick(now)

    def due_ms(self) -> int | None:
        """When `tick` has something to do."""
        dues = (self._pipelines.due_ms(), self._mcus.due_ms(), self._commands.due_ms())
        return min((due for due in dues if due is not None), default=None)
