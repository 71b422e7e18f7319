"""A device in federated jobs: which it serves, a round of them, and how they come and go."""

import pytest

from agent.control.events import Overflowed
from agent.learning.jobs.jobs import MAX_JOBS
from broker.contract.messages import encode
from tests.support.learning_rig import (
    SIMD,
    SLICES,
    LearningRig,
    job,
    model,
    opened,
    samples,
    topic,
)
from tests.support.sim import PREFIX, pipeline

MINUTE_MS = 60_000


def test_a_round_from_its_message_to_its_settlement():
    rig = LearningRig()
    rig.link_up()
    assert {name for name in rig.filters if name.endswith(("/spec", "/round"))} == {
        f"{PREFIX}/fl/digits/spec",
        f"{PREFIX}/fl/digits/round",
    }
    rig.spec(job())
    assert f"{PREFIX}/fl/digits/+/ack/dev" in rig.filters
    assert f"{PREFIX}/fl/digits/+/missing/dev" in rig.filters
    rig.round(opened())
    asked = rig.request
    assert (asked.device, asked.pipeline, asked.round.number) == ("dev", "cam", 1)
    assert (asked.model, asked.trainer) == (rig.path(model(1)), rig.path(SIMD))
    assert (asked.runtime, asked.backbone, asked.residual) == ("wasmtime", None, None)
    assert asked.deadline_s == 600.0
    assert rig.where() == "training"
    rig.learn()
    assert rig.where() == "uploading"
    assert rig.places() == [0, 1, 2, 3]
    rig.take()
    assert [message.topic for message in rig.slices()] == [topic(n) for n in range(SLICES)]
    assert not any(message.retain for message in rig.slices())
    assert rig.jobs.updates
    rig.ack()
    assert (rig.where(), rig.jobs.updates) == ("acknowledged", {})
    assert rig.jobs.residuals == {"digits": 1}
    rig.round(opened(2))
    assert rig.request.residual == "/jobs/digits/residual-1"
    rig.wait(MINUTE_MS)
    told = rig.last("metrics")["learning"]
    assert (told["trainings"], told["updates"], told["failures"]) == (2, 1, 0)
    assert told["sent_bytes"] == sum(len(message.payload) for message in rig.slices())


def test_the_round_may_come_before_the_job():
    rig = LearningRig()
    rig.link_up()
    rig.round(opened())
    assert rig.learners == {}
    rig.spec(job())
    rig.wait(1)
    assert rig.request.round.number == 1


def test_a_pattern_finds_jobs_and_the_first_pipeline_that_names_one_serves_it():
    pipelines = {
        "door": pipeline(enabled=False, learning={"jobs": ["digits-1"]}),
        "cam": pipeline(enabled=False, learning={"jobs": ["digits-*", "faces"]}),
    }
    rig = LearningRig(tree={"pipelines": pipelines})
    rig.samples.put("door", samples(9), None, None)
    rig.link_up()
    wanted = {name for name in rig.filters if name.endswith("/spec")}
    assert wanted == {f"{PREFIX}/fl/{job}/spec" for job in ("+", "faces", "digits-1")}
    for name in ("digits-1", "digits-2", "other"):
        rig.spec(job(name))
        rig.round(opened(name=name))
    rig.wait(300)
    told = rig.last("status")["learning"]
    assert {name: one["pipeline"] for name, one in told.items()} == {
        "digits-1": "door",
        "digits-2": "cam",
    }
    assert not any("/fl/other/" in name for name in rig.filters)


def test_two_jobs_share_one_learner_and_take_turns():
    rig = LearningRig("digits", "faces")
    rig.link_up()
    for name in ("digits", "faces"):
        rig.spec(job(name))
        rig.round(opened(name=name))
    assert rig.request.spec.id == "digits"
    assert (rig.where("digits"), rig.where("faces")) == ("training", "training")
    rig.learn()
    assert rig.request.spec.id == "faces"
    rig.learn()
    rig.take()
    assert len(rig.slices()) == 2 * SLICES


def test_a_job_that_waits_for_the_learner_can_leave_the_queue():
    rig = LearningRig("digits", "faces")
    rig.link_up()
    for name in ("digits", "faces"):
        rig.spec(job(name))
        rig.round(opened(name=name))
    rig.round(opened(name="faces", state="closed"))
    rig.learn()
    assert rig.learners == {}
    assert rig.stopped == []


def test_a_new_round_ends_what_was_begun_for_the_old_one():
    rig = LearningRig().serving()
    (token,) = rig.learners
    rig.round(opened(2))
    assert rig.stopped == [token]
    assert rig.request.round.number == 2
    rig.learn()
    rig.round(opened(3))
    assert rig.jobs.updates == {}
    rig.round(opened(3, state="closed"))
    assert (rig.learners, rig.where()) == ({}, "idle")
    assert rig.why() == "round 3 is closed"


def test_other_terms_are_another_job():
    rig = LearningRig().serving()
    rig.learn()
    rig.spec(job(rounds=3))
    assert rig.jobs.updates == {}
    rig.round(opened())
    assert rig.request.spec.rounds == 3


def test_the_same_terms_again_change_nothing():
    rig = LearningRig().serving()
    rig.spec(job())
    rig.round(opened())
    assert (rig.stopped, len(rig.learners)) == ([], 1)


def test_a_job_that_is_withdrawn_leaves_nothing_behind():
    rig = LearningRig().serving()
    rig.learn()
    rig.receive("fl/digits/spec", b"")
    assert rig.jobs.updates == {}
    assert rig.jobs.removed == ["digits"]
    rig.wait(300)
    assert "learning" not in rig.last("status")


def test_a_job_that_is_done_leaves_nothing_behind():
    rig = LearningRig().serving()
    rig.learn()
    rig.ack()
    rig.round(opened(1, state="done"))
    assert (rig.jobs.removed, rig.jobs.residuals) == (["digits"], {})


def test_of_many_jobs_those_that_are_over_make_room():
    rig = LearningRig("*")
    rig.link_up()
    for number in range(MAX_JOBS + 1):
        rig.spec(job(f"job-{number}"))
    assert "serves 32 jobs already" in rig.why(f"job-{MAX_JOBS}")
    rig.round(opened(1, "job-7", state="done"))
    rig.wait(10_000)
    assert rig.where(f"job-{MAX_JOBS}") == "idle"
    told = rig.last("status")["learning"]
    assert len(told) == MAX_JOBS
    assert "job-7" not in told
    rig.round(opened(1, f"job-{MAX_JOBS}"))
    assert rig.request.spec.id == f"job-{MAX_JOBS}"


def test_a_round_that_was_dropped_unread_is_asked_for_again():
    def of_jobs():
        return {name for name in rig.filters if name.endswith(("/spec", "/round", "/outcome"))}

    rig = LearningRig()
    rig.link_up()
    mine = of_jobs()
    rig.filters.clear()
    for _ in range(3):
        rig.handle(Overflowed(5))
    rig.wait(MINUTE_MS - 1)
    assert rig.filters == set()
    rig.wait(1)
    assert of_jobs() == mine
    rig.filters.clear()
    rig.wait(10 * MINUTE_MS)
    assert rig.filters == set()


@pytest.mark.parametrize(
    "payload",
    [
        b"{",
        encode(job("other")),
        encode(job()).replace(b'"rounds"', b'"surprise":1,"rounds"'),
        b"9" * 70_000,
    ],
)
def test_a_document_that_is_no_job_is_refused_and_says_so(payload):
    rig = LearningRig()
    rig.link_up()
    rig.receive("fl/digits/spec", payload)
    rig.round(opened())
    assert (rig.learners, rig.where()) == ({}, "idle")
    assert rig.why()
    rig.spec(job())
    rig.round(opened())
    assert rig.request.spec == job()


@pytest.mark.parametrize("place", ["round", "1/ack/dev", "1/missing/dev"])
def test_words_that_make_no_sense_are_logged(place):
    rig = LearningRig().serving()
    rig.receive(f"fl/digits/{place}", b'{"whole": 5}')
    assert rig.logs[-1].level == "warning"
    rig.receive("fl/digits/round", encode(opened(9, "other")))
    assert "is one of other" in rig.logs[-1].text
    assert rig.request.round.number == 1


def test_a_device_without_jobs_says_and_does_nothing():
    rig = LearningRig(tree={"pipelines": {"cam": pipeline(enabled=False)}})
    rig.serving()
    assert not any("/fl/" in name for name in rig.filters)
    rig.wait(MINUTE_MS)
    assert "learning" not in rig.last("metrics")
    assert "learning" not in rig.last("status")


def test_nothing_of_it_outlives_the_agent():
    rig = LearningRig().serving()
    (token,) = rig.learners
    rig.perform(rig.agent.end(rig.now()))
    assert rig.stopped == [token]
    rig.wait(MINUTE_MS)
    assert rig.learners == {}
