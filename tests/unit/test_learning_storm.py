"""A device in federated jobs under anything: never two updates of one round, never two learners."""

import dataclasses

from hypothesis import given, settings
from hypothesis import strategies as st

from broker.contract.federated.round import Ack
from tests.support.learning_rig import COUNTED, LearningRig, job, opened, samples

NAMES = ("digits", "faces")
OFTEN = "learn learn learn take take ack ack forget forget label restart cut again"
SELDOM = "fail lack down up next_round close wait wait_long spec withdraw unserve serve refuse"
STEPS = st.lists(
    st.tuples(
        st.sampled_from([*OFTEN.split(), *SELDOM.split()]), st.integers(0, 1), st.integers(1, 9)
    ),
    max_size=50,
)


class Storm:
    """An aggregator that forgets nothing, and a device to which everything happens."""

    def __init__(self) -> None:
        self.rig = LearningRig(*NAMES)
        self.specs = {name: job(name) for name in NAMES}
        self.numbers = dict.fromkeys(NAMES, 1)
        self.sent: dict[str, bytes] = {}
        self.acked: set[tuple[str, int]] = set()
        self.count = 0
        self.meet()

    def meet(self) -> None:
        self.rig.link_up()
        for name in NAMES:
            self.spec(name, 0)
            self.again(name, 0)

    def look(self) -> None:
        """What was sent for a place of a round stays what it was, whatever happened between."""
        for message in self.rig.slices():
            first = self.sent.setdefault(message.topic, message.payload)
            assert first == message.payload, f"two updates in {message.topic}"

    def learn(self, _: str, __: int) -> None:
        if self.rig.learners:
            self.rig.learn()

    def fail(self, _: str, __: int) -> None:
        if self.rig.learners:
            self.rig.fail()

    def take(self, _: str, count: int) -> None:
        self.rig.take(count)

    def ack(self, name: str, _: int) -> None:
        number = self.numbers[name]
        if sum(f"/fl/{name}/{number}/up/" in topic for topic in self.sent) == 7:
            self.rig.ack(number, COUNTED, name)

    def refuse(self, name: str, number: int) -> None:
        if number == 9:
            self.rig.ack(self.numbers[name], Ack(whole=False, refused="no"), name)

    def lack(self, name: str, place: int) -> None:
        self.rig.lack((0, place % 7), number=self.numbers[name], name=name)

    def restart(self, _: str, __: int) -> None:
        self.look()
        self.rig = self.rig.again()
        self.meet()

    def cut(self, _: str, __: int) -> None:
        self.rig.link_down()
        self.rig.link_up()

    def down(self, _: str, __: int) -> None:
        self.rig.link_down()

    def up(self, _: str, __: int) -> None:
        self.rig.link_up()

    def forget(self, name: str, count: int) -> None:
        self.count += 1
        args = {"pipeline": "cam"} | ({} if count % 2 else {"label": "yes"})
        command = {"status": "init", "args": args}
        self.rig.receive(f"devices/dev/cmd/forget/{name}-{self.count}", command)
        self.rig.wait(1)
        assert not any(request.spec.id in NAMES for request in self.rig.learners.values())

    def label(self, _: str, count: int) -> None:
        self.rig.samples.put("cam", samples(count), None, None)

    def next_round(self, name: str, _: int) -> None:
        self.numbers[name] += 1
        self.again(name, 0)

    def close(self, name: str, _: int) -> None:
        self.rig.round(opened(self.numbers[name], name, state="closed"))

    def again(self, name: str, _: int) -> None:
        told = opened(1, name)
        self.rig.round(dataclasses.replace(told, number=self.numbers[name]))

    def wait(self, _: str, seconds: int) -> None:
        self.rig.wait(1000 * seconds)

    def wait_long(self, _: str, minutes: int) -> None:
        self.rig.wait(30_000 * minutes)

    def spec(self, name: str, _: int) -> None:
        self.rig.spec(self.specs[name])

    def withdraw(self, name: str, number: int) -> None:
        if number == 9:  # a job that is gone begins anew, under another name or with other rounds
            self.rig.receive(f"fl/{name}/spec", b"")
            self.numbers[name] += 1

    def unserve(self, name: str, _: int) -> None:
        self.desire([other for other in NAMES if other != name])

    def serve(self, _: str, __: int) -> None:
        self.desire(list(NAMES))
        for name in NAMES:
            self.spec(name, 0)
            self.again(name, 0)

    def desire(self, jobs: list[str]) -> None:
        tree = {"pipelines": {"cam": {"learning": {"jobs": jobs}}}}
        self.rig.receive("devices/dev/config/desired", tree)


@given(STEPS)
@settings(max_examples=60, deadline=None)
def test_whatever_happens_a_round_gets_one_update_and_the_next_one_goes_through(steps):
    storm = Storm()
    for step, which, number in steps:
        getattr(storm, step)(NAMES[which], number)
        storm.look()
    storm.desire(list(NAMES))
    storm.rig.samples.put("cam", samples(5), None, None)
    storm.restart("", 0)
    rig = storm.rig
    for _ in NAMES:
        storm.learn("", 0)  # of the same round, if nothing of it was ever sent
    rig.take()
    storm.look()
    for name in NAMES:
        storm.numbers[name] += 1
        storm.spec(name, 0)
        storm.again(name, 0)
    for _ in NAMES:
        rig.learn()
    rig.take()
    storm.look()
    for name in NAMES:
        number = storm.numbers[name]
        assert sum(f"/fl/{name}/{number}/up/" in topic for topic in storm.sent) == 7
        rig.ack(number, COUNTED, name)
    assert rig.jobs.updates == {}
    assert rig.learners == {}
