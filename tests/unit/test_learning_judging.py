"""The final model of a job, judged beside the first on what a device holds out."""

from broker.contract.federated.round import Evaluation
from tests.support.learning_rig import (
    LearningRig,
    job,
    model,
    opened,
    ref,
)

MINUTE_MS = 60_000


def closing(number: int = 4, **changes):
    return opened(number, state="closed", **({"baseline": ref(0)} | changes))


JUDGED = {"holdout": 0.5}


def test_the_final_model_is_judged_beside_the_first_without_training():
    rig = LearningRig().serving(job(evaluation=JUDGED), closing())
    asked = rig.request
    assert asked.output is None
    assert (asked.model, asked.baseline) == (rig.path(model(4)), rig.path(model(0)))
    assert rig.where() == "judging"
    rig.learn(Evaluation(2, 0.5, 1, 0.7, 0))
    told = {"examples": 2, "loss": 0.5, "correct": 1, "baseline_loss": 0.7, "baseline_correct": 0}
    assert rig.evaluations() == [told]
    assert rig.where() == "idle"
    rig.round(closing())
    assert rig.learners == {}
    rig.wait(MINUTE_MS)
    assert len(rig.evaluations()) > 1, "nobody acknowledges it, so it is said again"
    rig.round(opened(4, state="done"))
    count = len(rig.evaluations())
    rig.wait(20 * MINUTE_MS)
    assert len(rig.evaluations()) == count


def test_a_device_that_holds_nothing_out_does_not_judge():
    rig = LearningRig()
    rig.samples.kept = {"cam": {}}
    assert rig.serving(job(evaluation=JUDGED), closing()).learners == {}


def test_a_judgement_that_fails_is_tried_again_and_ends_with_the_question():
    rig = LearningRig().serving(job(evaluation=JUDGED), closing())
    rig.fail()
    rig.wait(MINUTE_MS)
    assert rig.learners
    rig.forget()
    assert (len(rig.stopped), rig.learners) == (1, {})
    rig.wait(2000)
    assert rig.learners == {}


def test_an_answer_that_no_link_carried_is_told_with_the_next():
    rig = LearningRig().serving(job(evaluation=JUDGED), closing())
    rig.link_down()
    rig.learn(Evaluation(2, 0.5, 1, 0.7, 0))
    before = len(rig.evaluations())
    rig.link_up()
    assert len(rig.evaluations()) == before + 1
