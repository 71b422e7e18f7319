"""The text protocol of MLPerf Tiny: whole sessions, what it refuses, and what comes by chance."""

from math import floor
from random import Random

import numpy as np
import pytest

from firmware_bridge.adapters.attached import Attached
from firmware_bridge.adapters.emulator import Emulator
from firmware_bridge.adapters.serial_port import SerialPort
from firmware_bridge.calls.methods import Method, pack_infer, unpack_outputs
from tests.support.benchmark_runner import BenchmarkRunner
from tests.support.boards import firmware_process, image, plan_of
from tests.support.engine import MODELS, Micro
from tests.support.engine_cases_state import remembering
from tests.support.firmware_chaos import endure
from tests.support.text_chaos import commands
from toolchain.plan.numbers import Target
from toolchain.tflite.reader import read

TASKS = {
    "ad01": "ad01_int8",
    "kws01": "kws_ref_model",
    "ic01": "pretrainedResnet_quant",
    "vww01": "vww_96_int8",
}
BINARY_ENDS_S = 2.2


class Task:
    """A model of the benchmark: its samples, and what TFLite Micro makes of them, as text."""

    def __init__(self, task: str) -> None:
        self.model = (MODELS / f"{TASKS[task]}.tflite").read_bytes()
        self.is_sound, self.is_picture = task == "ad01", task in ("ic01", "vww01")
        graph = read(self.model).main
        self._input = graph.tensors[graph.inputs[0]]
        self._output = graph.tensors[graph.outputs[0]]
        self._micro = Micro(self.model)

    def sample(self, seed: int) -> bytes:
        rng = np.random.default_rng(seed)
        if self.is_sound:
            return rng.normal(-10, 15, self._input.shape).astype("<f4").tobytes()
        return rng.integers(0, 256, self._input.shape, np.uint8).tobytes()

    def expected(self, sample: bytes) -> list[str]:
        zero, scale = self._of(self._input)
        if self.is_sound:
            real = np.frombuffer(sample, "<f4").reshape(self._input.shape)
            steps = real / scale
            rounded = np.trunc(steps + np.copysign(np.float32(0.5), steps)).astype(int) + zero
            values = np.clip(rounded, -128, 127).astype(np.int8)
        else:
            values = np.frombuffer(sample, np.uint8).reshape(self._input.shape)
            values = (values ^ (0x80 if self.is_picture else 0)).view(np.int8)
        [answer] = self._micro.run([values])
        zero, scale = self._of(self._output)
        answered = (answer.astype(np.float32) - np.float32(zero)) * scale
        if self.is_sound:
            total = np.float32(0)
            for missed in (answered - real).ravel():
                total += missed * missed
            return [thousandths(total / np.float32(real.size))]
        return [thousandths(value) for value in answered.ravel()]

    @staticmethod
    def _of(tensor):
        return tensor.quantization.zero_points[0], np.float32(tensor.quantization.scales[0])


def thousandths(value: np.float32) -> str:
    whole = floor(abs(value) * np.float32(1000))
    return f"{'-' if value < 0 else ''}{whole // 1000}.{whole % 1000:03}"


def bring(port: str, model: bytes, target: Target) -> bytes:
    """Upload a model over the binary link; text is heard again two seconds after it."""
    plan, sha256 = plan_of(model, target)
    with Attached(SerialPort(port)) as device:
        device.connect()
        device.upload(plan, sha256)
    return sha256


def text(port: str) -> BenchmarkRunner:
    """The text protocol, once the binary one has fallen silent."""
    runner = BenchmarkRunner(port)
    runner.silence(BINARY_ENDS_S)
    return runner


@pytest.fixture(scope="module")
def port():
    with firmware_process() as process:
        yield process.port
        assert process.process.poll() is None, "the sanitizers found something"


@pytest.fixture(scope="module")
def keyword_port(port):
    """With the model for keywords on it."""
    bring(port, Task("kws01").model, Target.PORTABLE)
    return port


def whole_session(runner: BenchmarkRunner, task: str, samples: int, runs: int) -> None:
    """What the published runner asks for: who is there, accuracy, then performance."""
    model = Task(task)
    assert runner.do("name")[0].startswith("m-name-dut-[selvedge-")
    assert runner.do("profile") == [
        "m-profile-[ULPMark for tinyML Firmware V0.0.1]",
        f"m-model-[{task}]",
    ]
    assert runner.do("timestamp")[0].startswith("m-lap-us-")
    for seed in range(samples):
        sample = model.sample(seed)
        runner.load(sample)
        measured = runner.infer(1, 0)
        assert measured.results == model.expected(sample)
        assert runner.do("results") == [f"m-results-[{','.join(measured.results)}]"]
    times_us = []
    for _ in range(5):
        measured = runner.infer(runs, 2)
        assert measured.results == model.expected(sample)
        times_us.append(measured.elapsed_us / runs)
    print(f"{task}: median of 5: {sorted(times_us)[2] / 1000:.2f} ms of the device's time")
    assert min(times_us) > 0


@pytest.mark.parametrize("task", TASKS)
def test_a_whole_session_under_sanitizers(port, task):
    bring(port, Task(task).model, Target.PORTABLE)
    runner = text(port)
    whole_session(runner, task, samples=2, runs=1)
    runner.close()


def test_a_whole_session_on_the_board():
    with Emulator(image()) as emulator:
        bring(emulator.port, Task("kws01").model, Target.CORTEX_M)
        runner = text(emulator.port)
        whole_session(runner, "kws01", samples=3, runs=10)
        runner.close()


def test_a_reset_is_greeted():
    with firmware_process() as process:
        runner = BenchmarkRunner(process.port)
        assert runner.wait_for_boot() == ["m-init-done"]
        assert runner.do("profile")[1] == "m-model-[none]"
        assert runner.ask("infer 1 0") == ["e-[No model: upload one first]"]
        assert runner.ask("db 00") == ["e-[Data before 'db load']"]
        runner.close()


def test_every_refusal_is_one_line_and_ready(keyword_port):
    runner = text(keyword_port)
    for command, told in {
        "": "e-[Unknown command: ]",
        "names": "e-[Unknown command: names]",
        "results": "e-[No results: nothing was run]",
        "db load 0": "e-[Command 'db load' wants a number of bytes from 1 to 32768]",
        "db load 32769": "e-[Command 'db load' wants a number of bytes from 1 to 32768]",
        "db load 9999999999": "e-[Command 'db load' wants a number of bytes from 1 to 32768]",
        "db load": "e-[Command 'db load' wants a number of bytes from 1 to 32768]",
        "infer 0 1": "e-[Command 'infer' wants numbers of runs and of warm-ups up to 1000000]",
        "infer 1 1 1": "e-[Command 'infer' wants numbers of runs and of warm-ups up to 1000000]",
        "infer 1 1000001": "e-[Command 'infer' wants numbers of runs and of warm-ups up to "
        "1000000]",
        "x" * 80: "e-[Command longer than 79 characters]",
    }.items():
        assert runner.ask(command) == [told]
    runner.do("db load 3")
    assert runner.ask("infer 1 0") == ["e-[The data loaded are not one input of the model]"]
    assert runner.ask("db 0") == ["e-[Data must be pairs of hexadecimal digits]"]
    assert runner.ask("db 0g") == ["e-[Data must be pairs of hexadecimal digits]"]
    assert runner.do("db 00Ff") == []
    assert runner.do("db 10zz") == ["m-load-done"], "what is too much is not looked at"
    assert runner.do("db print") == ["m-buffer-00-FF-10"]
    runner.do("db load 9")
    runner.do("db 010203040506070809")
    assert runner.do("db print") == ["m-buffer-01-02-03-04-05-06-07-08", "m-buffer-09"]
    assert runner.ask("infer 1 0") == ["e-[The data loaded are not one input of the model]"]
    assert "infer N W" in runner.do("help")[0]
    runner.close()


def test_without_numbers_ten_runs_warm_up_one(keyword_port):
    runner = text(keyword_port)
    runner.load(bytes(490))
    lines = runner.do("infer")
    assert (lines[0], lines[2]) == ("m-warmup-start-10", "m-infer-start-1")
    runner.load(bytes(490))
    assert runner.ask("results") == ["e-[No results: nothing was run]"]
    runner.close()


def test_a_host_breaks_in_while_the_benchmark_runs(keyword_port):
    """The link is served at once, answers rightly, and the text comes back after it."""
    model = Task("kws01").model
    sha256 = plan_of(model, Target.PORTABLE)[1]
    runner = text(keyword_port)
    runner.load(bytes(490))
    runner.start("infer 1000000 0")
    runner.close()
    values = np.arange(490).astype(np.int8).reshape(1, 49, 10, 1)
    with Attached(SerialPort(keyword_port)) as device:
        device.connect(3.0)
        body = device.call(Method.INFER, pack_infer(sha256, values.tobytes()), 3.0)
    assert unpack_outputs(body)[1] == Micro(model).run([values])[0].tobytes()
    runner = text(keyword_port)
    assert runner.ask("results") == ["e-[No results: nothing was run]"]
    runner.load(values.tobytes())
    assert runner.infer(1, 0).results == Task("kws01").expected(values.tobytes())
    runner.close()


def test_any_command_is_answered_and_the_device_goes_on(keyword_port):
    runner = text(keyword_port)
    refused = 0
    for command in commands(Random(3), 1500):
        refused += any(line.startswith("e-[") for line in runner.ask(command))
    assert 100 < refused < 1400
    sample = Task("kws01").sample(9)
    runner.load(sample)
    assert runner.infer(1, 0).results == Task("kws01").expected(sample)
    runner.close()


@pytest.mark.parametrize("seed", range(3))
def test_text_frames_and_noise_leave_a_device_that_answers(seed):
    """The whole firmware traps on undefined behaviour; the campaign says much more to it."""
    plan, sha256 = plan_of(remembering(), Target.PORTABLE)
    assert endure(seed, 1500, plan, sha256) > 10_000
