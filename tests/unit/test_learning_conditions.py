"""What a device needs to take part: samples, power, a trainer, blobs, a disk that takes it."""

import dataclasses

import pytest

from agent.learning.jobs.conditions import Conditions, trainer_of
from agent.learning.jobs.job import LOOK_AGAIN_MS, UNTOLD
from tests.support.fake_jobs import FakeJobs
from tests.support.learning_rig import (
    SCALAR,
    LearningRig,
    job,
    model,
    opened,
    ref,
    samples,
)
from tests.support.sim import pipeline

MINUTE_MS = 60_000


def test_too_few_samples_are_not_enough_and_their_number_is_not_told():
    rig = LearningRig()
    rig.samples.kept = {"cam": {}}
    rig.samples.put("cam", [*samples(2), *samples(7, "perhaps")], None, None)
    rig.serving()
    assert (rig.learners, rig.where()) == ({}, "idle")
    assert rig.why() == "has fewer than 3 examples"
    rig.samples.put("cam", samples(3), None, None)
    rig.wait(LOOK_AGAIN_MS)
    assert rig.request.round.number == 1


def test_samples_that_are_held_out_do_not_count():
    spec = job(evaluation={"holdout": 0.9})
    assert LearningRig().serving(spec).learners == {}


def test_power_and_idleness():
    learning = {"jobs": ["digits"], "power": "mains", "idle_load": 0.5}
    tree = {"pipelines": {"cam": pipeline(enabled=False, learning=learning)}}
    rig = LearningRig(tree=tree)
    rig.conditions = Conditions(on_battery=True)
    rig.serving()
    assert (rig.learners, rig.why()) == ({}, "on battery")
    rig.conditions = Conditions(load=0.6)
    rig.wait(LOOK_AGAIN_MS)
    assert (rig.learners, rig.why()) == ({}, "not idle")
    rig.conditions = Conditions(load=0.4)
    rig.wait(LOOK_AGAIN_MS)
    (token,) = rig.learners
    rig.conditions = Conditions(load=0.9)  # by the training itself
    rig.wait(LOOK_AGAIN_MS)
    assert rig.learners
    rig.conditions = Conditions(on_battery=True)
    rig.wait(LOOK_AGAIN_MS)
    assert (rig.stopped, rig.learners) == ([token], {})
    rig.conditions = Conditions()
    rig.wait(LOOK_AGAIN_MS)
    assert rig.learners


@pytest.mark.parametrize(
    ("trainers", "wanted", "runtimes", "found"),
    [
        (("simd", "scalar"), "auto", ("wasmtime", "wasm3"), ("wasmtime", "simd")),
        (("scalar",), "auto", ("wasmtime", "wasm3"), ("wasmtime", "scalar")),
        (("simd", "scalar"), "wasm3", ("wasmtime", "wasm3"), ("wasm3", "scalar")),
        (("simd", "scalar"), "auto", ("tflite", "wasm3"), ("wasm3", "scalar")),
        (("simd",), "auto", ("wasm3",), None),
        (("simd",), "wasmtime", ("wasm3",), None),
        (("mine",), "auto", ("wasmtime", "wasm3"), None),
    ],
)
def test_the_trainer_is_that_for_the_machine(trainers, wanted, runtimes, found):
    named = dataclasses.replace(job().model, trainers={name: ref(1) for name in trainers})
    one = dict(zip(trainers, map(ref, range(len(trainers))), strict=True))
    named = dataclasses.replace(named, trainers=one)
    assert trainer_of(named, wanted, runtimes) == (found and (found[0], one[found[1]]))


def test_wasm3_gets_the_scalar_module():
    learning = {"jobs": ["digits"], "runtime": "wasm3", "limit_s": 60}
    rig = LearningRig(tree={"pipelines": {"cam": pipeline(enabled=False, learning=learning)}})
    asked = rig.serving().request
    assert (asked.runtime, asked.trainer) == ("wasm3", rig.path(SCALAR))
    assert asked.deadline_s == 60.0


def test_a_job_that_is_too_large_or_has_no_trainer_for_this_machine_is_left_alone():
    for learning, why in (
        ({"limit_parameters": 69}, "70 parameters exceed limit_parameters"),
        ({"runtime": "wasmtime"}, "the job has no trainer for what this machine runs"),
    ):
        tree = {"pipelines": {"cam": pipeline(learning={"jobs": ["digits"]} | learning)}}
        told = dataclasses.replace(job().model, trainers={"mine": ref(1)})
        spec = job() if "limit_parameters" in learning else dataclasses.replace(job(), model=told)
        rig = LearningRig(tree=tree).serving(spec)
        assert (rig.learners, rig.why()) == ({}, why)


def test_a_backbone_and_a_control_are_fetched_as_well():
    base = job()
    told = dataclasses.replace(base.model, backbone=ref(7))
    spec = dataclasses.replace(base, model=told)
    rig = LearningRig()
    rig.serving(spec, opened(control=ref(8)))
    assert rig.request.backbone == rig.path(model(7))
    assert rig.request.control == rig.path(model(8))


def test_a_learner_that_fails_is_tried_once_more_and_says_why_in_the_log_only():
    rig = LearningRig().serving()
    rig.fail("step 17 of sample digit 4")
    assert rig.why() == UNTOLD
    assert "step 17" in rig.logs[-1].text
    rig.wait(10_000)
    rig.fail()
    assert rig.where() == "aborted"
    rig.round(opened(2))
    assert rig.request.round.number == 2


def test_what_a_learner_says_is_one_line_of_the_log():
    rig = LearningRig().serving()
    rig.fail("wasm trap: unreachable\n    at <module>\r\n" + "x" * 9999)
    assert len(rig.logs[-1].text) < 500


@pytest.mark.parametrize(
    "method", ["recall", "prepare", "keep", "piece", "settle", "discard", "prune"]
)
def test_a_disk_that_refuses_is_logged_and_the_next_round_goes_through(method):
    disk = FakeJobs()
    disk.refuse = lambda name: name == method
    rig = LearningRig(jobs=disk).serving()
    if rig.learners:
        rig.learn()
        rig.take()
        rig.ack()
    if method == "discard":
        rig.round(opened(2))
        rig.learn()
        rig.round(opened(3))
    assert any("No space left" in log.text for log in rig.logs)
    rig.jobs.refuse = lambda _: False
    rig.spec(job())
    rig.round(opened(4))
    rig.learn()
    rig.take()
    rig.ack(4)
    assert rig.jobs.residuals == {"digits": 4}


def test_a_job_that_the_disk_refused_is_tried_again():
    disk = FakeJobs()
    disk.refuse = lambda name: name == "recall"
    rig = LearningRig(jobs=disk).serving()
    assert "No space left" in rig.why()
    disk.refuse = lambda _: False
    rig.wait(10_000)
    assert rig.request.round.number == 1


def test_a_blob_that_does_not_come_is_asked_for_until_the_round_ends():
    rig = LearningRig()
    del rig.blobs.whole[ref(1).sha256]
    rig.serving()
    assert rig.where() == "fetching"
    rig.wait(10 * MINUTE_MS)
    assert "does not give" in rig.why()
    rig.round(opened(1, state="closed"))
    assert not any("/blobs/" in name for name in rig.filters)


def test_samples_that_cannot_be_read_keep_it_out():
    rig = LearningRig()
    rig.samples.refuses = True
    rig.serving()
    assert (rig.learners, rig.why()) == ({}, "its samples cannot be read")
