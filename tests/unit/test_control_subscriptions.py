"""What the agent reads on a link: everything on a new one, and again what may have been dropped."""

from agent.control.events import Overflowed, Tick
from tests.support.sim import Rig, pipeline

DESIRED = "selvedge/v1/devices/dev/config/desired"
COMMANDS = "selvedge/v1/devices/dev/cmd/+/+"
DOOR = "house/door"
AGAIN_MS = 60_000


def linked() -> Rig:
    rig = Rig({"pipelines": {"door": pipeline(source={"kind": "mqtt", "topic": DOOR})}})
    rig.link_up()
    assert {DESIRED, COMMANDS, DOOR} <= rig.filters
    return rig


def test_a_configuration_that_was_dropped_is_asked_for_again_once_and_no_sensors_word() -> None:
    rig = linked()
    rig.filters.clear()
    rig.handle(Overflowed(3))
    rig.wait(AGAIN_MS - 1)
    assert rig.filters == set()
    rig.wait(1)
    assert {DESIRED, COMMANDS} <= rig.filters
    assert DOOR not in rig.filters, "a retained word of a sensor would be taken twice"
    rig.filters.clear()
    rig.wait(10 * AGAIN_MS)
    assert DESIRED not in rig.filters


def test_a_link_that_is_gone_is_not_asked_and_a_new_one_at_once() -> None:
    rig = linked()
    rig.handle(Overflowed(3))
    rig.link_down()
    rig.filters.clear()
    rig.wait(2 * AGAIN_MS)
    rig.handle(Overflowed(1))
    rig.wait(2 * AGAIN_MS)
    rig.handle(Tick())
    assert rig.filters == set()
    rig.link_up()
    assert {DESIRED, COMMANDS, DOOR} <= rig.filters


def test_a_source_that_reads_our_own_topic_does_not_take_it_along_when_it_goes() -> None:
    own = "selvedge/v1/fleet/config/desired"
    rig = Rig({"pipelines": {"door": pipeline(source={"kind": "mqtt", "topic": own})}})
    rig.link_up()
    rig.receive("devices/dev/config/desired", {"pipelines": {"door": None}})
    assert own in rig.filters
