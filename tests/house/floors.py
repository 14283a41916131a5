"""Which module of the engine stands on which floor, and who may import what from outside. Edit here."""

from __future__ import annotations

FLOORS: tuple[frozenset[str], ...] = (
    frozenset({
        "errors", "states", "clock", "settings", "keys", "host", "shown", "durations", "location", "variables",
        "leftovers",
    }),
    frozenset({
        "cursors", "envelope", "codec", "retry", "sending", "task", "declare", "job", "logs", "values", "shapes",
        "options", "handlers", "records",
    }),
    frozenset({
        "scripts", "addresses", "answers", "connection", "subscriber", "signals", "roster", "batches", "transfer",
        "store", "pending", "deliveries", "views", "outbox", "results", "opening", "binary", "peers", "folder",
        "server",
    }),
    frozenset({"app", "sync", "queue", "testing", "worker", "doctor", "supervisor"}),
    frozenset({"cli", "runtime", "loading", "__main__"}),
)  # fmt: skip
"""From the ground up. A name stands for a module or for a package with all that is in it.

The last floor has the mains; they alone stand above ``streamq/__init__.py`` and may import it.
"""

ONLY_IN: dict[str, frozenset[str]] = {
    "redis": frozenset(
        {"scripts", "addresses", "peers", "answers", "connection", "subscriber", "store", "views"}
    ),
    "hiredis": frozenset({"answers", "connection", "subscriber"}),
    "orjson": frozenset({"codec"}),
    "dotenv": frozenset({"variables"}),
    "json": frozenset({"codec"}),
    "click": frozenset({"cli", "runtime", "loading"}),
    "uvloop": frozenset({"cli", "runtime", "loading"}),
    "aiohttp": frozenset(),
}
"""Modules of the engine that may import a foreign package; nobody else in it may."""

UPPER: dict[str, frozenset[str]] = {
    "service": frozenset({"redis", "hiredis", "bench"}),
    "bench": frozenset({"service"}),
}
"""What stands on the engine, and what it must not import. `bench` may use redis: its bare loop needs it."""
