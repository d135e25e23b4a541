"""A real Chromium without a window, driven over its DevTools protocol.

Belongs here: starting it, and what a reader does and sees: going somewhere, keys, what a script answers, what the
console says. Does not belong here: what is expected of any page.
"""

import base64
import contextlib
import itertools
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Self

from websockets.sync.client import ClientConnection, connect

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_PATIENCE_SECONDS = 30.0
_LOOK_AGAIN_SECONDS = 0.05
_SWITCHES = (
    "--headless",
    "--no-sandbox",  # as root in a container there is no other way
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-extensions",
    "--no-first-run",
    "--no-default-browser-check",
    "--remote-debugging-port=0",
)
_DOMAINS = ("Page", "Runtime", "Log", "Network")
_KEY_CODES = {
    "ArrowLeft": 37,
    "ArrowUp": 38,
    "ArrowRight": 39,
    "ArrowDown": 40,
    "Enter": 13,
    "Escape": 27,
    "Tab": 9,
    "Home": 36,
    "End": 35,
}


def installed_chromium() -> Path | None:
    """The program named by ``SCHEDULES_CHROMIUM``, otherwise the first that is installed."""
    named = os.environ.get("SCHEDULES_CHROMIUM")
    found = [named] if named else [path for name in _NAMES if (path := shutil.which(name))]
    return Path(found[0]) if found and Path(found[0]).is_file() else None


class Tab:
    """One page. ``problems``: what its console has complained of, and what its scripts have thrown."""

    def __init__(self, connection: ClientConnection, domains: Sequence[str] = _DOMAINS) -> None:
        """``domains``: those whose events the page sends."""
        self._connection = connection
        self._numbers = itertools.count(1)
        self._loaded = 0
        self.problems: list[str] = []
        self.requested: list[str] = []
        for domain in domains:
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Send one command and return its answer; events that arrive before it are recorded."""
        number = next(self._numbers)
        self._connection.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            message = json.loads(self._connection.recv(timeout=_PATIENCE_SECONDS))
            if message.get("id") == number:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']}")
                result: dict[str, Any] = message["result"]
                return result
            self._note(message)

    def go(self, url: str) -> None:
        """And wait until everything has been loaded; to another place of the same page there is nothing to load."""
        before = self._loaded
        if "loaderId" in self.call("Page.navigate", url=url):
            self.wait_for_load(before)

    def wait_for_load(self, before: int) -> None:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while self._loaded == before:
            self._note(json.loads(self._connection.recv(timeout=max(0.0, deadline - time.monotonic()))))

    def evaluate(self, script: str) -> Any:
        """What the expression, or the promise that it gives, comes to."""
        answer = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(f"{script[:200]}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def wait_until(self, script: str) -> None:
        """The expression has come true. A page that is on its way to the next answers nothing."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < deadline:
            with contextlib.suppress(RuntimeError):
                if self.evaluate(f"Boolean({script})"):
                    return
            time.sleep(_LOOK_AGAIN_SECONDS)
        raise AssertionError(f"never true: {script}; problems: {self.problems}")

    def press(self, key: str) -> None:
        text = key if len(key) == 1 else "\r" if key == "Enter" else ""
        code = _KEY_CODES.get(key, ord(key[0]))
        common = {"key": key, "windowsVirtualKeyCode": code}
        self.call("Input.dispatchKeyEvent", type="keyDown", text=text, **common)
        self.call("Input.dispatchKeyEvent", type="keyUp", **common)

    def type(self, text: str) -> None:
        self.call("Input.insertText", text=text)

    def resize(self, width: int, height: int) -> None:
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )

    def prefer(self, **features: str) -> None:
        """As the system's settings would, such as ``prefers-color-scheme``; underscores stand for hyphens."""
        media = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]
        self.call("Emulation.setEmulatedMedia", features=media)

    def picture(self, path: Path) -> None:
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))

    def _note(self, message: dict[str, Any]) -> None:
        params = message.get("params", {})
        match message.get("method"):
            case "Page.loadEventFired":
                self._loaded += 1
            case "Network.requestWillBeSent":
                self.requested.append(params["request"]["url"])
            case "Runtime.exceptionThrown":
                self.problems.append(str(params["exceptionDetails"]))
            case "Runtime.consoleAPICalled" if params["type"] in ("error", "warning", "assert"):
                self.problems.append(str([argument.get("value") for argument in params["args"]]))
            case "Log.entryAdded" if params["entry"]["level"] in ("error", "warning"):
                self.problems.append(f"{params['entry']['text']} {params['entry'].get('url', '')}")


class Browser:
    """A process with a profile of its own; ended with the context."""

    def __init__(self, executable: Path, home: Path) -> None:
        self._home = home
        command = [str(executable), *_SWITCHES, f"--user-data-dir={home}", "about:blank"]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    @contextlib.contextmanager
    def tab(self) -> Iterator[Tab]:
        """A page with cookies and storage of its own."""
        with self._connect(self._endpoint()) as browser:
            control = Tab(browser, domains=())
            context = control.call("Target.createBrowserContext")["browserContextId"]
            target = control.call("Target.createTarget", url="about:blank", browserContextId=context)[
                "targetId"
            ]
            address = self._endpoint().rpartition("/devtools/")[0]
            with self._connect(f"{address}/devtools/page/{target}") as connection:
                yield Tab(connection)
            control.call("Target.disposeBrowserContext", browserContextId=context)

    def _connect(self, address: str) -> ClientConnection:
        return connect(address, max_size=None, proxy=None, compression=None)

    def _endpoint(self) -> str:
        """Chromium writes the port that it has chosen into its profile."""
        note, deadline = self._home / "DevToolsActivePort", time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            lines = note.read_text().split() if note.is_file() else []
            if len(lines) == 2:
                return f"ws://127.0.0.1:{lines[0]}{lines[1]}"
            time.sleep(_LOOK_AGAIN_SECONDS)
        raise AssertionError(f"Chromium has not started (exit status {self._process.poll()})")
