"""A microphone, through the program `arecord` of alsa-utils."""

import contextlib
import shutil
from pathlib import Path

import numpy as np

from agent.config.sources import AlsaSource as Config
from agent.errors import SourceError
from agent.pipeline.sample import Sample
from agent.sources.adapters.child_process import ChildGoneError, ChildStream
from agent.sources.alsa_name import is_safe_name, parse_devices
from agent.sources.protocol import Clock, Found

PROGRAM = "arecord"
MISSING = "arecord is missing; sudo apt install alsa-utils"
_OPEN_WAIT_S = 1.0
_SILENCE_NS = 5_000_000_000
_BACKLOG_S = 1.0
"""Sound that is older than this is dropped: the consumer does not keep up."""


class AlsaSource:
    """Chunks of mono int16 sound, one after another without a gap as long as they are read."""

    def __init__(self, config: Config, clock: Clock) -> None:
        """Start recording and wait for the first chunk.

        Raises:
            SourceError: no arecord, no such device, busy, or no permission.
        """
        if not is_safe_name(config.device):
            raise SourceError(f"alsa: {config.device!r}: use a name such as plughw:1,0 or default")
        program = shutil.which(PROGRAM)
        if program is None:
            raise SourceError(f"alsa: {MISSING}")
        self._device = config.device
        self._rate_hz = config.sample_rate_hz
        self._chunk_bytes = 2 * max(1, config.sample_rate_hz * config.chunk_ms // 1000)
        self._clock = clock
        self._dropped = 0
        command = (
            *(program, "-q", "-D", config.device, "-t", "raw", "-f", "S16_LE", "-c", "1"),
            *("-r", str(config.sample_rate_hz), f"--period-time={min(config.chunk_ms, 200) * 500}"),
        )
        self._stream = ChildStream(command, clock)
        self._first: Sample | None = None
        self._heard_ns = clock()
        try:
            self._first = self._chunk(_OPEN_WAIT_S)
        except SourceError:
            self.close()
            raise

    def read(self, timeout_s: float) -> Sample | None:
        """Return the next chunk; see `Source.read`."""
        if self._first is not None:
            first, self._first = self._first, None
            return first
        backlog = self._stream.waiting_bytes() // self._chunk_bytes
        keep = max(1, int(_BACKLOG_S * 2 * self._rate_hz / self._chunk_bytes))
        for _ in range(backlog - keep):
            if self._chunk(0) is not None:
                self._dropped += 1
        return self._chunk(timeout_s)

    def dropped(self) -> int:
        """Count chunks that were too old to be of use."""
        return self._dropped

    def close(self) -> None:
        """Stop recording."""
        self._stream.close()

    def _chunk(self, timeout_s: float) -> Sample | None:
        try:
            data = self._stream.receive(self._chunk_bytes, timeout_s)
        except ChildGoneError as error:
            raise SourceError(f"alsa: {self._device}: {_remedy(str(error))}") from None
        now_ns = self._clock()
        if data is None:
            if now_ns - self._heard_ns > _SILENCE_NS:
                raise SourceError(f"alsa: {self._device}: gives no sound; check the plug")
            return None
        self._heard_ns = now_ns
        behind_ns = self._stream.waiting_bytes() * 500_000_000 // self._rate_hz
        return Sample(np.frombuffer(data, "<i2"), now_ns - behind_ns, None, self._rate_hz)


def discover(root: Path = Path("/proc/asound")) -> list[Found]:
    """List microphones, each with what hinders it from being opened."""
    try:
        pcm = (root / "pcm").read_text("utf-8", "replace")
    except OSError:
        return []
    card_ids = {}
    for folder in root.glob("card[0-9]*"):
        with contextlib.suppress(OSError, ValueError):
            card_ids[int(folder.name.removeprefix("card"))] = (folder / "id").read_text().strip()
    problem = None if shutil.which(PROGRAM) else MISSING
    return [
        Found(found.kind, found.address, found.title, problem)
        for found in parse_devices(pcm, card_ids)
    ]


def _remedy(words: str) -> str:
    if "busy" in words:
        return "another program records from it"
    if "Permission denied" in words:
        return "no permission; sudo usermod -aG audio $USER, then log in again"
    if "No such" in words and "open" in words:
        return "no such device; 'selvedge doctor' lists those that are there"
    return words
