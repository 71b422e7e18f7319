"""The way of a model, with the power cut at every step that it takes on the disk."""

import pytest

from agent.models import words
from agent.models.journal import Links, State
from agent.models.machine import MAX_STARTS
from tests.support.adoption_world import BAD_FILES, BAD_GOLDEN, CRASHES, GOOD, MISSING, World, storm
from tests.support.fake_models import PowerCutError
from tests.support.releases import MadeRelease

ONE, TWO, THREE = (MadeRelease(number) for number in (1, 2, 3))
OTHER = MadeRelease(1, "other")


def adopted(*made: MadeRelease) -> World:
    world = World()
    for one in made:
        world.offer(one)
        world.run()
        world.live()
        assert world.links.serving == one.id
        assert world.state is State.IDLE
    return world


def test_a_release_serves_on_probation_and_is_kept() -> None:
    world = World()
    world.offer(ONE)
    world.run()
    assert (world.state, world.serves) == (State.PROBATION, ONE.id)
    world.live(ms=500)
    assert world.state is State.PROBATION, "not long enough"
    world.live(ms=900)
    assert world.state is State.IDLE
    assert world.links == Links(ONE.id, None)
    assert world.refusal == ""


def test_time_alone_does_not_pass_a_probation() -> None:
    world = World()
    world.offer(ONE)
    world.run()
    world.live(ms=100_000, answers=2)
    assert world.state is State.PROBATION
    world.event(words.Answered(3))
    assert world.state is State.IDLE


def test_only_what_serves_and_the_one_before_are_kept() -> None:
    world = adopted(ONE, TWO, THREE)
    assert world.links == Links(THREE.id, TWO.id)
    assert set(world.store.files) == {THREE.id, TWO.id}


@pytest.mark.parametrize(
    ("fate", "reason", "again"),
    [
        (MISSING, "does not give", True),
        (BAD_FILES, "not what was named", True),
        (BAD_GOLDEN, "golden sample 0", False),
        (CRASHES, "signal 11", False),
    ],
)
def test_what_fails_leaves_what_served(fate: str, reason: str, again: bool) -> None:
    world = adopted(ONE)
    world.offer(TWO, fate)
    world.run()
    assert world.state is State.IDLE
    assert world.links.serving == world.serves == ONE.id
    assert set(world.store.files) == {ONE.id}
    assert reason in world.refusal
    assert "release 2 of digits" in world.refusal
    world.offer(TWO)
    world.run()
    assert world.state is (State.PROBATION if again else State.IDLE), "refused for good, or not"


def test_an_older_release_never_serves_again() -> None:
    world = adopted(TWO)
    world.offer(ONE)
    world.offer(TWO)
    world.run()
    assert (world.state, world.links.serving) == (State.IDLE, TWO.id)


def test_a_later_release_takes_the_place_of_one_that_does_not_serve_yet() -> None:
    world = World()
    world.offer(ONE)
    world.offer(TWO)
    world.run()
    assert (world.state, world.serves) == (State.PROBATION, TWO.id)
    assert ONE.id not in world.served


def test_what_comes_during_probation_waits_for_its_end() -> None:
    world = World()
    world.offer(ONE)
    world.run()
    for made in (TWO, THREE, OTHER):
        world.offer(made)
    assert world.serves == ONE.id
    world.live()
    assert (world.state, world.serves) == (State.PROBATION, THREE.id)
    world.live()
    assert (world.state, world.serves) == (State.PROBATION, OTHER.id)


def test_two_jobs_do_not_take_turns_for_ever() -> None:
    world = adopted(ONE, OTHER)
    for _ in range(3):
        world.begin()
        world.offer(ONE)
        world.offer(OTHER)
        world.run()
        assert (world.state, world.links.serving) == (State.IDLE, OTHER.id)


def test_the_operator_goes_back_twice_and_no_further() -> None:
    world = adopted(ONE, TWO)
    world.event(words.RollBack())
    world.run()
    assert world.serves == ONE.id
    assert "release 2 of digits: rolled back by command" in world.refusal
    world.event(words.RollBack())
    world.run()
    assert world.serves is None
    assert world.installation.handle(words.RollBack(), 0) == []
    world.offer(TWO)
    world.run()
    assert world.serves is None, "what was taken back does not come again by itself"
    world.offer(THREE)
    world.run()
    assert world.serves == THREE.id


def test_another_configured_model_wins_over_an_older_outcome() -> None:
    world = adopted(ONE)
    world.offer(TWO)
    world.run()
    world.offer(OTHER)
    world.configure("/other.tflite")
    assert world.links == Links()
    assert world.serves is None
    world.begin("/other.tflite")
    for older in (ONE, TWO, OTHER):
        world.offer(older)
        world.run()
    assert world.links == Links()
    world.offer(THREE)
    world.run()
    world.live()
    assert world.links.serving == THREE.id
    world.begin("/third.tflite")
    assert world.links == Links(), "also if it changed while the agent was off"
    world.begin()
    world.offer(THREE)
    world.run()
    assert world.links == Links()


def test_no_room_puts_a_release_off() -> None:
    world = World()
    world.store.full = True
    world.offer(ONE)
    world.run()
    assert (world.state, world.refusal) == (State.IDLE, "release 1 of digits: no room")
    world.store.full = False
    world.offer(ONE)
    world.run()
    assert world.serves == ONE.id


def test_a_manifest_of_another_job_or_release_is_refused() -> None:
    world = World()
    for made in (MadeRelease(7), MadeRelease(7, "other")):
        world.store.blobs[ONE.id] = made.document
        world.fates[ONE.id] = GOOD
        world.event(words.Offered(ONE.release))
        world.run()
        assert world.state is State.IDLE
        assert "its manifest is of " in world.refusal
        world.installation.record.journal.decided.clear()


def test_starts_that_end_without_order_count_against_a_release() -> None:
    world = World()
    world.offer(ONE)
    world.run()
    for _ in range(MAX_STARTS):
        world.begin()
        world.run()
        assert world.serves == ONE.id
    world.begin()
    world.run()
    assert (world.serves, world.links.serving) == (None, None)
    assert f"ended {MAX_STARTS + 1} times" in world.refusal


def test_starts_that_end_in_order_do_not() -> None:
    world = World()
    world.offer(ONE)
    world.run()
    for _ in range(2 * MAX_STARTS):
        world.installation.leave()
        world.begin()
        world.run()
    assert (world.state, world.serves) == (State.PROBATION, ONE.id)


def test_files_that_went_do_not_serve() -> None:
    world = adopted(ONE, TWO)
    world.store.files[TWO.id].clear()
    world.begin()
    assert world.serves == ONE.id
    world.store.files.clear()
    world.begin()
    assert world.serves is None


def test_a_damaged_journal_loses_neither_the_model_nor_the_order() -> None:
    world = adopted(TWO)
    world.store.journals["cam"] = {"state": "probation"}
    world.begin()
    assert world.serves == TWO.id
    world.offer(ONE)
    world.run()
    assert (world.state, world.serves) == (State.IDLE, TWO.id)


@pytest.mark.parametrize("fate", [GOOD, BAD_FILES, BAD_GOLDEN, CRASHES])
def test_the_power_may_go_at_any_step(fate: str) -> None:
    """Every step, once before it is done and once after; then everything goes its way."""
    reached, cut = 0, 2
    while True:
        world = adopted(ONE)
        world.store.steps, world.store.cut = 0, cut
        try:
            world.offer(TWO, fate)
            world.run()
            world.live()
        except PowerCutError:
            reached += 1
        else:
            break
        world.store.cut = None
        world.begin()
        world.run()
        world.offer(TWO, fate)
        world.run()
        world.live()
        assert world.state is State.IDLE
        assert world.links.serving == world.serves == (TWO.id if fate == GOOD else ONE.id)
        kept = {ONE.id, TWO.id} if fate == GOOD else {ONE.id}
        left = {name for name in world.store.files if not name.endswith(".new")}
        assert left == kept
        cut += 1
    assert reached >= {GOOD: 26, BAD_FILES: 3, BAD_GOLDEN: 12, CRASHES: 20}[fate]


def test_another_runtime_during_probation_has_its_own_files_tried() -> None:
    """With the power cut at any step of that."""
    reached, cut = 0, 2
    while True:
        world, both = World(), MadeRelease(1, runtimes=("tflite", "wasm-scalar"))
        world.offer(both)
        world.run()
        assert (world.state, world.serves) == (State.PROBATION, both.id)
        world.store.steps, world.store.cut = 0, cut
        try:
            world.refit("wasm-scalar")
            assert (world.state, world.serves) == (State.DOWNLOAD, None)
            world.run()
            world.live()
        except PowerCutError:
            reached += 1
        else:
            break
        world.store.cut = None
        world.begin()
        world.run()
        world.live()
        assert (world.state, world.links.serving, world.serves) == (State.IDLE, both.id, both.id)
        cut += 1
    assert (world.state, world.links) == (State.IDLE, Links(both.id, None))
    assert reached >= 20


@pytest.mark.parametrize("fate", [GOOD, BAD_GOLDEN, CRASHES])
def test_a_disk_that_refuses_once_leaves_a_model_that_serves(fate: str) -> None:
    for refused in range(60):
        world = adopted(ONE)
        calls = iter(range(1000))
        world.store.refuse = lambda _, calls=calls, refused=refused: next(calls) == refused
        world.offer(TWO, fate)
        world.run()
        world.live()
        assert world.serves == world.installation.record.links.serving
        if world.fates.get(world.serves or "") == CRASHES:
            pytest.fail("what crashes serves on")
        world.store.refuse = lambda _: False
        world.begin()
        world.run()
        world.offer(TWO, fate)
        world.run()
        world.live()
        world.live()
        assert world.links.serving == (TWO.id if fate == GOOD else ONE.id)


@pytest.mark.parametrize("seed", range(60))
def test_after_any_storm_the_next_good_release_serves(seed: int) -> None:
    storm(seed, 40)
