"""Which jobs a pipeline serves, and that changing it leaves the pipeline running."""

import json

import pytest

from agent.channel.messages import Retune
from agent.config.device import DeviceConfig
from agent.config.layers import check
from agent.config.learning import LearningConfig
from broker.contract.blobs import blob_ref
from broker.errors import UsageError
from broker.learning.job_file import resolve
from tests.support.sim import Rig, pipeline

HEAD, TRAINER, BACKBONE = b"\0" * 40, b"\0asm trainer", b"TFL3 backbone"
FILES = {"head.f32": HEAD, "simd.wasm": TRAINER, "person.tflite": BACKBONE, "empty": b""}


@pytest.mark.parametrize(
    ("jobs", "served", "not_served"),
    [
        ((), [], ["digits", ""]),
        (("digits",), ["digits"], ["digits-2", "digit", "x-digits"]),
        (("digits*",), ["digits", "digits-2"], ["digit", "x-digits"]),
        (("*",), ["digits", "a"], []),
        (("a", "b-*"), ["a", "b-"], ["b", "ab-"]),
    ],
)
def test_names_and_their_beginnings(jobs, served, not_served):
    config = LearningConfig(jobs)
    assert all(map(config.serves, served))
    assert not any(map(config.serves, not_served))


@pytest.mark.parametrize("jobs", ["digits", ["Digits"], ["a*b"], ["**"], ["a/b"], ["+"], [""], [5]])
def test_what_is_no_name_is_refused(jobs):
    faults = check({"pipelines": {"cam": pipeline(learning={"jobs": jobs})}})
    assert not isinstance(faults, DeviceConfig)
    assert faults[0].path[:4] == ("pipelines", "cam", "learning", "jobs")


def test_a_pipeline_goes_on_when_its_learning_changes():
    rig = Rig()
    rig.link_up()
    rig.serve()
    told, killed = len(rig.told), len(rig.killed)
    rig.receive("devices/dev/config/desired", {"pipelines": {"cam": {"learning": {"jobs": ["a"]}}}})
    assert [type(message) for _, message in rig.told[told:]] == [Retune]
    assert len(rig.killed) == killed
    reported = rig.last("config/reported")
    assert reported["applied"]["pipelines"]["cam"]["learning"]["jobs"] == ["a"]


def test_a_job_names_its_backbone_by_file():
    tree = {
        "id": "digits",
        "model": {
            "name": "head",
            "initial": "head.f32",
            "trainers": {"simd": "simd.wasm"},
            "example_floats": 9,
            "backbone": "person.tflite",
        },
    }
    job = resolve(tree, FILES.__getitem__)
    spec, payload, blobs = job.spec, job.payload, job.blobs
    assert spec.model.backbone == blob_ref(BACKBONE)
    assert set(blobs.values()) == {HEAD, TRAINER, BACKBONE}
    assert json.loads(payload)["model"]["backbone"]["bytes"] == len(BACKBONE)
    tree["model"]["backbone"] = "empty"
    with pytest.raises(UsageError, match="empty"):
        resolve(tree, FILES.__getitem__)
