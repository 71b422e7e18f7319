"""Files that systemd hands to the service alone (`LoadCredential=`)."""

import os
from collections.abc import Mapping

from agent.errors import ConfigError

VARIABLE = "CREDENTIALS_DIRECTORY"
PREFIX = f"${VARIABLE}/"


def credential(path: str | None, environment: Mapping[str, str] = os.environ) -> str | None:
    """Return a path with `$CREDENTIALS_DIRECTORY/` at its start replaced by the folder.

    Raises:
        ConfigError: the process was not given credentials.
    """
    if path is None or not path.startswith(PREFIX):
        return path
    folder = environment.get(VARIABLE)
    if not folder:
        raise ConfigError(
            f"{path}: no credentials were handed over; name a file, or start the service"
        )
    return f"{folder}/{path.removeprefix(PREFIX)}"
