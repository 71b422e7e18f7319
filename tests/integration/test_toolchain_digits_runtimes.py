"""The digits model answers well under every TFLite interpreter, not only under ours."""

import hashlib
import json
import subprocess
import sys
import venv
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from toolchain import digits
from toolchain.digits.adapters.scikit import load
from toolchain.tflite.reader import read
from toolchain.tflite.writer import write

ROOT = Path(__file__).parents[2]
MODELS = ROOT.parent / "shared" / "models"
GOOD = 0.97
RESOLVERS = {
    "xnnpack": OpResolverType.AUTO,
    "no-delegate": OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    "reference": OpResolverType.BUILTIN_REF,
}
FOREIGN_RUNNER = """
import json, sys
import numpy as np
from tflite_runtime.interpreter import Interpreter
images = np.load(sys.argv[2])
interpreter = Interpreter(sys.argv[1], num_threads=1)
interpreter.allocate_tensors()
source = interpreter.get_input_details()[0]["index"]
target = interpreter.get_output_details()[0]["index"]
labels = []
for image in images:
    interpreter.set_tensor(source, image[None])
    interpreter.invoke()
    labels.append(int(interpreter.get_tensor(target)[0].argmax()))
print(json.dumps(labels))
"""
TRAIN = """
import hashlib, sys
import numpy as np
from toolchain import digits
from toolchain.digits.adapters.scikit import load
rng = np.random.default_rng(0)
learned, held_out = digits.split(load(), rng)
model = digits.quantize(digits.train(learned, rng), learned.images)
print(hashlib.sha256(model).hexdigest())
"""


class Trained:
    def __init__(self, seed):
        rng = np.random.default_rng(seed)
        learned, self.held_out = digits.split(load(), rng)
        self.network = digits.train(learned, rng)
        self.model = digits.quantize(self.network, learned.images)
        self.quantized = (self.held_out.images.astype(np.int16) - 128).astype(np.int8)

    def share_right(self, labels):
        return float((np.asarray(labels) == self.held_out.labels).mean())


trained_by = cache(Trained)


@pytest.fixture(scope="module", params=[0, 1, 2])
def trained(request):
    return trained_by(request.param)


def run(model, inputs, resolver=OpResolverType.AUTO):
    interpreter = Interpreter(
        model_content=model, num_threads=1, experimental_op_resolver_type=resolver
    )
    interpreter.allocate_tensors()
    source = interpreter.get_input_details()[0]
    target = interpreter.get_output_details()[0]
    outputs = []
    for one in inputs:
        interpreter.set_tensor(source["index"], one[None])
        interpreter.invoke()
        outputs.append(interpreter.get_tensor(target["index"])[0].copy())
    return np.array(outputs)


@pytest.mark.parametrize("resolver", RESOLVERS)
def test_held_out_digits_are_read_under_litert(trained, resolver):
    assert len(trained.held_out) >= 400
    outputs = run(trained.model, trained.quantized, RESOLVERS[resolver])
    assert trained.share_right(outputs.argmax(axis=1)) >= GOOD


def test_int8_answers_as_float_does(trained):
    logits = digits.forward(trained.network, digits.normalize(trained.held_out.images)).logits
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares = powers / powers.sum(axis=1, keepdims=True)
    outputs = run(trained.model, trained.quantized, OpResolverType.BUILTIN_REF)
    off = np.abs((outputs.astype(float) + 128) / 256 - shares)
    assert off.mean() < 0.005
    assert (outputs.argmax(axis=1) == logits.argmax(axis=1)).mean() >= 0.99


def test_the_signature_names_input_and_output(trained):
    runner = Interpreter(model_content=trained.model).get_signature_runner("serving_default")
    answer = runner(input=trained.quantized[:1])
    assert answer["output"].shape == (1, 10)


@pytest.mark.skipif(
    sys.version_info[:2] != (3, 11), reason="tflite-runtime 2.14 has wheels for Python 3.11 only"
)
def test_held_out_digits_are_read_under_tflite_runtime(trained, tmp_path):
    (tmp_path / "digits.tflite").write_bytes(trained.model)
    np.save(tmp_path / "images.npy", trained.quantized)
    command = [tflite_runtime(), "-c", FOREIGN_RUNNER, "digits.tflite", "images.npy"]
    answer = subprocess.run(command, cwd=tmp_path, capture_output=True, check=True, timeout=120)
    assert trained.share_right(json.loads(answer.stdout)) >= GOOD


def tflite_runtime():
    """The Python of a venv of its own, made once: tflite-runtime needs numpy below 2."""
    folder = ROOT / ".cache" / f"tflite-runtime-{sys.version_info[0]}.{sys.version_info[1]}"
    python, ready = folder / "bin" / "python", folder / "ready"
    if not ready.exists():
        venv.create(folder, clear=True, with_pip=True)
        install = [python, "-m", "pip", "install", "-q", "tflite-runtime==2.14.0", "numpy<2"]
        subprocess.run(install, check=True, timeout=600)
        ready.touch()
    return python


def test_two_processes_train_to_equal_bytes():
    answers = {
        subprocess.run(
            [sys.executable, "-c", TRAIN], cwd=ROOT, capture_output=True, check=True, timeout=300
        ).stdout
        for _ in range(2)
    }
    assert answers == {f"{hashlib.sha256(trained_by(0).model).hexdigest()}\n".encode()}


@pytest.mark.parametrize(
    "name", ["ad01_int8", "kws_ref_model", "pretrainedResnet_quant", "vww_96_int8"]
)
def test_a_model_written_anew_answers_the_same(name):
    path = MODELS / f"{name}.tflite"
    if not path.exists():
        pytest.skip(f"{path} is not there: the MLPerf Tiny models lie beside the project")
    original = path.read_bytes()
    model = read(original)
    shape = model.main.tensors[model.main.inputs[0]].shape[1:]
    inputs = np.random.default_rng(0).integers(-128, 128, (5, *shape), dtype=np.int8)
    expected = run(original, inputs, OpResolverType.BUILTIN_REF)
    np.testing.assert_array_equal(run(write(model), inputs, OpResolverType.BUILTIN_REF), expected)
