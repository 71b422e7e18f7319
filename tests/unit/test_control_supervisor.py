"""One pipeline child under supervision, however it misbehaves."""

import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from agent.control.backoff import Backoff
from agent.control.supervisor import (
    TABLE,
    Effect,
    Event,
    Limits,
    State,
    Supervisor,
    diagram,
)

LIMITS = Limits(start_ms=5000, stop_ms=300, crashes=4, window_ms=60_000)
DEADLINE_MS = 1000
LIVE = (State.STARTING, State.RUNNING, State.STOPPING)


def supervisor(limits: Limits = LIMITS, seed: int = 0) -> Supervisor:
    return Supervisor(DEADLINE_MS, random.Random(seed).random, limits)


class ChildUnderSupervision(RuleBasedStateMachine):
    """A child that does what it likes, a clock, and an operator who wants this and that."""

    @initialize(seed=st.integers(0, 1000))
    def begin(self, seed: int) -> None:
        self.it = supervisor(seed=seed)
        self.now_ms = 0
        self.alive = self.killed = self.asked = self.ready = self.refused = False
        self.sign_of_life_ms = 0
        self.asked_ms = 0

    def send(self, event: Event, detail: str = "") -> None:
        for effect in self.it.handle(event, self.now_ms, detail):
            if effect is Effect.SPAWN:
                assert not self.alive, "two children at once"
                self.alive, self.sign_of_life_ms = True, self.now_ms
                self.killed = self.asked = self.ready = self.refused = False
            else:
                assert self.alive, f"{effect} without a child"
                self.killed |= effect is Effect.KILL
                if effect is Effect.ASK_TO_STOP:
                    self.asked, self.asked_ms = True, self.now_ms

    @rule(event=st.sampled_from([Event.START, Event.STOP, Event.RESTART]))
    def operator(self, event: Event) -> None:
        before = self.it.state
        self.send(event)
        if event is Event.RESTART and before not in LIVE:
            assert self.it.state is State.STARTING, "a restart always gives a new chance"
        if event is Event.STOP:
            assert self.it.state in (State.STOPPING, State.STOPPED)

    @precondition(lambda self: self.alive)
    @rule()
    def says_ready(self) -> None:
        self.sign_of_life_ms = self.now_ms
        self.send(Event.READY)

    @precondition(lambda self: self.alive)
    @rule()
    def progresses(self) -> None:
        self.sign_of_life_ms = self.now_ms
        self.send(Event.PROGRESS)

    @precondition(lambda self: self.alive)
    @rule()
    def refuses(self) -> None:
        if self.it.state in (State.STARTING, State.RUNNING) and not self.killed:
            self.refused = True
        self.send(Event.REFUSED, "no such model")

    @precondition(lambda self: self.alive)
    @rule()
    def ends(self) -> None:
        self.alive = False
        wanted = self.it.state in (State.STARTING, State.RUNNING)
        self.send(Event.EXITED, "crashed")
        if wanted:
            assert self.it.state in (State.BACKOFF, State.FAILED)
            assert self.it.reason
            if self.refused:
                assert (self.it.state, self.it.reason) == (State.FAILED, "no such model")

    @precondition(lambda self: self.it.due_ms is not None)
    @rule()
    def timer(self) -> None:
        self.now_ms = max(self.now_ms, self.it.due_ms)
        self.send(Event.DUE)
        if self.it.due_ms is not None:
            assert self.it.due_ms > self.now_ms, "the timer does not move on"

    @rule(wait_ms=st.integers(0, 5000))
    def time_passes(self, wait_ms: int) -> None:
        end_ms = self.now_ms + wait_ms
        while self.it.due_ms is not None and self.it.due_ms <= end_ms:
            self.timer()
        self.now_ms = end_ms

    @invariant()
    def a_child_is_alive_just_when_the_state_says_so(self) -> None:
        assert self.alive == (self.it.state in LIVE)

    @invariant()
    def something_is_due_unless_it_rests(self) -> None:
        assert (self.it.due_ms is None) == (self.it.state in (State.STOPPED, State.FAILED))

    @invariant()
    def a_stuck_child_was_killed_within_its_deadline(self) -> None:
        if self.alive and not self.killed and self.it.state is State.RUNNING:
            assert self.now_ms - self.sign_of_life_ms <= DEADLINE_MS
        if self.alive and not self.killed and self.it.state is State.STARTING:
            assert self.now_ms - self.sign_of_life_ms <= LIMITS.start_ms

    @invariant()
    def one_that_was_told_to_stop_was_killed_if_it_did_not(self) -> None:
        if self.alive and self.asked and not self.killed:
            # a second request (stop after a refusal) gives its time anew, but no more than that
            assert self.now_ms - self.asked_ms <= LIMITS.stop_ms


TestChildUnderSupervision = ChildUnderSupervision.TestCase
TestChildUnderSupervision.settings = settings(max_examples=80, stateful_step_count=40)


@pytest.mark.parametrize(("state", "event"), list(itertools.product(State, Event)))
def test_every_pair_is_in_the_table_or_changes_nothing(state: State, event: Event) -> None:
    it = supervisor()
    it.state, it.due_ms, it.reason = state, 50, "before"
    effects = it.handle(event, 100, "detail")
    if (state, event) not in TABLE:
        assert effects == []
        assert (it.state, it.due_ms, it.reason) == (state, 50, "before")
    else:
        assert callable(getattr(it, f"_{TABLE[state, event]}"))


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_a_timer_before_its_time_changes_nothing(due_ms: int, early_ms: int) -> None:
    it = supervisor()
    it.handle(Event.START, due_ms)
    before = (it.state, it.due_ms)
    assert it.handle(Event.DUE, it.due_ms - 1 - early_ms) == []
    assert (it.state, it.due_ms) == before


def crash(it: Supervisor, now_ms: int, cause: str = "crashed") -> None:
    it.handle(Event.EXITED, now_ms, cause)


def test_backoff_grows_and_is_bounded_until_it_is_given_up() -> None:
    limits = Limits(crashes=12, window_ms=10**9, backoff=Backoff(0.2, 0.5, 30.0))
    it = Supervisor(DEADLINE_MS, lambda: 1 - 1e-9, limits)  # the longest wait of each attempt
    it.handle(Event.START, 0)
    now_ms, waits_ms = 0, []
    for _ in range(11):
        crash(it, now_ms)
        assert it.state is State.BACKOFF
        waits_ms.append(it.due_ms - now_ms)
        now_ms = it.due_ms
        assert it.handle(Event.DUE, now_ms) == [Effect.SPAWN]
    assert waits_ms[:7] == [499, 999, 1999, 3999, 7999, 15999, 29999]
    assert set(waits_ms[6:]) == {29999}
    assert it.restarts == 11
    crash(it, now_ms)
    assert it.state is State.FAILED
    assert it.due_ms is None


def test_a_pipeline_that_keeps_crashing_fails_with_the_reason_and_the_count() -> None:
    it = supervisor()
    it.handle(Event.START, 0)
    for _ in range(LIMITS.crashes - 1):
        crash(it, it.due_ms)
        it.handle(Event.DUE, it.due_ms)
    crash(it, it.due_ms, "killed by signal 11 (SIGSEGV)")
    assert it.state is State.FAILED
    assert it.reason == "killed by signal 11 (SIGSEGV) (4 times within 1 min); given up"
    assert it.handle(Event.START, 10**6) == [], "only a restart or a new configuration helps"
    assert it.handle(Event.RESTART, 10**6) == [Effect.SPAWN]
    crash(it, 10**6)
    assert it.state is State.BACKOFF, "the count began anew"


def test_crashes_that_lie_far_apart_never_fail_a_pipeline() -> None:
    it = supervisor()
    it.handle(Event.START, 0)
    for day in range(50):
        crash(it, day * LIMITS.window_ms)
        assert it.state is State.BACKOFF
        assert it.due_ms - day * LIMITS.window_ms < 500, "and the wait stays the first"
        it.handle(Event.DUE, it.due_ms)


def test_a_stuck_child_is_killed_and_its_reason_says_so() -> None:
    it = supervisor()
    it.handle(Event.START, 0)
    it.handle(Event.READY, 10)
    it.handle(Event.PROGRESS, 500)
    assert it.handle(Event.DUE, 1499) == []
    assert it.handle(Event.DUE, 1500) == [Effect.KILL]
    it.handle(Event.PROGRESS, 1501)  # was already on its way
    it.handle(Event.READY, 1502)
    assert it.handle(Event.DUE, 1800) == [Effect.KILL], "and again, should it not be gone"
    crash(it, 1801, "killed by signal 9 (SIGKILL)")
    assert it.state is State.BACKOFF
    assert it.reason == "stuck: no progress for 1000 ms"


def test_a_slow_start_has_its_own_limit_and_progress_extends_it() -> None:
    it = supervisor()
    it.handle(Event.START, 0)
    assert it.handle(Event.DUE, 4999) == []
    it.handle(Event.PROGRESS, 4999)
    assert it.handle(Event.DUE, 5000) == []
    assert it.handle(Event.DUE, 9999) == [Effect.KILL]


@pytest.mark.parametrize("chatter", [Event.PROGRESS, Event.READY, Event.REFUSED])
@pytest.mark.parametrize("serving", [True, False])
def test_a_child_that_refuses_and_goes_on_talking_is_killed(chatter: Event, serving: bool) -> None:
    it = supervisor()
    it.handle(Event.START, 0)
    if serving:
        it.handle(Event.READY, 0)
    assert it.handle(Event.REFUSED, 100, "model is no model") == [Effect.ASK_TO_STOP]
    for now_ms in range(110, 400, 10):
        assert it.handle(chatter, now_ms, "another reason") == []
        it.handle(Event.DUE, now_ms)
    assert it.handle(Event.DUE, 400) == [Effect.KILL]
    crash(it, 401)
    assert (it.state, it.reason) == (State.FAILED, "model is no model")


def test_stop_during_a_restart_and_restart_during_a_stop() -> None:
    it = supervisor()
    it.handle(Event.START, 0)
    it.handle(Event.RESTART, 1)
    it.handle(Event.STOP, 2)
    it.handle(Event.EXITED, 3)
    assert it.state is State.STOPPED
    it.handle(Event.START, 4)
    it.handle(Event.STOP, 5)
    it.handle(Event.RESTART, 6)
    assert it.handle(Event.EXITED, 7) == [Effect.SPAWN]


@given(st.lists(st.sampled_from(Event), max_size=30), st.integers(0, 99))
def test_stop_always_ends_in_stopped_and_restart_in_a_child(events: list[Event], seed: int) -> None:
    for last, wanted in ((Event.STOP, State.STOPPED), (Event.RESTART, State.STARTING)):
        it = supervisor(seed=seed)
        for now_ms, event in enumerate(events):
            it.handle(event, now_ms * 700, "cause")
        now_ms = len(events) * 700
        it.handle(last, now_ms)
        if it.state is State.STOPPING:
            it.handle(Event.EXITED, now_ms + 1)
        assert it.state is wanted


@given(st.integers(0, 2000), st.floats(0, 1, exclude_max=True))
def test_a_wait_lies_between_its_floor_and_its_ceiling(attempt: int, chance: float) -> None:
    backoff = Backoff(floor_s=0.5, first_s=1.0, most_s=120.0)
    wait_s = backoff.wait_s(attempt, lambda: chance)
    assert 0.5 <= wait_s <= min(120.0, 2.0 ** min(attempt, 30))
    assert wait_s <= backoff.wait_s(attempt + 1, lambda: chance)


def test_the_diagram_draws_every_row_of_the_table() -> None:
    lines = diagram().splitlines()
    assert lines[0] == "stateDiagram-v2"
    for (state, event), transition in TABLE.items():
        drawn = [
            line
            for line in lines
            if line.strip().startswith(f"{state.value} --> ")
            and line.endswith(f": {event.value} / {transition.replace('_', ' ')}")
        ]
        assert len(drawn) == 1, (state, event)
    assert all(line.count(":") <= 1 for line in lines), "a second colon ends Mermaid's label"


def test_the_diagram_shows_where_each_row_really_leads() -> None:
    arrows = {
        (line.split()[0], line.split()[2].rstrip(":"))
        for line in diagram().splitlines()
        if " --> " in line
    }
    for state, event in TABLE:
        for stuck, refused, again, ends in itertools.product([None, "s"], [0, 1], [0, 1], [0, 9]):
            it = supervisor()
            it.state, it.due_ms = state, 0
            it._stuck, it._refused, it._again = stuck, bool(refused), bool(again)
            it._ends_ms = [1] * ends
            it.handle(event, 1, "cause")
            assert (state.value, it.state.value) in arrows
