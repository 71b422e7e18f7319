"""The agent's state folder: remote configuration, and a lock against a second agent."""

import fcntl
import json
from pathlib import Path
from typing import Any

from agent.adapters.durable import replace
from agent.errors import StorageError

DESIRED = "desired.json"
LOCK = "agent.lock"
MAX_DESIRED_BYTES = 2 * 1024 * 1024


class StateFolder:
    """One folder, held by one agent at a time."""

    def __init__(self, path: Path) -> None:
        """Make and lock the folder.

        Raises:
            StorageError: it cannot be written, or another agent holds it.
        """
        self.path = path
        try:
            path.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = (path / LOCK).open("a")
        except OSError as error:
            raise StorageError(
                f"{path}: {error.strerror}; set state_dir to a folder that can be written"
            ) from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise StorageError(
                f"{path}: another agent uses this state folder; give each its own state_dir"
            ) from None

    def remembered(self) -> Any:
        """Return the remote configuration that was kept; see `read_remembered`."""
        return read_remembered(self.path)

    def remember(self, document: dict[str, Any]) -> None:
        """Keep the remote configuration: wholly, or the old one.

        Raises:
            StorageError: it could not be written.
        """
        target = self.path / DESIRED
        text = json.dumps(document, ensure_ascii=False)
        try:
            replace(target, target.with_suffix(".new"), text)
        except OSError as error:
            raise StorageError(f"{target}: {error.strerror}") from None

    def release(self) -> None:
        """Let another agent have it."""
        self._lock.close()


def read_remembered(folder: Path) -> Any:
    """Return the remote configuration kept in a folder; None if there is none, or it is damaged.

    Raises:
        StorageError: it is there but cannot be read.
    """
    try:
        text = (folder / DESIRED).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise StorageError(f"{folder / DESIRED}: {error.strerror}") from None
    try:
        return json.loads(text) if len(text) <= MAX_DESIRED_BYTES else None
    except (ValueError, RecursionError):
        return None
