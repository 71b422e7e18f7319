"""Machine code of modules, kept between starts where only this user can write.

Loading such code is running it, so nothing is read that another user could have put there, and
nothing that is not whole.
"""

import hashlib
import os
import stat
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

MAX_FILES = 32
MAX_FILE_BYTES = 64 << 20
SUFFIX = ".aot"
_DIGEST_BYTES = hashlib.sha256().digest_size


def user_cache() -> Path:
    """Return the cache of whoever runs a command."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "selvedge"


class AotCache:
    """A folder of compiled modules; where it cannot be trusted or used, it is as if empty."""

    def __init__(self, folder: Path | None) -> None:
        """Use a folder, made if it is missing; None: keep nothing."""
        self._folder = folder
        if folder is not None and not _is_private(folder):
            self._folder = None

    @property
    def is_usable(self) -> bool:
        """The folder is there and ours alone."""
        return self._folder is not None

    def get(self, *key: str) -> bytes | None:
        """Return what was kept under these words; None if nothing whole of ours is there."""
        if self._folder is None:
            return None
        path = self._path(key)
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            with os.fdopen(descriptor, "rb") as file:
                found = os.fstat(descriptor)
                if not _is_ours(found, stat.S_ISREG) or found.st_size > MAX_FILE_BYTES:
                    return None
                data = file.read(found.st_size)
                os.utime(descriptor)
        except OSError:
            return None
        digest, code = data[:_DIGEST_BYTES], data[_DIGEST_BYTES:]
        return code if hashlib.sha256(code).digest() == digest else None

    def put(self, code: bytes, *key: str) -> None:
        """Keep something, whole or not at all; a full disk is no fault."""
        if self._folder is None:
            return
        with suppress(OSError):
            descriptor, name = tempfile.mkstemp(dir=self._folder, suffix=".part")
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(hashlib.sha256(code).digest() + code)
                Path(name).replace(self._path(key))
            except BaseException:
                Path(name).unlink(missing_ok=True)
                raise
            self._forget_oldest(self._folder)

    def _path(self, key: tuple[str, ...]) -> Path:
        assert self._folder is not None
        return self._folder / (hashlib.sha256("\0".join(key).encode()).hexdigest() + SUFFIX)

    def _forget_oldest(self, folder: Path) -> None:
        found = sorted(folder.glob(f"*{SUFFIX}"), key=_age)
        for path in found[: max(0, len(found) - MAX_FILES)]:
            path.unlink(missing_ok=True)


def _age(path: Path) -> float:
    with suppress(OSError):
        return path.stat().st_mtime
    return 0.0


def _is_private(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return _is_ours(folder.lstat(), stat.S_ISDIR)
    except OSError:
        return False


def _is_ours(found: os.stat_result, is_kind: Callable[[int], bool]) -> bool:
    """Of the right kind, owned by us, and closed to others."""
    others = stat.S_IRWXG | stat.S_IRWXO
    return is_kind(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & others
