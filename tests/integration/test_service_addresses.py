"""With the drop-in of the documentation the service reaches its broker and nothing else."""

import re

from deploy.guest.namespace import NamespaceMachine
from deploy.package.wheels import ROOT
from tests.support.service_machine import PORT, drop_in, hear, needs_root

BROKER, OTHER = "127.0.0.1", "127.0.0.2"
PAGE = ROOT / "docs/how-to/pi.md"
PROBE = f"""
import socket
for host in ("{BROKER}", "{OTHER}"):
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as one:
            one.settimeout(3)
            try:
                one.connect((host, {PORT}))
                one.send(b"x")
                print("reached")
            except OSError as error:
                print(type(error).__name__)
"""

pytestmark = needs_root


def documented() -> str:
    """The lines that the documentation gives, with the broker's address of this test."""
    found = re.search(r"```ini\n(\[Service\]\nIPAddressDeny=.*?)```", PAGE.read_text(), re.DOTALL)
    assert found is not None
    return found.group(1).replace("192.0.2.7", BROKER)


def reached(machine: NamespaceMachine, lines: str) -> list[str]:
    words = [f"-p{line}" for line in lines.splitlines() if "=" in line]
    told = machine.run(
        *("systemd-run", "--wait", "--pipe", "-q", "-pDynamicUser=yes", *words),
        *("/opt/selvedge/bin/python3", "-c", PROBE),
    )
    assert told.returncode == 0, told.stderr
    return told.stdout.split()


def test_only_the_broker_is_reached(machine: NamespaceMachine) -> None:
    assert reached(machine, "") == ["reached"] * 4
    lines = documented()
    *allowed, stream, datagram = reached(machine, lines)
    assert allowed == ["reached"] * 2
    assert (stream, datagram) == ("TimeoutError", "PermissionError")
    drop_in(machine, "broker-only", lines)
    assert hear(machine, "tflite")
