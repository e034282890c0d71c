"""Chromium, driven by its own protocol over two pipes: nothing between the tests and the browser, and no port is opened.

`chromium()` names the browser of this machine. `Browser` starts it without any network; `Browser.tab()` gives a page to
look at, which remembers each request that left it.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import json
import os
import select
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
PATIENCE = 60.0  # seconds for one answer; a busy machine is slow
# Our own files are looked at, on machines that often cannot give the browser a sandbox: as root, or in a container.
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-dev-shm-usage --remote-debugging-pipe --no-first-run --disable-sync "
    "--hide-scrollbars --no-default-browser-check --disable-extensions --disable-background-networking --disable-component-update "
    "--disable-quic --mute-audio --force-color-profile=srgb --font-render-hinting=none --log-level=3"
).split()
OFF = "--host-resolver-rules=MAP * ~NOTFOUND"  # whatever a page asks for, nothing is found
KEYS = {  # name: code, key code, the text that it types
    "Tab": ("Tab", 9, ""),
    "Enter": ("Enter", 13, "\r"),
    " ": ("Space", 32, " "),
    "ArrowDown": ("ArrowDown", 40, ""),
}


class BrowserError(Exception):
    """The browser did not start, went away, or refused what it was told."""


def chromium() -> str | None:
    """The browser's path: RESEARCHKIT_BROWSER, or the first of the usual names that this machine has."""
    named = os.environ.get("RESEARCHKIT_BROWSER")
    return next(filter(None, map(shutil.which, [named] if named else NAMES)), None)


class Browser:
    """One browser process with a profile of its own, gone when the `with` block ends."""

    def __init__(self, path: str) -> None:
        self._home = tempfile.mkdtemp(prefix="browser-")
        theirs_in, self._out = _pipe()
        self._in, theirs_out = _pipe()
        null = [(os.POSIX_SPAWN_OPEN, place, os.devnull, os.O_RDWR, 0) for place in (0, 1, 2)]
        ends = [(os.POSIX_SPAWN_DUP2, theirs_in, 3), (os.POSIX_SPAWN_DUP2, theirs_out, 4)]
        arguments = [path, *FLAGS, OFF, f"--user-data-dir={self._home}", "about:blank"]
        self._pid = os.posix_spawn(path, arguments, os.environ, file_actions=[*null, *ends], setpgroup=0)
        os.close(theirs_in)
        os.close(theirs_out)
        self._number, self._rest, self._said = 0, b"", {}
        self.events: list[dict[str, Any]] = []

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(BrowserError, OSError):
            self.call("Browser.close")
        os.close(self._out)
        os.close(self._in)
        if not self._gone(5):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._pid, signal.SIGKILL)  # the group that was made for it above
            self._gone(5)
        shutil.rmtree(self._home, ignore_errors=True)

    def _gone(self, seconds: float) -> bool:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if os.waitpid(self._pid, os.WNOHANG)[0]:
                return True
            time.sleep(0.01)
        return False

    def call(self, method: str, session: str = "", **given: Any) -> dict[str, Any]:
        """What the browser answers to one command; events that come meanwhile are kept in `events`."""
        self._number += 1
        told = {"id": self._number, "method": method, "params": given} | ({"sessionId": session} if session else {})
        _write(self._out, json.dumps(told).encode() + b"\0")
        until = time.monotonic() + PATIENCE
        while self._number not in self._said:
            self._hear(until, method)
        answer = self._said.pop(self._number)
        if "error" in answer:
            raise BrowserError(f"{method}: {answer['error']['message']}")
        return dict(answer["result"])

    def wait(self, method: str, session: str) -> dict[str, Any]:
        """The next event of this name, whether it has come already or not; it is taken from `events`."""
        until = time.monotonic() + PATIENCE
        while True:
            for place, event in enumerate(self.events):
                if event["method"] == method and event.get("sessionId") == session:
                    return dict(self.events.pop(place)["params"])
            self._hear(until, method)

    def _hear(self, until: float, asked: str) -> None:
        while b"\0" not in self._rest:
            if not select.select([self._in], [], [], max(0.0, until - time.monotonic()))[0]:
                raise BrowserError(f"{asked}: no answer within {PATIENCE:.0f} seconds")
            more = os.read(self._in, 1 << 20)
            if not more:
                raise BrowserError(f"{asked}: the browser has gone away")
            self._rest += more
        one, _, self._rest = self._rest.partition(b"\0")
        told = json.loads(one)
        if "id" in told:
            self._said[told["id"]] = told
        else:
            self.events.append(told)

    @contextlib.contextmanager
    def tab(self) -> Iterator[Tab]:
        """An empty page, closed at the end."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        tab = Tab(self, session)
        for domain in ("Page", "Network", "Runtime"):
            tab.call(f"{domain}.enable")
        try:
            yield tab
        finally:
            self.call("Target.closeTarget", targetId=target)
            self.events = [event for event in self.events if event.get("sessionId") != session]


class Tab:
    """A page as somebody sees it: `open` it, set its `size` and `media`, `press` keys, `js`, `pdf`."""

    def __init__(self, browser: Browser, session: str) -> None:
        self.browser, self.session = browser, session

    def call(self, method: str, **given: Any) -> dict[str, Any]:
        return self.browser.call(method, self.session, **given)

    at: Path | None = None  # the page that is there as it was opened

    def open(self, page: Path, script: bool = True) -> None:
        """Load a file, with or without its scripts; what was asked for before is forgotten."""
        self.call("Emulation.setScriptExecutionDisabled", value=not script)
        self.browser.events = [event for event in self.browser.events if event.get("sessionId") != self.session]
        failed = self.call("Page.navigate", url=page.resolve().as_uri()).get("errorText")
        if failed:
            raise BrowserError(f"{page}: {failed}")
        self.browser.wait("Page.loadEventFired", self.session)
        self.at = page if script else None

    def requests(self) -> list[str]:
        """Every address that was asked for since `open`, the page's own first. What is in the page itself is none."""
        self.call("Page.getLayoutMetrics")  # whatever comes before this answer has been heard then
        asked = (
            event["params"]["request"]["url"]
            for event in self.browser.events
            if event["method"] == "Network.requestWillBeSent" and event.get("sessionId") == self.session
        )
        return [address for address in asked if not address.startswith("data:")]

    def size(self, width: int, height: int = 900) -> None:
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def media(self, *, dark: bool = False, printed: bool = False) -> None:
        """A screen or paper, light or dark as the reader's machine is set; nothing glides, so that what is seen stays."""
        wishes = {"prefers-color-scheme": "dark" if dark else "light", "prefers-reduced-motion": "reduce"}
        features = [{"name": name, "value": value} for name, value in wishes.items()]
        self.call("Emulation.setEmulatedMedia", media="print" if printed else "", features=features)

    def js(self, expression: str) -> Any:
        """The value of an expression in the page, waited for where it is a promise."""
        told = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if wrong := told.get("exceptionDetails"):
            raise BrowserError(wrong.get("exception", {}).get("description", wrong["text"]))
        return told["result"].get("value")

    def press(self, key: str, shift: bool = False) -> None:
        code, number, text = KEYS[key]
        told = {"key": key, "code": code, "windowsVirtualKeyCode": number}
        modifiers = 8 if shift else 0
        self.call("Input.dispatchKeyEvent", type="keyDown", text=text, modifiers=modifiers, **told)
        self.call("Input.dispatchKeyEvent", type="keyUp", modifiers=modifiers, **told)

    def type(self, text: str) -> None:
        self.call("Input.insertText", text=text)

    def pdf(self, **given: Any) -> bytes:
        """The page as it is printed on A4, with its backgrounds."""
        paper = {"paperWidth": 8.27, "paperHeight": 11.69, "generateTaggedPDF": True, "printBackground": True}
        return base64.b64decode(self.call("Page.printToPDF", **paper | given)["data"])


def _pipe() -> tuple[int, int]:
    """A pipe whose ends lie above the numbers that the browser's own get."""
    ends = os.pipe()
    moved = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in ends]
    for end in ends:
        os.close(end)
    return moved[0], moved[1]


def _write(place: int, data: bytes) -> None:
    while data:
        data = data[os.write(place, data) :]
