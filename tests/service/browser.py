"""A real browser for tests: Chromium without a window, driven over its debugging protocol.

One for each module of tests, and a tab for each test."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp
import pytest

START = 20.0
"""Seconds the browser may take to start, and a page to show something."""
KEYS = {
    "Enter": ("Enter", 13, "\r"), "Tab": ("Tab", 9, ""), "Escape": ("Escape", 27, ""), "/": ("Slash", 191, "/"),
    "ArrowDown": ("ArrowDown", 40, ""), "ArrowRight": ("ArrowRight", 39, ""), " ": ("Space", 32, " "),
}  # fmt: skip
"""Code, number and text of keys that are not letters."""


def find_browser() -> str | None:
    """The Chromium of this machine, None if it has none."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return next((path for name in names if (path := shutil.which(name))), None)


class Page:
    """One tab."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket, self._numbers = socket, count(1)
        self.complaints: list[str] = []
        """What scripts threw, and what the browser refused to load or run."""

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        """One command of the protocol."""
        number = next(self._numbers)
        await self._socket.send_json({"id": number, "method": method, "params": params})
        while True:
            told = await self._socket.receive_json(timeout=START)
            if told.get("id") == number:
                assert "error" not in told, told
                result: dict[str, Any] = told["result"]
                return result
            if told.get("method") in {"Runtime.exceptionThrown", "Log.entryAdded"}:
                self.complaints.append(str(told["params"]))

    async def open(self, url: str, *, width: int = 1280, scheme: str = "light") -> None:
        """Go to a page, in a window of this width and a colour scheme."""
        for domain in ("Page", "Runtime", "Log"):
            await self.call(f"{domain}.enable")
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
        await self.call("Emulation.setDeviceMetricsOverride", **size)
        media = [{"name": "prefers-color-scheme", "value": scheme}]
        await self.call("Emulation.setEmulatedMedia", features=media)
        await self.call("Page.navigate", url=url)

    async def reload(self) -> None:
        """The same page anew, once it is loaded."""
        await self.call("Page.reload")
        while (await self._socket.receive_json(timeout=START)).get("method") != "Page.loadEventFired":
            pass

    async def run(self, script: str) -> Any:
        """The value of a script; promises are awaited."""
        said = await self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in said, said["exceptionDetails"]
        return said["result"].get("value")

    async def until(self, script: str) -> None:
        """Wait for a script to be true. Raises ``TimeoutError`` with what the page shows."""
        end = time.monotonic() + START
        while not await self.run(f"Boolean({script})"):
            if time.monotonic() > end:
                shown = await self.run("document.body?.innerText")
                raise TimeoutError(f"never true: {script}\nthe page shows:\n{shown}\n{self.complaints}")
            await asyncio.sleep(0.03)

    async def shows(self, text: str, within: str = "body") -> None:
        """Wait until a part of the page shows a text."""
        await self.until(
            f"document.querySelector({json.dumps(within)})?.innerText.includes({json.dumps(text)})"
        )

    async def text(self, selector: str) -> str:
        """The text of an element that is there."""
        return str(await self.run(f"document.querySelector({json.dumps(selector)}).innerText"))

    async def click(self, text: str, within: str = "body") -> None:
        """Click on the first button, link or summary of a text that may be clicked, once it is there."""
        found = (
            f"[...document.querySelectorAll({json.dumps(within)} + ' :is(button, a, summary, label)')]"
            f".find((each) => each.innerText.trim() === {json.dumps(text)} && !each.disabled)"
        )
        await self.until(found)
        await self.run(f"{found}.click()")

    async def fill(self, name: str, text: str) -> None:
        """Write into the field of a name, once it is there."""
        field = f"document.querySelector('[name={name}]')"
        await self.until(field)
        await self.run(
            f"{field}.value = {json.dumps(text)}; {field}.dispatchEvent(new Event('input', {{bubbles: true}}))"
        )

    async def press(self, *keys: str, ctrl: bool = False) -> None:
        """Press keys, one after the other."""
        for key in keys:
            code, number, text = KEYS.get(key, (f"Key{key.upper()}", ord(key[0].upper()), key))
            said = {"key": key, "code": code, "windowsVirtualKeyCode": number, "modifiers": 2 * ctrl}
            text = {} if ctrl or not text else {"text": text}
            await self.call("Input.dispatchKeyEvent", type="keyDown", **said, **text)
            await self.call("Input.dispatchKeyEvent", type="keyUp", **said)

    async def type(self, text: str) -> None:
        """Write where the focus is."""
        await self.call("Input.insertText", text=text)


@contextmanager
def started(program: str) -> Iterator[int]:
    """A browser with a profile of its own, ended with all its processes; where it listens."""
    folder = Path(tempfile.mkdtemp(prefix="sq-browser-"))
    browser = subprocess.Popen(
        [
            program,
            *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-component-update"),
            *("--disable-background-networking", "--disable-sync", "--remote-debugging-port=0"),
            *(f"--user-data-dir={folder}", "about:blank"),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield _port(folder)
    finally:
        os.killpg(browser.pid, signal.SIGKILL)
        browser.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _port(folder: Path) -> int:
    said, end = folder / "DevToolsActivePort", time.monotonic() + START
    while not (said.exists() and "\n" in said.read_text()):
        assert time.monotonic() < end, "the browser does not start"
        time.sleep(0.02)
    return int(said.read_text().split("\n")[0])


@asynccontextmanager
async def tab(port: int) -> AsyncIterator[Page]:
    """A tab of a browser, closed after it."""
    browser = f"http://127.0.0.1:{port}/json"
    async with aiohttp.ClientSession() as http:
        async with http.put(f"{browser}/new?about:blank") as response:
            made = json.loads(await response.text())
        try:
            async with http.ws_connect(made["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                yield Page(socket)
        finally:
            async with http.get(f"{browser}/close/{made['id']}"):
                pass


@pytest.fixture(scope="module")
def browser() -> Iterator[int]:
    """A browser for the tests of a module."""
    program = find_browser()
    if program is None:
        pytest.skip("no Chromium is on the PATH")
    with started(program) as port:
        yield port


@pytest.fixture
async def page(browser: int) -> AsyncIterator[Page]:
    """A tab of its own for a test."""
    async with tab(browser) as page:
        yield page
