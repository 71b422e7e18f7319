"""With the drop-in of the documentation the service reaches its broker and nothing else."""

from deploy.guest.namespace import NamespaceMachine
from tests.support.service_machine import PORT, drop_in, hear, needs_root
from tests.support.service_probe import FILTERED, REACHED, broker_only, from_inside

BROKER, OTHER = "127.0.0.2", "127.0.0.1"
"""The other is what programs take who think that a loopback is always there."""
ADDRESSES = (f"{BROKER}:{PORT}", f"{OTHER}:{PORT}")
NO_MODULE = "/etc/hostname"

pytestmark = needs_root


def test_only_the_broker_is_reached(machine: NamespaceMachine) -> None:
    broker, other = ADDRESSES
    assert from_inside(machine, NO_MODULE, *ADDRESSES)["reaches"] == dict.fromkeys(
        ADDRESSES, REACHED
    )
    lines = broker_only(BROKER)
    reaches = from_inside(machine, NO_MODULE, *ADDRESSES, lines=lines)["reaches"]
    assert reaches == {broker: REACHED, other: FILTERED}
    hosts = machine.root / "etc/hosts"
    hosts.write_text(hosts.read_text().replace(OTHER, BROKER))
    drop_in(machine, "broker-only", lines)
    assert hear(machine, "tflite")
