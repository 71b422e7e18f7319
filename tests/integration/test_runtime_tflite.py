"""Runtime `tflite` on real models: views, delegates, refusals; the interpreter is the oracle."""

import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest

from agent.errors import ModelError, UnavailableError
from agent.runtime.adapters import installed, tflite
from agent.runtime.adapters.installed import available, version
from agent.runtime.adapters.loading import Options, load
from agent.runtime.protocol import LoadedModel
from tests.support.small_models import activations, conv_model, with_tensor
from toolchain.tflite.dtype import DType
from toolchain.tflite.model import Graph, Model, Operator, Quantization
from toolchain.tflite.options import Add, Reshape
from toolchain.tflite.writer import write

MODELS = Path(__file__).parents[3] / "shared/models"
ROOT = Path(__file__).resolve().parents[2]
# Multiply-accumulates as the benchmark's own description of each model gives them.
MACS = {
    "ad01_int8": 264_192,
    "kws_ref_model": 2_656_768,
    "pretrainedResnet_quant": 12_501_632,
    "vww_96_int8": 7_489_664,
}


def shared(name: str) -> str:
    return str(MODELS / f"{name}.tflite")


def any_inputs(model: LoadedModel) -> list[np.ndarray]:
    random = np.random.default_rng(7)
    return [random.integers(-128, 128, info.shape, dtype=np.int8) for info in model.inputs]


def file_of(model, folder: Path) -> str:
    path = folder / "small.tflite"
    path.write_bytes(write(model))
    return str(path)


@pytest.fixture
def kws() -> tflite.TfliteModel:
    return load(shared("kws_ref_model")).model


@pytest.mark.parametrize("name", MACS)
def test_answers_are_those_of_the_bare_interpreter(name):
    model = load(shared(name)).model
    inputs = any_inputs(model)
    bare = tflite.import_library(available()[0].library).Interpreter(
        model_path=shared(name), num_threads=1
    )
    bare.allocate_tensors()
    bare.set_tensor(bare.get_input_details()[0]["index"], inputs[0])
    bare.invoke()
    wanted = bare.get_tensor(bare.get_output_details()[0]["index"])
    (got,) = model.run(inputs)
    assert np.array_equal(got, wanted)
    assert len(np.unique(got)) > 1


@pytest.mark.parametrize("name", MACS)
def test_macs_are_those_of_the_published_models(name):
    assert load(shared(name)).model.macs() == MACS[name]
    assert load(shared(name), options=Options(delegate="reference")).model.macs() == MACS[name]


def test_the_model_says_what_it_wants_and_what_serves_it():
    model, sha256, reason = load(shared("vww_96_int8"))
    (wanted,), (given,) = model.inputs, model.outputs
    assert (wanted.shape, wanted.dtype, wanted.zero_point) == ((1, 96, 96, 3), "int8", -128)
    assert wanted.scale == pytest.approx(1 / 255, rel=1e-3)
    assert (given.shape, given.scale, given.zero_point) == ((1, 2), 1 / 256, -128)
    assert sha256 == "597a384c8c2c8a1276f04702f25013b7838f2f814f1ca7c174d295b73e3d6b7b"
    assert reason == "first that model and machine have"
    assert model.info().runtime == "tflite"
    assert model.info().threads == 1
    assert available()[0].library in model.info().detail
    assert version(available()[0].library) in model.info().detail


def test_views_are_the_interpreters_own_memory(kws):
    (array,) = any_inputs(kws)
    kws.input_view(0)[...] = array
    assert np.array_equal(kws.input_view(0), array)
    assert not kws.input_view(0).flags.owndata
    kws.invoke()
    before = kws.output_view(0).copy()
    kws.input_view(0)[...] = 127
    kws.invoke()
    assert not np.array_equal(kws.output_view(0), before)


def test_a_view_that_is_held_is_told_and_not_fatal(kws):
    held = kws.input_view(0)
    with pytest.raises(ModelError, match="the runtime failed"):
        kws.invoke()
    del held
    kws.invoke()


def test_results_of_run_are_the_callers(kws):
    (first,) = kws.run(any_inputs(kws))
    kept = first.copy()
    kws.run([np.full((1, 49, 10, 1), 127, np.int8)])
    assert np.array_equal(first, kept)


@pytest.mark.parametrize("delegate", ["none", "reference"])
def test_other_kernels_answer_nearly_the_same(kws, delegate):
    other = load(shared("kws_ref_model"), options=Options(delegate=delegate)).model
    assert other.info().detail.endswith(delegate)
    inputs = any_inputs(kws)
    (a,), (b,) = kws.run(inputs), other.run(inputs)
    assert np.abs(a.astype(int) - b.astype(int)).max() <= 2


def test_more_threads_are_passed_on():
    assert load(shared("kws_ref_model"), options=Options(threads=2)).model.info().threads == 2


@pytest.mark.parametrize(
    ("arrays", "text"),
    [
        ([], "wants 1 inputs, got 0"),
        ([np.zeros((1, 49, 10, 1), np.uint8)], r"wants input_1 int8 \[1, 49, 10, 1\], got uint8"),
        ([np.zeros((49, 10), np.int8)], r"got int8 \[49, 10\]"),
    ],
)
def test_an_array_that_does_not_fit_is_refused(kws, arrays, text):
    with pytest.raises(ModelError, match=text):
        kws.run(arrays)


def two_by_two():
    """Two inputs, two outputs: their sum, and the first one flat."""
    tensors = [
        *activations([(1, 2), (1, 2), (1, 2), (2,)], DType.FLOAT32),
    ]
    operators = (
        Operator("ADD", (0, 1), (2,), 1, Add()),
        Operator("RESHAPE", (0,), (3,), 1, Reshape((2,))),
    )
    return Model((Graph(tuple(tensors), operators, inputs=(0, 1), outputs=(2, 3)),))


def test_several_inputs_and_outputs_keep_their_order(tmp_path):
    model = load(file_of(two_by_two(), tmp_path)).model
    assert [info.name for info in model.inputs] == ["t0", "t1"]
    outputs = model.run([np.array([[1, 2]], np.float32), np.array([[10, 20]], np.float32)])
    assert [output.tolist() for output in outputs] == [[[11, 22]], [1, 2]]


def test_an_output_whose_shape_depends_on_data_is_refused(tmp_path):
    real, shape = activations([(4,)] * 2, DType.FLOAT32), activations([(2,)], DType.INT32)
    dynamic = Model(
        (
            Graph(
                tensors=(real[0], *shape, real[1]),
                operators=(Operator("RESHAPE", (0, 1), (2,), 1, None),),
                inputs=(0, 1),
                outputs=(2,),
            ),
        )
    )
    model = load(file_of(dynamic, tmp_path)).model
    with pytest.raises(ModelError, match="has no fixed shape; export the model with fixed shapes"):
        model.run([np.zeros(4, np.float32), np.array([2, 2], np.int32)])


def test_an_input_without_a_fixed_shape_is_refused(tmp_path):
    (empty,) = activations([(0, 4)], DType.FLOAT32)
    model = Model(
        (
            Graph(
                tensors=(empty, empty),
                operators=(Operator("RESHAPE", (0,), (1,), 1, Reshape((0, 4))),),
                inputs=(0,),
                outputs=(1,),
            ),
        )
    )
    with pytest.raises(ModelError, match=r"small\.tflite: tensor t0 has no fixed shape"):
        load(file_of(model, tmp_path))


def test_a_model_of_strings_is_refused(tmp_path):
    tensors = activations([(2,), (2,)], DType.STRING)
    model = Model(
        (
            Graph(
                tensors=tensors,
                operators=(Operator("RESHAPE", (0,), (1,), 1, Reshape((2,))),),
                inputs=(0,),
                outputs=(1,),
            ),
        )
    )
    with pytest.raises(ModelError, match=r"not supported|refuses"):
        load(file_of(model, tmp_path))


def test_a_model_that_the_runtime_refuses_is_one_line(tmp_path):
    wrong = with_tensor(conv_model(), 3, quantization=Quantization((1.0,), ()))
    with pytest.raises(ModelError, match=r"^model .*small\.tflite: the runtime refuses") as refusal:
        load(file_of(wrong, tmp_path))
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (None, "cannot be read: No such file or directory"),
        (b"", "is empty"),
        (b"#!/bin/sh\nexit 0\n", "is not a TFLite model"),
        (write(conv_model())[:-100], "is truncated or damaged"),
    ],
)
def test_a_bad_file_is_refused_before_the_runtime_is_asked(tmp_path, monkeypatch, content, text):
    monkeypatch.setattr("agent.runtime.adapters.tflite.TfliteModel", None)
    path = tmp_path / "model.tflite"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ModelError, match=text) as refusal:
        load(str(path))
    assert str(path) in str(refusal.value)


def test_what_is_no_file_or_too_large_is_refused(tmp_path):
    import os

    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    for path, text in ((fifo, "is not a file"), ("/dev/zero", "is not a file"), ("a\0b", "null")):
        with pytest.raises(ModelError, match=text):
            load(str(path))
    with pytest.raises(ModelError, match="cannot be read"):
        load(str(tmp_path))
    with pytest.raises(ModelError, match="has 53936 bytes; the limit is 50000"):
        load(shared("kws_ref_model"), limit_bytes=50_000)


def test_a_file_that_changes_afterwards_does_not_change_the_model(tmp_path):
    path = tmp_path / "model.tflite"
    path.write_bytes((MODELS / "kws_ref_model.tflite").read_bytes())
    model = load(str(path)).model
    inputs = any_inputs(model)
    (before,) = model.run(inputs)
    path.write_bytes(b"")
    assert np.array_equal(model.run(inputs)[0], before)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_delegate_that_is_not_there_or_no_library_is_named(tmp_path):
    with pytest.raises(UnavailableError, match="neither a file nor one of xnnpack, none, ref"):
        load(shared("kws_ref_model"), options=Options(delegate="/nowhere/libx.so"))
    text = tmp_path / "libx.so"
    text.write_text("no library")
    with pytest.raises(UnavailableError, match=r"libx\.so cannot be loaded"):
        load(shared("kws_ref_model"), options=Options(delegate=str(text)))


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_external_delegate_gets_its_options_and_its_words_reach_the_user(tmp_path):
    library = tmp_path / "libdelegate.so"
    source = ROOT / "tests/support/refusing_delegate.c"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source], check=True)
    with pytest.raises(UnavailableError, match="refused 1 options: device=usb"):
        load(
            shared("kws_ref_model"),
            options=Options(delegate=str(library), delegate_options={"device": "usb"}),
        )


def test_tflite_runtime_under_numpy_2_names_the_remedy(monkeypatch):
    class Interpreter:
        def __init__(self, **options):
            raise SystemError("returned a result with an exception set")

    module = types.ModuleType("tflite_runtime.interpreter")
    module.Interpreter, module.OpResolverType = Interpreter, types.SimpleNamespace(AUTO=0)
    monkeypatch.setitem(sys.modules, "tflite_runtime", types.ModuleType("tflite_runtime"))
    monkeypatch.setitem(sys.modules, "tflite_runtime.interpreter", module)
    monkeypatch.setattr(np, "__version__", "2.1.0")
    with pytest.raises(
        UnavailableError, match=r"needs numpy<2, here is 2\.1\.0: pip install 'numpy<2'"
    ):
        tflite.TfliteModel(b"", "tflite_runtime")


def test_a_library_that_cannot_be_imported_is_named():
    with pytest.raises(UnavailableError, match="no_such_library cannot be imported"):
        tflite.TfliteModel(b"", "no_such_library")


def test_a_machine_without_a_runtime_says_what_to_install(monkeypatch):
    monkeypatch.setattr(installed, "find_spec", lambda name: None)
    monkeypatch.setattr(installed, "can_be_had", lambda: False)
    assert available() == ()
    with pytest.raises(UnavailableError, match="install ai-edge-litert"):
        load(shared("kws_ref_model"))


def test_asking_what_is_installed_loads_nothing():
    program = (
        "import sys; from agent.runtime.adapters.installed import available, version; "
        "from agent.runtime.protocol import RuntimeInfo; "
        "print([version(found.library) != '' for found in available() if found.library], "
        "[name for name in ('numpy', 'ai_edge_litert', 'importlib.metadata') "
        "if name in sys.modules])"
    )
    told = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert told.stdout.strip() == "[True, True, True] []"
