import contextlib
import errno
import os
import pty
import random
import threading
import time
import tty
from pathlib import Path

import numpy as np
import pytest

from agent.config.sources import SerialSource as Config
from agent.errors import SourceError
from agent.sources.adapters.serial import SerialSource, discover


class Board:
    """What is on the other end of the cable: writes to a pseudo-terminal."""

    def __init__(self):
        self.end, self.cable = pty.openpty()
        tty.setraw(self.cable)
        self.port = os.ttyname(self.cable)

    def write(self, data):
        os.write(self.end, data)

    def unplug(self):
        for descriptor in (self.cable, self.end):
            with contextlib.suppress(OSError):
                os.close(descriptor)


@pytest.fixture
def board():
    board = Board()
    yield board
    board.unplug()


def opened(port, **options):
    return SerialSource(Config("serial", port, **options), time.monotonic_ns)


def rows(source, timeout_s=0.3):
    got = []
    while (sample := source.read(timeout_s)) is not None:
        got.append(sample.data.tolist())
    return got


def test_lines_of_a_board(board):
    source = opened(board.port)
    board.write(b"cut,off\n1,2,3\n-4.5,5,6e2\r\n\n")
    assert rows(source) == [[1, 2, 3], [-4.5, 5, 600]]
    board.write(b"7,8")
    assert rows(source, 0.05) == []
    board.write(b",9\n")
    sample = source.read(1.0)
    assert sample.data.dtype == np.float32
    assert 0 <= time.monotonic_ns() - sample.captured_ns < 10**9
    assert source.dropped() == 0
    source.close()
    source.close()


def test_noise_on_the_line_is_counted_and_never_fatal(board):
    seed = 20261121
    noise = random.Random(seed)
    source = opened(board.port)
    board.write(b"\n")
    sent = got = 0
    for number in range(150):
        kind = noise.randrange(4)
        if kind == 0:
            junk = bytes(noise.randrange(128, 256) for _ in range(noise.randrange(1, 40)))
            board.write(junk.replace(b"\n", b"") + b"\n")
        elif kind == 1:
            board.write(b"1," * 2100 + b"\n")
        else:
            sent += 1
            board.write(b"%d,2\n" % number)
        while (sample := source.read(0.02)) is not None:
            got += 1
            assert sample.data[1] == 2
    assert got == sent, f"seed {seed}"
    assert source.dropped() == 150 - sent
    source.close()


def test_a_slow_reader_keeps_the_newest_rows(board):
    source = opened(board.port)
    writer = threading.Thread(
        target=lambda: board.write(b"\n" + b"".join(b"%d\n" % n for n in range(3000)))
    )
    writer.start()
    while not (writer.is_alive() is False and source._receive(0.2) is False):
        source._receive(0.05)
    values = [row[0] for row in rows(source, 0.05)]
    writer.join()
    assert values == list(range(3000 - 1024, 3000))
    assert source.dropped() == 3000 - 1024
    source.close()


def test_reading_waits_no_longer_than_told(board):
    source = opened(board.port)
    start = time.monotonic()
    assert source.read(0.15) is None
    assert 0.1 < time.monotonic() - start < 1.0
    source.close()


def test_unplugged_and_plugged_in_again():
    before = len(list(Path("/proc/self/fd").iterdir()))
    threads = threading.active_count()
    for _ in range(5):
        board = Board()
        source = opened(board.port)
        board.write(b"\n1\n")
        assert rows(source, 0.05) == [[1.0]]
        board.unplug()
        with pytest.raises(SourceError, match=board.port):
            rows(source)
        source.close()
        with pytest.raises(SourceError, match="no such port"):
            opened(board.port)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    assert threading.active_count() == threads


def test_the_port_is_for_one_process(board):
    source = opened(board.port)
    with pytest.raises(SourceError, match="another program"):
        opened(board.port)
    source.close()
    opened(board.port).close()


def test_no_permission(monkeypatch):
    def refuse(*_args, **_options):
        raise PermissionError(errno.EACCES, "Permission denied", "/dev/ttyS9")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(SourceError, match=r"sudo usermod -aG dialout"):
        opened("/dev/ttyS9")


def test_pyserial_s_loop():
    source = opened("loop://", columns=(1,), separator=";")
    source._port.write(b"1;2;3\nx\n4;5;6\n")
    assert rows(source, 0.05) == [[2.0], [5.0]]
    assert source.dropped() == 1
    source.close()


@pytest.mark.parametrize(
    "port", ["spy:///dev/null?file=/tmp/x", "alt://x?class=y", "hwgrep://x", "nonsense://"]
)
def test_urls_that_write_files_or_load_code_are_refused(port):
    with pytest.raises(SourceError, match="use a path, or"):
        opened(port)


def test_discover_prefers_the_name_that_stays(tmp_path, monkeypatch):
    from serial.tools import list_ports
    from serial.tools.list_ports_common import ListPortInfo

    device = tmp_path / "ttyACM0"
    device.touch()
    ports = [ListPortInfo(str(device)), ListPortInfo(str(tmp_path / "ttyS0"))]
    ports[0].description = "Feather M4"
    monkeypatch.setattr(list_ports, "comports", lambda: ports)
    by_id = tmp_path / "by-id"
    by_id.mkdir()
    (by_id / "usb-Adafruit-if00").symlink_to(device)
    found = discover(by_id)
    assert found[0].address == str(by_id / "usb-Adafruit-if00")
    assert found[0].title == "Feather M4"
    assert found[1].address == str(tmp_path / "ttyS0")
