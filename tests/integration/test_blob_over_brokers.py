"""A blob comes whole through every broker that we start ourselves."""

import random
from hashlib import sha256

import pytest

from broker.adapters import private_broker
from broker.contract import blob_download as bd
from broker.contract.blobs import blob_chunks, blob_ref
from broker.contract.federated.channels import BlobChannel
from broker.contract.topics import Topics
from tests.support.brokers import TestClient

DATA = random.Random(3).randbytes(4_500_000)
OTHER = random.Random(4).randbytes(100_000)
TOPICS = Topics()


def bucket_filter(ref, bucket: int) -> str:
    return TOPICS.filter(BlobChannel, sha256=ref.sha256, bucket=bucket)


class Device:
    """The least adapter of a download: a client, bytes for a disk."""

    def __init__(self, client: TestClient, ref, have=()) -> None:
        self.client, self.ref = client, ref
        self.disk = bytearray(ref.bytes)
        self.download = bd.BlobDownload(ref, have)
        self.stored: set[int] = set()

    def feed(self, event) -> None:
        for effect in self.download.handle(event, 0):
            match effect:
                case bd.Subscribe(bucket):
                    self.client.subscribe(bucket_filter(self.ref, bucket))
                case bd.Unsubscribe(bucket):
                    self.client.paho.unsubscribe(bucket_filter(self.ref, bucket))
                case bd.Store(chunk, offset, data):
                    self.disk[offset : offset + len(data)] = data
                    self.stored.add(chunk)
                case bd.Verify():
                    self.feed(bd.Hashed(sha256(self.disk).hexdigest()))

    def run(self, until: int = 10**6) -> None:
        self.feed(bd.Up())
        while self.download.state is bd.State.FETCHING and len(self.stored) < until:
            received = self.client.receive()
            channel = TOPICS.channel(received.topic)
            self.feed(bd.Chunk(channel.bucket, channel.chunk, received.payload))


@pytest.mark.parametrize("engine", ["mosquitto", "amqtt"])
def test_a_blob_comes_whole_also_after_a_restart_in_the_middle(engine):
    ref = blob_ref(DATA)
    with private_broker.start(engine=engine) as running:
        port = running.address.port
        with TestClient("hub").connect(port) as hub:
            for data in (DATA, OTHER):
                for channel, chunk in blob_chunks(blob_ref(data), data):
                    hub.publish(TOPICS.topic(channel), chunk, retain=True)
        with TestClient("pi-1").connect(port) as client:
            first = Device(client, ref)
            first.run(until=30)
        with TestClient("pi-1").connect(port) as client:
            second = Device(client, ref, have=first.stored)
            second.disk[:] = first.disk
            second.run()
    assert second.download.state is bd.State.DONE
    assert bytes(second.disk) == DATA
    assert second.stored.isdisjoint(first.stored)
    assert first.download.refused == second.download.refused == 0
