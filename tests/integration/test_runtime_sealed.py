"""Whatever a module tries, `infer` says one line, and a running agent lives on."""

import time

import numpy as np
import pytest

import selvedge
from agent.errors import ModelError
from agent.runtime.adapters.loading import load
from tests.support.agents import Fleet, RunningAgent
from tests.support.sealed_modules import GROWS, REFUSED, STOPPED
from tests.support.wasm_text import Made

RUNTIMES = ("wasmtime", "wasm3")


@pytest.fixture
def infer(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    np.save(tmp_path / "x.npy", np.zeros((1, 4), np.int8))

    def run(made: Made, runtime: str, deadline_s: float = 20.0) -> tuple[int, str]:
        path = tmp_path / "m.wasm"
        path.write_bytes(made.bytes())
        words = ("--runtime", runtime, "--deadline", str(deadline_s))
        code = selvedge.main(["infer", str(path), "--input", str(tmp_path / "x.npy"), *words])
        return code, capsys.readouterr().err

    return run


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("what", REFUSED)
def test_a_refusal_is_one_line_and_exit_code_4(infer, what, runtime):
    made, text = REFUSED[what]
    code, said = infer(made, runtime)
    assert (code, said.count("\n")) == (4, 1), said
    assert text in said
    assert "m.wasm" in said


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("what", STOPPED)
def test_what_goes_wrong_in_a_run_is_one_line_and_exit_code_4(infer, what, runtime):
    invoke, text = STOPPED[what]
    start = time.monotonic()
    code, said = infer(Made(invoke=invoke), runtime, 1.5 if what == "loop for ever" else 20.0)
    assert (code, said.count("\n")) == (4, 1), said
    assert text in said
    assert time.monotonic() - start < 15


def test_a_loop_is_named_by_the_runtime_that_can(infer):
    made = Made(invoke=STOPPED["loop for ever"][0])
    assert "gave no answer on" in infer(made, "wasm3", 1.5)[1]
    for deadline_s in (3.0, 12.0, 48.0):  # the run has half of it, and starting may take the rest
        said = infer(made, "wasmtime", deadline_s)[1]
        if "gave no answer on" not in said:
            break
    assert f"it ran for more than {deadline_s / 2:g} s" in said


def test_memory_does_not_grow(infer, tmp_path):
    code, said = infer(Made(invoke=GROWS), "wasm3")
    assert (code, "uses memory.grow" in said) == (4, True)
    (tmp_path / "m.wasm").write_bytes(Made(invoke=GROWS).bytes())
    model = load(str(tmp_path / "m.wasm"), "wasmtime").model
    before = model.input_view(0).ctypes.data
    model.invoke()
    assert model.input_view(0).ctypes.data == before
    grown = Made(invoke=b"\x41\1\x40\0")  # the status is what memory.grow answers
    (tmp_path / "m.wasm").write_bytes(grown.bytes())
    with pytest.raises(ModelError, match="status -1"):
        load(str(tmp_path / "m.wasm"), "wasmtime").model.invoke()


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_pipeline_reports_what_its_module_did_and_the_others_go_on(bench, broker, runtime):
    wrong = {
        "imports": REFUSED["imports"],
        "liar": REFUSED["a lie about a shape"],
        "trap": (Made(invoke=STOPPED["trap"][0]), "unreachable"),
        "recursion": (Made(invoke=STOPPED["endless recursion"][0]), "stack"),
        "outside": (Made(invoke=STOPPED["write outside"][0]), "out of bounds"),
        "loop": (Made(invoke=STOPPED["loop for ever"][0]), "stuck: no progress for 500 ms"),
    }
    frames = bench.folder / "frames.npy"
    np.save(frames, np.zeros((8, 1, 4), np.int8))
    pipelines = {"digits": bench.pipeline()}
    for name, (made, _) in wrong.items():
        path = bench.folder / f"{name}.wasm"
        path.write_bytes(made.bytes())
        pipelines[name] = {
            "model": str(path),
            "runtime": runtime,
            "source": {"kind": "replay", "path": str(frames), "rate_hz": 20.0, "loop": True},
            "preprocess": {"kind": "tensor"},
            "postprocess": {"kind": "regress"},
            "deadline_ms": 500,
        }
    with (
        Fleet(broker.address.port) as fleet,
        RunningAgent(bench.config(pipelines), broker.address.port) as agent,
    ):

        def told(name: str) -> str:
            status = fleet.status()
            known = status.pipelines.get(name) if status else None
            return f"{known.state}: {known.reason}" if known else ""

        for name, (_, text) in wrong.items():
            state = "backoff" if name == "loop" else "failed"
            fleet.wait(lambda n=name, s=state, t=text: told(n).startswith(s) and t in told(n), 60)
        before = fleet.count("digits")
        fleet.wait(lambda: fleet.count("digits") > before + 20)
        assert told("digits").startswith("running")
        assert agent.stop() == 0
        assert len(agent.output().splitlines()) < 100
