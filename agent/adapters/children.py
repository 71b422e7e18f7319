"""The child processes of the main process: started, listened to, and buried."""

import json
import selectors
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from agent.adapters.child_process import ChildProcess
from agent.channel.messages import Start, ToChild
from agent.control.events import BRIDGE, ChildEnded, ChildSaid, Event, Spawn, SpawnBridge
from broker.contract.shape import to_tree

CACHE_FOLDER = "cache"
BRIDGE_SOCKET = "bridge.sock"
MODELS_FOLDER = "models"


class Children:
    """Children by name, each watched by the selector."""

    def __init__(
        self, state: Path, selector: selectors.BaseSelector, handle: Callable[[Event], None]
    ) -> None:
        """Prepare; `handle` is told what they say and how they end."""
        self._cache, self._bridge = state / CACHE_FOLDER, state / BRIDGE_SOCKET
        self._models = state / MODELS_FOLDER
        self._selector = selector
        self._handle = handle
        self._children: dict[str, ChildProcess] = {}

    def pids(self) -> dict[str, int]:
        """The process of each."""
        return {name: child.pid for name, child in self._children.items()}

    def any_ending(self) -> bool:
        """Whether one has closed its socket, so that its end is near."""
        return any(child.closed for child in self._children.values())

    def spawn_pipeline(self, action: Spawn) -> None:
        """Start a pipeline."""
        with suppress(OSError):  # then models change by a restart
            self._models.mkdir(mode=0o700, exist_ok=True)
        start = Start("start", action.pipeline, to_tree(action.config))
        paths = (str(self._cache), str(self._bridge), str(self._models.absolute()))

        def words(descriptor: int) -> list[str]:
            return ["-m", "agent.pipeline.app", str(descriptor), *paths]

        self._spawn(action.pipeline, words, start)

    def spawn_bridge(self, action: SpawnBridge) -> None:
        """Start the bridge."""
        settings = {"socket": str(self._bridge.absolute()), "mcus": to_tree(action.mcus)}

        def words(descriptor: int) -> list[str]:
            return ["-m", "firmware_bridge.app", json.dumps(settings | {"overseer": descriptor})]

        self._spawn(BRIDGE, words)

    def tell(self, name: str, message: ToChild) -> None:
        """Send one a message, if it is there."""
        if child := self._children.get(name):
            child.send(message)
            self._watch(name, child)

    def kill(self, name: str) -> None:
        """End one at once."""
        if child := self._children.get(name):
            child.kill()

    def serve(self, name: str, mask: int) -> None:
        """Do what the selector says is possible with its socket."""
        child = self._children.get(name)
        if child is None:
            return
        if mask & selectors.EVENT_WRITE:
            child.flush()
        if mask & selectors.EVENT_READ:
            for message in child.receive():
                self._handle(ChildSaid(name, message))
        self._watch(name, child)

    def reap(self) -> None:
        """Tell of those that have ended."""
        for name, child in list(self._children.items()):
            cause = child.ended()
            if cause is not None:
                del self._children[name]
                child.release()
                self._handle(ChildEnded(name, cause))

    def release(self) -> None:
        """End all of them."""
        for child in self._children.values():
            child.release()

    def _spawn(
        self, name: str, words: Callable[[int], list[str]], first: ToChild | None = None
    ) -> None:
        try:
            child = ChildProcess(words, first)
        except OSError as error:
            self._handle(ChildEnded(name, f"cannot start a process: {error.strerror}"))
            return
        self._children[name] = child
        self._selector.register(child, selectors.EVENT_READ, name)
        self._watch(name, child)

    def _watch(self, name: str, child: ChildProcess) -> None:
        if child.closed:
            if child.fileno() in self._selector.get_map():
                self._selector.unregister(child)
            return
        mask = selectors.EVENT_READ
        if child.wants_to_write():
            mask |= selectors.EVENT_WRITE
        self._selector.modify(child, mask, name)
