"""The queue between the link's threads and the main loop."""

import select
import threading

from agent.adapters.event_queue import LIMIT_BYTES, EventQueue
from agent.control.events import Delivered, LinkUp, Received


def readable(queue: EventQueue) -> bool:
    return bool(select.select([queue], [], [], 0)[0])


def test_events_come_in_order_and_wake_the_selector() -> None:
    queue = EventQueue()
    assert not readable(queue)
    sent = [LinkUp(), Received("t", b"1"), Delivered(7)]
    for event in sent:
        queue.put(event)
    assert readable(queue)
    events, dropped = queue.take()
    assert (list(events), dropped) == (sent, 0)
    assert not readable(queue)


def test_a_flood_is_bounded_and_costs_no_acknowledgement() -> None:
    queue = EventQueue()
    flood = [threading.Thread(target=_flood, args=(queue,)) for _ in range(4)]
    for thread in flood:
        thread.start()
    for thread in flood:
        thread.join()
    events, dropped = queue.take()
    held = sum(len(event.payload) for event in events if isinstance(event, Received))
    assert held <= LIMIT_BYTES
    assert dropped > 0
    assert sum(isinstance(event, Delivered) for event in events) == 4 * 200
    assert dropped + sum(isinstance(event, Received) for event in events) == 4 * 200
    queue.put(Received("t", b"again"))
    assert [event.payload for event in queue.take()[0]] == [b"again"]


def _flood(queue: EventQueue) -> None:
    for row_id in range(200):
        queue.put(Received("t", bytes(50_000)))
        queue.put(Delivered(row_id))
