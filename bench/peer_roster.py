"""Which peers there are, how many jobs each is given, and with which command its adapter starts.

`make peers` installs each into a folder of its own name under ``.venv-peers`` of the checkout. The adapters lie in
``peers`` of a checkout, and are no part of an installation.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final, Literal, NamedTuple

from .catalogue import ROOT

ADAPTERS: Final = Path(__file__).with_name("peers")
ENVIRONMENTS: Final = ROOT / ".venv-peers"


class NotInstalled(Exception):
    """A peer is not there. The message is one sentence for the user."""


class Peer(NamedTuple):
    """``jobs`` of a full run: about six seconds of draining each, so that slow ones take no longer than fast ones."""

    name: str
    jobs: int
    language: Literal["Python", "Node", "Ruby"] = "Python"
    ours: bool = False
    """Whether it runs under our own interpreter."""

    @property
    def module(self) -> str:
        """The file of its adapter, without the ending."""
        return self.name.replace("-", "_")


US: Final = Peer("streamq", 40_000, ours=True)
PEERS: Final = (
    Peer("arq", 5_000),
    Peer("saq", 5_000),
    Peer("streaq", 3_000),
    Peer("taskiq", 6_000),
    Peer("docket", 4_000),
    Peer("rq", 1_500),
    Peer("celery", 3_000),
    Peer("dramatiq", 12_000),
    Peer("huey", 12_000),
    Peer("bullmq", 6_000),
    Peer("bullmq-node", 20_000, "Node"),
    Peer("sidekiq", 20_000, "Ruby"),
)


class Start(NamedTuple):
    """A command without its last argument, and the folder it runs in."""

    command: tuple[str, ...]
    folder: Path


def start_of(peer: Peer, environments: Path = ENVIRONMENTS) -> Start:
    """How its adapter starts. Raises ``NotInstalled``."""
    if not ADAPTERS.is_dir():
        raise NotInstalled(
            "peers are measured from a checkout: their adapters are not part of an installation"
        )
    folder, ruby = environments / peer.name, shutil.which("ruby")
    if (
        peer.language == "Ruby"
    ):  # Debian's: the system's Ruby finds it, and the distribution decides its version
        if ruby is None or not _answers(ruby, "-e", f"gem '{peer.name}'"):
            raise NotInstalled(f"peer {peer.name} is not installed: run `apt-get install ruby-{peer.name}`")
        return Start((ruby, str(ADAPTERS / f"{peer.module}.rb")), ROOT)
    if not peer.ours and not (folder / ".installed").exists():
        raise NotInstalled(f"peer {peer.name} is not installed: run `make peers`")
    if peer.language == "Node":
        node = shutil.which("node")
        if node is None:
            raise NotInstalled(f"peer {peer.name} cannot run: `node` is not on the PATH")
        return Start((node, str(ADAPTERS / f"{peer.module}.mjs")), folder)
    python = sys.executable if peer.ours else str(folder / "bin" / "python")
    return Start((python, "-m", f"{ADAPTERS.parent.name}.{ADAPTERS.name}", peer.module), ROOT)


def _answers(*command: str) -> bool:
    return not subprocess.run(command, stderr=subprocess.DEVNULL, check=False).returncode  # noqa: S603 - our own words
