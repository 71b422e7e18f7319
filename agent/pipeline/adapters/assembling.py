"""Puts a pipeline together: model, preprocessing, postprocessing, and the walls around a module."""

import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from agent.config.device import PipelineConfig
from agent.config.processing import DetectPostprocess, Postprocess
from agent.errors import ConfigError
from agent.pipeline.adapters.confinement import confine
from agent.pipeline.inference import Inference
from agent.pipeline.postprocess import build_postprocessor
from agent.pipeline.preprocess import build_preprocessor
from agent.pipeline.protocol import Postprocessor, Preprocessor
from agent.pipeline.reach import reach_of
from agent.pipeline.recent import Recent
from agent.runtime.adapters.loading import Loaded, Options, load
from agent.runtime.protocol import LoadedModel

MAX_ANCHORS_BYTES = 1024 * 1024
SANDBOXED = ("wasmtime", "wasm3")
PROCESSOR = "/proc/cpuinfo"
"""Machine code is kept under what the processor can."""


class Places(NamedTuple):
    """Where machine code and plans are kept, where the bridge listens, where models come."""

    cache: Path | None = None
    bridge: Path | None = None
    models: Path | None = None


class Assembly:
    """What a pipeline is made of, by its configuration; time is read from `clock`, in ns."""

    def __init__(self, config: PipelineConfig, places: Places, clock: Callable[[], int]) -> None:
        self._config = config
        self._places = places
        self._clock = clock
        self._confined: str | None = None

    def first(self) -> tuple[Inference, Loaded]:
        """Build the pipeline, for the life of the process, and raise its walls.

        Raises:
            ConfigError: the parts do not fit each other.
            ModelError: the model is refused.
            UnavailableError: this machine lacks what is asked for.
        """
        config = self._config
        if config.runtime == "mcu":
            # It is imported where it is wanted: others are the smaller for it.
            from agent.offload.adapters.opening import open_offloaded

            bridge = self._places.bridge
            loaded = open_offloaded(config, self._options(), bridge, self._clock)
        else:
            loaded = self.load(config.model)
        inference = self._around(loaded.model, *self._surroundings(loaded.model))
        loaded = self.walled(loaded)
        gc.freeze()
        return inference, loaded

    def trial(self) -> LoadedModel:
        """Load the model and see that what is configured around it fits, without using it so.

        What microcontrollers are to run is loaded for this machine.

        Raises:
            AgentError: see `first`.
        """
        config = self._config
        runtime = "auto" if config.runtime == "mcu" else config.runtime
        model = load(config.model, runtime, self._options()).model
        self._surroundings(model)
        return model

    def load(self, path: str) -> Loaded:
        """Load a model as the configuration says, but from `path`.

        Raises:
            AgentError: see `first`.
        """
        return load(path, self._config.runtime, self._options())

    def _surroundings(self, model: LoadedModel) -> tuple[Preprocessor, Postprocessor]:
        config, info = self._config, checked(model, self._config.model).inputs[0]
        before = build_preprocessor(config.preprocess, info)
        boxes = anchors(config.postprocess)
        return before, build_postprocessor(config.postprocess, model.outputs, info, anchors=boxes)

    def walled(self, loaded: Loaded) -> Loaded:
        """Give up what a module is not to reach, once; say so in the reason of its runtime."""
        info = loaded.model.info()
        if not any(name in (info.runtime, info.here) for name in SANDBOXED):
            return loaded
        if self._confined is None:
            self._confined = confine(reach_of(self._config, self._later()))
        return loaded._replace(reason=f"{loaded.reason}; {self._confined}")

    def _later(self) -> tuple[str, ...]:
        """What another model is loaded from, when the walls are up."""
        models, cache = self._places.models, self._places.cache
        learning = self._config.learning
        if models is None or cache is None or not (learning.adopt and learning.jobs):
            return ()
        wanted = (str(models), str(cache), PROCESSOR, self._config.model)
        # For what is not there, its folder would be let in: that of everything the agent keeps.
        return tuple(path for path in wanted if Path(path).exists())

    def _options(self) -> Options:
        # The main process ends a child that is late: a second clock would cost every run.
        config = self._config
        cache = self._places.cache
        return Options(config.threads, config.delegate, cache=cache, deadline_s=None)

    def _around(self, model: LoadedModel, before: Preprocessor, after: Postprocessor) -> Inference:
        config, clock = self._config, self._clock
        samples = config.samples
        recent = Recent(samples.recent, samples.recent_bytes) if samples.recent else None
        if config.runtime != "mcu":
            return Inference(model, before, after, clock, recent)
        from agent.offload.inference import OffloadedInference
        from agent.offload.model import OffloadedModel

        assert isinstance(model, OffloadedModel)
        spills = config.mcu.policy == "spill"
        return OffloadedInference(model, before, after, clock, spills=spills, recent=recent)


def checked(model: LoadedModel, path: str) -> LoadedModel:
    """Refuse a model that a pipeline cannot feed.

    Raises:
        ConfigError: it has more than one input.
    """
    if len(model.inputs) != 1:
        raise ConfigError(
            f"model {path}: has {len(model.inputs)} inputs; a pipeline feeds exactly one"
        )
    return model


def anchors(config: Postprocess) -> Any:
    """Read the boxes that a detector is relative to; None if it is not of that kind.

    Raises:
        ConfigError: the file cannot be read.
    """
    if not isinstance(config, DetectPostprocess) or config.anchors is None:
        return None
    path = Path(config.anchors)
    try:
        if path.stat().st_size > MAX_ANCHORS_BYTES:
            raise ConfigError(f"anchors {path}: larger than {MAX_ANCHORS_BYTES} bytes")
        return np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise ConfigError(f"anchors {path}: {error}") from None
