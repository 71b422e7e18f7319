"""The same module file under the same loader: Node, Chromium and workerd give wasmtime's bytes."""

import base64
import functools
import http.server
import json
import math
import os
import re
import shutil
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from benchmarks.peers import install
from tests.support.chromium import chromium
from tests.support.engine import MODELS, Micro, difference, edge_inputs
from tests.support.engine_cases import case, is_per_tensor, older
from tests.support.engine_families import FAMILIES
from tests.support.wasm_modules import Loaded, Wasmtime, module_of
from toolchain import digits
from toolchain.convert.convert import Choices
from toolchain.digits.adapters.scikit import load as load_digits
from toolchain.tflite.dtype import DType
from toolchain.tflite.reader import read

EXAMPLE = Path(__file__).parents[2] / "examples" / "javascript"
FILES = (
    "selvedge.js",
    "node.mjs",
    "worker.js",
    "config.capnp",
    "index.html",
    "page.js",
    "page.css",
)
INPUTS = 20
UINT8_SEED = 2  # a convolution whose 20 answers all differ
NAMES = ("digits", "kws", "uint8")
RUN_IN_PAGE = """import("./selvedge.js").then(async ({ load }) => {
  const bytes = (text) => Uint8Array.from(atob(text), (one) => one.charCodeAt(0));
  const model = await load(await (await fetch("model.wasm")).arrayBuffer());
  return %s.map((input) => model.run(bytes(input)).map((output) => [...output]));
})"""

RUN_ONE = """import("./selvedge.js").then(async ({ load }) => {
  const bytes = (text) => Uint8Array.from(atob(text), (one) => one.charCodeAt(0));
  const [module, inputs] = %s;
  const model = await load(bytes(module));
  const results = model.run(...inputs.map(bytes));
  return model.outputs.map(({ dtype, shape }, i) =>
    ({ dtype, shape, bytes: [...new Uint8Array(results[i].buffer)] }));
})"""


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture(scope="module")
def models():
    """.tflite files: one of ours, one of the field's, one of the older kind."""
    rng = np.random.default_rng(0)
    learned, _ = digits.split(load_digits(), rng)
    with threadpool_limits(1):
        network = digits.train(learned, rng, epochs=20)
    assert is_per_tensor(case("conv", UINT8_SEED))
    made = {
        "digits": digits.quantize(network, learned.images),
        "uint8": older(case("conv", UINT8_SEED), UINT8_SEED).model,
    }
    kws = MODELS / "kws_ref_model.tflite"
    return {**made, "kws": kws.read_bytes()} if kws.exists() else made


@pytest.fixture(scope="module")
def site(models, tmp_path_factory):
    """A folder for each model: the example as it is, and model.wasm."""
    place = tmp_path_factory.mktemp("site")
    for name, model in models.items():
        folder = place / name
        folder.mkdir()
        for file in FILES:
            shutil.copy(EXAMPLE / file, folder)
        (folder / "model.wasm").write_bytes(module_of(model, Choices(target="simd")))
    return place


@pytest.fixture(params=NAMES)
def name(request, models):
    if request.param not in models:
        pytest.skip(f"{MODELS} is not there: the MLPerf Tiny models lie beside the project")
    return request.param


@pytest.fixture
def inputs(name, models):
    graph = read(models[name]).main
    tensor = graph.tensors[graph.inputs[0]]
    found = edge_inputs(tensor.shape, np.random.default_rng(1), INPUTS)
    return [one.view(np.uint8) for one in found] if tensor.dtype is DType.UINT8 else found


@pytest.fixture
def wanted(name, site, models, inputs):
    """The answers under wasmtime, which are those of TFLite Micro where it runs the model."""
    loaded = Loaded(Wasmtime((site / name / "model.wasm").read_bytes()))
    answers = [loaded.run([one])[0] for one in inputs]
    assert len({answer.tobytes() for answer in answers}) > INPUTS // 4
    if name != "uint8":
        micro = Micro(models[name])
        assert all(
            difference([a], micro.run([x])) == 0 for x, a in zip(inputs, answers, strict=True)
        )
    return answers


@pytest.fixture(scope="module")
def server(site):
    handler = functools.partial(Quiet, directory=site)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as found:
        threading.Thread(target=found.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{found.server_port}"
        found.shutdown()


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    with chromium(tmp_path_factory.mktemp("profile")) as found:
        yield found


def node(folder, *arguments):
    return subprocess.run(
        ["node", "node.mjs", "model.wasm", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def test_node(name, site, inputs, wanted, tmp_path):
    for number, (values, answer) in enumerate(zip(inputs, wanted, strict=True)):
        path = tmp_path / f"{number}.{'npy' if number % 2 else 'bin'}"
        np.save(path, values) if number % 2 else path.write_bytes(values.tobytes())
        told = node(site / name, str(path), "--output", str(tmp_path / "out"))
        assert told.returncode == 0, told.stderr
        assert (tmp_path / "out").read_bytes() == answer.tobytes()
        (output,) = json.loads(told.stdout)["outputs"]
        assert (output["dtype"], output["shape"]) == (answer.dtype.name, list(answer.shape))
        assert output["values"] == answer.ravel().tolist()


def test_the_model_of_the_readme_reads_the_digit_that_comes_with_it(tmp_path):
    for name in FILES:
        shutil.copy(EXAMPLE / name, tmp_path)
    root = EXAMPLE.parents[1]
    command = [sys.executable, EXAMPLE / "digits.py", tmp_path / "model.wasm"]
    environment = os.environ | {"PYTHONPATH": str(root)}
    made = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    label = re.search(r"a (\d) that it has not seen", made.stdout)
    for name in ("digit.npy", "digit.bin"):
        (output,) = json.loads(node(tmp_path, name).stdout)["outputs"]
        assert np.argmax(output["values"]) == int(label[1])


def test_node_refuses_in_one_line(site, tmp_path):
    np.save(tmp_path / "float.npy", np.zeros((1, 8, 8, 1), np.float32))
    np.save(tmp_path / "short.npy", np.zeros((1, 8, 8), np.int8)[:, 1:])
    told = [node(site / "digits", str(tmp_path / f"{one}.npy")) for one in ("float", "short")]
    told.append(node(site / "digits"))
    for one in told:
        assert (one.returncode, one.stdout, one.stderr.count("\n")) == (2, "", 1)
        assert re.search(r"input (must be )?int8 \[1,8,8,1\]", one.stderr)


def test_browser(name, server, page, inputs, wanted):
    page.open(f"{server}/{name}/")
    listed = json.dumps([text(one) for one in inputs])
    answers = page.evaluate(RUN_IN_PAGE % listed)
    assert answers == [[answer.ravel().tolist()] for answer in wanted]


@pytest.mark.parametrize("family", ["add_s16", "concatenation", "dequantize", "quantize", "split"])
def test_tensors_of_every_type_and_number(family, server, page):
    made = FAMILIES[family](1)
    module = module_of(made.model, Choices(target="simd"))
    answers = Loaded(Wasmtime(module)).run(made.inputs)
    page.open(f"{server}/digits/")
    told = page.evaluate(RUN_ONE % json.dumps([text(module), [text(one) for one in made.inputs]]))
    for one, answer in zip(told, answers, strict=True):
        assert one["dtype"] == answer.dtype.name
        assert one["shape"] == list(answer.shape)
        assert bytes(one["bytes"]) == answer.tobytes()


def text(values):
    return base64.b64encode(values if isinstance(values, bytes) else values.tobytes()).decode()


def test_workerd(name, site, inputs, wanted):
    packages = install.npm(EXAMPLE)
    (program,) = packages.glob("@cloudflare/workerd-*/bin/workerd")
    with subprocess.Popen(
        [program, "serve", "config.capnp", "--socket-addr", "http=127.0.0.1:0", "--control-fd=1"],
        cwd=site / name,
        stdout=subprocess.PIPE,
    ) as process:
        try:
            url = f"http://127.0.0.1:{json.loads(process.stdout.readline())['port']}/"
            with urllib.request.urlopen(url) as told:
                (described,) = json.load(told)["inputs"]
            assert described["shape"] == list(inputs[0].shape)
            assert described["dtype"] == inputs[0].dtype.name
            for values, answer in zip(inputs, wanted, strict=True):
                with urllib.request.urlopen(url, values.tobytes()) as told:
                    (output,) = json.load(told)["outputs"]
                assert output["values"] == answer.ravel().tolist()
                assert output["dtype"] == answer.dtype.name
            with pytest.raises(urllib.error.HTTPError, match="400"):
                urllib.request.urlopen(url, b"short")
        finally:
            process.kill()


STROKES = {
    "0": [(0.5 + 0.26 * math.sin(t / 2), 0.5 - 0.38 * math.cos(t / 2)) for t in range(14)],
    "1": [(0.5, 0.12), (0.5, 0.88)],
    "7": [(0.25, 0.15), (0.72, 0.15), (0.45, 0.88)],
}


def test_digits_drawn_on_the_page_are_read(server, page):
    page.open(f"{server}/digits/")
    wait_for(page, "!document.getElementById('drawing').hidden")
    x, y, size = page.evaluate(
        "(({x, y, width}) => [x, y, width])(document.getElementById('pad').getBoundingClientRect())"
    )
    for digit, points in STROKES.items():
        page.evaluate("document.getElementById('clear').click()")
        assert page.evaluate("document.getElementById('answer').value") == "–"
        page.draw([(x + size * across, y + size * down) for across, down in points])
        assert page.evaluate("document.getElementById('answer').value") == digit
        assert page.evaluate("document.querySelectorAll('#scores tr').length") == 10
        assert "ms for one answer" in page.evaluate(
            "document.getElementById('latency').textContent"
        )


def test_page_shows_any_module_and_says_what_is_none(site, server, page):
    page.open(f"{server}/uint8/")
    wait_for(page, "!document.getElementById('results').hidden")
    assert page.evaluate("document.getElementById('drawing').hidden")
    assert page.evaluate("document.querySelector('#tensors tbody').innerText").startswith("input")
    (site / "none").mkdir()
    for file in FILES:
        shutil.copy(EXAMPLE / file, site / "none")
    (site / "none" / "model.wasm").write_bytes(b"\0asm\1\0\0\0")
    page.open(f"{server}/none/")
    wait_for(page, "document.getElementById('status').textContent.includes('cannot be used')")


def test_the_loader_is_short():
    assert len((EXAMPLE / "selvedge.js").read_text().splitlines()) <= 60


def wait_for(page, condition):
    script = f"""new Promise((resolve, reject) => {{
      const ask = (left) => ({condition}) ? resolve(true)
        : left ? setTimeout(ask, 20, left - 1) : reject(new Error("in vain"));
      ask(500);
    }})"""
    assert page.evaluate(script)
