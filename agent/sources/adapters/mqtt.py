"""Another device's topic as a sensor; the main process has the link, payloads come by inbox."""

import logging

from agent.config.sources import MqttSource as Config
from agent.pipeline.sample import Sample
from agent.sources.adapters.inbox import Inbox
from agent.sources.payload import decode_json_payload, decode_raw_payload

_log = logging.getLogger(__name__)


class MqttSource:
    """Decodes payloads; one that cannot be used is counted and forgotten."""

    def __init__(self, config: Config, inbox: Inbox) -> None:
        self._config = config
        self._inbox = inbox
        self._before = inbox.dropped()
        self._bad = 0

    def read(self, timeout_s: float) -> Sample | None:
        """Return the next payload's numbers; see `Source.read`."""
        arrived = self._inbox.get(timeout_s)
        if arrived is None:
            return None
        payload, captured_ns = arrived
        config = self._config
        try:
            if config.payload == "json":
                return Sample(decode_json_payload(payload, config.paths), captured_ns)
            return Sample(decode_raw_payload(payload, config.dtype), captured_ns)
        except ValueError as error:
            if not self._bad:
                _log.warning("mqtt: %s: payload refused: %s", config.topic, str(error)[:200])
            self._bad += 1
            return None

    def dropped(self) -> int:
        """Count payloads that came faster than they were read, and bad ones."""
        return self._inbox.dropped() - self._before + self._bad

    def close(self) -> None:
        """Nothing to release: the inbox belongs to who made it."""
