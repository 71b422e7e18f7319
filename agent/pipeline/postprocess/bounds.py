"""No result may be longer than the outbox and the broker can carry at any rate."""

import json
from collections.abc import Sequence

from agent.errors import ConfigError

MAX_RESULT_BYTES = 16_384


def check_size(entries: Sequence[str], count: int, entry_bytes: int, remedy: str) -> None:
    """Check that `count` entries fit, each with one of the texts `entries` and `entry_bytes` more.

    Raises:
        ConfigError: the longest result would exceed `MAX_RESULT_BYTES`.
    """
    lengths = sorted((len(json.dumps(entry)) for entry in entries), reverse=True)
    longest = lengths[:count] if len(entries) >= count else lengths[:1] * count
    size = 256 + sum(longest) + entry_bytes * count
    if size > MAX_RESULT_BYTES:
        raise ConfigError(
            f"postprocess: a result could be {size} bytes long, more than the "
            f"{MAX_RESULT_BYTES} allowed: {remedy}"
        )
