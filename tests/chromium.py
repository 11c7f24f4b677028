"""A headless Chromium for tests of pages, driven by chromedriver's own protocol: no package is needed for it.

Debian has both: ``apt-get install chromium chromium-driver``. Without them the tests are skipped.
"""

import base64
import contextlib
import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the protocol's name for a reference to an element
PROGRAMS = ("chromium", "chromedriver")


class Browser:
    """One window."""

    def __init__(self, address: str, session: str) -> None:
        self._address = f"{address}/session/{session}"

    def open(self, page: Path, width: int, height: int = 900) -> None:
        """Opens a file in a window of that many CSS pixels."""
        screen = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.devtools("Emulation.setDeviceMetricsOverride", screen)
        self._send("POST", "/url", {"url": page.as_uri()})

    def run(self, script: str, *arguments: Any) -> Any:
        """The value that a script returns, as JSON."""
        return self._send("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def click(self, selector: str) -> None:
        """A click where a person would click; the element is scrolled to."""
        self._send("POST", f"/element/{self._find(selector)}/click", {})

    def choose(self, selector: str, text: str) -> None:
        """Chooses an option of a list by its text."""
        found = self.run(
            "const of = document.querySelector(arguments[0]);"
            "return [...of.options].findIndex((each) => each.text === arguments[1]) + 1;",
            selector,
            text,
        )
        assert found, f"{selector} has no option {text!r}"
        self.click(f"{selector} option:nth-child({found})")

    def type(self, selector: str, text: str) -> None:
        """Presses keys with the element in focus."""
        self._send("POST", f"/element/{self._find(selector)}/value", {"text": text})

    def press(self, key: str) -> None:
        """Presses one key where the focus is."""
        actions = [{"type": each, "value": key} for each in ("keyDown", "keyUp")]
        keys = {"type": "key", "id": "keyboard", "actions": actions}
        self._send("POST", "/actions", {"actions": [keys]})

    def texts(self, selector: str) -> list[str]:
        """The texts of all elements that are shown, as a person sees them."""
        script = (
            "return [...document.querySelectorAll(arguments[0])].filter((e) => e.checkVisibility())"
            ".map((e) => (e.innerText ?? e.textContent).trim());"
        )
        found: list[str] = self.run(script, selector)
        return found

    def requests(self) -> list[str]:
        """Addresses of everything that was asked for since the last call."""
        entries = self._send("POST", "/se/log", {"type": "performance"})
        messages = [json.loads(each["message"])["message"] for each in entries]
        return [
            each["params"]["request"]["url"]
            for each in messages
            if each["method"] == "Network.requestWillBeSent"
            and not each["params"]["request"]["url"].startswith("chrome")  # its own first page
        ]

    def errors(self) -> list[str]:
        """What the console says of errors since the last call."""
        return [each["message"] for each in self._send("POST", "/se/log", {"type": "browser"})]

    def accessibility(self) -> list[dict[str, Any]]:
        """The nodes that a screen reader gets."""
        self.devtools("Accessibility.enable", {})
        nodes: list[dict[str, Any]] = self.devtools("Accessibility.getFullAXTree", {})["nodes"]
        return [each for each in nodes if not each.get("ignored")]

    def screenshot(self, path: Path) -> None:
        """A picture of the whole page."""
        found = self.devtools("Page.captureScreenshot", {"captureBeyondViewport": True})
        path.write_bytes(base64.b64decode(found["data"]))

    def devtools(self, command: str, parameters: dict[str, Any]) -> Any:
        """A command of Chromium's own protocol."""
        asked = {"cmd": command, "params": parameters}
        return self._send("POST", "/goog/cdp/execute", asked)

    def _find(self, selector: str) -> str:
        asked = {"using": "css selector", "value": selector}
        return str(self._send("POST", "/element", asked)[ELEMENT])

    def _send(self, method: str, path: str, content: dict[str, Any]) -> Any:
        return send(method, self._address + path, content)


def send(method: str, address: str, content: dict[str, Any] | None = None) -> Any:
    """One call of the protocol; what it returns."""
    data = None if content is None else json.dumps(content).encode()
    request = urllib.request.Request(
        address, data, {"Content-Type": "application/json"}, method=method
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)["value"]
    except urllib.error.HTTPError as error:
        raise AssertionError(error.read().decode()[:1000]) from error


@contextmanager
def browser(folder: Path) -> Iterator[Browser]:
    """A browser with a profile of its own in ``folder``; skips the test where there is none."""
    for program in PROGRAMS:
        if shutil.which(program) is None:
            pytest.skip(f"needs {program} (Debian: apt-get install chromium chromium-driver)")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    driver = subprocess.Popen(
        ["chromedriver", f"--port={port}", "--silent"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        _await(address)
        arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        options = {"args": [*arguments, f"--user-data-dir={folder / 'profile'}"]}
        logs = {"performance": "ALL", "browser": "SEVERE"}
        wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": logs}
        asked = {"capabilities": {"alwaysMatch": wanted}}
        session = send("POST", f"{address}/session", asked)["sessionId"]
        try:
            window = Browser(address, session)
            window.requests()  # those of Chromium's own first page
            yield window
        finally:
            with contextlib.suppress(AssertionError, OSError):
                send("DELETE", f"{address}/session/{session}")
    finally:
        driver.terminate()
        driver.wait(timeout=30)


def _await(address: str) -> None:
    for _ in range(100):
        with contextlib.suppress(OSError, AssertionError):
            if send("GET", f"{address}/status")["ready"]:
                return
        time.sleep(0.1)
    raise AssertionError("chromedriver does not answer")
