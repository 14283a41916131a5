"""Keys of a real BullMQ: made by the package where it is installed, or as they were kept when it was.

``python -m tests.moving.bullmq_keys`` keeps them anew, in ``bullmq.json``.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import redis

from ..servers import Server, binary_of

HERE = Path(__file__).parent
KEPT = HERE / "bullmq.json"
PACKAGE = HERE.parents[1] / ".venv-peers" / "bullmq-node"
"""Where `make peers` installs it."""


def is_installed() -> bool:
    return shutil.which("node") is not None and (PACKAGE / "node_modules" / "bullmq").is_dir()


def make(server: Server) -> None:
    """Let the package make them."""
    words = ["node", str(HERE / "bullmq_jobs.mjs"), str(server.port)]
    done = subprocess.run(words, cwd=PACKAGE, timeout=60, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def restore(client: redis.Redis) -> None:
    """Make them as they were kept; what was delayed then is delayed as long from now."""
    kept = json.loads(KEPT.read_text())
    moved = int(time.time() * 1000) - kept["at"]
    for name, value in kept["keys"].items():
        if isinstance(value, str):
            client.set(name, value)
        elif isinstance(value, dict):
            client.hset(name, mapping=value)
        elif isinstance(value[0], str):
            client.rpush(name, *value)
        else:
            shift = moved * 0x1000 if name.endswith(":delayed") else 0
            client.zadd(name, {member: score + shift for member, score in value})


def _kept(client: redis.Redis) -> dict[str, Any]:
    def read(name: str) -> Any:
        match client.type(name):
            case "string":
                return client.get(name)
            case "hash":
                return {field: said for field, said in client.hgetall(name).items() if field != "stacktrace"}
            case "list":
                return client.lrange(name, 0, -1)
            case "zset":
                return client.zrange(name, 0, -1, withscores=True)
        return None

    names = sorted(name for name in client.scan_iter("*") if not name.endswith((":events", ":lock")))
    return {name: value for name in names if (value := read(name)) is not None}


if __name__ == "__main__":
    binary = binary_of("redis")
    assert binary is not None, "no redis-server is on the PATH"
    with Server(binary, tcp=True) as own:
        make(own)
        with own.client() as reader:
            said = {"at": int(time.time() * 1000), "keys": _kept(reader)}
    KEPT.write_text(json.dumps(said, indent=1, ensure_ascii=False) + "\n")
