"""A broker whose certificate is of a time to come, as every one is to a Pi that starts in 1970."""

import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agent.adapters.machine import clock_is_synced
from agent.adapters.mqtt_link import CERT_NOT_YET_VALID
from broker.adapters import authority
from tests.support.agents import Bench, Fleet, RunningAgent

WAIT = timedelta(seconds=6)
PIPELINE = "digits"


@contextmanager
def broker(folder: Path, begins: datetime) -> Iterator[tuple[int, int]]:
    """A mosquitto with an authority of its own; its ports with TLS and without."""
    valid = authority.Validity(begins, timedelta(0))
    key = authority.new_key()
    past = authority.Validity(datetime.now(UTC), timedelta(days=1))
    ours = authority.Authority(key, authority.authority_certificate(key, "test", past))
    server_key = authority.new_key()
    server = authority.server_certificate(ours, server_key, ["localhost", "127.0.0.1"], valid)
    (folder / "ca.crt").write_bytes(authority.certificate_bytes(ours.certificate))
    (folder / "server.crt").write_bytes(authority.certificate_bytes(server))
    (folder / "server.key").write_bytes(authority.key_bytes(server_key))
    ports = free_port(), free_port()
    (folder / "mosquitto.conf").write_text(
        f"user root\nallow_anonymous true\nlistener {ports[0]} 127.0.0.1\n"
        f"certfile {folder}/server.crt\nkeyfile {folder}/server.key\n"
        f"listener {ports[1]} 127.0.0.1\n"
    )
    program = shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin")
    assert program is not None, "apt install mosquitto"
    process = subprocess.Popen([program, "-c", str(folder / "mosquitto.conf")])
    try:
        for _ in range(500):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", ports[1])) == 0:
                    break
            time.sleep(0.02)
        yield ports
    finally:
        process.terminate()
        process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_it_is_waited_out_and_what_was_computed_meanwhile_arrives(
    bench: Bench, tmp_path: Path
) -> None:
    begins = datetime.now(UTC) + WAIT
    with broker(tmp_path, begins) as (port, open_port), Fleet(open_port) as fleet:
        link = {"url": f"mqtts://127.0.0.1:{port}", "ca": str(tmp_path / "ca.crt")}
        config = bench.config({PIPELINE: bench.pipeline()}, broker=link)
        with RunningAgent(config, port, **{"broker.url": link["url"]}) as agent:
            fleet.wait(lambda: fleet.count(PIPELINE) > 50, 60)
            assert agent.process.poll() is None
            words = agent.output()
        assert "certificate refused: certificate is not yet valid; waiting for the clock" in words
    first, *_, last = fleet.results["dev-1", PIPELINE]
    assert first.late
    assert first.time_ms < begins.timestamp() * 1000 - 500  # it was there before the broker was
    # The monotonic clock and the other go alike: whoever knows one later can tell the other.
    assert abs((last.time_ms - first.time_ms) - (last.monotonic_ms - first.monotonic_ms)) < 50
    assert {result.time_synced for result in (first, last)} == {clock_is_synced()}


def test_no_certificate_is_taken_before_its_time(tmp_path: Path) -> None:
    with broker(tmp_path, datetime.now(UTC) + timedelta(days=1)) as (port, _):
        context = ssl.create_default_context(cafile=str(tmp_path / "ca.crt"))
        plain = socket.create_connection(("127.0.0.1", port))
        with plain, pytest.raises(ssl.SSLCertVerificationError) as refusal:
            context.wrap_socket(plain, server_hostname="127.0.0.1")
    assert refusal.value.verify_code == CERT_NOT_YET_VALID
