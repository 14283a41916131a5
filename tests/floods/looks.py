"""What a server says of itself, and figures for those who read the output."""

from __future__ import annotations

from collections.abc import Callable

import redis


def letters(number: int) -> str:
    """A word of its own for each number, without a digit."""
    word = ""
    while True:
        number, letter = divmod(number, 26)
        word = chr(ord("a") + letter) + word
        if not number:
            return word


def bytes_of(client: redis.Redis, *keys: str) -> int:
    """What keys cost the server; those that are not there cost nothing."""
    return sum(client.memory_usage(key, samples=0) or 0 for key in keys)


def bytes_sent(client: redis.Redis) -> int:
    """What the server has answered so far, to everybody."""
    return int(client.info("stats")["total_net_output_bytes"])


def commands_run(client: redis.Redis) -> int:
    """Commands so far, those of scripts among them."""
    return sum(row["calls"] for row in client.info("commandstats").values())


def figure(record: Callable[[str, object], None], name: str, value: float) -> None:
    """Show it at the end."""
    record(name, round(value, 1))
