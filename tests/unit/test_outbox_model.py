"""The outbox against a model of it, on a fake disk."""

from typing import Any

from hypothesis import settings

from tests.support.fake_store import FakeStore
from tests.support.outbox_model import OutboxModel


class OutboxOnAFakeDisk(OutboxModel):
    """A disk in memory, which outlives its outbox."""

    def make_store(self) -> FakeStore:
        return FakeStore()

    def reopen_store(self, store: Any) -> FakeStore:
        return store


TestOutboxOnAFakeDisk = OutboxOnAFakeDisk.TestCase
TestOutboxOnAFakeDisk.settings = settings(
    max_examples=120, stateful_step_count=50, deadline=None, print_blob=True
)
