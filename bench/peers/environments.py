"""Which peers there are, how many jobs each is given, and with which command its adapter starts.

`make peers` installs each into a folder of its own name under ``.venv-peers`` of the checkout.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Final, NamedTuple

from ..process import ROOT

ENVIRONMENTS: Final = ROOT / ".venv-peers"


class NotInstalled(Exception):
    """A peer is not there. The message is one sentence for the user."""


class Peer(NamedTuple):
    """``jobs`` of a full run: about six seconds of draining each, so that slow ones take no longer than fast ones."""

    name: str
    jobs: int

    @property
    def module(self) -> str:
        """The file of its adapter, without the ending."""
        return self.name.replace("-", "_")


US: Final = Peer("streamq", 40_000)
NODE: Final = Peer("bullmq-node", 20_000)
PEERS: Final = (
    Peer("arq", 5_000),
    Peer("saq", 5_000),
    Peer("streaq", 3_000),
    Peer("taskiq", 6_000),
    Peer("docket", 4_000),
    Peer("rq", 1_500),
    Peer("celery", 3_000),
    Peer("dramatiq", 12_000),
    Peer("bullmq", 6_000),
    NODE,
)


class Start(NamedTuple):
    """A command without its last argument, and the folder it runs in."""

    command: tuple[str, ...]
    folder: Path


def start_of(peer: Peer, environments: Path = ENVIRONMENTS) -> Start:
    """How its adapter starts. Raises ``NotInstalled``."""
    package = Path(__file__).parent
    module = f"{package.parent.name}.{package.name}.{peer.module}"
    if peer == US:
        return Start((sys.executable, "-m", module), ROOT)
    folder = environments / peer.name
    if not (folder / ".installed").exists():
        raise NotInstalled(f"peer {peer.name} is not installed: run `make peers`")
    if peer != NODE:
        return Start((str(folder / "bin" / "python"), "-m", module), ROOT)
    node = shutil.which("node")
    if node is None:
        raise NotInstalled(f"peer {peer.name} cannot run: `node` is not on the PATH")
    return Start((node, str(package / f"{peer.module}.mjs")), folder)
