"""Fetching: each blob once for all who want it, within a bound, through cuts and faults."""

import dataclasses
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.blobs.blobs import AT_ONCE, MAX_WANTED, Arrived
from broker.contract.blobs import CHUNK_BYTES, BlobRef, blob_chunks, blob_ref
from tests.support.blob_broker import BlobWorld, Wanter

MOST = random.Random(1)
SMALL = [MOST.randbytes(size) for size in (1, 5000, CHUNK_BYTES, CHUNK_BYTES + 1)]
LARGE = MOST.randbytes(17 * CHUNK_BYTES + 9)
REFS = [blob_ref(data) for data in (*SMALL, LARGE)]
QUARTER_H_MS = 900_000


def world(**options) -> BlobWorld:
    made = BlobWorld([*SMALL, LARGE], **options)
    made.link(up=True)
    return made


def test_a_blob_is_downloaded_once_for_all_who_want_it():
    one, two, there = Wanter(), Wanter(), world()
    there.want(one, REFS[4])
    there.want(two, REFS[4])
    assert len(there.filters) == 1
    there.run()
    path = there.store.path(REFS[4].sha256)
    assert one.told == two.told == [Arrived(REFS[4], path)]
    assert there.store.whole[REFS[4].sha256] == LARGE
    assert there.filters == set()
    there.want(one, REFS[4])
    assert there.filters == set()
    there.run()
    assert one.told == [Arrived(REFS[4], path)] * 2
    assert len(two.told) == 1


def test_a_few_downloads_run_at_a_time_and_the_rest_waits():
    owner, there = Wanter(), world()
    for ref in REFS:
        there.want(owner, ref)
    assert len(there.filters) == AT_ONCE
    there.run()
    assert owner.paths().keys() == {ref.sha256 for ref in REFS}
    assert there.most_filters == AT_ONCE


def test_what_is_wanted_offline_comes_with_the_link():
    owner, there = Wanter(), BlobWorld(SMALL)
    there.want(owner, REFS[0])
    there.run(QUARTER_H_MS)
    assert (owner.told, there.filters) == ([], set())
    there.link(up=True)
    there.run()
    assert owner.paths()


def test_a_part_is_not_fetched_twice_after_a_restart():
    owner, there = Wanter(), world()
    there.want(owner, REFS[4])
    for _ in range(16):
        there.deliver()
    there.restart()
    there.link(up=True)
    there.want(owner, REFS[4])
    assert len(there.coming) == 2
    there.run()
    assert there.store.whole[REFS[4].sha256] == LARGE


def test_a_part_that_promises_too_much_is_fetched_anew():
    owner, there = Wanter(), world()
    there.store.have[REFS[4].sha256] = {0, 1, 2}
    there.store.parts[REFS[4].sha256] = bytearray(100)
    there.want(owner, REFS[4])
    there.run()
    assert there.store.whole[REFS[4].sha256] == LARGE
    assert owner.paths()


def test_a_blob_that_nobody_wants_any_more_leaves_no_subscription():
    one, two, there = Wanter(), Wanter(), world()
    there.want(one, REFS[4])
    there.want(two, REFS[4])
    there.deliver()
    there.release(one, REFS[4])
    assert there.filters
    there.release(two)
    assert there.filters == set()
    there.run(QUARTER_H_MS)
    assert (one.told, two.told) == ([], [])
    assert REFS[4].sha256 in there.store.parts


def test_a_blob_that_waits_for_its_turn_can_be_released():
    owner, there = Wanter(), world()
    for ref in REFS:
        there.want(owner, ref)
    there.release(owner, REFS[4])
    there.run()
    assert owner.paths().keys() == {ref.sha256 for ref in REFS[:4]}


def test_news_that_nobody_waits_for_are_not_told():
    owner, there = Wanter(), world()
    there.want(owner, REFS[0])
    there.run()
    there.want(owner, REFS[0])
    there.release(owner)
    there.run()
    assert len(owner.told) == 1


def test_a_blob_that_the_broker_lacks_gives_way_to_others():
    missing = [BlobRef(f"{n:064x}", 100) for n in range(AT_ONCE)]
    owner, there = Wanter(), world()
    for ref in [*missing, REFS[0]]:
        there.want(owner, ref)
    there.run(QUARTER_H_MS)
    assert owner.paths().keys() == {REFS[0].sha256}
    assert len(owner.reasons()) == AT_ONCE
    assert all("does not give 1 of 1 chunks" in reason for reason in owner.reasons())
    there.want(owner, missing[0])
    assert there.filters


def test_room_is_made_of_what_nobody_wants_and_the_longest_unused_goes_first():
    owner, there = Wanter(), world(limit_bytes=140_000)
    for ref in REFS[:3]:
        there.want(owner, ref)
        there.run()
    there.release(owner)
    there.want(owner, REFS[0])
    there.run()
    there.want(owner, REFS[3])
    there.run()
    assert REFS[3].sha256 in owner.paths()
    assert there.store.deleted == []
    there.blobs.limit_bytes = 70_000
    other = blob_ref(b"x" * 5_500)
    there.want(owner, other)
    assert there.store.deleted == [REFS[1].sha256, REFS[2].sha256]


def test_what_is_wanted_is_never_deleted():
    owner, there = Wanter(), world(limit_bytes=70_000)
    there.want(owner, REFS[2])
    there.run()
    there.want(owner, REFS[3])
    there.run()
    assert owner.reasons() == [
        f"{REFS[3].bytes} bytes do not fit into blobs.limit_bytes of 70000",
    ]
    assert there.store.deleted == []


def test_a_blob_larger_than_all_the_room_is_refused():
    owner, there = Wanter(), world(limit_bytes=1_000)
    there.want(owner, REFS[4])
    there.run()
    assert "do not fit" in owner.reasons()[0]
    assert there.filters == set()


def test_a_name_with_another_length_neither_passes_nor_harms_the_right_one():
    owner, liar, there = Wanter(), Wanter(), world()
    wrong = dataclasses.replace(REFS[3], bytes=REFS[3].bytes - 5)
    there.want(owner, REFS[3])
    there.want(liar, wrong)
    there.run(QUARTER_H_MS)
    assert owner.paths()
    assert liar.reasons()
    there.want(liar, wrong)
    there.run(QUARTER_H_MS)
    assert liar.reasons()[-1] == f"has {REFS[3].bytes} bytes, not {wrong.bytes}"
    assert there.store.whole[REFS[3].sha256] == SMALL[3]


def test_too_many_wishes_are_refused():
    owner, there = Wanter(), world()
    for number in range(MAX_WANTED + 1):
        there.want(owner, BlobRef(f"{number:064x}", 1))
    there.run()
    assert owner.reasons() == [f"{MAX_WANTED} blobs are wanted already"]


@pytest.mark.parametrize("method", ["held", "chunks", "write", "read", "finish"])
def test_a_disk_that_refuses_is_told_and_tried_again(method):
    owner, there = Wanter(), world()
    there.store.refuse = lambda name: name == method
    there.want(owner, REFS[3])
    there.run()
    assert owner.reasons() == [f"blobs: No space left on device ({method})"]
    assert there.filters == set()
    assert len(there.logs) == 1
    there.store.refuse = lambda _: False
    there.want(owner, REFS[3])
    there.run()
    assert owner.paths()
    assert there.store.whole[REFS[3].sha256] == SMALL[3]


class Storm:
    """Two owners who change their minds, and a world that fails."""

    def __init__(self, seed: int) -> None:
        self.there = world(limit_bytes=1_300_000, seed=seed)
        self.forget()

    def forget(self) -> None:
        self.owners = [Wanter(), Wanter()]
        self.wanted: list[set[BlobRef]] = [set(), set()]

    def want(self, number: int) -> None:
        self.there.want(self.owners[number % 2], REFS[number])
        self.wanted[number % 2].add(REFS[number])

    def release(self, number: int) -> None:
        self.there.release(self.owners[number % 2], REFS[number])
        self.wanted[number % 2].discard(REFS[number])

    def restart(self, _: int) -> None:
        self.there.restart()
        self.forget()
        self.there.link(up=True)

    def cut(self, _: int) -> None:
        self.there.link(up=False)
        self.there.link(up=True)

    def stray(self, number: int) -> None:
        channel, data = next(blob_chunks(REFS[number], bytes(REFS[number].bytes)))
        length = self.there.chance.randrange(len(data) + 1)
        self.there.coming.append((channel, data[:length]))

    def full(self, _: int) -> None:
        self.there.store.refuse = lambda name: name == "write"
        self.there.run()
        self.there.store.refuse = lambda _: False

    def wait(self, _: int) -> None:
        self.there.run(20_000)

    def deliver(self, _: int) -> None:
        if self.there.coming:
            self.there.deliver()

    def lose(self, _: int) -> None:
        if self.there.coming:
            self.there.coming.pop()

    def repeat(self, _: int) -> None:
        if self.there.coming:
            self.there.coming.append(self.there.coming[0])

    def calm(self) -> None:
        """Whoever was told that it failed asks again."""
        for who, owner in enumerate(self.owners):
            for ref in self.wanted[who]:
                self.there.want(owner, ref)
        self.there.run(QUARTER_H_MS)


STEPS = (
    *("want", "want", "release", "lose", "cut", "repeat", "stray", "deliver", "deliver"),
    *("wait", "restart", "full"),
)


@given(st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 4)), max_size=60), st.integers())
@settings(max_examples=60, deadline=None)
def test_whatever_happens_what_is_wanted_arrives_in_the_end(steps, seed):
    storm = Storm(seed)
    for step, number in steps:
        getattr(storm, step)(number)
    for _ in range(3):
        storm.calm()
    there = storm.there
    for wanted, owner in zip(storm.wanted, storm.owners, strict=True):
        assert {ref.sha256 for ref in wanted} <= owner.paths().keys()
    assert there.filters == set()
    assert all(blob_ref(data).sha256 == sha256 for sha256, data in there.store.whole.items())
    assert sum(one.bytes for one in there.store.held()) <= there.limit_bytes
