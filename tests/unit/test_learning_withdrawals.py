"""Samples that are forgotten and jobs that are served no longer: what came of them goes, too."""

from agent.control.events import LearnerEnded
from tests.support.learning_rig import (
    LearningRig,
    job,
    opened,
    samples,
)

MINUTE_MS = 60_000


def test_forgetting_ends_the_learner_before_it_deletes():
    rig = LearningRig().serving()
    (token,) = rig.learners
    rig.jobs.residuals["digits"] = 0
    rig.forget()
    assert rig.stopped == [token]
    assert rig.samples.counts("cam") == {"yes": 5}
    assert rig.last("cmd/forget/1")["status"] == "executing"
    rig.wait(1)
    assert rig.samples.counts("cam") == {}
    assert rig.last("cmd/forget/1")["status"] == "successful"
    assert rig.jobs.prepared == set()
    rig.handle(LearnerEnded(token, reason="late"))
    rig.wait(2000)
    assert (rig.learners, rig.jobs.residuals) == ({}, {})
    assert rig.why() == "has fewer than 3 examples"


def test_forgetting_some_samples_trains_with_the_rest():
    rig = LearningRig().serving()
    rig.samples.put("cam", samples(3, "no"), None, None)
    rig.forget("no")
    rig.wait(2000)
    assert len(rig.stopped) == 1
    assert rig.request.round.number == 1


def test_an_update_of_forgotten_samples_is_sent_no_further_and_never_another():
    rig = LearningRig().serving()
    rig.learn()
    rig.forget()
    rig.wait(1)
    assert rig.jobs.updates == {}
    sent = len(rig.slices())
    rig.samples.put("cam", samples(5), None, None)
    rig.take()
    rig.lack((0, 6))
    rig.round(opened())
    rig.wait(MINUTE_MS)
    assert (len(rig.slices()), rig.learners) == (sent, {})
    assert rig.where() == "aborted"
    assert rig.again().serving().learners == {}


def test_forgetting_elsewhere_or_without_a_job_is_done_at_once():
    rig = LearningRig().serving()
    rig.samples.put("door", samples(1), None, None)
    args = {"status": "init", "args": {"pipeline": "door"}}
    rig.receive("devices/dev/cmd/forget/2", args)
    assert rig.last("cmd/forget/2")["status"] == "successful"
    assert rig.learners


def test_a_job_that_is_no_longer_served_is_left_with_all_that_it_had():
    rig = LearningRig().serving()
    rig.desire(jobs=["other"])
    assert (len(rig.stopped), rig.learners) == (1, {})
    assert not any("/fl/digits/" in name for name in rig.filters)
    rig.wait(300)
    assert "learning" not in rig.last("status")
    rig.desire(jobs=["digits"])
    rig.spec(job())
    rig.round(opened())
    assert rig.request.round.number == 1


def test_an_update_that_was_begun_to_be_sent_is_not_made_anew_when_a_job_is_served_again():
    rig = LearningRig().serving()
    rig.learn()
    rig.desire(jobs=[])
    assert rig.jobs.updates == {}
    rig.desire(jobs=["digits"])
    rig.spec(job())
    rig.round(opened())
    assert (rig.learners, rig.where()) == ({}, "acknowledged")


def test_other_conditions_end_the_training_under_the_old_ones():
    rig = LearningRig().serving()
    rig.desire(runtime="wasm3")
    assert len(rig.stopped) == 1
    rig.wait(1)
    assert rig.request.runtime == "wasm3"
    rig.desire(runtime="wasm3")
    assert len(rig.stopped) == 1


def test_another_job_beside_it_does_not_disturb_a_training():
    rig = LearningRig().serving()
    rig.desire(jobs=["digits", "faces"], adopt=False)
    assert (rig.stopped, len(rig.learners)) == ([], 1)
