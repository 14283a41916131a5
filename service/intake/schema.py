"""The schema: migrations in plain SQL, each applied once and whole, in the order of their numbers."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from typing import Any, Final, NamedTuple

from .database import Database

_APPLIED: Final = """
    CREATE TABLE IF NOT EXISTS streamq_migrations (
        number integer PRIMARY KEY,
        name text NOT NULL,
        applied_at timestamptz NOT NULL DEFAULT now()
    )"""
_LOCK: Final = "SELECT pg_advisory_xact_lock(hashtext('streamq_migrations'))"
"""Of two who migrate at once, one waits for the other."""


class Migration(NamedTuple):
    """A file of ``migrations/``."""

    number: int
    name: str
    text: str


def migrations() -> list[Migration]:
    """All of them, in their order."""
    found = [
        each for each in files(__package__).joinpath("migrations").iterdir() if each.name.endswith(".sql")
    ]
    named = [(each.name.removesuffix(".sql"), each.read_text("utf-8")) for each in found]
    return sorted(Migration(int(name.partition("_")[0]), name, text) for name, text in named)


async def apply(database: Database) -> list[Migration]:
    """Apply those that are missing, all or none; which these were. Raises as ``Database`` does."""

    async def steps(run: Callable[..., Any]) -> list[Migration]:
        await run(_LOCK)
        await run(_APPLIED)
        there = {row["number"] for row in await run("SELECT number FROM streamq_migrations WHERE $1", True)}
        missing = [each for each in migrations() if each.number not in there]
        for each in missing:
            await run(each.text)
            await run("INSERT INTO streamq_migrations (number, name) VALUES ($1, $2)", each.number, each.name)
        return missing

    done: list[Migration] = await database.script(steps)
    return done
