"""Two hundred links of real agents lose one broker at the same moment and come back."""

import threading
import time

import psutil

from agent.adapters.mqtt_link import MqttLink
from agent.config.device import BrokerConfig
from agent.control.events import LinkDown, LinkEvent, LinkUp, Publish
from broker.adapters import private_broker
from broker.adapters.private_broker import RunningBroker
from broker.adapters.tcp_proxy import TcpProxy
from tests.support.brokers import eventually

AGENTS = 200
MEMORY_LIMIT_BYTES = 60 * 2**20
"""Two threads each, and what is on its way; measured at about 15 MB for all of them."""


class Counted:
    """Counts the events of all links."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.up = 0
        self.ups = 0

    def listener(self) -> "Listener":
        return Listener(self)

    def note(self, change: int) -> None:
        with self._lock:
            self.up += change
            self.ups += change > 0


class Listener:
    """The events of one link."""

    def __init__(self, counted: Counted) -> None:
        self._counted = counted
        self._up = False

    def __call__(self, event: LinkEvent) -> None:
        if isinstance(event, LinkUp) and not self._up:
            self._up = True
            self._counted.note(1)
        elif isinstance(event, LinkDown) and self._up:
            self._up = False
            self._counted.note(-1)


def busiest_share(times: list[float], width_s: float) -> float:
    """The largest share of `times` that falls within a window of `width_s`."""
    times = sorted(times)
    most = max(sum(start <= at < start + width_s for at in times) for start in times)
    return most / len(times)


def test_two_hundred_agents_come_back_spread(mosquitto: RunningBroker) -> None:
    counted = Counted()
    process = psutil.Process()
    before = process.memory_info().rss
    with TcpProxy(mosquitto.address.port) as cable:
        config = BrokerConfig(url=f"mqtt://127.0.0.1:{cable.port}", keepalive_s=60)
        links = []
        for number in range(AGENTS):
            name = f"storm-{number}"
            will = Publish(f"selvedge/v1/devices/{name}/status", b"{}", retain=True)
            links.append(MqttLink(config, name, will, counted.listener()))
            links[-1].start()
        assert eventually(lambda: counted.up == AGENTS, 60)

        cable.allow(False)
        cable.cut()
        mosquitto.kill()
        assert eventually(lambda: counted.up == 0, 30)
        time.sleep(6)
        with private_broker.start(mosquitto.address, "mosquitto"):
            cable.connects.clear()
            back_at = time.monotonic()
            cable.allow(True)
            assert eventually(lambda: counted.up == AGENTS, 60)
            waited = [at - back_at for at in cable.connects]
            grown = process.memory_info().rss - before
            for link in links:
                link.stop(0)

    assert len(waited) == AGENTS
    # After six seconds the fourth wait or so is running, of up to eight: full jitter spreads it.
    # All at once would put everyone into one window; evenly over four seconds, a share of 1/8.
    assert busiest_share(waited, 0.5) < 0.35
    assert max(waited) - min(waited) > 2.0
    assert grown < MEMORY_LIMIT_BYTES
    assert counted.ups == 2 * AGENTS
