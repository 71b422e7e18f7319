"""The pipeline child: reads a source, runs the model, answers, until it is told to stop."""

import os
import signal
import sys
import time
from pathlib import Path

from agent.channel.messages import (
    Adopt,
    Adopted,
    ForgetInputs,
    NotAdopted,
    Progress,
    Ready,
    Recall,
    Refused,
    Retune,
    Snapshot,
    Stop,
    TakeSnapshot,
)
from agent.config.device import PipelineConfig
from agent.config.processing import Postprocess
from agent.errors import AgentError, ChannelError, ConfigError, SourceError
from agent.pipeline.adapters.assembling import Assembly, Places, anchors
from agent.pipeline.adapters.main_link import MainLink
from agent.pipeline.adapters.newcomer import Newcomer
from agent.pipeline.answers import Answered, answer_frame
from agent.pipeline.sample import Sample
from agent.pipeline.snapshot import snapshot
from agent.runtime.adapters.loading import idle_bytes
from agent.runtime.adapters.orphan import end_with_parent
from agent.sources.adapters.inbox import Inbox
from agent.sources.adapters.opening import open_source
from agent.sources.protocol import EndOfSource, Source
from broker.contract.shape import parse

READ_TIMEOUT_S = 0.2
WAITING_S = 0.003
FLUSH_NS = 10_000_000
FLUSH_ANSWERS = 128
PROGRESS_MS = 500
REOPEN_FIRST_S = 0.5
REOPEN_MOST_S = 15.0
MAX_IDLE_BYTES = 16 << 20
"""Of models that came before and are never freed; a new process has none of them."""

clock = time.monotonic_ns


class Child:
    """The loop and what it knows."""

    def __init__(
        self, link: MainLink, inbox: Inbox, config: PipelineConfig, places: Places | None = None
    ) -> None:
        self._link = link
        self._inbox = inbox
        self._config = config
        began = clock()
        self._assembly = Assembly(config, places or Places(), clock)
        self._inference, loaded = self._assembly.first()
        runtime, reason = loaded.model.info().runtime, loaded.reason[:400]
        self._ready = Ready("ready", loaded.sha256, runtime, reason, (clock() - began) / 1e6)
        self._postprocess = config.postprocess
        self._newcomer: Newcomer | None = None
        self._source: Source | None = None
        self._source_state = "opening"
        self._reopen_at = 0.0
        self._reopen_s = REOPEN_FIRST_S
        self._drops_before = 0
        self._warning: str | None = None
        self._has_waited = False
        self._latest: Sample | None = None
        self._progress_ns = min(PROGRESS_MS, max(20, config.deadline_ms // 4)) * 1_000_000
        self._flush_at = self._progress_at = 0
        self._answers: list[Answered] = []

    def run(self) -> None:
        """Serve until told to stop.

        Raises:
            AgentError: what no restart would mend.
        """
        self._link.send(self._ready)
        try:
            while self._obey():
                self.turn()
        finally:
            self._close_source()
            self._flush()

    def turn(self) -> None:
        """Read at most one sample and answer it."""
        if self._newcomer is not None and self._newcomer.is_there:
            self._go_over(self._newcomer)
        sample = self._read()
        if sample is not None:
            self._latest = sample
            self._answers += self._inference.answers(sample, has_waited=self._has_waited)
        elif self._inference.is_waiting:
            self._answers += self._inference.due()
        now = clock()
        if now >= self._flush_at or len(self._answers) >= FLUSH_ANSWERS:
            self._flush_at = now + FLUSH_NS
            self._flush()
        if now >= self._progress_at:
            self._progress_at = now + self._progress_ns
            self._say_progress()

    def _read(self) -> Sample | None:
        if self._source is None and not self._open():
            self._flush()
            time.sleep(min(READ_TIMEOUT_S, self._progress_ns / 1e9))
            return None
        assert self._source is not None
        try:
            sample = self._source.read(0)
            self._has_waited = sample is not None
            if sample is not None:
                return sample
            self._flush()
            if self._inference.is_waiting:
                return self._source.read(WAITING_S)
            return self._source.read(min(READ_TIMEOUT_S, self._progress_ns / 1e9))
        except EndOfSource:
            self._close_source()
            self._source_state, self._reopen_at = "ended", float("inf")
        except SourceError as error:
            self._lose(error)
        return None

    def _flush(self) -> None:
        if self._answers:
            answers, self._answers = self._answers, []
            self._link.send_frames(answer_frame(*answer) for answer in answers)

    def _open(self) -> bool:
        if time.monotonic() < self._reopen_at:
            return False
        try:
            self._source = open_source(
                self._config.source, clock=clock, sleep=time.sleep, inbox=self._inbox
            )
        except SourceError as error:
            self._lose(error)
            return False
        self._source_state, self._reopen_s = "open", REOPEN_FIRST_S
        return True

    def _lose(self, error: SourceError) -> None:
        self._close_source()
        self._source_state = f"waiting: {error}"[:400]
        self._reopen_at = time.monotonic() + self._reopen_s
        self._reopen_s = min(REOPEN_MOST_S, 2 * self._reopen_s)
        self._say_progress()

    def _close_source(self) -> None:
        if self._source is not None:
            self._drops_before += self._source.dropped()
            self._source.close()
            self._source = None

    def _say_progress(self) -> None:
        self._flush()
        drops = self._drops_before + (self._source.dropped() if self._source else 0)
        drops += self._inference.skipped
        warning = self._warning or self._inference.warning
        self._link.send(
            Progress("progress", self._inference.frames, drops, self._source_state, warning)
        )

    def _obey(self) -> bool:
        while self._link.requests:
            request = self._link.requests.popleft()
            match request:
                case Stop():
                    return False
                case Retune():
                    self._retune(request)
                case TakeSnapshot():
                    self._flush()
                    seen = snapshot(self._latest, self._inference.latest)
                    self._link.send(Snapshot("snapshot", request.id, seen))
                case Adopt():
                    self._adopt(request)
                case Recall():
                    self._link.send(self._inference.recalled(request))
                case ForgetInputs():
                    self._inference.forget_inputs()
        return True

    def _retune(self, request: Retune) -> None:
        config = parse(Postprocess, request.postprocess)
        try:
            self._inference.retune(config, anchors(config))
        except ConfigError as error:
            self._warning = f"postprocess kept as it was: {error}"[:400]
        else:
            self._warning, self._postprocess = None, config
        self._say_progress()

    def _adopt(self, request: Adopt) -> None:
        if self._newcomer is not None:
            reason = "another model is on its way"
        elif self._config.runtime == "mcu":
            reason = "microcontrollers take another model only from a new process"
        elif idle_bytes() > MAX_IDLE_BYTES:
            reason = "wasm3 frees no model, and this process holds enough that came before"
        else:
            self._newcomer = Newcomer(request, self._assembly.load, clock)
            return
        self._link.send(NotAdopted("not_adopted", request.id, reason))

    def _go_over(self, newcomer: Newcomer) -> None:
        """Go over to a model that is loaded; answers before this are the old one's, and sent."""
        self._newcomer = None
        self._flush()
        request = newcomer.request
        try:
            loaded = newcomer.loaded()
            self._inference.adopt(
                loaded.model, self._config.preprocess, self._postprocess, anchors(self._postprocess)
            )
        except AgentError as error:
            reason = " ".join(str(error).split())[:400]
            self._link.send(NotAdopted("not_adopted", request.id, reason))
            return
        loaded = self._assembly.walled(loaded)
        runtime, reason = loaded.model.info().runtime, loaded.reason[:400]
        self._link.send(
            Adopted("adopted", request.id, loaded.sha256, runtime, reason, newcomer.load_ms)
        )


def main(fd: int, places: Places) -> int:
    """Serve the main process at the other end of `fd`."""
    end_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    inbox = Inbox(clock)
    link = MainLink(fd, inbox)
    start = link.started()
    if start is None:
        return 0
    try:
        config = parse(PipelineConfig, start.config)
        if isinstance(config, list):
            raise ConfigError(f"pipeline {start.name}: {config[0]}")
        Child(link, inbox, config, places).run()
    except ChannelError:
        raise
    except AgentError as error:
        link.send(Refused("refused", " ".join(str(error).split())[:400]))
    return 0


if __name__ == "__main__":
    code = main(int(sys.argv[1]), Places(*map(Path, sys.argv[2:])))
    sys.stderr.flush()
    os._exit(code)
