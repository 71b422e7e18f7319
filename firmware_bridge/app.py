"""The bridge: owns the serial ports, and lends the devices behind them to programs.

`python -m firmware_bridge.app '{"socket": PATH, "overseer": FD, "mcus": {NAME: PLACE}}'`
"""

import ctypes
import json
import selectors
import signal
import sys
import time
from itertools import count
from pathlib import Path
from typing import Any

from firmware_bridge.adapters.device_port import DevicePort
from firmware_bridge.adapters.discovery import Place
from firmware_bridge.adapters.overseer import Overseer
from firmware_bridge.adapters.program import Program
from firmware_bridge.adapters.unix_socket import is_ours, listen
from firmware_bridge.bridge.pool import Pool
from firmware_bridge.bridge.service import Service
from firmware_bridge.errors import BridgeError, LinkDownError, PortError

LOOK_MS = 500
REPORT_MS = 1000
MAX_PROGRAMS = 64
PR_SET_PDEATHSIG = 1


class App:
    """One thread: ports, programs and the overseer in one selector."""

    def __init__(self, path: Path, places: dict[str, Place], overseer: Overseer | None) -> None:
        """Listen at `path`.

        Raises:
            OSError: that is not possible.
        """
        self._pool = Pool(places)
        self._service = Service(self._pool)
        devices = self._pool.devices
        self._ports = {name: DevicePort(devices[name], place) for name, place in places.items()}
        self._overseer = overseer
        self._programs: dict[int, Program] = {}
        self._numbers = count(1)
        self._selector = selectors.DefaultSelector()
        self._listener = listen(path)
        self._selector.register(self._listener, selectors.EVENT_READ, self._accept)
        if overseer is not None:
            self._selector.register(overseer.connection, selectors.EVENT_READ, self._obey)
        self._look_ms = self._report_ms = 0
        self._told: list[str] = []
        self._ends = False

    def end(self, *_: object) -> None:
        """Leave at the next turn."""
        self._ends = True

    def run(self) -> None:
        """Serve until told to end."""
        while not self._ends:
            self.turn()

    def turn(self) -> None:
        """Wait for something, and do what is due."""
        for key, mask in self._selector.select(self._wait_s()):
            if callable(key.data):
                key.data()
            elif isinstance(key.data, str):
                self._read(key.data)
            else:
                self._serve(key.data, mask)
        now_ms = _now_ms()
        if now_ms >= self._look_ms:
            self._look_ms = now_ms + LOOK_MS
            self._look()
        self._pool.poll(now_ms)
        self._write()
        self._answer()
        self._report(now_ms)

    def _wait_s(self) -> float:
        times = [self._look_ms, self._report_ms]
        if self._pool.next_ms is not None:
            times.append(self._pool.next_ms)
        return max(0.0, (min(times) - _now_ms()) / 1000)

    def _look(self) -> None:
        for name, port in self._ports.items():
            if port.port is None:
                port.look([one.url for one in self._ports.values()])
                if port.port is not None:
                    self._selector.register(port.port, selectors.EVENT_READ, name)

    def _read(self, name: str) -> None:
        try:
            self._ports[name].read(_now_ms())
        except PortError as error:
            self._lose(name, error)

    def _write(self) -> None:
        for name, port in self._ports.items():
            if port.port is None:
                continue
            try:
                port.write()
            except PortError as error:
                self._lose(name, error)
                continue
            self._watch(port.port, name, writes=port.port.has_unsent)

    def _lose(self, name: str, error: PortError) -> None:
        port = self._ports[name]
        if port.port is not None:
            self._selector.unregister(port.port)
        port.lose(str(error), _now_ms())

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return
        if len(self._programs) >= MAX_PROGRAMS or not is_ours(connection):
            connection.close()
            return
        number = next(self._numbers)
        self._programs[number] = Program(connection)
        self._selector.register(connection, selectors.EVENT_READ, number)

    def _serve(self, number: int, mask: int) -> None:
        program = self._programs.get(number)
        if program is None:
            return
        try:
            if mask & selectors.EVENT_WRITE:
                program.flush()
            for message in program.receive():
                for client, said in self._service.handle(number, message, _now_ms()):
                    self._say(client, said)
            if number in self._programs:
                self._watch(program.connection, number, writes=program.has_backlog)
        except BridgeError as error:
            self._drop(number, error)

    def _answer(self) -> None:
        for client, said in self._service.outcomes():
            self._say(client, said)

    def _say(self, number: int, message: Any) -> None:
        program = self._programs.get(number)
        if program is None:
            return
        try:
            program.send(message)
            self._watch(program.connection, number, writes=program.has_backlog)
        except LinkDownError as error:
            self._drop(number, error)

    def _drop(self, number: int, error: BridgeError) -> None:
        program = self._programs.pop(number, None)
        if program is None:
            return
        if "left" not in str(error):
            sys.stderr.write(f"bridge: {error}; it is cut off\n")
        self._selector.unregister(program.connection)
        program.connection.close()
        self._service.gone(number)

    def _watch(self, target: Any, data: object, *, writes: bool) -> None:
        mask = selectors.EVENT_READ | (selectors.EVENT_WRITE if writes else 0)
        if self._selector.get_key(target).events != mask:
            self._selector.modify(target, mask, data)

    def _obey(self) -> None:
        if self._overseer is not None and self._overseer.wants_end():
            self.end()

    def _report(self, now_ms: int) -> None:
        states = [one.standing.value + one.reason for one in self._pool.devices.values()]
        if self._overseer is None:
            self._report_ms = now_ms + REPORT_MS
        elif now_ms >= self._report_ms or states != self._told:
            self._report_ms, self._told = now_ms + REPORT_MS, states
            self._overseer.tell(self._service.reports())


def _now_ms() -> int:
    return time.monotonic_ns() // 1_000_000


def main(text: str) -> int:
    """Serve as told by a JSON object."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    settings = json.loads(text)
    places = {name: Place(**place) for name, place in settings["mcus"].items()}
    descriptor = settings.get("overseer")
    overseer = None if descriptor is None else Overseer(descriptor)
    try:
        app = App(Path(settings["socket"]), places, overseer)
    except OSError as error:
        sys.stderr.write(f"bridge: {settings['socket']}: {error.strerror}\n")
        return 1
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, app.end)
    app.run()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
