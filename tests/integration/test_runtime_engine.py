"""Runtimes wasmtime, wasm3 and host: the same bytes, and what is kept between starts."""

import os
import stat
from pathlib import Path

import numpy as np
import pytest

import selvedge
from agent.errors import ModelError, UnavailableError
from agent.runtime.adapters import installed, wasm3
from agent.runtime.adapters.aot_cache import MAX_FILES, AotCache
from agent.runtime.adapters.loading import Options, load
from agent.runtime.wasm.sealed import seal
from tests.support.engine import Lite, Micro, difference, engine_of
from tests.support.engine_cases import case, is_per_tensor, older
from tests.support.wasm_modules import module_of
from tests.support.wasm_text import Made, const
from toolchain.convert.convert import Choices, to_plan

RUNTIMES = ("wasmtime", "wasm3", "host")


def file_for(runtime: str, model: bytes, folder: Path) -> str:
    path = folder / ("m.plan" if runtime == "host" else "m.wasm")
    path.write_bytes(
        to_plan(model, Choices(target="portable")) if runtime == "host" else module_of(model)
    )
    return str(path)


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("family", ["conv", "depthwise", "add", "softmax", "concatenation"])
def test_every_home_of_the_engine_gives_the_bytes_of_tflite_micro(runtime, family, tmp_path):
    for seed in range(3):
        made = case(family, seed)
        model = load(file_for(runtime, made.model, tmp_path), runtime).model
        assert [info.shape for info in model.inputs] == [array.shape for array in made.inputs]
        for _ in range(2):
            assert difference(model.run(made.inputs), Micro(made.model).run(made.inputs)) == 0
        assert model.info().runtime == runtime


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_uint8_model_takes_and_gives_uint8(runtime, tmp_path):
    seed = next(seed for seed in range(20) if is_per_tensor(case("conv", seed)))
    made = older(case("conv", seed), seed)
    model = load(file_for(runtime, made.model, tmp_path)).model
    assert {info.dtype for info in (*model.inputs, *model.outputs)} == {"uint8"}
    reference = Lite(made.model)
    assert difference(model.run(made.inputs), reference.run(made.inputs)) == 0
    model.input_view(0)[...] = made.inputs[0]
    model.invoke()
    assert (model.output_view(0) == reference.run(made.inputs)[0]).all()
    details = reference._interpreter.get_input_details()
    assert model.inputs[0].zero_point == details[0]["quantization"][1]


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_arrays_that_do_not_fit_are_refused(runtime, tmp_path):
    made = case("conv", 0)
    model = load(file_for(runtime, made.model, tmp_path)).model
    with pytest.raises(ModelError, match="inputs, got 0"):
        model.run([])
    with pytest.raises(ModelError, match="the model wants"):
        model.run([made.inputs[0].astype(np.int16)])


@pytest.mark.parametrize("runtime", ["wasmtime", "wasm3"])
def test_views_are_the_modules_own_memory(runtime, tmp_path):
    path = tmp_path / "m.wasm"
    path.write_bytes(Made().bytes())
    model = load(str(path), runtime).model
    view, answer = model.input_view(0), model.output_view(0)
    view[...] = [[1, 2, 3, -128]]
    model.invoke()
    assert answer.tolist() == [[2, 3, 4, -127]]
    assert answer.ctypes.data - view.ctypes.data == 16


def test_auto_prefers_wasmtime_and_falls_back_to_wasm3(tmp_path, monkeypatch):
    path = file_for("wasm", case("conv", 0).model, tmp_path)
    assert load(path).model.info().runtime == "wasmtime"
    monkeypatch.setattr(installed, "POINTER_BITS", 32)
    loaded = load(path)
    assert loaded.model.info().runtime == "wasm3"
    assert "not wasmtime: install wasmtime on a 64-bit system" in loaded.reason
    with pytest.raises(UnavailableError, match="64-bit system"):
        load(path, "wasmtime")


def test_a_simd_module_is_not_for_wasm3(tmp_path):
    path = tmp_path / "m.wasm"
    path.write_bytes(Made(custom=(("selvedge", b'{"target":"simd"}'),)).bytes())
    with pytest.raises(ModelError, match="the model is made for wasmtime, not for wasm3"):
        load(str(path), "wasm3")
    vector = b"\xfd\x0c" + bytes(16) + b"\x1a" + const(0)
    path.write_bytes(Made(invoke=vector).bytes())  # it does not say so
    assert load(str(path), "wasmtime").model.info().runtime == "wasmtime"
    with pytest.raises(ModelError, match=r"uses SIMD at byte .*run it with wasmtime"):
        load(str(path), "wasm3")


def test_a_damaged_plan_is_refused_by_the_engine(tmp_path):
    data = bytearray(to_plan(case("conv", 0).model, Choices(target="portable")))
    data[-1] ^= 1
    (tmp_path / "m.plan").write_bytes(data)
    with pytest.raises(ModelError, match=r"the engine refuses the plan: status 4 \(corrupt\)"):
        load(str(tmp_path / "m.plan"))


def detail(path: str, cache: Path) -> str:
    return load(path, "wasmtime", Options(cache=cache)).model.info().detail.partition(", ")[2]


@pytest.fixture
def module(tmp_path) -> str:
    return file_for("wasm", case("conv", 0).model, tmp_path)


def test_machine_code_is_kept_and_made_anew_when_it_is_damaged(module, tmp_path):
    cache = tmp_path / "cache"
    assert [detail(module, cache) for _ in range(2)] == ["compiled", "from the cache"]
    (kept,) = cache.iterdir()
    assert stat.S_IMODE(cache.stat().st_mode) == 0o700
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    good = kept.read_bytes()
    for bad in (b"", good[:40], good[:-1], good[:-1] + bytes([good[-1] ^ 1]), b"x" * len(good)):
        kept.write_bytes(bad)
        assert [detail(module, cache) for _ in range(2)] == ["compiled", "from the cache"]
    assert list(cache.iterdir()) == [kept]


def test_code_with_and_without_a_deadline_is_not_confused(module, tmp_path):
    options = [Options(cache=tmp_path / "cache", deadline_s=each) for each in (None, 5.0, None)]
    told = [load(module, "wasmtime", each).model.info().detail for each in options]
    assert [line.partition(", ")[2] for line in told] == ["compiled", "compiled", "from the cache"]


def test_code_that_wasmtime_does_not_know_is_made_anew(module, tmp_path, monkeypatch):
    cache = tmp_path / "cache"
    detail(module, cache)
    monkeypatch.setattr(AotCache, "get", lambda *_: b"another version's code")
    assert detail(module, cache) == "compiled"


@pytest.mark.parametrize("mode", [0o701, 0o710, 0o777, 0o1777])
def test_a_folder_that_others_can_enter_is_not_used(module, tmp_path, mode):
    cache = tmp_path / "cache"
    cache.mkdir()
    cache.chmod(mode)
    assert [detail(module, cache) for _ in range(2)] == ["compiled, not kept"] * 2
    assert list(cache.iterdir()) == []


def test_a_folder_behind_a_link_or_a_file_is_not_used(module, tmp_path):
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "file").write_bytes(b"")
    for name in ("link", "file", "file/cache", "/proc/nowhere"):
        assert detail(module, tmp_path / name) == "compiled, not kept"
    assert list((tmp_path / "real").iterdir()) == []


def test_a_file_that_others_could_have_written_is_not_run(module, tmp_path):
    cache = tmp_path / "cache"
    detail(module, cache)
    (kept,) = cache.iterdir()
    kept.chmod(0o620)
    assert detail(module, cache) == "compiled"
    good = tmp_path / "good"
    kept.rename(good)
    kept.symlink_to(good)
    assert detail(module, cache) == "compiled"
    assert not kept.is_symlink()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_what_another_user_owns_is_not_run(module, tmp_path):
    cache = tmp_path / "cache"
    detail(module, cache)
    (kept,) = cache.iterdir()
    os.chown(kept, 65534, 65534)
    assert detail(module, cache) == "compiled"
    os.chown(cache, 65534, 65534)
    assert detail(module, cache) == "compiled, not kept"


def test_the_cache_forgets_the_oldest(tmp_path):
    cache = AotCache(tmp_path / "cache")
    for number in range(MAX_FILES + 3):
        cache.put(b"code", str(number))
        os.utime(max((tmp_path / "cache").iterdir(), key=os.path.getmtime), (number, number))
    assert len(list((tmp_path / "cache").iterdir())) == MAX_FILES
    assert cache.get("0") is None
    assert cache.get(str(MAX_FILES + 2)) == b"code"


def spy_on_pool(monkeypatch) -> list[wasm3.Wasm3Instance]:
    taken, take = [], wasm3.Wasm3Pool.take

    def noting(*arguments):
        taken.append(take(*arguments))
        return taken[-1]

    monkeypatch.setattr(wasm3.Wasm3Pool, "take", noting)
    return taken


def test_a_wasm3_instance_is_used_again_as_if_new(monkeypatch):
    remembers = (
        const(300) + const(300) + b"\x28\2\0" + const(1) + b"\x6a\x36\2\0"  # one more in memory
        + const(272) + const(300) + b"\x28\2\0" + b"\x36\2\0" + const(0)
    )  # fmt: skip
    module = seal(Made(invoke=remembers).bytes())
    taken = spy_on_pool(monkeypatch)
    first = wasm3.Wasm3Model(module, "a hash")
    assert [first.run([np.zeros((1, 4), np.int8)])[0][0, 0] for _ in range(3)] == [1, 2, 3]
    beside = wasm3.Wasm3Model(module, "a hash")
    assert beside.run([np.zeros((1, 4), np.int8)])[0][0, 0] == 1
    del first
    again = wasm3.Wasm3Model(module, "a hash")
    assert taken[1] is not taken[0]
    assert taken[2] is taken[0]
    assert again.run([np.zeros((1, 4), np.int8)])[0][0, 0] == 1


def test_a_wasm3_instance_that_trapped_is_not_used_again(monkeypatch):
    module = seal(Made(invoke=b"\0").bytes())
    taken = spy_on_pool(monkeypatch)
    first = wasm3.Wasm3Model(module, "another hash")
    with pytest.raises(ModelError, match="unreachable"):
        first.invoke()
    del first
    wasm3.Wasm3Model(module, "another hash")
    assert taken[1] is not taken[0]


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_infer_and_bench_run_it(runtime, tmp_path, monkeypatch, capsys):
    import json

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    made = case("conv", 0)
    path, given, answer = (
        file_for(runtime, made.model, tmp_path),
        tmp_path / "x",
        tmp_path / "y.npy",
    )
    np.save(given, made.inputs[0])
    words = ["infer", path, "--runtime", runtime, "--input", f"{given}.npy"]
    assert selvedge.main([*words, "--output", str(answer), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["runtime"] == runtime
    assert (np.load(answer) == engine_of(made.model).run(made.inputs)[0]).all()
    assert selvedge.main(["bench", path, "--runtimes", runtime, "--repeat", "5", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["results"]
    assert (row["runtime"], row["runs"]) == (runtime, 5)
    assert row["median_ms"] > 0
    assert (tmp_path / "cache" / "selvedge").exists() == (runtime == "wasmtime")
