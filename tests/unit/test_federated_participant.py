"""A device in a round: each thing that can happen, and what holds whatever happens."""

import dataclasses
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.contract.blobs import BlobRef
from broker.contract.federated.job import (
    EvaluationSpec,
    JobSpec,
    ModelSpec,
    ParticipationSpec,
    PrivacySpec,
)
from broker.contract.federated.participant import words as w
from broker.contract.federated.participant.eligible import asked_to_judge, consider
from broker.contract.federated.participant.machine import (
    TABLE,
    Limits,
    Participant,
    State,
    diagram,
)
from broker.contract.federated.round import Ack, Missing, Round

REF = BlobRef("ab" * 32, 2600)
SPEC = JobSpec(
    "digits", ModelSpec("head", 650, REF, {"simd": REF}, 64), participation=ParticipationSpec(0.5)
)
COUNTED = Ack(whole=True, counted=True)


def told(number: int = 1, **change) -> Round:
    return dataclasses.replace(
        Round("digits", number, "open", REF, open_for_s=60.0, seed="00ff00ff00ff00ff"), **change
    )


def task(number: int = 1) -> w.Task:
    return w.Task(SPEC, told(number))


ONE = ("digits", 1)
TWO = ("digits", 2)


def started(*events: w.Event, kept: w.Kept | None = None) -> Participant:
    machine = Participant(random=lambda: 1.0)
    for event in [*([kept] if kept else []), w.Up(), *events]:
        machine.handle(event, 0)
    return machine


TRAINING = (w.Opened(task()), w.Fetched(ONE))
UPLOADING = (*TRAINING, w.Trained(ONE, 4))


def test_a_round_from_its_opening_to_its_end():
    machine = started()
    assert machine.handle(w.Opened(task()), 0) == [w.Fetch(task())]
    assert machine.handle(w.Fetched(ONE), 1) == [w.Train(task())]
    assert machine.handle(w.Trained(ONE, 4), 2) == [w.Send(ONE, (0, 1, 2, 3))]
    assert machine.handle(w.Flushed(ONE), 3) == []
    assert machine.handle(w.Acked(ONE, COUNTED), 4) == [w.Settle(ONE, True)]
    assert machine.state is State.ACKNOWLEDGED
    assert machine.handle(w.Opened(task()), 5) == []
    assert machine.handle(w.Ended("round 1 is closed"), 6) == []
    assert (machine.state, machine.due_ms) == (State.IDLE, None)


def test_a_second_vector_is_fetched_as_well():
    control = BlobRef("cd" * 32, 2600)
    assert w.Task(SPEC, told(control=control)).blobs == (REF, control)
    assert task().blobs == (REF,)


def test_what_nobody_confirms_is_sent_again_ever_less_often():
    machine = started(*UPLOADING)
    now_ms, waits = 0, []
    for _ in range(7):
        machine.handle(w.Flushed(ONE), now_ms)
        waits.append(machine.due_ms - now_ms)
        assert machine.handle(w.Due(), machine.due_ms - 1) == []
        now_ms = machine.due_ms
        assert machine.handle(w.Due(), now_ms) == [w.Send(ONE, (0, 1, 2, 3))]
    assert waits == [10_000, 20_000, 40_000, 80_000, 160_000, 300_000, 300_000]


def test_a_flush_that_is_told_twice_waits_no_longer():
    machine = started(*UPLOADING, w.Flushed(ONE))
    due_ms = machine.due_ms
    machine.handle(w.Flushed(ONE), 5_000)
    assert machine.due_ms == due_ms


def test_retries_of_a_fleet_are_spread():
    chance = random.Random(1)
    waits = []
    for _ in range(50):
        machine = Participant(random=chance.random)
        for event in (w.Up(), *UPLOADING, w.Flushed(ONE)):
            machine.handle(event, 0)
        waits.append(machine.due_ms)
    assert 5000 <= min(waits) < 6000
    assert 9000 < max(waits) <= 10_000


def test_what_the_aggregator_lacks_is_sent_at_once_and_nothing_else_later():
    machine = started(*UPLOADING, w.Flushed(ONE))
    gaps = w.Lacking(ONE, Missing(((1, 1), (3, 3))))
    assert machine.handle(gaps, 5) == [w.Send(ONE, (1, 3))]
    machine.handle(w.Flushed(ONE), 6)
    assert machine.handle(w.Due(), machine.due_ms) == [w.Send(ONE, (1, 3))]


@pytest.mark.parametrize("slices", [((0, 4),), ((3, 2),), ((2, 3), (0, 1)), ()])
def test_gaps_that_make_no_sense_change_nothing(slices):
    machine = started(*UPLOADING)
    assert machine.handle(w.Lacking(ONE, Missing(slices)), 5) == []
    assert machine.state is State.UPLOADING


def test_nothing_is_sent_without_a_link_and_all_after_it_came_back():
    machine = started(*TRAINING, w.Down())
    assert machine.handle(w.Trained(ONE, 2), 1) == []
    assert machine.handle(w.Up(), 2) == [w.Send(ONE, (0, 1))]
    machine.handle(w.Flushed(ONE), 3)
    machine.handle(w.Down(), 4)
    assert machine.due_ms is None
    assert machine.handle(w.Up(), 5) == [w.Send(ONE, (0, 1))]


def test_after_a_restart_the_update_of_the_same_round_is_sent_and_not_trained_again():
    machine = started(kept=w.Kept(ONE, 3))
    assert machine.handle(w.Opened(task()), 0) == [w.Send(ONE, (0, 1, 2))]
    assert machine.state is State.UPLOADING


def test_after_a_restart_the_update_of_another_round_is_deleted():
    machine = started(kept=w.Kept(ONE, 3))
    assert machine.handle(w.Opened(task(2)), 0) == [w.Discard(ONE), w.Fetch(task(2))]
    assert started(kept=w.Kept(ONE, 3)).handle(w.Ended("closed"), 0) == [w.Discard(ONE)]
    assert started(kept=w.Kept(ONE, 3)).handle(w.Passed(TWO, "no"), 0) == [w.Discard(ONE)]


def test_after_a_restart_a_round_that_was_settled_is_not_trained_again():
    machine = started(w.Settled(ONE))
    assert machine.handle(w.Opened(task()), 0) == []
    assert machine.state is State.ACKNOWLEDGED
    assert machine.handle(w.Opened(task(2)), 0) == [w.Fetch(task(2))]
    both = started(w.Settled(ONE), kept=w.Kept(ONE, 3))
    assert both.handle(w.Opened(task()), 0) == [w.Discard(ONE)]


@pytest.mark.parametrize(
    ("events", "effects"),
    [
        ((w.Opened(task()),), [w.Halt()]),
        (TRAINING, [w.Halt()]),
        (UPLOADING, [w.Discard(ONE)]),
        ((*UPLOADING, w.Acked(ONE, COUNTED)), []),
    ],
)
def test_a_round_that_ends_or_is_followed_by_another_leaves_nothing_behind(events, effects):
    assert started(*events).handle(w.Ended("closed"), 9) == effects
    assert started(*events).handle(w.Passed(TWO, "not chosen"), 9) == effects
    assert started(*events).handle(w.Opened(task(2)), 9) == [*effects, w.Fetch(task(2))]
    assert started(*events).handle(w.Opened(task()), 9) == []
    assert started(*events).handle(w.Passed(ONE, "too few examples now"), 9) == []


def test_a_fetch_that_fails_is_tried_again_until_the_round_ends():
    machine = started(w.Opened(task()))
    for _ in range(20):
        assert machine.handle(w.FetchFailed(ONE, "no chunk"), 0) == []
        assert machine.reason == "no chunk"
        assert machine.handle(w.Due(), machine.due_ms) == [w.Fetch(task())]
    assert machine.handle(w.Ended("closed"), 9) == [w.Halt()]


def test_a_learner_that_fails_twice_ends_the_round_for_this_device():
    machine = started(*TRAINING)
    assert machine.handle(w.TrainFailed(ONE, "loss is NaN"), 0) == []
    assert machine.handle(w.Due(), machine.due_ms) == [w.Train(task())]
    assert machine.handle(w.TrainFailed(ONE, "loss is NaN"), 9) == []
    assert (machine.state, machine.reason) == (State.ABORTED, "loss is NaN")
    assert machine.handle(w.Opened(task()), 9) == []
    assert machine.handle(w.Opened(task(2)), 9) == [w.Fetch(task(2))]


def test_a_device_that_may_not_train_now_may_begin_again_in_the_same_round():
    machine = started(*TRAINING)
    assert machine.handle(w.Unable("on battery"), 0) == [w.Halt()]
    assert machine.handle(w.Opened(task()), 1) == [w.Fetch(task())]


def test_a_part_that_is_taken_back_before_it_was_sent_may_begin_again():
    for before in ((w.Opened(task()),), TRAINING):
        machine = started(*before)
        assert machine.handle(w.Withdrawn("samples were forgotten"), 0) == [w.Halt()]
        assert machine.handle(w.Opened(task()), 1) == [w.Fetch(task())]


def test_a_part_that_is_taken_back_while_it_is_sent_is_never_sent_again():
    machine = started(*UPLOADING)
    gone = w.Withdrawn("samples were forgotten")
    assert machine.handle(gone, 0) == [w.Settle(ONE, False)]
    assert (machine.state, machine.reason) == (State.ABORTED, gone.reason)
    for event in (gone, w.Up(), w.Lacking(ONE, Missing(((0, 1),))), w.Opened(task())):
        assert machine.handle(event, 1) == []
    machine.handle(w.Ended("closed"), 2)
    assert machine.handle(w.Opened(task()), 3) == []
    assert machine.state is State.ACKNOWLEDGED
    restarted = started(kept=w.Kept(ONE, 3))
    assert restarted.handle(gone, 0) == [w.Settle(ONE, False)]
    assert restarted.handle(w.Opened(task()), 1) == []
    assert started().handle(gone, 0) == []


@pytest.mark.parametrize(
    ("ack", "state", "effects"),
    [
        (COUNTED, State.ACKNOWLEDGED, [w.Settle(ONE, True)]),
        (Ack(whole=True), State.ACKNOWLEDGED, [w.Settle(ONE, False)]),
        (Ack(whole=False, refused="x is 0"), State.ABORTED, [w.Settle(ONE, False)]),
        (Ack(whole=True, counted=True, refused="odd"), State.ABORTED, [w.Settle(ONE, False)]),
        (Ack(whole=False), State.UPLOADING, []),
    ],
)
def test_the_aggregators_word_decides_and_only_what_counts_is_committed(ack, state, effects):
    machine = started(*UPLOADING)
    assert machine.handle(w.Acked(ONE, ack), 5) == effects
    assert machine.state is state


def test_words_about_another_round_change_nothing():
    machine = started(w.Opened(task(2)), w.Fetched(TWO), w.Trained(TWO, 4))
    for event in (w.Acked(ONE, COUNTED), w.Lacking(ONE, Missing(((0, 0),))), w.Flushed(ONE)):
        assert machine.handle(event, 1) == []
    assert (machine.state, machine.due_ms) == (State.UPLOADING, None)


def test_an_update_that_nobody_waits_for_any_more_is_deleted():
    machine = started(*TRAINING, w.Ended("closed"))
    assert machine.handle(w.Trained(ONE, 4), 1) == [w.Discard(ONE)]
    machine = started(*TRAINING, w.Opened(task(2)))
    assert machine.handle(w.Trained(ONE, 4), 1) == [w.Discard(ONE)]
    assert started(*UPLOADING).handle(w.Trained(ONE, 4), 1) == []


EVENTS = st.sampled_from(
    [
        *(w.Opened(task(n)) for n in (1, 2)),
        *(w.Passed(("digits", n), "no") for n in (1, 2)),
        *(
            w.Ended("closed"),
            w.Unable("hot"),
            w.Withdrawn("forgotten"),
            w.Up(),
            w.Down(),
            w.Due(),
            w.Due(),
            w.Due(),
        ),
        *(
            event
            for key in (ONE, TWO)
            for event in (
                w.Fetched(key),
                w.FetchFailed(key, "no"),
                w.Trained(key, 3),
                w.TrainFailed(key, "no"),
                w.Flushed(key),
                w.Acked(key, COUNTED),
                w.Acked(key, Ack(whole=True)),
                w.Acked(key, Ack(whole=False, refused="no")),
                w.Lacking(key, Missing(((0, 1),))),
            )
        ),
    ]
)


class Adapter:
    """Performs effects and insists on what every adapter relies on."""

    def __init__(self, kept: w.Kept | None) -> None:
        self.disk: set[w.Key] = {kept.key} if kept else set()
        self.working = False
        self.up = False

    def feed(self, machine: Participant, event: w.Event, now_ms: int) -> None:
        self.up = {w.Up: True, w.Down: False}.get(type(event), self.up)
        if isinstance(event, w.Trained):
            self.disk.add(event.key)
        running = machine.task.key if machine.task else None
        answers = {
            State.FETCHING: (w.Fetched, w.FetchFailed),
            State.TRAINING: (w.Trained, w.TrainFailed),
        }
        if isinstance(event, answers.get(machine.state, ())) and event.key == running:
            self.working = False
        for effect in machine.handle(event, now_ms):
            self.perform(effect)

    def perform(self, effect: w.Effect) -> None:
        match effect:
            case w.Fetch() | w.Train():
                self.working = True
            case w.Halt():
                self.working = False
            case w.Send(key, slices):
                assert self.up, "sends without a link"
                assert key in self.disk, "sends what is not there"
                assert slices
                assert set(slices) <= {0, 1, 2}
            case w.Settle(key, _) | w.Discard(key):
                self.disk.remove(key)


@given(st.none() | st.just(w.Kept(ONE, 3)), st.lists(EVENTS, max_size=40))
@settings(max_examples=400)
def test_whatever_happens_effects_make_sense_and_nothing_is_left_on_the_disk(kept, events):
    machine, adapter = Participant(random=lambda: 0.5), Adapter(kept)
    if kept:
        adapter.feed(machine, kept, 0)
    now_ms = 0
    for event in events:
        if isinstance(event, w.Due) and machine.due_ms is not None:
            now_ms = machine.due_ms
        adapter.feed(machine, event, now_ms)
        assert adapter.disk == ({machine.kept.key} if machine.kept else set())
        assert machine.state is not State.UPLOADING or machine.kept
        waiting = machine.due_ms is not None
        busy = machine.state in (State.FETCHING, State.TRAINING)
        assert not waiting or busy or machine.state is State.UPLOADING
        if busy:
            assert adapter.working or waiting, "waits for nothing"
        else:
            assert not adapter.working, "works for nobody"
    adapter.feed(machine, w.Ended("closed"), now_ms)
    assert (machine.state, machine.due_ms, adapter.disk) == (State.IDLE, None, set())


@given(st.lists(EVENTS, max_size=25))
def test_from_wherever_it_is_a_new_round_goes_through(events):
    machine = Participant(random=lambda: 0.5)
    for event in events:
        machine.handle(event, 0)
    third = ("digits", 3)
    for event in (w.Up(), w.Opened(task(3)), w.Fetched(third), w.Trained(third, 3)):
        machine.handle(event, 0)
    assert machine.handle(w.Acked(third, COUNTED), 1) == [w.Settle(third, True)]


def judged(**change):
    arguments = {"spec": SPEC, "told": told(), "device": "pi-3", "examples": 10} | change
    return consider(**arguments)


def test_a_device_judges_for_itself_whether_it_takes_part():
    chosen = next(f"pi-{n}" for n in range(99) if isinstance(judged(device=f"pi-{n}"), w.Opened))
    others = [judged(device=f"pi-{n}") for n in range(99)]
    assert w.Passed(ONE, "not chosen for round 1") in others
    assert judged(device=chosen) == w.Opened(task())
    assert judged(device=chosen, examples=0).reason == "has fewer than 1 examples"
    assert judged(device=chosen, unable="on battery") == w.Passed(ONE, "on battery")
    assert judged(device=chosen, examples=0, unable="hot", kept=ONE) == w.Opened(task())
    assert judged(device=chosen, kept=TWO, unable="hot") == w.Passed(ONE, "hot")
    strange = told(model=BlobRef("ab" * 32, 2604))
    assert "2604 bytes" in judged(device=chosen, told=strange).reason
    assert judged(told=told(state="closed")) == w.Ended("round 1 is closed")
    assert judged(told=told(state="failed", reason="no quorum")) == w.Ended("no quorum")


def test_every_device_is_asked_to_judge_the_final_model_where_it_may_tell():
    spec = dataclasses.replace(SPEC, evaluation=EvaluationSpec(0.2))
    final = told(state="closed", baseline=BlobRef("cd" * 32, 2600))
    assert asked_to_judge(spec, final)
    assert judged(spec=spec, told=final) == w.Ended("round 1 is closed")
    assert not asked_to_judge(SPEC, final)
    assert not asked_to_judge(spec, told(state="closed"))
    assert not asked_to_judge(spec, dataclasses.replace(final, state="done"))
    assert not asked_to_judge(spec, dataclasses.replace(final, baseline=BlobRef("cd" * 32, 4)))
    noisy = dataclasses.replace(spec, privacy=PrivacySpec("local", 1.0, 1.0))
    assert not asked_to_judge(noisy, final)


def test_every_state_and_every_transition_is_drawn_and_can_be_called():
    drawn = diagram()
    assert all(state.value in drawn for state in State)
    assert all(hasattr(Participant, f"_{transition}") for transition in TABLE.values())
    assert Limits().retry_ms <= Limits().longest_retry_ms
