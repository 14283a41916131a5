"""What a server says of itself, and figures for those who read the output."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import redis

from .conftest import IS_LONG


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


def bytes_used(client: redis.Redis) -> int:
    """What the server has of the machine's memory for all that it does."""
    return int(client.info("memory")["used_memory"])


def bytes_sent(client: redis.Redis) -> int:
    """What the server has answered so far, to everybody."""
    return int(client.info("stats")["total_net_output_bytes"])


def commands_run(client: redis.Redis) -> int:
    """Commands so far, those of scripts among them."""
    return sum(row["calls"] for row in client.info("commandstats").values())


@contextmanager
def longest_call(client: redis.Redis) -> Iterator[list[float]]:
    """At the end it has the ms of the longest script call meanwhile, of those above one."""
    before, told = client.config_get("slowlog-log-slower-than"), [0.0]
    client.slowlog_reset()
    client.config_set("slowlog-log-slower-than", 1_000)
    yield told
    rows = [row for row in client.slowlog_get(128) if bytes(row["command"]).startswith(b"EVAL")]
    told[0] = max((row["duration"] / 1_000 for row in rows), default=0.0)
    client.config_set("slowlog-log-slower-than", before["slowlog-log-slower-than"])


def figure(record: Callable[[str, object], None], name: str, value: float) -> None:
    """Show it at the end of a long run: those of a short one say nothing."""
    if IS_LONG:
        record(name, round(value, 1))
