"""The installer's process: what it puts together, what it lets pass, and how it ends."""

import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agent.config.device import PipelineConfig
from agent.errors import ModelError
from agent.models.adapters.process import InstallerProcess
from agent.models.choice import artifact_of, as_released, file_name, golden_name
from agent.models.installer.golden import check_samples, samples_of
from agent.models.request import Golden, Item, Report, Request, Verify
from broker.contract.blobs import blob_ref
from broker.contract.bundle.manifest import Golden as GoldenSpec
from broker.contract.bundle.manifest import TensorSpec
from broker.contract.shape import parse, to_tree
from tests.support.shipping import TOLERANCE, Shipment, shipment
from tests.support.wasm_text import Made, const

LABELS = [str(digit) for digit in range(10)]
RUNTIMES = ("tflite", "wasmtime", "wasm3")


def report(request: Request) -> Report:
    process = InstallerProcess(request)
    while (found := process.poll()) is None:
        time.sleep(0.01)
    with pytest.raises(ProcessLookupError):
        os.kill(process.pid, 0)
    return found


def config(**changes: Any) -> PipelineConfig:
    tree = {
        "model": "/m.tflite",
        "source": {"kind": "replay", "path": "/x"},
        "preprocess": {"kind": "image"},
        "postprocess": {"kind": "classify", "labels": LABELS},
    }
    found = parse(PipelineConfig, tree | changes)
    assert isinstance(found, PipelineConfig), found
    return found


def items(made: Shipment, folder: Path, pipeline: PipelineConfig) -> tuple[Item, ...]:
    artifact = artifact_of(made.manifest, pipeline, RUNTIMES)
    golden = made.manifest.golden
    wanted = {
        made.release.manifest: "manifest.json",
        artifact.blob: file_name(artifact),
        golden.inputs: golden_name(golden.inputs),
        golden.outputs: golden_name(golden.outputs),
    }
    blobs = folder / "blobs"
    blobs.mkdir(exist_ok=True)
    for data in (made.document, *made.files):
        (blobs / blob_ref(data).sha256).write_bytes(data)
    return tuple(Item(str(blobs / ref.sha256), ref, name) for ref, name in wanted.items())


def tried(
    made: Shipment, folder: Path, pipeline: PipelineConfig, deadline_s: float = 60.0
) -> Report:
    """Put a release together and try it."""
    found = report(Verify("verify", str(folder / "r"), items(made, folder, pipeline)))
    assert found == Report()
    artifact = artifact_of(made.manifest, pipeline, RUNTIMES)
    released = as_released(pipeline, made.manifest, str(folder / "r" / file_name(artifact)))
    cache = str(folder / "cache")
    return report(Golden("golden", str(folder / "r"), to_tree(released), cache, deadline_s))


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_good_release_passes(tmp_path: Path, runtime: str) -> None:
    assert tried(shipment(1, 1), tmp_path, config(runtime=runtime)) == Report()
    kept = list((tmp_path / "cache").glob("*.aot"))
    assert len(kept) == (runtime == "wasmtime"), "what was compiled is there for the pipeline"


def test_only_what_was_named_is_put_together(tmp_path: Path) -> None:
    made, pipeline = shipment(1, 1), config()
    wanted = items(made, tmp_path, pipeline)
    request = Verify("verify", str(tmp_path / "r"), wanted)
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / "left over").write_bytes(b"")
    assert report(request) == Report()
    assert {path.name for path in (tmp_path / "r").iterdir()} == {item.name for item in wanted}
    blob = Path(wanted[1].path)
    whole = blob.read_bytes()
    for damaged in (whole[:-1], whole + b"x", bytes([whole[0] ^ 1]) + whole[1:], b""):
        blob.write_bytes(damaged)
        found = report(request)
        assert "is not what it was fetched as" in (found.reason or "")
        assert not found.is_final
    blob.unlink()
    assert "No such file" in (report(request).reason or "")


def test_another_file_under_the_same_manifest_does_not_pass(tmp_path: Path) -> None:
    one, two = shipment(1, 1), shipment(2, 1)
    mixed = Shipment(replace(two.manifest, golden=one.manifest.golden), [*one.files, *two.files])
    found = tried(mixed, tmp_path, config())
    assert "golden sample" in (found.reason or "")
    assert f"{TOLERANCE} are allowed" in (found.reason or "")
    assert found.is_final


def test_a_pipeline_that_could_not_feed_it_refuses_it(tmp_path: Path) -> None:
    changes: dict[str, dict[str, Any]] = {
        "labels": {"postprocess": {"kind": "classify", "labels": ["one", "two"]}},
        "preprocess": {"preprocess": {"kind": "vector", "window": 7}},
    }
    for word, change in changes.items():
        found = tried(shipment(1, 1), tmp_path, config(**change))
        assert word in (found.reason or "")
        assert found.is_final


def test_a_manifest_that_tells_other_tensors_is_refused(tmp_path: Path) -> None:
    made = shipment(1, 1)
    tensor = made.manifest.input.tensor
    for bent in (replace(tensor, zero_point=7), replace(tensor, scale=tensor.scale * 1.01)):
        wrong = made.bent(input=replace(made.manifest.input, tensor=bent))
        found = tried(wrong, tmp_path, config())
        assert "as its manifest says" in (found.reason or "")
        assert found.is_final


def of_module(made: Made) -> Shipment:
    """A release of a hand-written module, which is to add one to each of four numbers."""
    data = made.bytes()
    good = shipment(1, 1)
    spec = TensorSpec((1, 4), "int8", 0.5, -3)
    rows, sums = bytes(range(8)), bytes(range(1, 9))
    artifact = replace(good.manifest.artifacts[2], blob=blob_ref(data))
    golden = GoldenSpec(2, blob_ref(rows), blob_ref(sums))
    manifest = replace(
        good.manifest,
        input=replace(good.manifest.input, tensor=spec),
        outputs=(replace(good.manifest.outputs[0], tensor=spec),),
        artifacts=(artifact,),
        golden=golden,
    )
    return Shipment(manifest, [data, rows, sums])


ENDLESS = b"\x03\x40\x0c\0\x0b" + const(0)
TRAPS = const(1 << 30) + b"\x2d\0\0"


@pytest.mark.parametrize(
    ("module", "reason"),
    [
        (Made(), None),
        (Made(invoke=const(0)), "golden sample 0 of 2: output 0 is off by 4 quanta; 0 are allowed"),
        (Made(invoke=const(5)), "status 5"),
        (Made(invoke=TRAPS), "the runtime failed"),
        (Made(invoke=ENDLESS), "golden: the installer was not done in time"),
        (Made(imports=b"\1\1a\1b\0\0"), "import"),
    ],
)
@pytest.mark.parametrize("runtime", ["wasmtime", "wasm3"])
def test_what_a_module_does_costs_no_more_than_its_process(
    tmp_path: Path, module: Made, reason: str | None, runtime: str
) -> None:
    plain = {"preprocess": {"kind": "tensor"}, "postprocess": {"kind": "regress"}}
    pipeline = config(runtime=runtime, **plain)
    deadline_s = 4.0 if module.invoke == ENDLESS else 60.0
    found = tried(of_module(module), tmp_path, pipeline, deadline_s)
    if reason is None:
        assert found == Report()
    else:
        assert reason in (found.reason or "")
        assert found.is_final


def test_a_function_made_to_exhaust_the_compiler_is_refused(tmp_path: Path) -> None:
    load, store = b"\x28\2\0", b"\x36\2\0"
    inner = const(0) + load + const(64) + load + b"\x6a" + load
    monster = (const(64) + const(3) + inner + b"\x6c" + store) * 100_000 + const(0)
    plain = {"preprocess": {"kind": "tensor"}, "postprocess": {"kind": "regress"}}
    found = tried(of_module(Made(invoke=monster)), tmp_path, config(runtime="wasmtime", **plain))
    assert "golden: the installer died with SIG" in (found.reason or "")
    assert found.is_final


def test_what_kills_its_process_is_refused(tmp_path: Path) -> None:
    made = shipment(1, 1)
    assert tried(made, tmp_path, config()) == Report()
    library = tmp_path / "crash.so"
    source = (
        "#include <signal.h>\n__attribute__((constructor)) static void f(void) { raise(11); }\n"
    )
    (tmp_path / "crash.c").write_text(source)
    assert os.system(f"cc -shared -fPIC -o {library} {tmp_path}/crash.c") == 0
    artifact = artifact_of(made.manifest, config(), RUNTIMES)
    path = str(tmp_path / "r" / file_name(artifact))
    released = as_released(config(delegate=str(library)), made.manifest, path)
    found = report(Golden("golden", str(tmp_path / "r"), to_tree(released), None, 30.0))
    assert found == Report("golden: the installer died with SIGSEGV", is_final=True)


def test_outputs_are_compared_as_the_manifest_allows() -> None:
    specs = [TensorSpec((1, 2), "int8", 0.1), TensorSpec((1, 1), "float32")]
    rows = np.array([1, 2], np.int8).tobytes() + np.array([0.5], "<f4").tobytes()
    data = rows + np.array([-128, 127], np.int8).tobytes() + np.array([1e6], "<f4").tobytes()
    count = len(data) // 6
    wanted = list(samples_of(data, count, specs))
    assert [tensor.tolist() for tensor in wanted[1]] == [[[-128, 127]], [[1e6]]]
    golden = GoldenSpec(count, blob_ref(data), blob_ref(data), tolerance=2)

    def check(change: Any) -> None:
        given = iter([[np.array([n])] for n in range(count)])
        check_samples(golden, given, iter(wanted), lambda one: change(int(one[0][0])))

    def off(quanta: int, real: float) -> Any:
        def run(sample: int) -> list[Any]:
            one, two = (tensor.copy() for tensor in wanted[sample])
            one[0, 0] += quanta if sample == 0 else 0
            return [one, (two * (1 + real)).astype(np.float32)]

        return run

    check(off(2, 0.0))
    check(off(-2, 5e-4))
    with pytest.raises(ModelError, match="golden sample 0 of 2: output 0 is off by 3 quanta; 2"):
        check(off(3, 0.0))
    with pytest.raises(ModelError, match="golden sample 1 of 2: output 1 is off by"):
        check(lambda n: [wanted[n][0], wanted[n][1] * np.float32(1 + 0.01 * n)])
    with pytest.raises(ModelError, match="off by inf"):
        check(lambda n: [wanted[n][0], wanted[n][1] * np.float32(np.nan)])
