"""`selvedge mcu …`: with the emulated board, with the firmware as a process, and with neither."""

import json
import os
import shutil
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

import selvedge
from agent.mcu.adapters import device
from agent.mcu.adapters.image import image
from agent.mcu.adapters.ports import ports
from firmware_bridge.adapters.attached import Attached
from firmware_bridge.adapters.bad_line import BadLine
from firmware_bridge.adapters.serial_port import SerialPort
from firmware_bridge.link.faults import FaultRates
from tests.support.boards import firmware_process
from tests.support.engine import MODELS, Micro
from tests.support.small_models import conv_model, with_operator
from toolchain.convert.convert import Choices, to_plan
from toolchain.tflite.writer import write

ROOT = Path(__file__).resolve().parents[2]
KWS = str(MODELS / "kws_ref_model.tflite")


def mcu(capsys, *words: str) -> tuple[int, dict, str]:
    code = selvedge.main(["mcu", *words, "--json"])
    out, err = capsys.readouterr()
    return code, json.loads(out), err


@pytest.fixture
def clip(tmp_path) -> str:
    values = np.random.default_rng(8).integers(-128, 128, (1, 49, 10, 1), dtype=np.int8)
    np.save(tmp_path / "clip.npy", values)
    return str(tmp_path / "clip.npy")


@pytest.fixture
def port():
    with firmware_process() as process:
        yield process.port


@pytest.fixture
def plan(tmp_path) -> str:
    path = tmp_path / "kws.plan"
    path.write_bytes(to_plan(Path(KWS).read_bytes(), Choices(target="portable")))
    return str(path)


def test_a_model_is_run_on_the_emulated_board(capsys, clip, tmp_path):
    output = str(tmp_path / "y.npy")
    code, tree, err = mcu(capsys, "infer", KWS, "--input", clip, "--output", output, "--emulate")
    assert (code, err) == (0, "")
    assert (tree["runtime"], tree["board"]) == ("mcu", "mps2-an386")
    expected = Micro(Path(KWS).read_bytes()).run([np.load(clip)])[0]
    assert np.load(output).tobytes() == expected.tobytes()


def test_bench_counts_instructions_by_operator(capsys):
    code, tree, _ = mcu(capsys, "bench", KWS, "--emulate")
    assert code == 0
    assert tree["board"] == "mps2-an386"
    assert (tree["arena_bytes"], tree["model"]) == (16_000, KWS)
    assert 500 < tree["stack_bytes"] < 8192
    kinds = [each["operator"] for each in tree["operators"]]
    assert (kinds[0], kinds[-1]) == ("CONV_2D_S8", "SOFTMAX_S8")
    assert sum(each["instructions"] for each in tree["operators"]) == tree["instructions"]
    assert tree["instructions"] > 2_656_768 / 2, "at least one for each two products"


def test_a_plan_is_loaded_once_and_found_again(capsys, port, plan):
    code, tree, _ = mcu(capsys, "load", plan, "--port", port)
    assert (code, tree["arena_bytes"], tree["output_bytes"]) == (0, 16_000, 12)
    code, told, _ = mcu(capsys, "info", "--port", port)
    assert (code, told["board"]) == (0, "posix")
    assert told["plans"] == [tree["plan_sha256"][:16]]
    code, again, _ = mcu(capsys, "load", KWS, "--port", port)
    assert again["plan_sha256"] == tree["plan_sha256"], "converted for the kernels of that device"
    assert told["store_bytes"] - told["free_store_bytes"] >= tree["plan_bytes"]


def test_a_device_without_a_counter_is_timed(capsys, port, plan):
    code, tree, _ = mcu(capsys, "bench", plan, "--port", port)
    assert (code, tree["instructions"]) == (0, None)
    assert tree["ms"] > 0
    assert selvedge.main(["mcu", "bench", plan, "--port", port]) == 0
    assert "CONV_2D_S8" in capsys.readouterr().out


def test_list_names_ports_and_who_answers(capsys, port):
    code, tree, _ = mcu(capsys, "list", "--port", port, "--port", "/dev/none")
    rows = {row["port"]: row for row in tree["ports"]}
    assert (code, rows[port]["board"], rows[port]["plans"]) == (0, "posix", 0)
    assert (rows["/dev/none"]["board"], rows["/dev/none"]["reason"]) == (
        None,
        "port /dev/none: no such port",
    )


def test_a_port_has_the_name_that_stays(tmp_path, monkeypatch):
    from serial.tools import list_ports
    from serial.tools.list_ports_common import ListPortInfo

    info = ListPortInfo("/dev/ttyACM7")
    info.vid, info.pid, info.description = 0x2E8A, 0x000A, "Pico"
    monkeypatch.setattr(list_ports, "comports", lambda: [info])
    (tmp_path / "usb-pico").symlink_to("/dev/ttyACM7")
    named = {"port": str(tmp_path / "usb-pico"), "usb": "2e8a:000a", "description": "Pico"}
    assert ports(by_id=tmp_path) == [named]
    assert ports(by_id=tmp_path / "none")[0]["port"] == "/dev/ttyACM7"


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["info", "--port", "/dev/none"], 5, "no such port"),
        (["load", "/none.tflite", "--port", "/dev/none"], 4, "no such file"),
        (["load", __file__, "--port", "/dev/none"], 4, "not a TFLite model"),
        (["emulate", "--fault", "fog=1"], 3, "'fog' is not one of"),
        (["emulate", "--image", "/none.elf"], 6, "--image /none.elf: No such file"),
        (["info", "--emulate", "--image", __file__], 6, "is no ELF file for ARM"),
        (["info", "--port", "/dev/none", "--image", "x"], 3, "--image is for --emulate"),
        (["info", "--port", "socket://127.0.0.1:1"], 5, "Connection refused"),
        (["info", "--port", "gopher://x"], 5, "gopher"),
        (["load", "/dev/null", "--port", "/dev/none"], 4, "/dev/null"),
    ],
)
def test_refusals_are_one_line(capsys, words, code, told):
    found, tree, err = mcu(capsys, *words)
    assert found == code
    assert told in tree["error"]
    assert err.count("\n") == 1


def test_a_port_that_is_taken_is_named(capsys, port):
    with closing(SerialPort(port)):
        code, tree, err = mcu(capsys, "info", "--port", port)
    assert (code, err.count("\n")) == (5, 1)
    assert tree["error"].endswith("is in use by another program; only one may own it")


def test_an_operator_that_is_not_supported_is_named(capsys, tmp_path):
    model = with_operator(conv_model(), 2, name="LOG_SOFTMAX", options=None)
    (tmp_path / "odd.tflite").write_bytes(write(model))
    code, tree, err = mcu(capsys, "load", str(tmp_path / "odd.tflite"), "--port", "/dev/none")
    assert (code, err.count("\n")) == (4, 1)
    assert "LOG_SOFTMAX" in tree["error"]


def test_an_input_that_does_not_fit_is_refused_before_anything_is_sent(capsys, tmp_path, plan):
    np.save(tmp_path / "x.npy", np.zeros((1, 2), np.int8))
    words = ["infer", plan, "--input", str(tmp_path / "x.npy"), "--port", "/dev/none"]
    code, tree, _ = mcu(capsys, *words)
    assert code == 4
    assert "the model wants" in tree["error"]


def test_a_plan_that_the_device_refuses_is_a_refused_model(capsys, port, plan, tmp_path):
    damaged = bytearray(Path(plan).read_bytes())
    damaged[-1] ^= 1
    (tmp_path / "bad.plan").write_bytes(damaged)
    code, tree, _ = mcu(capsys, "load", str(tmp_path / "bad.plan"), "--port", port)
    assert code == 4
    assert "refuses the plan: status 4 (corrupt)" in tree["error"]


def test_nobody_answers(capsys, monkeypatch):
    monkeypatch.setattr(Attached.connect, "__defaults__", (0.3,))
    controller, terminal = os.openpty()
    code, tree, _ = mcu(capsys, "info", "--port", os.ttyname(terminal))
    os.close(controller)
    os.close(terminal)
    assert code == 5
    assert "no device answers" in tree["error"]


def test_without_emulator_or_firmware_there_is_a_remedy(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(device.emulator, "PROGRAM", "qemu-of-nobody")
    code, tree, _ = mcu(capsys, "info", "--emulate")
    assert (code, tree["error"].split("; ")[1]) == (6, "apt install qemu-system-arm")
    with pytest.raises(device.UnavailableError, match="name one with --image FILE"):
        image(bridge=tmp_path)
    carried = tmp_path / "images" / "mps2-an386.elf"
    carried.parent.mkdir()
    carried.touch()
    assert image(bridge=tmp_path) == carried


def test_without_a_compiler_the_package_is_named(capsys, monkeypatch, tmp_path):
    path = tmp_path / "bin"
    path.mkdir()
    (path / "qemu-system-arm").symlink_to(shutil.which("qemu-system-arm"))
    monkeypatch.setenv("PATH", str(path))
    code, tree, _ = mcu(capsys, "info", "--emulate")
    assert code == 6
    assert "apt install gcc-arm-none-eabi" in tree["error"]


@pytest.mark.parametrize("fault", [None, "corrupt=1e-4,split=0.1,seed=5"])
def test_emulate_serves_until_it_is_told_to_stop(capsys, fault):
    words = [sys.executable, "selvedge.py", "mcu", "emulate", "--json"]
    words += ["--fault", fault] if fault else []
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE) as served:
        try:
            tree = json.loads(served.stdout.readline())
            assert tree["board"] == "mps2-an386"
            code, told, err = mcu(capsys, "load", KWS, "--port", tree["port"])
            assert (code, err, told["arena_bytes"]) == (0, "", 16_000)
        finally:
            served.send_signal(signal.SIGINT)
        assert served.wait(10) == 0
        assert not Path(f"/proc/{tree['pid']}").exists()


def test_a_bad_line_damages_as_it_is_told(port):
    with BadLine(port, FaultRates(corrupt=1.0), 1) as line:
        there = os.open(line.port, os.O_RDWR | os.O_NOCTTY)
        for _ in range(20):
            line.carry()
        greeting = os.read(there, 4096)
        os.close(there)
    assert b"m-ready" not in greeting
    assert greeting
