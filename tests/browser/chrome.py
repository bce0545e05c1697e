"""Chromium through the Chrome DevTools Protocol: open a page, ask it questions, photograph and print it."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
         "--disable-dev-shm-usage", "--hide-scrollbars", "--force-color-profile=srgb", "--remote-debugging-port=0")


def find_chromium() -> str | None:
    """The browser's program, if there is one."""
    return os.environ.get("TCS_CHROMIUM") or next((p for name in NAMES if (p := shutil.which(name))), None)


class Chrome:
    """A browser with one tab. A context manager that leaves neither process nor profile behind."""

    def __init__(self, program: str) -> None:
        import websocket

        self.profile = tempfile.mkdtemp(prefix="tcs-chromium-")
        self.events: list[dict[str, Any]] = []
        self._process = subprocess.Popen([program, *FLAGS, f"--user-data-dir={self.profile}", "about:blank"],
                                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        self._number = 0
        try:
            self._socket = websocket.create_connection(self._address(), timeout=60, suppress_origin=True,
                                                       enable_multithread=False)
            for domain in ("Page", "Runtime", "Network", "Log", "DOM"):
                self.call(f"{domain}.enable")
        except BaseException:
            self.__exit__()
            raise

    def _address(self, seconds: float = 60) -> str:
        """The tab's own socket; the port is in the profile as soon as the browser listens."""
        port, until = Path(self.profile) / "DevToolsActivePort", time.monotonic() + seconds
        while time.monotonic() < until and self._process.poll() is None:
            try:
                number = port.read_text(encoding="utf-8").split()[0]
                with urllib.request.urlopen(f"http://127.0.0.1:{number}/json/list", timeout=10) as answer:
                    tabs = [t for t in json.load(answer) if t["type"] == "page"]
                if tabs:
                    return str(tabs[0]["webSocketDebuggerUrl"])
            except (OSError, IndexError, ValueError):
                pass
            time.sleep(0.05)
        raise RuntimeError("Chromium did not start")

    def __enter__(self) -> Chrome:
        return self

    def __exit__(self, *_: object) -> None:
        if hasattr(self, "_socket"):
            self._socket.close()
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(10)
        if hasattr(os, "killpg"):
            with contextlib.suppress(ProcessLookupError):       # our own group: helpers that outlived the browser
                os.killpg(self._process.pid, signal.SIGKILL)
        shutil.rmtree(self.profile, ignore_errors=True)

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """One command and its answer; events that come in between are kept."""
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": params}))
        while True:
            message = json.loads(self._socket.recv())
            if message.get("id") == self._number:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']}")
                return dict(message["result"])
            if "method" in message:
                self.events.append(message)
                if message["method"] == "Page.javascriptDialogOpening":
                    self.call("Page.handleJavaScriptDialog", accept=False)

    def named(self, *methods: str) -> list[dict[str, Any]]:
        """The parameters of all events of these kinds so far."""
        return [e["params"] for e in self.events if e["method"] in methods]

    def open(self, url: str, width: int = 1280, height: int = 900) -> None:
        """Go to a page and wait until it is loaded; forgets the events of the page before."""
        self.resize(width, height)
        self.events.clear()
        self.call("Page.navigate", url=url)
        until = time.monotonic() + 60
        while not self.named("Page.loadEventFired"):
            if time.monotonic() > until:
                raise RuntimeError(f"{url} did not load")
            self.call("Runtime.evaluate", expression="1")
            time.sleep(0.02)

    def resize(self, width: int, height: int = 900) -> None:
        """The size of the window, in CSS pixels; a phone's below 600."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1,
                  mobile=width < 600)

    def ask(self, expression: str) -> Any:
        """The value of a JavaScript expression; our own question, so the page's policy does not stop it."""
        found = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in found:
            raise RuntimeError(f"{found['exceptionDetails'].get('exception', {}).get('description')}: {expression}")
        return found["result"].get("value")

    def photograph(self, path: Path, whole: bool = False) -> None:
        """A PNG of the window, or of the whole page."""
        shot = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole, **(
            {"clip": {**self.ask("({x: 0, y: 0, width: innerWidth, height: document.documentElement.scrollHeight})"),
                      "scale": 1}} if whole else {}))
        path.write_bytes(base64.b64decode(shot["data"]))

    def press(self, x: float, y: float) -> None:
        """A click."""
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def print(self, path: Path) -> None:
        """The page on A4, by its own rules for paper."""
        made = self.call("Page.printToPDF", printBackground=True, preferCSSPageSize=True)
        path.write_bytes(base64.b64decode(made["data"]))
