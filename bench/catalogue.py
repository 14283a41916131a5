"""Which scenarios there are: the files of ``scenarios``, in the order of a full run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import TYPE_CHECKING, Final, cast

if TYPE_CHECKING:
    from .figures import Measured
    from .rig import Rig

NAMES: Final = (
    "enqueue", "drain", "handlers", "memory", "latency", "delayed", "promotion", "growth", "recovery", "idle",
    "cost", "scripts", "footprint", "api", "mixed", "messages", "tuning", "peers",
)  # fmt: skip


def summary(name: str) -> str:
    """The first line of its file."""
    return (import_module(f"{__package__}.scenarios.{name}").__doc__ or "").partition("\n")[0]


def measure(name: str) -> Callable[[Rig], Awaitable[Measured]]:
    """What runs it."""
    return cast(
        "Callable[[Rig], Awaitable[Measured]]",
        import_module(f"{__package__}.scenarios.{name}").measure,
    )
