"""Readiness and watchdog messages, received on real sockets as systemd would."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.adapters.systemd import Notifier


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    address = str(tmp_path / "notify")
    if request.param == "abstract":
        address = f"@selvedge-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(address.replace("@", "\0", 1))
        receiver.settimeout(5)
        yield receiver, address


def test_messages_arrive_as_they_are_each_in_its_own_datagram(
    manager: tuple[socket.socket, str],
) -> None:
    receiver, address = manager
    notifier = Notifier({"NOTIFY_SOCKET": address})
    messages = ["READY=1", "WATCHDOG=1", "STATUS=wärmt auf", "STOPPING=1"]
    for message in messages:
        notifier.notify(message)
    assert [receiver.recv(4096).decode() for _ in messages] == messages


def test_without_a_manager_or_with_one_that_is_gone_nothing_happens(tmp_path: Path) -> None:
    for environment in ({}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": str(tmp_path / "gone")}):
        Notifier(environment).notify("READY=1")


def test_a_manager_that_does_not_read_does_not_stop_us(tmp_path: Path) -> None:
    """The buffer of a datagram socket fills up; sd_notify then blocks, and so must not we."""
    address = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(address)
        notifier = Notifier({"NOTIFY_SOCKET": address})
        for _ in range(2000):
            notifier.notify("WATCHDOG=1")
        receiver.setblocking(False)
        assert receiver.recv(64) == b"WATCHDOG=1"


MINE = str(os.getpid())


@pytest.mark.parametrize(
    ("environment", "interval_s"),
    [
        ({"WATCHDOG_USEC": "30000000"}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": MINE}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "-5"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({"WATCHDOG_USEC": "²"}, None),
        ({}, None),
    ],
)
def test_the_watchdog_is_fed_twice_in_its_time(
    environment: dict[str, str], interval_s: float | None
) -> None:
    assert Notifier({"NOTIFY_SOCKET": "/n", **environment}).ping_interval_s == interval_s
    assert Notifier(environment).ping_interval_s is None, "without a socket there is nobody to feed"
