"""What a device sends of an update: a few slices at a time, each the same, until all are there."""

from agent.control.events import Taken
from agent.learning.jobs.upload import WINDOW, Upload
from broker.contract.federated.round import Ack, Evaluation
from tests.support.learning_rig import (
    SLICES,
    LearningRig,
    opened,
)
from tests.support.sim import PREFIX

MINUTE_MS = 60_000


def test_a_few_slices_are_on_their_way_at_a_time():
    rig = LearningRig().serving()
    rig.learn()
    assert len(rig.flying) == WINDOW
    rig.take(1)
    assert rig.places() == [0, 1, 2, 3, 4]
    rig.take(2)
    assert len(rig.flying) == WINDOW


def test_what_the_link_lost_is_sent_again_and_old_receipts_count_for_nothing():
    rig = LearningRig().serving()
    rig.learn()
    rig.take(2)
    old = list(rig.flying)
    rig.link_down()
    rig.link_up()
    rig.flying.clear()
    assert rig.places()[-4:] == [0, 1, 2, 3]
    for receipt in old:
        rig.handle(Taken(receipt))
    assert len(rig.places()) == 6 + 4
    sent = [len(message.payload) for message in rig.slices()[:2]]
    rig.wait(MINUTE_MS)
    assert rig.last("metrics")["learning"]["sent_bytes"] == sum(sent)


def test_nothing_is_said_without_a_link_and_all_of_it_with_one():
    rig = LearningRig().serving()
    rig.link_down()
    rig.learn()
    assert rig.slices() == []
    rig.link_up()
    rig.take()
    assert rig.places() == list(range(SLICES))


def test_what_the_aggregator_lacks_is_sent_and_what_nobody_confirms_too():
    rig = LearningRig().serving()
    rig.learn()
    rig.take()
    rig.lack((2, 3))
    assert rig.places()[SLICES:] == [2, 3]
    rig.take()
    rig.wait(10_000)
    assert rig.places()[SLICES + 2 :] == [2, 3]


def test_a_slice_that_the_broker_refuses_is_no_end_of_the_world():
    rig = LearningRig().serving()
    rig.learn()
    for _ in range(SLICES):
        rig.handle(Taken(rig.flying.pop(0), refused="not authorized"))
    assert rig.places() == list(range(SLICES))
    assert "not authorized" in rig.logs[-1].text
    rig.wait(10_000)
    assert len(rig.places()) > SLICES


def test_after_a_restart_the_same_update_is_sent_without_training():
    rig = LearningRig().serving()
    rig.learn(Evaluation(2, 0.5, 1))
    rig.take(3)
    before = {message.topic: message.payload for message in rig.slices()}
    again = rig.again().serving()
    again.take()
    assert again.learners == {}
    assert before.items() <= {m.topic: m.payload for m in again.slices()}.items()
    assert len(again.slices()) == SLICES
    assert again.evaluations() == [{"examples": 2, "loss": 0.5, "correct": 1}]
    again.ack()
    third = again.again().serving()
    assert (third.learners, third.slices(), third.where()) == ({}, [], "acknowledged")
    third.round(opened(2))
    assert third.request.residual == "/jobs/digits/residual-1"


def test_a_restart_while_it_trained_trains_again():
    rig = LearningRig().serving()
    assert rig.learners
    again = rig.again().serving()
    assert again.request.round.number == 1


def test_the_evaluation_goes_out_before_the_slices():
    rig = LearningRig().serving()
    rig.learn(Evaluation(2, 0.5, 1))
    topics = [m.topic for m in rig.published if "/eval/" in m.topic or "/up/" in m.topic]
    assert topics[0] == f"{PREFIX}/fl/digits/1/eval/dev"


def test_an_update_of_another_shape_than_the_jobs_is_not_sent():
    rig = LearningRig().serving()
    rig.learn(slices=SLICES - 1)
    assert (rig.slices(), rig.where()) == ([], "training")
    assert "another update" in rig.logs[-1].text


def test_a_refusal_is_final_for_the_round():
    rig = LearningRig().serving()
    rig.learn()
    rig.ack(ack=Ack(whole=False, refused="x is 0"))
    assert (rig.where(), rig.why()) == ("aborted", "refused: x is 0")
    assert rig.jobs.residuals == {}
    assert rig.again().serving().learners == {}


def test_an_upload_is_through_once_and_only_when_all_of_it_is():
    upload = Upload()
    assert not upload.is_through()
    upload.begin(range(6))
    assert upload.next() == [0, 1, 2, 3]
    assert upload.next() == []
    assert not upload.taken(0, 0)
    for place in range(4):
        assert upload.taken(1, place)
    assert not upload.taken(1, 0)
    assert upload.next() == [4, 5]
    assert not upload.is_through()
    assert upload.taken(1, 5)
    assert upload.taken(1, 4)
    assert upload.is_through()
    assert not upload.is_through()
    upload.begin([3])
    upload.stop()
    assert (upload.next(), upload.is_through()) == ([], False)
