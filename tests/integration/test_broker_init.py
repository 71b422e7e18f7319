"""A mosquitto under the configuration that `broker init` writes: what a certificate may do."""

import contextlib
import dataclasses
import os
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import warnings
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from paho.mqtt.enums import MQTTProtocolVersion

import selvedge
from broker.adapters.authority import (
    Authority,
    Validity,
    authority_certificate,
    certificate_bytes,
    client_certificate,
    key_bytes,
    new_key,
)
from broker.contract.topics import CHANNELS, Topics
from tests.support.brokers import TestClient, eventually
from tests.support.secured_broker import Fleet, free_pair, init, tls

V1 = "selvedge/v1"
OTHER = f"{V1}/devices/pi-2"
OWN = f"{V1}/devices/pi-1"
CONNECT = b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01x"
CONNACK = b"\x20"


@pytest.fixture(scope="module")
def folder_and_port():
    with tempfile.TemporaryDirectory() as parent:
        Path(parent).chmod(0o755)  # a broker started by root gives up root and must get there
        root = Path(parent) / "fleet"
        port = free_pair()
        names = ["--device", "pi-1", "--device", "pi-2", "--host", "localhost"]
        names += ["--aggregator", "hub"]
        more = ["--port", str(port), "--readable", "sensors/#", "--host", "127.0.0.1"]
        more += ["--home-assistant", "homeassistant"]
        assert init(root, *names, *more) == 0
        yield root, port


@pytest.fixture
def fleet(folder_and_port):
    root, port = folder_and_port
    before = {name: (root / name).read_bytes() for name in ("mosquitto/acl", "fleet.json")}
    running = Fleet(root, port)
    yield running
    running.process.stop()
    for name, data in before.items():
        (root / name).write_bytes(data)
    (root / "mosquitto" / "data" / "mosquitto.db").unlink(missing_ok=True)


def reaches(fleet: Fleet, device: TestClient, topic: str) -> bool:
    """Whether what `device` publishes on `topic` gets to an operator who reads everything."""
    with fleet.operator() as operator:
        operator.subscribe(f"{V1}/#", "elsewhere")
        device.paho.publish(topic, b"x", 1)
        return [m.topic for m in operator.drain(0.2)] == [topic]


def test_device_writes_its_own_topics_of_the_contract_and_no_others(fleet):
    contract = Topics()
    with fleet.device("pi-1") as device:
        for kind in CHANNELS:
            types = {field.name: field.type for field in dataclasses.fields(kind)}
            fields = {name: 0 if types[name] is int else "x" for name in types}
            if "device" in fields:
                fields["device"] = "pi-1"
            mine = contract.topic(kind(**fields))
            allowed = "device" in kind.writers
            assert reaches(fleet, device, mine) == allowed, mine
            if "pi-1" in mine:
                assert not reaches(fleet, device, mine.replace("pi-1", "pi-2")), mine
        for topic in (f"{OWN}/results/a/b", f"{OWN}/else", f"{V1}/x", "elsewhere", f"{OWN}"):
            assert not reaches(fleet, device, topic), topic


def test_device_reads_its_own_desired_commands_and_the_fleets_desired_only(fleet):
    written = {f"{OWN}/config/desired", f"{V1}/fleet/config/desired", f"{OWN}/cmd/ping/1"}
    others = {f"{OTHER}/config/desired", f"{OTHER}/cmd/ping/1"}
    with fleet.operator() as operator, fleet.device("pi-2") as neighbour:
        for topic in written | others:
            operator.publish(topic, b"x", retain=True)
        neighbour.publish(f"{OTHER}/status", b"x", retain=True)
        with fleet.device("pi-1") as device:
            for text in ("#", f"{V1}/#", "+/+/+/+/+", "+/+/devices/+/config/+", "$SYS/#"):
                device.subscribe(text)
            assert {m.topic for m in device.drain()} == written
            neighbour.publish(f"{OTHER}/results/digits", b"x")
            device.publish(f"{OWN}/results/digits", b"x")
            operator.publish(f"{OWN}/cmd/ping/1", b"", retain=True)
            assert {m.topic for m in device.drain()} == {f"{OWN}/cmd/ping/1"}


def test_device_finds_what_it_left_and_clears_it(fleet):
    left = {
        f"{OWN}/{at}" for at in ("status", "config/reported", "config/schema", "mcus/m4/status")
    }
    with fleet.device("pi-1") as device, fleet.device("pi-2") as neighbour:
        for topic in left:
            device.publish(topic, b"x", retain=True)
            neighbour.publish(topic.replace("pi-1", "pi-2"), b"x", retain=True)
    with fleet.device("pi-1") as device:
        device.subscribe(f"{OWN}/#", f"{V1}/devices/+/mcus/+/status")
        assert {m.topic for m in device.drain()} == left
        device.publish(f"{OWN}/mcus/m4/status", b"", retain=True)
    with fleet.device("pi-1") as device:
        device.subscribe(f"{OWN}/#")
        assert {m.topic for m in device.drain()} == left - {f"{OWN}/mcus/m4/status"}


def test_device_announces_itself_and_no_other_to_home_assistant(fleet):
    with fleet.operator() as operator, fleet.device("pi-1") as device:
        operator.subscribe("homeassistant/#")
        for topic in ("pi-1/agent", "pi-2/agent", "pi-1/mcu/m4"):
            device.paho.publish(f"homeassistant/device/{topic}/config", b"x", 1)
        device.paho.publish("homeassistant/sensor/pi-1/agent/config", b"x", 1)
        device.subscribe("homeassistant/#")
        assert [m.topic for m in operator.drain()] == ["homeassistant/device/pi-1/agent/config"]
        assert device.drain() == []


def test_aggregator_reads_updates_and_writes_rounds_and_its_words_reach_one_device(fleet):
    update, ack = f"{V1}/fl/job/3/up/0/pi-1/0", f"{V1}/fl/job/3/ack/pi-1"
    mine = {f"{V1}/fl/job/spec", f"{V1}/fl/job/round", f"{V1}/blobs/{'ab' * 32}/0/0", ack}
    with (
        fleet.client("aggregators/hub", "hub").connect(fleet.operators_port, "localhost") as hub,
        fleet.device("pi-1") as device,
        fleet.device("pi-2") as neighbour,
    ):
        hub.subscribe(f"{V1}/#")
        device.subscribe(f"{V1}/fl/#", f"{V1}/blobs/#")
        neighbour.subscribe(f"{V1}/fl/+/+/ack/+", f"{V1}/fl/+/+/up/+/+/+")
        device.publish(update, b"x")
        assert [m.topic for m in hub.drain()] == [update]
        for topic in (*sorted(mine), f"{OWN}/config/desired", f"{OWN}/cmd/ping/1", update):
            hub.paho.publish(topic, b"x", 1)
        assert {m.topic for m in device.drain()} == mine
        assert neighbour.drain() == []


def test_topics_opened_with_readable_can_be_read_but_not_written(fleet):
    with fleet.operator() as operator, fleet.device("pi-1") as device:
        operator.subscribe("sensors/#")
        assert device.subscribe("sensors/#") == [1]
        device.paho.publish("sensors/t", b"x", 1)
        assert device.drain() == operator.drain() == []


def test_client_id_of_another_device_gives_nothing_and_ends_nobody(fleet):
    with fleet.device("pi-2", "pi-2") as victim:
        victim.subscribe(f"{OTHER}/cmd/+/+")
        with fleet.device("pi-1", "pi-2") as spoofer:
            assert not reaches(fleet, spoofer, f"{OTHER}/status")
            assert reaches(fleet, spoofer, f"{OWN}/status")
        with fleet.operator("operator-1") as operator:
            operator.publish(f"{OTHER}/cmd/ping/1", b"x")
        assert victim.receive().payload == b"x"


def test_user_name_in_the_connect_packet_is_ignored(fleet):
    def prepare(paho):
        tls(fleet.root / "devices" / "pi-1")(paho)
        paho.username_pw_set("operator:admin", "x")

    client = TestClient("any", prepare=prepare).connect(fleet.port, "localhost")
    with client:
        assert not reaches(fleet, client, f"{OWN}/config/desired")


def test_will_on_anothers_topic_is_not_published(fleet):
    with fleet.operator() as operator:
        operator.subscribe(f"{V1}/#")
        for topic in (f"{OTHER}/status", f"{OWN}/status"):
            device = fleet.client("devices/pi-1", will=(topic, b"offline"))
            try:
                device.connect(fleet.port, "localhost").die()
            except AssertionError:
                device.paho.loop_stop()  # newer brokers refuse the connection instead
        assert [m.topic for m in operator.drain()] == [f"{OWN}/status"]


def test_two_sessions_of_one_operator_live_side_by_side(fleet):
    with fleet.operator("desk-1") as first, fleet.operator("desk-2") as second:
        first.subscribe(f"{V1}/#")
        second.publish(f"{OWN}/cmd/ping/2", b"x")
        assert first.receive().payload == b"x"


def refused(port: int, context: ssl.SSLContext) -> bool:
    """Whether the broker ends the connection during the handshake or at the first bytes after."""
    try:
        with (
            socket.create_connection(("127.0.0.1", port), timeout=5) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as connection,
        ):
            connection.sendall(CONNECT)
            return connection.recv(4) == b""
    except (ssl.SSLError, ConnectionError):
        return True


def client_context(folder: Path, certificate: Path | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(folder / "ca.crt"))
    context.verify_flags |= ssl.VERIFY_X509_STRICT  # the default from Python 3.13 on
    if certificate is not None:
        context.load_cert_chain(certificate, certificate.with_suffix(".key"))
    return context


def test_only_certificates_of_the_right_authority_get_in(fleet, tmp_path):
    pi_1 = fleet.root / "devices" / "pi-1"
    admin = fleet.root / "operators" / "admin"
    foreign_key, key = new_key(), new_key()
    validity = Validity(datetime.now(UTC), timedelta(days=1))
    foreign = authority_certificate(foreign_key, "selvedge fleet authority", validity)
    stranger = client_certificate(Authority(foreign_key, foreign), key, "pi-1", validity)
    (tmp_path / "x.crt").write_bytes(certificate_bytes(stranger))
    (tmp_path / "x.key").write_bytes(key_bytes(key))

    def turned_away(port, certificate):
        return refused(port, client_context(pi_1, certificate))

    assert not turned_away(fleet.port, pi_1 / "client.crt")
    assert not turned_away(fleet.operators_port, admin / "client.crt")
    assert turned_away(fleet.port, None)
    assert turned_away(fleet.operators_port, None)
    assert turned_away(fleet.port, tmp_path / "x.crt")
    assert turned_away(fleet.operators_port, pi_1 / "client.crt")
    assert turned_away(fleet.port, admin / "client.crt")


def test_plain_text_and_old_tls_are_refused(fleet):
    with socket.create_connection(("127.0.0.1", fleet.port), timeout=5) as plain:
        plain.sendall(CONNECT)
        with contextlib.suppress(ConnectionResetError):
            assert plain.recv(4)[:1] != CONNACK
    context = client_context(fleet.root / "devices" / "pi-1", None)
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    assert refused(fleet.port, context)


def test_client_believes_no_other_host_and_no_device_as_broker(fleet):
    context = client_context(fleet.root / "devices" / "pi-1", None)
    with (
        socket.create_connection(("127.0.0.1", fleet.port)) as plain,
        pytest.raises(ssl.SSLCertVerificationError),
    ):
        context.wrap_socket(plain, server_hostname="elsewhere.example")
    impostor = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    pair = fleet.root / "devices" / "pi-2" / "client.crt"
    impostor.load_cert_chain(pair, pair.with_suffix(".key"))
    context.check_hostname = False  # so that only the purpose of the certificate speaks against it
    with pytest.raises(ssl.SSLCertVerificationError, match="purpose"):
        handshake(context, impostor)


def handshake(client: ssl.SSLContext, server: ssl.SSLContext) -> None:
    outgoing, incoming = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = (
        client.wrap_bio(incoming, outgoing, server_hostname="localhost"),
        server.wrap_bio(outgoing, incoming, server_side=True),
    )
    for _ in range(4):
        for end in ends:
            with contextlib.suppress(ssl.SSLWantReadError):
                end.do_handshake()


def test_mqtt_5_gets_in_as_well(fleet):
    with fleet.device("pi-1", version=MQTTProtocolVersion.MQTTv5) as device:
        assert reaches(fleet, device, f"{OWN}/metrics")


def contents(root: Path) -> dict[str, bytes]:
    files = (path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): path.read_bytes() for path in files}


def test_second_run_adds_and_touches_nothing_else(tmp_path, capsys):
    root = tmp_path / "fleet"
    more = ["--readable", "sensors/#", "--host", "one", "--home-assistant", "ha"]
    assert init(root, "--device", "pi-1", *more) == 0
    before = contents(root)
    assert init(root) == 0
    assert contents(root) == before
    assert init(root, "--device", "pi-1", "--device", "pi-2", "--operator", "ann") == 0
    after = contents(root)
    changed = {path for path in before if before[path] != after[path]}
    assert changed == {"mosquitto/acl"}
    assert set(after) - set(before) == {
        f"{folder}/{name}"
        for folder in ("devices/pi-2", "operators/ann")
        for name in ("ca.crt", "client.crt", "client.key")
    }
    assert b"sensors/#" in after["mosquitto/acl"]
    assert b"pattern write ha/device/%u/+/config\n" in after["mosquitto/acl"]
    assert init(root, "--host", "192.0.2.7") == 0
    hosts_changed = {path for path, data in contents(root).items() if data != after[path]}
    assert hosts_changed == {"mosquitto/server.crt", "fleet.json"}
    assert init(root, "--home-assistant", "") == 0
    assert b"ha/device" not in (root / "mosquitto/acl").read_bytes()
    capsys.readouterr()


def test_keys_are_private_and_certificates_begin_earlier(tmp_path, capsys):
    root = tmp_path / "fleet"
    assert init(root, "--device", "pi-1", "--backdate", "30") == 0
    keys = list(root.rglob("*.key"))
    assert len(keys) == 5
    for path in keys:
        assert path.stat().st_mode & 0o777 == 0o600, path
    for name in ("ca", "devices", "operators"):
        assert (root / name).stat().st_mode & 0o777 == 0o700
    assert (root / "mosquitto" / "acl").stat().st_mode & 0o777 == 0o600
    device = x509.load_pem_x509_certificate((root / "devices/pi-1/client.crt").read_bytes())
    assert device.subject.rfc4514_string() == "CN=pi-1"
    age = datetime.now(UTC) - device.not_valid_before_utc
    assert timedelta(days=30) <= age < timedelta(days=30, hours=1)
    capsys.readouterr()


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--device", "Pi 1"], 2),
        (["--device", "+"], 2),
        (["--device", "../../etc"], 2),
        (["--operator", "a:b"], 2),
        (["--host", "*.example.org"], 2),
        (["--host", "a b"], 2),
        (["--readable", "#"], 2),
        (["--home-assistant", "+"], 2),
        (["--port", "65535"], 2),
        (["--prefix", "a//b"], 2),
        (["--backdate", "-1"], 2),
    ],
)
def test_refusals_are_one_line_and_write_nothing(tmp_path, capsys, arguments, code):
    root = tmp_path / "fleet"
    assert init(root, *arguments) == code
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert not root.exists()


def test_lost_authority_is_not_replaced_in_silence(tmp_path, capsys):
    root = tmp_path / "fleet"
    assert init(root, "--device", "pi-1") == 0
    before = contents(root / "mosquitto")
    shutil.rmtree(root / "ca")
    assert init(root, "--device", "pi-2") == 3
    assert contents(root / "mosquitto") == before
    assert "bring it back" in capsys.readouterr().err


@pytest.mark.parametrize("path", ["ca/fleet.key", "mosquitto/server.crt", "fleet.json"])
@pytest.mark.parametrize("damage", [b"", b"\xff\xfe", b"-----BEGIN CERTIFICATE-----\n"])
def test_damaged_file_is_named(tmp_path, capsys, path, damage):
    root = tmp_path / "fleet"
    assert init(root) == 0
    (root / path).write_bytes(damage)
    assert init(root) == 3
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert path in err


def test_key_without_certificate_gets_a_new_one(tmp_path, capsys):
    root = tmp_path / "fleet"
    assert init(root, "--device", "pi-1") == 0
    before = contents(root)
    (root / "devices/pi-1/client.crt").unlink()
    assert init(root, "--device", "pi-1") == 0
    after = contents(root)
    assert {path for path in after if after[path] != before[path]} == {"devices/pi-1/client.crt"}
    capsys.readouterr()


def test_openssl_agrees_with_the_chain(tmp_path, capsys):
    root = tmp_path / "fleet"
    assert init(root, "--device", "pi-1") == 0
    for purpose, leaf in (
        ("sslclient", root / "devices/pi-1/client.crt"),
        ("sslserver", root / "mosquitto/server.crt"),
    ):
        verify = ["openssl", "verify", "-x509_strict", "-purpose", purpose]
        command = [*verify, "-CAfile", str(root / "ca/fleet.crt"), str(leaf)]
        assert subprocess.run(command, capture_output=True, check=False).returncode == 0
    capsys.readouterr()


def test_blocked_device_can_do_nothing_once_the_broker_has_read_its_list_again(fleet, capsys):
    with (
        fleet.device("pi-2") as lost,
        fleet.device("pi-1") as other,
        fleet.operator("two") as operator,
    ):
        lost.subscribe(f"{OTHER}/cmd/+/+")
        assert reaches(fleet, lost, f"{OTHER}/status")
        assert init(fleet.root, "--block", "pi-2") == 0
        os.kill(fleet.process.pid, signal.SIGHUP)
        assert eventually(lambda: not reaches(fleet, lost, f"{OTHER}/status"))
        operator.publish(f"{OTHER}/cmd/ping/1", b"x")
        operator.publish(f"{V1}/fleet/config/desired", b"{}")
        assert lost.drain() == []
        assert reaches(fleet, other, f"{OWN}/status")
    assert init(fleet.root, "--device", "pi-2") == 2
    assert "another name" in capsys.readouterr().err


def test_fleet_commands_with_an_operators_certificate(fleet, capsys):
    desk = fleet.root / "operators" / "admin"
    files = ["--ca", desk / "ca.crt", "--cert", desk / "client.crt", "--key", desk / "client.key"]
    options = ["--broker", f"mqtts://localhost:{fleet.operators_port}", *map(str, files)]
    with fleet.device("pi-1") as device:
        device.publish(f"{OWN}/status", b'{"state":"online","instance":"i"}', retain=True)
        device.subscribe(f"{OWN}/config/desired")
        assert selvedge.main(["devices", *options]) == 0
        assert "pi-1" in capsys.readouterr().out
        assert selvedge.main(["config", "set", "pi-1", "a=1", "--wait", "0", *options]) == 0
        assert device.receive().payload == b'{"a":1,"version":1}'
    capsys.readouterr()
    for wrong in (
        ["--broker", f"mqtts://localhost:{fleet.operators_port}"],
        ["--broker", f"mqtts://localhost:{fleet.operators_port}", *map(str, files[:2])],
        ["--broker", f"mqtts://localhost:{fleet.port}", *map(str, files)],
        ["--broker", f"mqtt://localhost:{fleet.operators_port}"],
    ):
        assert selvedge.main(["devices", *wrong]) == 5
        out, err = capsys.readouterr()
        assert (out, err.count("\n")) == ("", 1)
