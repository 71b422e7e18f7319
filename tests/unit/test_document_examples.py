"""What the documents show of configurations and jobs is what the code takes."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from agent.config.device import DeviceConfig
from agent.config.layers import check
from broker.learning.job_file import resolve
from toolchain.training.initial import initial_parameters
from toolchain.training.network import read_network

ROOT = Path(__file__).resolve().parents[2]
JOB_PAGE = ROOT / "docs" / "how-to" / "federated.md"
A_PIPELINE = {
    "model": "/opt/models/any.tflite",
    "source": {"kind": "replay", "path": "/srv/any.npy"},
    "preprocess": {"kind": "tensor"},
    "postprocess": {"kind": "classify"},
}


def blocks(page: Path) -> list[dict[str, Any]]:
    found = re.findall(r"^```toml\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
    return [tomllib.loads(text) for text in found]


PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
CONFIGURATIONS = [
    pytest.param(tree, id=f"{page.name}-{number}")
    for page in PAGES
    for number, tree in enumerate(blocks(page))
    if page != JOB_PAGE or "pipelines" in tree
]


@pytest.mark.parametrize("tree", CONFIGURATIONS)
def test_a_device_takes_the_configuration(tree):
    """What a page leaves out of a pipeline is filled in, nothing that it says is changed."""
    pipelines = {name: A_PIPELINE | one for name, one in tree.get("pipelines", {}).items()}
    found = check({"device_id": "any"} | tree | {"pipelines": pipelines})
    assert isinstance(found, DeviceConfig), found


def test_there_are_configurations_in_the_documents():
    assert len(CONFIGURATIONS) > 10


def test_an_aggregator_takes_the_job():
    job: dict[str, Any] = {}
    for tree in blocks(JOB_PAGE):
        job |= {} if "pipelines" in tree else tree
    (network,) = re.findall(r"^```json\n(.*?)^```", JOB_PAGE.read_text(), re.MULTILINE | re.DOTALL)
    files = {
        "head.f32": initial_parameters(read_network(json.loads(network)), 0).tobytes(),
        "head-scalar.wasm": b"scalar",
        "head-simd.wasm": b"simd",
        "head.json": network.encode(),
    }
    spec = resolve(job, files.__getitem__).spec
    assert spec.model.parameters == 650
    assert spec.evaluation.gate_baseline
    assert spec.outcome is not None
    assert set(spec.model.trainers) == {"scalar", "simd"}
