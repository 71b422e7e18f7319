"""A download ends with the right bytes whatever the broker does, or says why it does not."""

import random
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.contract.blob_download import (
    BlobDownload,
    Broken,
    Chunk,
    Discard,
    Down,
    Due,
    Hashed,
    Limits,
    State,
    Store,
    Subscribe,
    Unsubscribe,
    Up,
    Verify,
)
from broker.contract.blobs import CHUNK_BYTES, BlobRef, blob_chunks, blob_ref

LARGE = random.Random(1).randbytes(5_000_001)  # 79 chunks, 5 buckets
REF = blob_ref(LARGE)


class Rig:
    """A broker with retained chunks, a disk, and a clock that moves only when told."""

    def __init__(self, data: bytes = LARGE, have: set[int] | None = None, seed: int = 0) -> None:
        self.ref = blob_ref(data)
        self.chunks = {(c.bucket, c.chunk): part for c, part in blob_chunks(self.ref, data)}
        self.disk = bytearray(len(data))
        for chunk in have or ():
            start = chunk * CHUNK_BYTES
            self.disk[start : start + CHUNK_BYTES] = data[start : start + CHUNK_BYTES]
        self.subscribed: set[int] = set()
        self.coming: list[Chunk] = []
        self.most_subscribed = self.stored = self.discards = 0
        self.now_ms = 0
        self.up = False
        self.chance = random.Random(seed)
        self.download = BlobDownload(self.ref, have or ())

    def feed(self, event) -> None:
        for effect in self.download.handle(event, self.now_ms):
            self.perform(effect)

    def perform(self, effect) -> None:
        match effect:
            case Subscribe(bucket):
                assert self.up, "subscribes without a link"
                self.subscribed.add(bucket)
                self.most_subscribed = max(self.most_subscribed, len(self.subscribed))
                for (b, chunk), part in self.chunks.items():
                    if b == bucket:
                        self.coming.append(Chunk(b, chunk, part))
            case Unsubscribe(bucket):
                self.subscribed.remove(bucket)
            case Store(_, offset, part):
                self.disk[offset : offset + len(part)] = part
                self.stored += 1
            case Verify():
                self.feed(Hashed(sha256(self.disk).hexdigest()))
            case Discard():
                self.disk = bytearray(len(self.disk))
                self.discards += 1

    def link(self, up: bool) -> None:
        self.up = up
        if not up:
            self.subscribed.clear()
            self.coming.clear()
        self.feed(Up() if up else Down())

    def deliver(self) -> None:
        self.feed(self.coming.pop(self.chance.randrange(len(self.coming))))

    def finish(self) -> None:
        while self.coming and self.download.state is State.FETCHING:
            self.deliver()

    def suffer(self, mishap: str) -> None:
        if self.download.state is not State.FETCHING:
            return
        match mishap:
            case "cut":
                self.link(up=False)
                assert self.download.state is State.WAITING
                self.link(up=True)
            case "stray":
                self.feed(Chunk(self.chance.randrange(9), self.chance.randrange(99), b"stray"))
            case "wait":
                self.wait()
            case "lose" if self.coming:
                self.coming.pop()
            case "repeat" if self.coming:
                self.coming.append(self.coming[0])
            case "deliver" if self.coming:
                self.deliver()

    def wait(self) -> None:
        assert self.download.due_ms is not None
        self.now_ms = self.download.due_ms
        self.feed(Due())


def test_a_blob_comes_whole_with_few_buckets_at_a_time():
    rig = Rig()
    rig.link(up=True)
    rig.finish()
    assert rig.download.state is State.DONE
    assert bytes(rig.disk) == LARGE
    assert rig.most_subscribed == 3
    assert rig.subscribed == set()
    assert rig.stored == REF.chunks == 79


@pytest.mark.parametrize("size", [1, CHUNK_BYTES, CHUNK_BYTES + 1, 16 * CHUNK_BYTES])
def test_blobs_at_the_edges_of_chunks_and_buckets(size):
    rig = Rig(LARGE[:size])
    rig.link(up=True)
    rig.finish()
    assert rig.download.state is State.DONE
    assert bytes(rig.disk) == LARGE[:size]


@given(
    st.sets(st.integers(0, REF.chunks - 1)),
    st.lists(st.sampled_from(["lose", "cut", "repeat", "stray", "deliver", "wait"]), max_size=60),
    st.integers(0, 99),
)
@settings(max_examples=30)
def test_a_blob_comes_whole_through_losses_cuts_and_repetitions(have, mishaps, seed):
    rig = Rig(have=have, seed=seed)
    rig.link(up=True)
    for mishap in mishaps:
        rig.suffer(mishap)
    for _ in range(20):
        rig.finish()
        if rig.download.state is State.FETCHING:
            rig.wait()
    assert rig.download.state is State.DONE
    assert bytes(rig.disk) == LARGE
    assert rig.stored == REF.chunks - len(have)
    assert rig.subscribed == set()


def test_what_is_there_already_is_verified_without_a_link():
    rig = Rig(have=set(range(REF.chunks)))
    rig.link(up=False)
    assert (rig.download.state, rig.stored) == (State.DONE, 0)


def test_chunks_that_are_not_of_this_blob_are_counted_and_not_stored():
    rig = Rig()
    rig.link(up=True)
    good = rig.chunks[0, 3]
    for stray in (
        Chunk(0, 3, good[:-1]),
        Chunk(0, 3, good + b"x"),
        Chunk(1, 3, good),
        Chunk(0, -1, good),
        Chunk(4, REF.chunks, good),
        Chunk(10**8, 16 * 10**8, good),
    ):
        rig.feed(stray)
    assert (rig.download.refused, rig.stored) == (6, 0)
    rig.finish()
    assert rig.download.state is State.DONE


def test_a_blob_that_was_spoilt_is_fetched_anew_and_given_up_after_three_times():
    rig = Rig()
    rig.chunks[2, 40] = bytes(CHUNK_BYTES)
    rig.link(up=True)
    for _ in range(3):
        rig.finish()
    assert rig.download.state is State.FAILED
    assert "another SHA-256, 3 times" in rig.download.reason
    assert (rig.discards, rig.stored) == (2, 3 * REF.chunks)
    assert rig.subscribed == set()


def test_a_blob_that_was_mended_meanwhile_comes_whole():
    rig = Rig()
    good, rig.chunks[2, 40] = rig.chunks[2, 40], bytes(CHUNK_BYTES)
    rig.link(up=True)
    while not rig.discards:
        rig.deliver()
        if rig.discards:
            break
    rig.chunks[2, 40] = good
    rig.coming.clear()
    rig.wait()
    rig.finish()
    assert rig.download.state is State.DONE


def test_a_broker_that_lacks_chunks_is_asked_ever_less_often_and_then_given_up():
    rig = Rig()
    rig.chunks = {place: part for place, part in rig.chunks.items() if place[0] != 1}
    rig.link(up=True)
    rig.finish()
    waits = []
    while rig.download.state is State.FETCHING:
        before = rig.now_ms
        rig.wait()
        waits.append(rig.now_ms - before)
        rig.finish()
    assert waits[:6] == [10_000, 20_000, 40_000, 80_000, 160_000, 300_000]
    assert len(waits) == Limits().stalls
    assert "does not give 16 of 79 chunks" in rig.download.reason
    assert rig.subscribed == set()


def test_patience_is_whole_again_after_a_chunk():
    rig = Rig()
    rig.link(up=True)
    rig.coming.clear()
    for _ in range(4):
        rig.wait()
        kept = rig.coming.pop()
        rig.coming.clear()
    rig.feed(kept)
    assert rig.download.due_ms - rig.now_ms == Limits().stall_ms


@pytest.mark.parametrize("told", [True, False])
def test_a_new_link_is_asked_for_everything_at_once(told):
    """Also where the loss of the old link was not noticed."""
    rig = Rig()
    rig.link(up=True)
    if told:
        rig.link(up=False)
        assert rig.download.due_ms is None
    rig.subscribed, rig.coming = set(), []
    rig.link(up=True)
    assert rig.subscribed == {0, 1, 2}
    rig.finish()
    assert rig.download.state is State.DONE


def test_a_timer_that_comes_early_changes_nothing():
    rig = Rig()
    rig.link(up=True)
    rig.coming.clear()
    rig.now_ms = rig.download.due_ms - 1
    rig.feed(Due())
    assert rig.coming == []


def test_a_disk_that_refuses_ends_the_download_and_frees_the_broker():
    rig = Rig()
    rig.link(up=True)
    rig.feed(Broken("no space left"))
    assert (rig.download.state, rig.download.reason) == (State.FAILED, "no space left")
    assert rig.subscribed == set()
    rig.link(up=True)
    assert rig.download.state is State.FAILED


def test_every_reference_has_a_shape():
    assert BlobRef("ab" * 32, 1).buckets == 1
    assert [len(REF.chunks_of(bucket)) for bucket in range(REF.buckets)] == [16, 16, 16, 16, 15]
