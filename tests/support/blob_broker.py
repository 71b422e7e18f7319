"""A broker of retained chunks and owners of blobs, for fetching without a network."""

import random
from collections.abc import Sequence

from agent.blobs.blobs import Arrived, Blobs, Failed, News
from agent.config.device import BlobsConfig, DeviceConfig
from agent.control.events import (
    Action,
    Event,
    LinkDown,
    LinkUp,
    Log,
    Now,
    Subscribe,
    Tick,
    Unsubscribe,
)
from broker.contract.blobs import BlobRef, blob_chunks, blob_ref
from broker.contract.channel import Channel
from broker.contract.topics import Topics
from tests.support.fake_blobs import FakeBlobs
from tests.support.sim import matches

TOPICS = Topics()


class Wanter:
    """An owner that keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[News] = []

    def blob(self, news: News, now: Now) -> list[Action]:
        self.told.append(news)
        return []

    def paths(self) -> dict[str, str]:
        return {news.ref.sha256: news.path for news in self.told if isinstance(news, Arrived)}

    def reasons(self) -> list[str]:
        return [news.reason for news in self.told if isinstance(news, Failed)]


class BlobWorld:
    """Fetching, the broker that it asks, its disk and the time."""

    def __init__(self, files: Sequence[bytes], limit_bytes: int = 2**26, seed: int = 0) -> None:
        self.chance = random.Random(seed)
        self.files = {blob_ref(data): data for data in files}
        self.retained: dict[str, tuple[Channel, bytes]] = {}
        for ref, data in self.files.items():
            for channel, chunk in blob_chunks(ref, data):
                self.retained[TOPICS.topic(channel)] = channel, chunk
        self.store, self.limit_bytes = FakeBlobs(), limit_bytes
        self.now_ms, self.up = 1_000, False
        self.filters: set[str] = set()
        self.coming: list[tuple[Channel, bytes]] = []
        self.most_filters = 0
        self.logs: list[str] = []
        self.begin()

    def begin(self) -> None:
        """Start, with what the disk has."""
        self.blobs = Blobs(self.store, TOPICS)
        config = DeviceConfig(blobs=BlobsConfig(limit_bytes=self.limit_bytes))
        self.perform(self.blobs.configure(config, self.now()))

    def restart(self) -> None:
        self.filters.clear()
        self.coming.clear()
        self.up = False
        self.begin()

    def now(self) -> Now:
        return Now(self.now_ms, 0, synced=False)

    def handle(self, event: Event) -> None:
        self.perform(self.blobs.handle(event, self.now()))

    def link(self, up: bool) -> None:
        self.up = up
        self.filters.clear()
        self.coming.clear()
        self.handle(LinkUp() if up else LinkDown("cut"))

    def want(self, owner: Wanter, ref: BlobRef) -> None:
        self.perform(self.blobs.want(owner, ref, self.now()))

    def release(self, owner: Wanter, ref: BlobRef | None = None) -> None:
        self.perform(self.blobs.release(owner, self.now(), ref))

    def perform(self, actions: list[Action]) -> None:
        for action in actions:
            match action:
                case Subscribe((name,)):
                    assert self.up, "subscribes without a link"
                    self.filters.add(name)
                    self.most_filters = max(self.most_filters, len(self.filters))
                    found = [m for topic, m in self.retained.items() if matches(name, topic)]
                    self.coming += found
                case Unsubscribe((name,)):
                    self.filters.discard(name)
                case Log(_, text):
                    self.logs.append(text)
                case _:
                    raise AssertionError(action)

    def deliver(self) -> None:
        channel, payload = self.coming.pop(self.chance.randrange(len(self.coming)))
        self.perform(self.blobs.heard(channel, payload, self.now()))

    def run(self, ms: int = 0) -> None:
        """Deliver what comes and tick when it is due, until nothing is, or so much time passed."""
        end_ms = self.now_ms + ms
        for _ in range(10_000):
            due_ms = self.blobs.due_ms()
            if self.coming:
                self.deliver()
            elif due_ms is not None and due_ms <= end_ms:
                self.now_ms = max(self.now_ms, due_ms)
                self.handle(Tick())
            else:
                return
        raise AssertionError("it never comes to rest")
