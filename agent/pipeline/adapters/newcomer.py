"""A model that is loaded beside the one that serves, by a thread of its own."""

import threading
from collections.abc import Callable

from agent.channel.messages import Adopt
from agent.errors import AgentError, ModelError
from agent.pipeline.adapters.assembling import checked
from agent.runtime.adapters.loading import Loaded


class Newcomer:
    """One model on its way in; ask `is_there` between two frames.

    Attributes:
        load_ms: how long it took.
    """

    def __init__(
        self, request: Adopt, load: Callable[[str], Loaded], clock: Callable[[], int]
    ) -> None:
        """Begin to load; `load` is called in another thread, and may raise AgentError."""
        self.request = request
        self.load_ms = 0.0
        self._clock = clock
        self._load = load
        self._loaded: Loaded | None = None
        self._error: AgentError | None = None
        self._thread = threading.Thread(target=self._run, name="newcomer", daemon=True)
        self._thread.start()

    @property
    def is_there(self) -> bool:
        """Whether `loaded` returns at once."""
        return not self._thread.is_alive()

    def loaded(self) -> Loaded:
        """Return the model.

        Raises:
            AgentError: it could not be loaded, or is another than was asked for.
        """
        self._thread.join()
        if self._error is not None:
            raise self._error
        assert self._loaded is not None
        return self._loaded

    def _run(self) -> None:
        began = self._clock()
        try:
            self._loaded = self._checked(self._load(self.request.model))
            self.load_ms = (self._clock() - began) / 1e6
        except AgentError as error:
            self._error = error
        except Exception as error:  # whatever it is, the old model serves on
            self._error = ModelError(f"model {self.request.model}: {type(error).__name__}: {error}")

    def _checked(self, found: Loaded) -> Loaded:
        if self.request.sha256 not in (None, found.sha256):
            raise ModelError(f"model {self.request.model}: its SHA-256 is {found.sha256}")
        checked(found.model, self.request.model)
        return found
