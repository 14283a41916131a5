"""A real browser for tests: Chromium without a window, driven over its debugging protocol."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp

START = 20.0
"""Seconds the browser may take to start, and a page to show something."""


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

    async def run(self, script: str) -> Any:
        """The value of a script; promises are awaited."""
        said = await self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        return said["result"].get("value")

    async def until(self, script: str) -> None:
        """Wait for a script to be true. Raises ``TimeoutError``."""
        async with asyncio.timeout(START):
            while not await self.run(f"Boolean({script})"):  # noqa: ASYNC110 - only asking tells
                await asyncio.sleep(0.05)


@asynccontextmanager
async def browsing(program: str) -> AsyncIterator[Page]:
    """A browser with one tab and a profile of its own, ended with all its processes."""
    folder = Path(tempfile.mkdtemp(prefix="sq-browser-"))
    browser = await asyncio.create_subprocess_exec(
        program,
        *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-component-update"),
        *("--disable-background-networking", "--disable-sync", "--remote-debugging-port=0"),
        *(f"--user-data-dir={folder}", "about:blank"),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        async with aiohttp.ClientSession() as http:
            async with http.get(f"http://127.0.0.1:{await _port(folder)}/json") as response:
                tabs = await response.json()
            address = next(tab["webSocketDebuggerUrl"] for tab in tabs if tab["type"] == "page")
            async with http.ws_connect(address, max_msg_size=0) as socket:
                yield Page(socket)
    finally:
        os.killpg(browser.pid, signal.SIGKILL)
        await browser.wait()
        shutil.rmtree(folder, ignore_errors=True)


async def _port(folder: Path) -> int:
    said = folder / "DevToolsActivePort"
    async with asyncio.timeout(START):
        while not (said.exists() and "\n" in said.read_text()):  # noqa: ASYNC110 - a file tells nobody
            await asyncio.sleep(0.05)
    return int(said.read_text().split("\n")[0])
