"""What the outbox gives up, in which order, and when."""

from dataclasses import replace

import pytest

from agent.config.device import OutboxConfig
from agent.errors import StorageError
from agent.outbox.outbox import (
    FORGET_AT,
    HOT_LIMIT_BYTES,
    LATE_MS,
    RETRY_MS,
    STRANDED_LIMIT_BYTES,
    TIDY_INTERVAL_MS,
    Outbox,
)
from agent.outbox.sequences import BLOCK, Sequences
from tests.support.fake_store import FakeStore

CONFIG = OutboxConfig(commit_interval_ms=1000, window=4)


def outbox(store: FakeStore | None = None, config: OutboxConfig = CONFIG) -> Outbox:
    return Outbox(store or FakeStore(), config, 0)


def fill(it: Outbox, count: int, size: int = 100, priority: int = 5, now_ms: int = 0) -> None:
    for _ in range(count):
        it.put("cam", b"x" * size, priority, now_ms)


def drain(it: Outbox, now_ms: int = 0) -> list[int]:
    ids = []
    while rows := it.take(now_ms):
        for row in rows:
            it.acknowledge(row.id)
            ids.append(row.id)
    return ids


def test_with_a_broker_at_hand_nothing_is_written() -> None:
    store = FakeStore()
    it = outbox(store)
    for now_ms in range(0, 60_000, 10):
        it.put("cam", b"x" * 100, 5, now_ms)
        drain(it, now_ms)
        it.tend(now_ms)
    assert set(store.calls) <= {"contents", "expire"}


def test_what_is_not_acknowledged_within_the_interval_is_on_disk_in_one_write() -> None:
    store = FakeStore()
    it = outbox(store)
    fill(it, 10)
    it.take(0)
    assert it.due_ms() == 1000
    it.tend(999)
    assert store.rows == {}
    it.tend(1000)
    assert len(store.rows) == 10
    assert store.calls.count("append") == 1


def test_much_at_once_is_committed_at_once() -> None:
    store = FakeStore()
    it = outbox(store)
    fill(it, 2, HOT_LIMIT_BYTES // 2)
    it.tend(0)
    assert store.rows == {}
    fill(it, 1, 1)
    it.tend(0)
    assert len(store.rows) == 3


def test_the_lowest_priority_goes_first_and_of_it_the_oldest() -> None:
    store = FakeStore()
    it = outbox(store, replace(CONFIG, limit_bytes=1600))
    for priority in (5, 1, 9, 1, 5, 1):
        fill(it, 3, 100, priority)
    it.commit(0)
    left = [(row.id, row.priority) for row in store.load(0, 99)]
    # 18 rows: 2 too many and a sixteenth of 1600 bytes, in all 3 rows; the first with priority 1
    assert [row_id for row_id, _ in left] == [1, 2, 3, *range(7, 19)]
    assert it.dropped == 3
    assert it.bytes == 1500


def test_stranded_rows_keep_to_memory_lowest_priority_and_oldest_first() -> None:
    store = FakeStore()
    it = outbox(store)
    store.refuse = lambda _: True
    it.put("cam", b"h" * 1000, 9, 0)
    it.put("cam", b"l" * 1000, 0, 0)
    for now_ms in range(5000):
        it.put("cam", b"m" * 1000, 5, now_ms)
        assert it._hot_bytes <= STRANDED_LIMIT_BYTES + 1000
    store.refuse = lambda _: False
    it.commit(10**6)
    kept = store.load(0, 10**6)
    assert kept[0].priority == 9
    assert all(row.priority != 0 for row in kept)
    ids = [row.id for row in kept[1:]]
    assert ids == list(range(ids[0], 5003)), "the youngest are kept, without a gap"
    assert it.dropped == 5002 - len(kept)


def test_an_interval_of_an_hour_does_not_make_memory_unbounded() -> None:
    store = FakeStore()
    it = outbox(store, replace(CONFIG, commit_interval_ms=3_600_000))
    store.refuse = lambda _: True
    fill(it, 10 * STRANDED_LIMIT_BYTES // 100_000, 100_000)
    assert it.bytes <= STRANDED_LIMIT_BYTES


def test_a_disk_that_refuses_is_not_asked_more_often_than_its_retry() -> None:
    for interval_ms in (0, 100):
        store = FakeStore()
        it = outbox(store, replace(CONFIG, commit_interval_ms=interval_ms))
        store.refuse = lambda name: name != "reserve"
        for now_ms in range(0, 10_000, 10):
            it.put("cam", b"x", 5, now_ms)
            it.tend(now_ms)
            it.take(now_ms)
        assert store.calls.count("append") <= 10_000 // RETRY_MS + 1
        assert not it.healthy


def test_a_disk_that_cannot_be_read_is_asked_again_later_and_does_not_spin() -> None:
    store = FakeStore()
    it = outbox(store)
    fill(it, 20)
    it.commit(0)
    it = outbox(store)
    store.refuse = lambda name: name == "load"
    for now_ms in range(0, 5000, 10):
        assert it.take(now_ms) == []
        assert not it.healthy
        it.tend(now_ms)
        assert it.due_ms() > now_ms
    assert store.calls.count("load") <= 5000 // RETRY_MS + 1
    store.refuse = lambda _: False
    assert len(drain(it, 10_000)) == 20


def test_a_disk_that_only_refuses_loses_nothing_by_eviction() -> None:
    store = FakeStore()
    it = outbox(store)
    fill(it, 50)
    it.commit(0)
    store.refuse = lambda name: name == "append"
    fill(it, 5)
    for now_ms in range(0, 100_000, 1000):
        it.commit(now_ms)
    assert (it.rows, it.dropped, it.healthy) == (55, 0, False)
    store.refuse = lambda _: False
    it.commit(100_000)
    assert it.healthy
    assert len(drain(it)) == 55


def test_a_full_disk_takes_the_new_and_gives_up_the_oldest_unimportant() -> None:
    store = FakeStore(limit_bytes=1000)
    it = outbox(store)
    fill(it, 5, 100, priority=1)
    fill(it, 5, 100, priority=8)
    it.commit(0)
    fill(it, 2, 100, priority=5)
    it.commit(1)
    assert it.healthy
    assert sorted(store.rows) == [*range(3, 11), 11, 12]
    assert it.dropped == 2


def test_a_full_disk_does_not_give_up_what_is_more_important_than_the_new() -> None:
    store = FakeStore(limit_bytes=1000)
    it = outbox(store)
    fill(it, 10, 100, priority=8)
    it.commit(0)
    fill(it, 2, 100, priority=5)
    it.commit(1)
    assert not it.healthy
    assert sorted(store.rows) == list(range(1, 11))
    assert it.rows == 12


def test_age_is_time_that_the_agent_ran() -> None:
    store = FakeStore()
    config = replace(CONFIG, max_age_s=600)
    it = outbox(store, config)
    fill(it, 3)
    it.commit(300_000)
    it.close(300_000)
    # Off for a year or a second: the monotonic clock of a new boot begins anywhere, and age is
    # counted from when the last row came.
    it = Outbox(store, config, now_ms=50)
    it.tend(50 + TIDY_INTERVAL_MS)
    it.tend(50 + 599_000)
    assert it.rows == 3
    it.tend(50 + 600_001 + TIDY_INTERVAL_MS)
    assert (it.rows, it.dropped) == (0, 3)


def test_a_row_on_its_way_that_is_evicted_still_arrives_and_is_no_loss() -> None:
    store = FakeStore()
    it = outbox(store, replace(CONFIG, limit_bytes=1000, window=2))
    fill(it, 9)
    it.commit(0)
    flying = it.take(0)
    fill(it, 6)
    it.commit(1)
    assert all(row.gone for row in flying)
    assert (it.rows, it.dropped) == (10 - 1, 15 - 2 - (10 - 1))
    for row in flying:
        it.acknowledge(row.id)
    assert len(drain(it)) == it.rows + 9
    assert it.rows == it.bytes == 0


def test_rows_that_wait_in_memory_are_not_read_back_a_second_time() -> None:
    it = outbox()
    fill(it, 1)
    it.commit(0)
    fill(it, 5)
    it.commit(0)
    assert drain(it) == [1, 2, 3, 4, 5, 6]


def test_half_of_the_window_is_kept_for_live_rows() -> None:
    store = FakeStore()
    it = outbox(store, replace(CONFIG, window=10))
    fill(it, 100)
    it.commit(0)
    fill(it, 100)
    taken = it.take(0)
    assert [row.id for row in taken] == [*range(101, 106), *range(1, 6)]


def test_a_result_is_late_when_it_waited_or_is_of_an_earlier_run() -> None:
    store = FakeStore()
    it = outbox(store)
    fill(it, 1)
    (row,) = it.take(0)
    assert not it.late(row, LATE_MS)
    assert it.late(row, LATE_MS + 1)
    it.commit(0)
    it = outbox(store)
    (row,) = it.take(0)
    assert it.late(row, 0)
    fill(it, 1)
    assert [it.late(row, 0) for row in it.take(0)] == [False]


def test_acknowledged_rows_are_forgotten_together() -> None:
    store = FakeStore()
    it = outbox(store, replace(CONFIG, window=1000))
    fill(it, 2 * FORGET_AT)
    it.commit(0)
    drain(it)
    it.tend(1)
    assert store.calls.count("delete") == 1
    assert store.rows == {}
    it.tend(2 * TIDY_INTERVAL_MS)
    assert store.calls.count("delete") == 1, "and only once"


def test_rows_that_were_acknowledged_but_not_forgotten_come_again_only_after_a_crash() -> None:
    store = FakeStore()
    it = outbox(store)
    fill(it, 10)
    it.commit(0)
    store.refuse = lambda name: name == "delete"
    assert drain(it) == list(range(1, 11))
    it.commit(1)
    assert it.take(1) == []
    assert (it.rows, it.bytes) == (0, 0)
    assert len(outbox(store).take(0)) == 4  # a window of them


@pytest.mark.parametrize("used", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK])
def test_sequences_go_on_after_a_clean_end_and_leave_a_gap_after_a_crash(used: int) -> None:
    store = FakeStore()
    sequences = Sequences(store, {})
    assert [sequences.next("cam") for _ in range(used)] == list(range(used))
    crashed = Sequences(FakeStore(), dict(store.reserved)).next("cam")
    assert used <= crashed <= used + BLOCK
    sequences.give_back()
    assert Sequences(store, dict(store.reserved)).next("cam") == used
    assert store.calls.count("reserve") <= used // BLOCK + 3


def test_a_sequence_that_cannot_be_noted_is_not_given_out() -> None:
    store = FakeStore()
    sequences = Sequences(store, {"cam": 7})
    store.refuse = lambda _: True
    for _ in range(3):
        with pytest.raises(StorageError):
            sequences.next("cam")
    store.refuse = lambda _: False
    assert [sequences.next("cam"), sequences.next("door"), sequences.next("cam")] == [7, 0, 8]


def test_after_giving_back_a_new_sequence_is_noted_again() -> None:
    store = FakeStore()
    sequences = Sequences(store, {})
    sequences.next("cam")
    sequences.give_back()
    assert sequences.next("cam") == 1
    assert store.reserved["cam"] == 1 + BLOCK


def test_acknowledged_rows_leave_the_disk_within_a_minute_though_nothing_is_committed() -> None:
    store = FakeStore()
    it = outbox(store, replace(CONFIG, window=10))
    fill(it, 3)
    it.commit(0)
    for row in it.take(0):
        it.acknowledge(row.id)
    assert len(store.rows) == 3
    it.tend(TIDY_INTERVAL_MS)
    assert store.rows == {}
