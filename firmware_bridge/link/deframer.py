"""Cuts a stream of bytes at its delimiters."""

from collections.abc import Iterator

from firmware_bridge.link.frame import DELIMITER, MAX_STUFFED_BYTES


class Deframer:
    """Keeps an unfinished frame until its end comes, and never more than the longest one."""

    def __init__(self) -> None:
        self._held = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take bytes as they come; yields what stood between delimiters, empty stretches left out.

        A stretch longer than any frame comes out cut to one byte more than the longest.
        """
        *ended, rest = data.split(DELIMITER)
        for stretch in ended:
            self._hold(stretch)
            if self._held:
                held = bytes(self._held)
                self._held.clear()
                yield held
        self._hold(rest)

    def _hold(self, stretch: bytes) -> None:
        room = MAX_STUFFED_BYTES + 1 - len(self._held)
        self._held += stretch[:room]
