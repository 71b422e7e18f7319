import hypothesis.strategies as st
from hypothesis import given

from agent.sources.pace import Pace, Thinner

PERIOD = 100_000_000


class Time:
    def __init__(self):
        self.now = 7_000

    def clock(self):
        return self.now

    def sleep(self, seconds):
        self.now += round(seconds * 1e9)


def test_on_time_skips_nothing():
    time, pace = Time(), Pace(10)
    ticks = []
    for _ in range(5):
        assert pace.await_tick(time.clock, time.sleep, 1)
        skipped, tick = pace.take(time.clock())
        assert skipped == 0
        ticks.append(tick - 7_000)
    assert ticks == [0, PERIOD, 2 * PERIOD, 3 * PERIOD, 4 * PERIOD]


def test_waits_no_longer_than_told():
    time, pace = Time(), Pace(10)
    assert pace.await_tick(time.clock, time.sleep, 0.01)
    pace.take(time.clock())
    for _ in range(9):
        assert not pace.await_tick(time.clock, time.sleep, 0.01)
    assert time.now - 7_000 == 90_000_000
    assert pace.await_tick(time.clock, time.sleep, 0.01)
    assert time.now - 7_000 == PERIOD


@given(st.lists(st.integers(0, 10 * PERIOD), max_size=60))
def test_every_tick_is_taken_or_skipped_and_none_twice(delays):
    time, pace = Time(), Pace(10)
    count = 0
    for delay in delays:
        time.now += delay
        pace.await_tick(time.clock, time.sleep, 10)
        skipped, tick = pace.take(time.clock())
        assert (tick - 7_000 - (delays[0] if delays else 0)) % PERIOD == 0
        assert time.now - PERIOD < tick <= time.now
        count += 1 + skipped
    if delays:
        assert count == (tick - 7_000 - delays[0]) // PERIOD + 1


@given(
    camera_hz=st.integers(5, 60),
    wanted_hz=st.integers(1, 60),
    jitter=st.lists(st.floats(-0.2, 0.2), min_size=300, max_size=300),
)
def test_thinner_gives_the_wanted_rate_or_all_frames(camera_hz, wanted_hz, jitter):
    interval = round(1e9 / camera_hz)
    thinner = Thinner(wanted_hz, interval)
    times = [round((number + jitter[number]) * interval) for number in range(300)]
    wanted = sum(thinner.wants(time) for time in times)
    duration_s = (times[-1] - times[0]) / 1e9
    assert abs(wanted - min(camera_hz, wanted_hz) * duration_s) <= 0.02 * wanted + 2


def test_thinner_makes_no_burst_after_a_gap():
    thinner = Thinner(10, PERIOD // 3)
    assert thinner.wants(0)
    gap = 50 * PERIOD
    taken = [thinner.wants(gap + number * PERIOD // 3) for number in range(9)]
    assert sum(taken) == 3
