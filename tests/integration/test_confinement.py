"""What a child that runs a module can still do to its machine: tried, from inside one."""

import json
import platform
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from agent.config.device import PipelineConfig
from agent.pipeline.adapters import landlock, seccomp
from agent.pipeline.reach import DEVICES, Reach, reach_of
from broker.contract.shape import parse
from firmware_bridge.adapters.unix_socket import listen
from tests.support.agents import Fleet, RunningAgent
from tests.support.wasm_text import Made

ROOT = Path(__file__).resolve().parents[2]
TRIES = """
import json, os, socket, sys, threading
from pathlib import Path
from agent.pipeline.adapters.confinement import confine
from agent.pipeline.reach import Reach

allowed, other, network, port = sys.argv[1:]
waiting, answers = threading.Event(), {}

def attempt(name, action):
    try:
        action()
        answers[name] = "done"
    except OSError as error:
        answers[name] = type(error).__name__

def from_another_thread():
    waiting.wait()
    attempt("a socket of an older thread", socket.socket)

thread = threading.Thread(target=from_another_thread)
thread.start()
answers["said"] = confine(Reach((allowed,), network=network == "yes"))
waiting.set()
thread.join()
attempt("read what is allowed", lambda: Path(allowed).read_bytes())
attempt("write what is allowed", lambda: Path(allowed).write_bytes(b""))
attempt("read another file", lambda: Path(other).read_bytes())
attempt("list the root", lambda: os.listdir("/"))
attempt("read /etc/passwd", lambda: Path("/etc/passwd").read_bytes())
attempt("make a file", lambda: Path(other + ".new").write_bytes(b""))
attempt("load a module", lambda: __import__("PIL.BmpImagePlugin"))
attempt("connect", lambda: socket.create_connection(("127.0.0.1", int(port)), 5))
attempt("run a program", lambda: os.execv("/bin/true", ["true"]))
attempt("signal the parent", lambda: os.kill(os.getppid(), 0))
print(json.dumps(answers))
"""


def tried(folder: Path, network: str) -> dict[str, str]:
    allowed, other = folder / "allowed", folder / "other"
    allowed.write_bytes(b"a")
    other.write_bytes(b"b")
    with socket.create_server(("127.0.0.1", 0)) as server:
        words = [str(allowed), str(other), network, str(server.getsockname()[1])]
        told = subprocess.run(
            [sys.executable, "-c", TRIES, *words],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
    return json.loads(told.stdout)


def test_a_confined_child_reads_what_its_source_needs_and_nothing_else(tmp_path):
    if landlock.version() < 6 or platform.machine() not in seccomp.MACHINES:
        pytest.skip("this kernel has no Landlock of version 6 or no filter for its machine")
    answers = tried(tmp_path, "no")
    assert answers.pop("said").startswith("confined by no-new-privs, landlock ")
    assert answers == {
        "a socket of an older thread": "PermissionError",
        "read what is allowed": "done",
        "write what is allowed": "PermissionError",
        "read another file": "PermissionError",
        "list the root": "PermissionError",
        "read /etc/passwd": "PermissionError",
        "make a file": "PermissionError",
        "load a module": "done",
        "connect": "PermissionError",
        "run a program": "PermissionError",
        "signal the parent": "PermissionError",
    }
    assert (tmp_path / "allowed").read_bytes() == b"a"
    assert not (tmp_path / "other.new").exists()


def test_a_source_on_the_network_keeps_it_and_only_it(tmp_path):
    if landlock.version() == 0:
        pytest.skip("this kernel has no Landlock")
    answers = tried(tmp_path, "yes")
    assert answers["connect"] == answers["a socket of an older thread"] == "done"
    assert answers["read another file"] == "PermissionError"


def test_an_older_kernel_gives_what_it_has(tmp_path, monkeypatch):
    """The sizes of older versions are taken by newer kernels, which a child of ours asks for."""
    if landlock.version() == 0:
        pytest.skip("this kernel has no Landlock")
    for version in (1, 2, 3, 4, 5):
        program = (
            "import sys; from pathlib import Path; from agent.pipeline.adapters import landlock\n"
            f"landlock.version = lambda: {version}\n"
            "landlock.restrict({Path(sys.argv[1]): landlock.READ}, network=False)\n"
            "try: open('/etc/passwd')\n"
            "except PermissionError: print('refused')"
        )
        told = subprocess.run(
            [sys.executable, "-c", program, str(tmp_path)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        assert told.stdout == "refused\n"


def config(source: dict[str, object], **changes: object) -> PipelineConfig:
    tree = {"source": source, "model": "m", "postprocess": {"kind": "regress"}} | changes
    found = parse(PipelineConfig, tree)
    assert isinstance(found, PipelineConfig), found
    return found


def test_each_source_has_what_it_opens():
    assert reach_of(config({"kind": "replay", "path": "/x"})) == Reach(("/x",))
    assert reach_of(config({"kind": "v4l2"})) == Reach(write=DEVICES)
    assert reach_of(config({"kind": "picamera2"})) is None
    detect = {"kind": "detect", "format": "ssd", "anchors": "/a.npy"}
    replay = {"kind": "replay", "path": "/x"}
    assert reach_of(config(replay, postprocess=detect)) == Reach(("/x", "/a.npy"))


@pytest.mark.parametrize("runtime", ["wasmtime", "wasm3"])
def test_a_pipeline_under_wasm_is_confined_and_serves(bench, broker, runtime):
    frames, module = bench.folder / "frames.npy", bench.folder / "m.wasm"
    np.save(frames, np.zeros((8, 1, 4), np.int8))
    module.write_bytes(Made().bytes())
    pipeline = {
        "model": str(module),
        "runtime": runtime,
        "source": {"kind": "replay", "path": str(frames), "rate_hz": 20.0, "loop": True},
        "preprocess": {"kind": "tensor"},
        "postprocess": {"kind": "regress"},
    }
    with (
        Fleet(broker.address.port) as fleet,
        RunningAgent(bench.config({"w": pipeline}), broker.address.port) as agent,
    ):
        fleet.wait(lambda: fleet.count("w") > 3 and fleet.state("w") == "running")
        reason = fleet.status().pipelines["w"].runtime_reason
        (child,) = agent.children()
        facts = Path(f"/proc/{child.pid}/status").read_text(encoding="ascii")
        assert "confined by no-new-privs" in reason
        assert "NoNewPrivs:\t1" in facts
        assert ("Seccomp:\t2" in facts) == ("seccomp" in reason)
        if runtime == "wasmtime":
            kept = list((agent.state / "cache").iterdir())
            assert len(kept) == 1
            assert (agent.state / "cache").stat().st_mode & 0o777 == 0o700
        assert agent.stop() == 0


WITH_A_BRIDGE = """
import os, socket, sys
from pathlib import Path
from agent.pipeline.adapters.confinement import confine
from agent.pipeline.reach import Reach
from firmware_bridge.adapters.unix_socket import connect

print(confine(Reach(bridge=True)))
connect(Path(sys.argv[1]), 5).sendall(b"here")
for action in (socket.socket, lambda: os.execv("/bin/true", ["true"])):
    try:
        action()
        print("done")
    except OSError as error:
        print(type(error).__name__)
"""


def test_a_child_with_a_bridge_reaches_unix_sockets_and_no_network(tmp_path):
    if landlock.version() < 6 or platform.machine() not in seccomp.MACHINES:
        pytest.skip("this kernel has no Landlock of version 6 or no filter for its machine")
    with listen(tmp_path / "bridge.sock") as listener:
        told = subprocess.run(
            [sys.executable, "-c", WITH_A_BRIDGE, str(tmp_path / "bridge.sock")],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        assert listener.accept()[0].recv(10) == b"here"
    assert told.stdout.splitlines()[1:] == ["PermissionError"] * 2
    assert "seccomp" in told.stdout


ADOPTS = """
import json, sys, time
from pathlib import Path
from agent.config.device import PipelineConfig
from agent.pipeline.adapters.assembling import Assembly, Places
from broker.contract.shape import parse

state, model, frames, adopts, there = sys.argv[1:]
state = Path(state)
config = parse(PipelineConfig, {
    "model": model, "source": {"kind": "replay", "path": frames}, "runtime": "wasm3",
    "postprocess": {"kind": "regress"}, "learning": {"jobs": ["j"], "adopt": adopts == "yes"},
})
if there == "yes":
    (state / "models").mkdir()
    (state / "models" / "another").write_bytes(b"")
places = Places(state / "cache", None, state / "models")
_, loaded = Assembly(config, places, time.monotonic_ns).first()
assert "landlock" in loaded.reason, loaded.reason
answers = {}
for name in ("samples.sqlite3", "models/another"):
    try:
        (state / name).read_bytes()
        answers[name] = "done"
    except OSError as error:
        answers[name] = type(error).__name__
print(json.dumps(answers))
"""


@pytest.mark.parametrize(
    ("adopts", "there", "another"),
    [("yes", "yes", "done"), ("no", "yes", "PermissionError"), ("yes", "no", "FileNotFoundError")],
)
def test_a_child_that_adopts_reads_models_and_nothing_else_of_the_agent(
    tmp_path, adopts, there, another
):
    if landlock.version() == 0:
        pytest.skip("this kernel has no Landlock")
    state, module, frames = tmp_path / "state", tmp_path / "m.wasm", tmp_path / "f.npy"
    state.mkdir()
    (state / "samples.sqlite3").write_bytes(b"private")
    module.write_bytes(Made().bytes())
    np.save(frames, np.zeros((8, 1, 4), np.int8))
    told = subprocess.run(
        [sys.executable, "-c", ADOPTS, str(state), str(module), str(frames), adopts, there],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(told.stdout) == {
        "samples.sqlite3": "PermissionError",
        "models/another": another,
    }
