"""Plays files as if they were live."""

from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray

from agent.config.sources import ReplaySource as Config
from agent.errors import SourceError
from agent.pipeline.sample import Sample
from agent.sources.pace import Pace
from agent.sources.protocol import Clock, EndOfSource, Sleep


class Items(Protocol):
    """What is played: files of a folder, or samples of an array."""

    def __len__(self) -> int: ...

    def load(self, index: int) -> tuple[NDArray[Any], str, int] | None:
        """Return (data, id, sampling rate of sound or 0); None if this one is damaged."""

    def close(self) -> None:
        """Release the files."""


class ReplaySource:
    """Plays a folder of pictures or WAV files, or the first axis of an array.

    With a rate it behaves as a camera does: who comes late misses what came meanwhile. Without
    one, nothing is dropped but damaged files.
    """

    def __init__(self, config: Config, clock: Clock, sleep: Sleep) -> None:
        """Open what `config.path` names.

        Raises:
            SourceError: it is not there, or holds nothing that can be played.
        """
        self._items = open_items(Path(config.path).expanduser(), config.array)
        self._count = len(self._items)
        self._loop = config.loop
        self._clock = clock
        self._sleep = sleep
        self._pace = Pace(config.rate_hz) if config.rate_hz else None
        self._next = 0
        self._dropped = 0
        self._damaged_in_a_row = 0

    def read(self, timeout_s: float) -> Sample | None:
        """Return the next item; see `Source.read`."""
        if self._next >= self._count:
            if not self._loop:
                raise EndOfSource
            self._next = 0
        pace = self._pace
        if pace is None:
            captured_ns = self._clock()
        elif pace.await_tick(self._clock, self._sleep, timeout_s):
            skipped, captured_ns = pace.take(self._clock())
            if skipped:
                self._skip(skipped)
        else:
            return None
        index = self._next
        self._next = index + 1
        item = self._items.load(index)
        if item is None:
            self._count_damaged()
            return None
        self._damaged_in_a_row = 0
        return Sample(item[0], captured_ns, item[1], item[2])

    def dropped(self) -> int:
        """Count what came too early for the consumer, and damaged files."""
        return self._dropped

    def close(self) -> None:
        """Release the files."""
        self._items.close()

    def _skip(self, count: int) -> None:
        if self._loop:
            self._next = (self._next + count) % self._count
        else:
            count = min(count, self._count - 1 - self._next)
            self._next += count
        self._dropped += count

    def _count_damaged(self) -> None:
        self._dropped += 1
        self._damaged_in_a_row += 1
        if self._damaged_in_a_row >= self._count:
            raise SourceError("replay: not one file of the folder can be read; see the log for why")


def open_items(path: Path, array: str | None) -> Items:
    """Open what `path` holds, by its kind.

    Raises:
        SourceError: nothing that can be played.
    """
    try:
        is_folder, is_file = path.is_dir(), path.is_file()
    except OSError as error:
        raise SourceError(f"replay: {path}: {error.strerror}") from None
    if is_file and path.suffix == ".npy":
        from agent.sources.adapters.replay_arrays import MappedArray

        return MappedArray(path)
    if is_file and path.suffix == ".npz":
        from agent.sources.adapters.replay_arrays import ArchivedArray

        return ArchivedArray(path, array)
    if is_folder or is_file:
        from agent.sources.adapters.replay_files import Files

        return Files(path)
    raise SourceError(f"replay: {path} is not there; give a folder, a .npy or a .npz file")
