"""A trainer in its sandbox: what it is for, and everything that a hostile one tries."""

import itertools
import json
import os
import platform
import resource
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.errors import ModelError, UnavailableError
from agent.learning.trainer import wire
from agent.learning.trainer.abi import Shape
from agent.learning.trainer.adapters import session as sessions
from agent.learning.trainer.adapters.session import Limits, Session
from agent.pipeline.adapters import landlock, seccomp
from tests.support import trainer_text as t
from tests.support.networks import CNN, HEAD, SQUARED
from tests.support.trainers import WasmtimeTrainer, module_of
from toolchain.training.initial import initial_parameters

ROOT = Path(__file__).resolve().parents[2]
BOTH = pytest.mark.parametrize("runtime", ["wasmtime", "wasm3"])
FOUR = np.arange(4, dtype=np.float32).tobytes()
ONE = (struct.pack("<2f", 0.25, 1), struct.pack("<i", 0), 1)


def hyper(*numbers: float) -> bytes:
    return struct.pack("<8f", *numbers, *[0] * (8 - len(numbers)))


@BOTH
@pytest.mark.parametrize("network", [HEAD, CNN, SQUARED], ids=["head", "cnn", "squared error"])
def test_a_session_gives_the_bytes_of_the_module_alone(network, runtime):
    alone = WasmtimeTrainer(module_of(network))
    alone.parameters[:] = first = initial_parameters(network, 2)
    alone.set(learning_rate=0.05, momentum=0.9, mu=0.1, clip=1.5)
    alone.anchor[:] = first
    rng = np.random.default_rng(6)
    count = alone.capacity
    examples = rng.standard_normal((count, int(np.prod(network.input)))).astype(np.float32)
    labels = rng.integers(0, alone.outputs, count).astype(np.int32)
    if network.loss == "squared_error":
        labels = rng.standard_normal((count, alone.outputs)).astype(np.float32)
    with Session(module_of(network, "scalar" if runtime == "wasm3" else "simd"), runtime) as other:
        other.write_parameters(first.tobytes())
        other.write_anchor(first.tobytes())
        other.write_control(bytes(4 * len(first)))
        other.write_hyper(alone.hyper.tobytes())
        other.begin()
        for _ in range(3):
            loss = other.train(examples.tobytes(), labels.tobytes(), count)
            assert loss == alone.train(examples, labels)
        assert other.parameters() == alone.parameters.tobytes()
        assert other.norms(count) == alone.norms.tobytes()
        expected, correct, answers = alone.evaluate(examples, labels)
        evaluation = other.evaluate(examples.tobytes(), labels.tobytes(), count)
        assert (evaluation.loss, evaluation.correct) == (expected, correct)
        assert other.outputs(count) == answers.tobytes()


def test_the_child_has_no_numpy_and_no_descriptor_but_its_pipe():
    with Session(module_of(HEAD)) as session:
        folder = Path(f"/proc/{session.pid}")
        loaded = (folder / "maps").read_text()
        kinds = {str(path.readlink()).split(":")[0] for path in (folder / "fd").iterdir()}
        ends = (folder / "limits").read_text()
    assert "numpy" not in loaded
    assert kinds == {"pipe", "/dev/null"}
    assert "Max open files            0" in ends


@BOTH
@pytest.mark.parametrize("name", t.WASI)
def test_a_module_that_wants_anything_of_its_host_is_refused(name, runtime):
    with pytest.raises(ModelError, match="is not sealed: it has an import section"):
        Session(t.text(imports=t.WASI[name]), runtime)


@BOTH
@pytest.mark.parametrize(
    ("module", "text"),
    [
        (t.text(memory="1 2"), "may grow from 1 pages to 2"),
        (t.text(memory="1"), "may grow"),
        (t.text(memory="4000 4000"), "262144000 bytes of memory; the limit is 67108864"),
        (t.text(more="(func $s) (start $s)"), "has a start function"),
        (t.text(sv_train_abi=2), "interface 2, not 1"),
        (t.text(sv_param_count=0), "parameters is 0"),
        (t.text(sv_param_count=-1), "parameters is -1"),
        (t.text(sv_param_count=1 << 30), "parameters is 1073741824"),
        (t.text(sv_params=65528), "sv_params has 16 bytes at address 65528 of 65536"),
        (t.text(sv_examples=-4), "at address 4294967292"),
        (t.text(sv_labels=0), "sv_labels"),
        (t.text(sv_hyper=2), "sv_hyper"),
        (t.text(sv_batch_capacity=1 << 15), "batch is 32768"),
        (t.text(sv_label_kind=2), "2 targets for 3 outputs"),
        (b"\0asm\1\0\0\0", "it has 0 memories, not one"),
        (b"", "begin with"),
        (module_of(HEAD)[:2000], ""),
    ],
)
def test_a_module_that_lies_is_refused_in_one_line(module, text, runtime):
    with pytest.raises(ModelError) as told:
        Session(module, runtime)
    assert text in str(told.value)
    assert "\n" not in str(told.value)


@BOTH
@pytest.mark.parametrize(
    ("body", "text"),
    [(t.TRAP, "divi"), (t.OUTSIDE, "out of bounds"), ("(unreachable)", "unreachable")],
)
def test_a_module_that_traps_ends_its_session(body, text, runtime):
    with Session(t.text(body), runtime) as session:
        with pytest.raises(ModelError, match=text):
            session.train(*ONE)
        with pytest.raises(ModelError, match="has ended"):
            session.parameters()


@BOTH
def test_a_loop_is_ended_by_the_clock(runtime):
    began = time.monotonic()
    with Session(t.text(t.SPINS), runtime, Limits(call_s=3.0)) as session:
        with pytest.raises(ModelError, match="gave no answer in 3 s"):
            session.train(*ONE)
        with pytest.raises(ProcessLookupError):
            os.kill(session.pid, 0)
    assert time.monotonic() - began < 30


def test_all_requests_together_have_an_end_too():
    with Session(t.text(), limits=Limits(total_s=5.0)) as session:
        steps = itertools.repeat(ONE)
        with pytest.raises(ModelError, match="the trainer's 5 s are over"):
            all(session.train(*step) >= 0 for step in steps)


def test_processor_time_is_limited_by_the_kernel():
    with Session(t.text(t.SPINS), limits=Limits(total_s=30.0)) as session:
        soft, _ = resource.prlimit(session.pid, resource.RLIMIT_CPU)
    assert soft == 31


def test_steps_are_counted():
    with Session(t.text(), limits=Limits(steps=2)) as session:
        session.train(*ONE)
        session.train(*ONE)
        with pytest.raises(ModelError, match="more than 2 steps"):
            session.train(*ONE)


def test_memory_does_not_grow():
    with Session(t.text(t.GROW)) as session:
        assert session.train(*ONE) == -1
    with pytest.raises(ModelError, match=r"memory\.grow"):
        Session(t.text(t.GROW), "wasm3")


@pytest.mark.parametrize("claimed", [-1, 2, 2**31 - 1])
def test_more_right_answers_than_examples_are_refused(claimed):
    session = Session(t.text(sv_correct=claimed))
    with pytest.raises(ModelError, match="right answers of 1"):
        session.evaluate(*ONE)


@pytest.mark.parametrize(
    "call",
    [
        lambda s: s.train(b"", b"", 0),
        lambda s: s.train(bytes(72), bytes(36), 9),
        lambda s: s.train(bytes(8), bytes(8), 1),
        lambda s: s.train(bytes(4), bytes(4), 1),
        lambda s: s.write_parameters(bytes(20)),
        lambda s: s.write_hyper(bytes(28)),
        lambda s: s.write_anchor(FOUR),
        lambda s: s.write_control(FOUR),
        lambda s: s.norms(1),
        lambda s: s.outputs(-1),
    ],
)
def test_a_wrong_request_is_refused_and_the_session_goes_on(call):
    with Session(t.text()) as session:
        session.write_parameters(FOUR)
        with pytest.raises(ModelError):
            call(session)
        assert session.parameters() == FOUR


LIAR = """
import os, sys
hello, answer = bytes.fromhex(sys.argv[1]), bytes.fromhex(sys.argv[2])
sys.stdin.buffer.raw.readinto(bytearray(16))
sys.stdin.buffer.raw.readinto(bytearray(len("wasmtime")))
os.write(1, hello)
while os.read(0, 65536):
    os.write(1, answer)
"""
SHAPE = wire.pack_shape(Shape(4, 2, 3, 0, 8, False, False, False))
HELLO = b"\0" + SHAPE + struct.pack("<I", 2) + b"ok"


@pytest.fixture
def liar(monkeypatch):
    """A child that has broken out of everything but its process: it says what it likes."""

    def started(hello: bytes, answer: bytes, **limits: float) -> Session:
        words = [sys.executable, "-c", LIAR, hello.hex(), answer.hex()]
        monkeypatch.setattr(sessions, "_COMMAND", words)
        return Session(b"", limits=Limits(**limits))

    return started


def test_an_update_has_as_many_bytes_as_parameters_whatever_is_said(liar):
    with liar(HELLO, b"\0" + FOUR + b"a secret" * 1000) as session:
        assert session.parameters() == FOUR
        time.sleep(0.2)  # what follows the answer is there when the next request comes
        with pytest.raises(ModelError, match="that it was not asked for"):
            session.parameters()


def test_a_child_that_says_nothing_or_less_is_ended(liar):
    session = liar(HELLO, b"\0" + FOUR[:9], call_s=2.0)
    with pytest.raises(ModelError, match="gave no answer in 2 s"):
        session.parameters()


@pytest.mark.parametrize(
    ("hello", "text"),
    [
        (b"\7", "nonsense"),
        (b"\0" + b"\xff" * wire.SHAPE.size, "parameters is 4294967295"),
        (b"\1\xff\xff\xff\xff" + b"x\n" * 300, "x x x"),
    ],
)
def test_a_child_that_begins_with_nonsense_is_ended(liar, hello, text):
    with pytest.raises(ModelError) as told:
        liar(hello, b"")
    assert text in str(told.value)
    assert len(str(told.value)) <= wire.MAX_TEXT


def test_a_child_that_dies_is_named(monkeypatch):
    kill = "import os; os.kill(os.getpid(), 9)"
    monkeypatch.setattr(sessions, "_COMMAND", [sys.executable, "-c", kill])
    with pytest.raises(ModelError, match="died with SIGKILL"):
        Session(module_of(HEAD))


def test_a_runtime_that_is_not_here_is_named(monkeypatch):
    hide = "import sys; sys.modules['wasm3'] = None; sys.argv[1:] = []; import runpy; "
    run = "runpy.run_module('agent.learning.trainer.app', run_name='__main__')"
    monkeypatch.setattr(sessions, "_COMMAND", [sys.executable, "-P", "-c", hide + run])
    with pytest.raises(UnavailableError, match="wasm3 cannot be imported"):
        Session(module_of(HEAD, "scalar"), "wasm3")


ESCAPED = """
import json, os, socket, sys, threading
from pathlib import Path
from agent.learning.trainer.adapters.walls import limit_time, raise_walls

secret, port = sys.argv[1:]
limit_time(60)
held, answers = raise_walls(), {}

def attempt(name, action):
    try:
        action()
        answers[name] = "done"
    except (OSError, RuntimeError, MemoryError) as error:
        answers[name] = "refused"

attempt("read a file", lambda: Path(secret).read_bytes())
attempt("read its own code", lambda: Path(json.__file__).read_bytes())
attempt("list a folder", lambda: os.listdir("/"))
attempt("make a file", lambda: Path(secret + ".new").write_bytes(b"x"))
attempt("open a socket", lambda: socket.socket())
attempt("connect", lambda: socket.create_connection(("127.0.0.1", int(port)), 5))
attempt("run a program", lambda: os.execv("/bin/true", ["true"]))
attempt("signal the parent", lambda: os.kill(os.getppid(), 0))
attempt("double its pipe", lambda: os.dup(1))
attempt("take much memory", lambda: bytearray(256 << 20))
os.write(1, json.dumps([held, answers]).encode())
"""


def test_a_process_that_has_been_taken_over_reaches_nothing(tmp_path):
    if landlock.version() < 6 or platform.machine() not in seccomp.MACHINES:
        pytest.skip("this kernel has no Landlock of version 6 or no filter for its machine")
    secret = tmp_path / "secret"
    secret.write_bytes(b"private")
    with socket.create_server(("127.0.0.1", 0)) as server:
        words = [str(secret), str(server.getsockname()[1])]
        command = [sys.executable, "-c", ESCAPED, *words]
        told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    held, answers = json.loads(told.stdout)
    assert held.startswith("confined by no-new-privs, limits, landlock ")
    assert held.endswith("seccomp")
    assert set(answers.values()) == {"refused"}, answers
    assert list(tmp_path.iterdir()) == [secret]


@settings(max_examples=25)
@given(st.binary(max_size=60))
def test_any_first_words_of_a_child_are_taken_or_refused(said):
    """The parser of what a child says first, without a child."""
    try:
        shape = wire.read_shape((said + SHAPE)[: wire.SHAPE.size])
    except ModelError:
        return
    assert 0 < shape.parameter_bytes <= 64 << 20


def test_the_child_stays_small():
    with Session(module_of(CNN)) as session:
        status = Path(f"/proc/{session.pid}/status").read_text()
    rss_kb = int(status.split("VmRSS:")[1].split()[0])
    print(f"\ntrainer child: {rss_kb} kB")
    assert rss_kb < 80 * 1024
