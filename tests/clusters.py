"""A Redis Cluster on loopback: primaries that share the slots, and their replicas."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from bench.process import free_port
from streamq.model.slots import SLOTS, slot_of

from .servers import READY, Server

NODE_TIMEOUT = 1_000
"""Milliseconds without an answer after which the others take a node for lost."""


class Node(Server):
    """One node of a cluster, as a process."""

    def __init__(self, binary: Path, more: Sequence[str] = ()) -> None:
        options = [
            "--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf", "--cluster-port", str(free_port()),
            "--cluster-node-timeout", str(NODE_TIMEOUT), "--repl-diskless-sync-delay", "0",
            "--cluster-replica-validity-factor", "0", "--cluster-require-full-coverage", "no", *more,
        ]  # fmt: skip
        super().__init__(binary, tcp=True, options=options)
        self.bus = int(options[5])
        self.id = ""

    def start(self) -> Self:
        super().start()
        self.id = self.ask("CLUSTER", "MYID")
        return self

    def ask(self, *command: Any) -> Any:
        """The reply to one command, on a connection of its own."""
        with self.client() as client:
            return client.execute_command(*command)

    def info(self) -> dict[str, str]:
        """What CLUSTER INFO says."""
        said = self.ask("CLUSTER", "INFO")
        return said if isinstance(said, dict) else dict(line.split(":") for line in said.splitlines())


class OneByOne(redis.Redis):
    """A plain client of a cluster of one node. What a test asks of several keys it asks of each, as these may be in
    several slots; and channels are those of slots, on which all signals of a cluster are."""

    def delete(self, *names: Any) -> int:
        return sum(self.execute_command("DEL", name) for name in names)

    def exists(self, *names: Any) -> int:
        return sum(self.execute_command("EXISTS", name) for name in names)

    def publish(self, channel: Any, message: Any, **_: Any) -> int:
        return int(self.execute_command("SPUBLISH", channel, message))

    def pubsub_channels(self, pattern: Any = "*", **_: Any) -> list[str]:
        return list(self.execute_command("PUBSUB SHARDCHANNELS", pattern))

    def pubsub_numsub(self, *channels: Any, **_: Any) -> list[tuple[str, int]]:
        return list(self.execute_command("PUBSUB SHARDNUMSUB", *channels))


class Alone(Node):
    """A cluster of one node, which has all slots; a plain client reaches all of it."""

    @property
    def url(self) -> str:
        return f"redis+cluster://127.0.0.1:{self.port}"

    def client(self, *, decode_responses: bool = True) -> redis.Redis:
        plain = f"redis://127.0.0.1:{self.port}"
        return OneByOne.from_url(plain, decode_responses=decode_responses, retry=Retry(NoBackoff(), 0))

    def start(self) -> Self:
        super().start()
        self.ask("CLUSTER", "ADDSLOTSRANGE", 0, SLOTS - 1)
        end = time.monotonic() + READY
        while self.info()["cluster_state"] != "ok":
            assert time.monotonic() < end, "the cluster is not ready"
            time.sleep(0.02)
        return self


class Cluster:
    """Its first nodes are the primaries, each with an equal range of the slots; then come their replicas in order.

    ``options()`` gives further words for each node.
    """

    def __init__(
        self,
        binary: Path,
        primaries: int = 3,
        replicas: int = 0,
        options: Callable[[], Sequence[str]] = tuple,
    ) -> None:
        self._binary, self._primaries, self._replicas = binary, primaries, replicas
        self._options = options
        self.nodes: list[Node] = []

    @property
    def primaries(self) -> list[Node]:
        return self.nodes[: self._primaries]

    @property
    def url(self) -> str:
        hosts = ",".join(f"127.0.0.1:{node.port}" for node in self.primaries)
        return f"redis+cluster://{hosts}"

    def owner(self, key: str) -> Node:
        """The primary that a node which runs takes for the owner of the slot of a key."""
        return self.owner_of(slot_of(key))

    def owner_of(self, slot: int) -> Node:
        """The primary that has a slot."""
        alive = next(node for node in self.nodes if node.runs)
        for first, last, (_, port, *_), *_ in alive.ask("CLUSTER", "SLOTS"):
            if first <= slot <= last:
                return next(node for node in self.nodes if node.port == port)
        raise AssertionError(f"nobody owns slot {slot}")

    def add(self) -> Node:
        """One more node, which has no slots yet."""
        node = Node(self._binary)
        self.nodes.append(node)
        node.start()
        self._meet(node)
        self._wait(lambda: all(self._knows_all(each) for each in self.nodes))
        return node

    def move(self, slot: int, to: Node, between: Callable[[], None] = lambda: None) -> None:
        """Move a slot with its keys, as ``redis-cli --cluster reshard`` does; ``between`` is called while it moves."""
        source = next(node for node in self.nodes if node.runs and self._has(node, slot))
        to.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", source.id)
        source.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", to.id)
        while keys := source.ask("CLUSTER", "GETKEYSINSLOT", slot, 100):
            source.ask("MIGRATE", "127.0.0.1", to.port, "", 0, 5_000, "KEYS", *keys[:1])
            between()
        for node in [to, source, *self.nodes]:
            if node.runs and node.ask("ROLE")[0] == "master":
                node.ask("CLUSTER", "SETSLOT", slot, "NODE", to.id)

    def remove(self, node: Node) -> None:
        """A node that has no slots any more leaves, and the others forget it."""
        self.nodes.remove(node)
        for other in self.nodes:
            if other.runs:
                other.ask("CLUSTER", "FORGET", node.id)
        node.close()

    def ranges(self, node: Node) -> list[tuple[int, int]]:
        """The slots that a node says it has."""
        said = node.ask("CLUSTER", "SLOTS")
        return [(first, last) for first, last, (_, port, *_), *_ in said if port == node.port]

    def _has(self, node: Node, slot: int) -> bool:
        return any(first <= slot <= last for first, last in self.ranges(node))

    def _meet(self, node: Node) -> None:
        self.nodes[0].ask("CLUSTER", "MEET", "127.0.0.1", node.port, node.bus)

    def __enter__(self) -> Self:
        for _ in range(self._primaries + self._replicas):
            node = Node(self._binary, self._options())
            self.nodes.append(node)
            node.start()
        share = SLOTS / self._primaries
        for at, node in enumerate(self.primaries):
            node.ask("CLUSTER", "ADDSLOTSRANGE", round(at * share), round((at + 1) * share) - 1)
            node.ask("CLUSTER", "SET-CONFIG-EPOCH", at + 1)
        for node in self.nodes[1:]:
            self._meet(node)
        self._wait(lambda: all(self._knows_all(node) for node in self.nodes))
        for at, node in enumerate(self.nodes[self._primaries :]):
            self._wait(lambda node=node, at=at: self._replicates(node, self.nodes[at]))
        self._wait(lambda: all(self._linked(node) for node in self.nodes[self._primaries :]))
        return self

    def _knows_all(self, node: Node) -> bool:
        """Whether it has met all others, and takes the cluster for one that serves."""
        info = node.info()
        return info["cluster_known_nodes"] == str(len(self.nodes)) and info["cluster_state"] == "ok"

    @staticmethod
    def _replicates(node: Node, primary: Node) -> bool:
        try:
            return bool(node.ask("CLUSTER", "REPLICATE", primary.id))
        except redis.ResponseError:  # it does not know the primary yet
            return False

    @staticmethod
    def _linked(node: Node) -> bool:
        return bool(node.ask("ROLE")[3] == "connected")

    @staticmethod
    def _wait(met: Callable[[], bool]) -> None:
        end = time.monotonic() + READY
        while not met():
            assert time.monotonic() < end, "the cluster is not ready"
            time.sleep(0.02)

    def __exit__(self, *_: object) -> None:
        for node in self.nodes:
            node.close()
