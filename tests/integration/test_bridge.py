"""The bridge as a process, with the firmware as processes on ptys."""

import json
import socket
from pathlib import Path

import pytest

from firmware_bridge.adapters.attached import Attached
from firmware_bridge.adapters.discovery import Place, candidates
from firmware_bridge.adapters.serial_port import SerialPort
from firmware_bridge.adapters.unix_socket import connect
from firmware_bridge.bridge.jobs import Verdict
from firmware_bridge.errors import PortError
from tests.support.boards import firmware_process
from tests.support.bridges import Asker, bridge


def test_a_plan_is_brought_and_answers_are_right(tmp_path):
    with firmware_process() as device, bridge(tmp_path, bench={"port": device.port}) as path:
        asker = Asker(path)
        assert asker.until_served().where == "bench"
        assert {asker.ask().verdict for _ in range(20)} == {Verdict.OK}
        report = asker.status()["bench"]
        told = report["status"]
        assert (told["state"], told["port"], told["board"]) == ("ready", device.port, "posix")
        assert told["plans"] == [asker.offer.variants.common[:8].hex()]
        assert report["counts"]["answered"] >= 21
        with pytest.raises(PortError, match="in use by another program"):
            SerialPort(device.port)


def test_two_programs_and_two_devices(tmp_path):
    with (
        firmware_process() as one,
        firmware_process() as two,
        bridge(tmp_path, one={"port": one.port}, two={"port": two.port}) as path,
    ):
        askers = [Asker(path), Asker(path)]
        for asker in askers:
            asker.until_served()
        assert {asker.ask().verdict for _ in range(10) for asker in askers} == {Verdict.OK}


def test_a_device_may_come_later_and_under_another_port(tmp_path):
    link = tmp_path / "by-path"
    with bridge(tmp_path, late={"port": str(link)}) as path:
        asker = Asker(path)
        assert asker.ask().verdict is Verdict.NO_DEVICE
        assert asker.status()["late"]["status"]["reason"] == "its port is not there"
        for _ in range(2):
            with firmware_process() as device:
                link.symlink_to(device.port)
                asker.until_served()
                link.unlink()
            asker.until(lambda told: told.verdict is Verdict.NO_DEVICE)


def test_a_port_that_another_program_owns_is_waited_for(tmp_path):
    with firmware_process() as device:
        held = Attached(SerialPort(device.port))
        with bridge(tmp_path, one={"port": device.port}) as path:
            asker = Asker(path)
            asker.until(lambda told: "in use" in asker.status()["one"]["status"].get("reason", ""))
            held.__exit__(None, None, None)
            asker.until_served()


def test_a_program_that_talks_nonsense_is_cut_off_and_others_are_not(tmp_path):
    with firmware_process() as device, bridge(tmp_path, one={"port": device.port}) as path:
        asker = Asker(path)
        asker.until_served()
        for junk in (b"\xff" * 64, bytes(64), b"GET / HTTP/1.1\r\n\r\n"):
            with connect(path, 5) as connection:
                connection.sendall(junk)
                assert connection.recv(10) == b""
        with connect(path, 5) as connection:
            connection.sendall(b"\1\0")
            assert asker.ask().verdict is Verdict.OK
        assert path.stat().st_mode & 0o777 == 0o600


def test_a_device_is_found_by_its_lasting_name(tmp_path):
    for name in ("usb-Arm_DAPLink_1-if01", "usb-Arm_DAPLink_2-if01", "usb-FTDI_3"):
        (tmp_path / name).touch()
    wanted = Place(by_id="usb-Arm_DAPLink_*-if01")
    found = [Path(one).name for one in candidates(wanted, tmp_path)]
    assert found == ["usb-Arm_DAPLink_1-if01", "usb-Arm_DAPLink_2-if01"]
    assert list(candidates(wanted, tmp_path / "none")) == []
    assert list(candidates(Place(port=str(tmp_path / "none")))) == []
    assert list(candidates(Place(port="socket://[::1]:9"))) == ["socket://[::1]:9"]


def test_the_overseer_hears_how_devices_are_and_can_end_the_bridge(tmp_path):
    import subprocess
    import sys

    ours, theirs = socket.socketpair()
    settings = {
        "socket": str(tmp_path / "s"),
        "overseer": theirs.fileno(),
        "mcus": {"one": {"port": "/dev/none"}},
    }
    words = [sys.executable, "-m", "firmware_bridge.app", json.dumps(settings)]
    with ours, subprocess.Popen(words, pass_fds=[theirs.fileno()]) as process:
        theirs.close()
        ours.settimeout(10)
        length = int.from_bytes(ours.recv(4), "big")
        told = json.loads(ours.recv(length))
        assert (told["kind"], told["mcus"]["one"]["status"]["state"]) == ("mcus", "connecting")
        body = b'{"kind":"stop"}'
        ours.sendall(len(body).to_bytes(4, "big") + body)
        assert process.wait(10) == 0
