"""A driver of the benchmark's text protocol, as the published one talks: one command at a time."""

import re
import time
from dataclasses import dataclass

from firmware_bridge.adapters.serial_port import SerialPort

CHUNK_BYTES = 31
ANSWER_S = 30.0
_LAP = re.compile(r"m-lap-us-(\d+)")
_RESULTS = re.compile(r"m-results-\[([^\]]*)\]")


@dataclass(frozen=True)
class Measured:
    """One `infer`: how long the runs took together, and what came out."""

    elapsed_us: int
    results: list[str]


class BenchmarkRunner:
    """Talks to a device in text; an `e-[…]` fails the test that did not ask for one."""

    def __init__(self, url: str) -> None:
        self._port = SerialPort(url)
        self._held = b""

    def close(self) -> None:
        self._port.close()

    def silence(self, quiet_s: float) -> None:
        """Wait as long as binary takes to end, and drop what was said meanwhile."""
        time.sleep(quiet_s)
        while self._port.read():
            self._port.wait(0.05)

    def wait_for_boot(self) -> list[str]:
        return self._lines()

    def start(self, command: str) -> None:
        """Say it, and do not wait."""
        self._port.write(command.encode("ascii") + b"%")

    def ask(self, command: str) -> list[str]:
        """What stands before `m-ready`."""
        self._port.write(command.encode("ascii") + b"%")
        return self._lines()

    def do(self, command: str) -> list[str]:
        lines = self.ask(command)
        assert not [line for line in lines if line.startswith("e-")], (command, lines)
        return lines

    def load(self, data: bytes) -> None:
        assert self.do(f"db load {len(data)}") == [f"m-[Expecting {len(data)} bytes]"]
        told: list[str] = []
        for at in range(0, len(data), CHUNK_BYTES):
            assert told == [], (at, told)
            told = self.do(f"db {data[at : at + CHUNK_BYTES].hex()}")
        assert told == ["m-load-done"]

    def infer(self, runs: int = 1, warmups: int = 0) -> Measured:
        lines = self.do(f"infer {runs} {warmups}")
        assert len(lines) == 7, lines
        begin, warm, start, first, last, done, results = lines
        assert (begin, warm) == (f"m-warmup-start-{warmups}", "m-warmup-done")
        assert (start, done) == (f"m-infer-start-{runs}", "m-infer-done")
        laps = [int(_LAP.fullmatch(line)[1]) for line in (first, last)]
        return Measured(laps[1] - laps[0], _RESULTS.fullmatch(results)[1].split(","))

    def _lines(self) -> list[str]:
        lines, end_s = [], time.monotonic() + ANSWER_S
        while True:
            line, mark, rest = self._held.partition(b"\r\n")
            if mark:
                self._held = rest
                if line == b"m-ready":
                    return lines
                lines.append(line.decode("ascii", "replace"))
                continue
            assert time.monotonic() < end_s, f"no m-ready behind {lines} {self._held!r}"
            self._port.wait(0.25)
            self._port.write(b"")
            self._held += self._port.read()
