"""A folder of pictures or of sounds."""

import logging
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from agent.errors import SourceError

PICTURES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".pgm", ".ppm"})
SOUNDS = frozenset({".wav"})
MAX_FILE_BYTES = 128 * 1024 * 1024

_log = logging.getLogger(__name__)


class Files:
    """Files of one folder in the order of their names, or a single file."""

    def __init__(self, path: Path) -> None:
        """List the files.

        Raises:
            SourceError: none that can be played, or pictures beside sounds.
        """
        try:
            files = sorted(path.iterdir()) if path.is_dir() else [path]
        except OSError as error:
            raise SourceError(f"replay: {path}: {error.strerror}") from None
        pictures = [file for file in files if file.suffix.lower() in PICTURES]
        sounds = [file for file in files if file.suffix.lower() in SOUNDS]
        if pictures and sounds:
            raise SourceError(f"replay: {path} has pictures and sounds; keep one kind in a folder")
        if not pictures and not sounds:
            kinds = " ".join(sorted(PICTURES | SOUNDS))
            raise SourceError(f"replay: {path} has no file that can be played ({kinds} .npy .npz)")
        self._files = pictures or sounds
        self._is_sound = bool(sounds)
        self._reported: set[int] = set()

    def __len__(self) -> int:
        return len(self._files)

    def load(self, index: int) -> tuple[NDArray[Any], str, int] | None:
        """Read and decode a file; None, and a line in the log once, if it cannot be used."""
        file = self._files[index]
        try:
            size = file.stat().st_size
            if size > MAX_FILE_BYTES:
                raise ValueError(f"{size} bytes exceed {MAX_FILE_BYTES}")  # noqa: TRY301
            data = file.read_bytes()
            if self._is_sound:
                from agent.sources.sound import decode_wav

                samples, rate_hz = decode_wav(data)
                return samples, file.name, rate_hz
            from agent.sources.pictures import decode_picture

            return decode_picture(data), file.name, 0
        except (OSError, ValueError) as error:
            if index not in self._reported:
                self._reported.add(index)
                _log.warning("replay: passed over %s: %s", file, error)
            return None

    def close(self) -> None:
        """Nothing stays open between files."""
