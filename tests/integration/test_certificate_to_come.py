"""A broker whose certificate is of a time to come, as every one is to a Pi that starts in 1970."""

import shutil
import signal
import socket
import ssl
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agent.adapters.machine import clock_is_synced
from agent.adapters.mqtt_link import CERT_NOT_YET_VALID
from broker.adapters import authority
from tests.support.agents import Bench, Fleet, RunningAgent
from tests.support.brokers import eventually
from tests.support.secured_broker import free_pair

PIPELINE = "digits"
DAY = timedelta(days=1)


class Mosquitto:
    """With an authority of its own, a port with TLS and one without."""

    def __init__(self, folder: Path) -> None:
        self.ca = folder / "ca.crt"
        self._folder = folder
        key = authority.new_key()
        past = authority.Validity(datetime.now(UTC), DAY)
        self._authority = authority.Authority(key, authority.authority_certificate(key, "t", past))
        self.ca.write_bytes(authority.certificate_bytes(self._authority.certificate))
        self._key = authority.new_key()
        (folder / "server.key").write_bytes(authority.key_bytes(self._key))
        self._certify(datetime.now(UTC) + DAY)
        self.port = free_pair()
        self.open_port = self.port + 1
        (folder / "mosquitto.conf").write_text(
            f"user root\nallow_anonymous true\nlistener {self.port} 127.0.0.1\n"
            f"certfile {folder}/server.crt\nkeyfile {folder}/server.key\n"
            f"listener {self.open_port} 127.0.0.1\n"
        )
        program = shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin")
        assert program is not None, "apt install mosquitto"
        self.process = subprocess.Popen([program, "-c", str(folder / "mosquitto.conf")])
        assert eventually(self._listens, 30)

    def begin(self, moment: datetime) -> None:
        """From now on show a certificate that is valid from a moment on."""
        self._certify(moment)
        self.process.send_signal(signal.SIGHUP)

    def _certify(self, begins: datetime) -> None:
        valid = authority.Validity(begins, timedelta(0))
        made = authority.server_certificate(self._authority, self._key, ["127.0.0.1"], valid)
        (self._folder / "server.crt").write_bytes(authority.certificate_bytes(made))

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.open_port)) == 0


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    """A mosquitto whose certificate is valid from tomorrow on."""
    started = Mosquitto(tmp_path)
    yield started
    started.process.terminate()
    started.process.wait()


def test_it_is_waited_out_and_what_was_computed_meanwhile_arrives(
    bench: Bench, broker: Mosquitto
) -> None:
    url = f"mqtts://127.0.0.1:{broker.port}"
    config = bench.config({PIPELINE: bench.pipeline()}, broker={"url": url, "ca": str(broker.ca)})
    options = {"broker.url": url}
    with (
        Fleet(broker.open_port) as fleet,
        RunningAgent(config, broker.port, **options) as agent,
    ):
        for words in ("is not yet valid; waiting for the clock", f"pipeline {PIPELINE}: serves"):
            assert eventually(lambda words=words: words in agent.output(), 60), agent.output()
        begins = datetime.now(UTC) + timedelta(seconds=3)
        broker.begin(begins)
        fleet.wait(lambda: fleet.count(PIPELINE) > 200, 60)
        assert agent.process.poll() is None
        first, *_, last = fleet.results["dev-1", PIPELINE]
    assert first.late
    assert first.time_ms < begins.timestamp() * 1000  # it was there before the broker was
    # The monotonic clock and the other go alike: whoever knows one later can tell the other.
    assert abs((last.time_ms - first.time_ms) - (last.monotonic_ms - first.monotonic_ms)) < 50
    assert {result.time_synced for result in (first, last)} == {clock_is_synced()}


def is_taken(context: ssl.SSLContext, port: int) -> bool:
    """Whether a handshake succeeds; it may fail for one reason only."""
    try:
        with (
            socket.create_connection(("127.0.0.1", port)) as plain,
            context.wrap_socket(plain, server_hostname="127.0.0.1") as secured,
        ):
            return secured.version() in ("TLSv1.2", "TLSv1.3")
    except ssl.SSLCertVerificationError as refusal:
        if refusal.verify_code != CERT_NOT_YET_VALID:
            raise
        return False


def test_no_certificate_is_taken_before_its_time(broker: Mosquitto) -> None:
    context = ssl.create_default_context(cafile=str(broker.ca))
    assert not is_taken(context, broker.port)
    begins = (datetime.now(UTC) + timedelta(seconds=2)).replace(microsecond=0)
    broker.begin(begins)
    assert eventually(lambda: is_taken(context, broker.port), 30)
    assert datetime.now(UTC) >= begins
