"""A headless Chromium on a pair of pipes: no port, no driver, an empty profile."""

import base64
import json
import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from fcntl import F_DUPFD_CLOEXEC, fcntl
from pathlib import Path
from typing import Any

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1040,1000",
    "--remote-debugging-pipe",
)
NAMES = ("chromium", "chromium-browser", "google-chrome")


class Page:
    """One tab, driven by the DevTools protocol."""

    def __init__(self, reading: int, writing: int) -> None:
        self._from, self._to = os.fdopen(reading, "rb"), os.fdopen(writing, "wb")
        self._count, self._session = 0, {}
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = {"sessionId": attached["sessionId"]}
        self.call("Page.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command and its answer."""
        self._count += 1
        command = {"id": self._count, "method": method, "params": parameters, **self._session}
        self._to.write(json.dumps(command).encode() + b"\0")
        self._to.flush()
        while True:
            told = self._next()
            if told.get("id") == self._count:
                assert "error" not in told, told["error"]
                return told["result"]

    def open(self, url: str) -> None:
        """Load a page and wait until its scripts have run."""
        self.call("Page.navigate", url=url)
        while self._next().get("method") != "Page.loadEventFired":
            pass

    def evaluate(self, expression: str) -> Any:
        """The value of an expression, awaited."""
        told = self.call(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in told, told["exceptionDetails"]
        return told["result"].get("value")

    def draw(self, points: list[tuple[float, float]]) -> None:
        """Press at the first point, move over the others, release at the last."""
        for kind, (x, y) in [
            ("mousePressed", points[0]),
            *(("mouseMoved", point) for point in points),
            ("mouseReleased", points[-1]),
        ]:
            self.call(
                "Input.dispatchMouseEvent",
                type=kind,
                x=x,
                y=y,
                button="left",
                buttons=0 if kind == "mouseReleased" else 1,
                clickCount=1,
            )

    def screenshot(self, path: Path) -> None:
        """Save what the page looks like."""
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot")["data"]))

    def close(self) -> None:
        """Close the pipes."""
        self._to.close()
        self._from.close()

    def _next(self) -> dict[str, Any]:
        message = bytearray()
        while (byte := self._from.read(1)) != b"\0":
            assert byte, "Chromium has ended"
            message += byte
        return json.loads(message)


@contextmanager
def chromium(profile: Path) -> Iterator[Page]:
    """Start Chromium and end it."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    assert program, "chromium is not installed"
    (theirs_in, ours_out), (ours_in, theirs_out) = os.pipe(), os.pipe()
    commands, answers = (fcntl(one, F_DUPFD_CLOEXEC, 10) for one in (theirs_in, theirs_out))
    process = os.posix_spawn(
        program,
        [program, *FLAGS, f"--user-data-dir={profile}"],
        os.environ,
        file_actions=[
            *((os.POSIX_SPAWN_OPEN, own, os.devnull, os.O_RDWR, 0) for own in (0, 1, 2)),
            (os.POSIX_SPAWN_DUP2, commands, 3),  # where Chromium reads commands
            (os.POSIX_SPAWN_DUP2, answers, 4),  # and writes answers
        ],
    )
    for one in (theirs_in, theirs_out, commands, answers):
        os.close(one)
    try:
        page = Page(ours_in, ours_out)
        yield page
        page.close()
    finally:
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
