"""A primary, its replicas, and the Sentinels that watch them, for tests of a switch."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from .servers import Server

NAME = "main"
"""What the Sentinels call the servers."""
DOWN_AFTER = 500
"""Milliseconds without an answer after which a Sentinel takes a server for lost."""


class Sentinel(Server):
    """A Sentinel as a process; it keeps what it learns in its file."""

    def __init__(self, binary: Path, primary: Server, quorum: int, password: str | None = None) -> None:
        super().__init__(binary, tcp=True, password=password)
        file = self.directory / "sentinel.conf"
        lines = [
            f"port {self.port}", "bind 127.0.0.1",
            f"sentinel monitor {NAME} 127.0.0.1 {primary.port} {quorum}",
            f"sentinel down-after-milliseconds {NAME} {DOWN_AFTER}",
            f"sentinel failover-timeout {NAME} 3000",
            *([f"requirepass {password}", f"sentinel sentinel-pass {password}"] if password else []),
        ]  # fmt: skip
        file.write_text("\n".join(lines) + "\n")
        self._words = [str(file), "--sentinel"]

    def primary(self) -> int:
        """The port of the server that it takes for the primary."""
        with self.client() as client:
            return int(client.execute_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME)[1])

    def knows(self, replicas: int, sentinels: int) -> bool:
        """Whether it has found all the others, so that it can lead a switch."""
        with self.client() as client:
            told = client.sentinel_master(NAME)
        return told["num-slaves"] == replicas and told["num-other-sentinels"] == sentinels


class Watched:
    """Some servers, of which one is the primary, and three Sentinels that agree by two."""

    def __init__(self, binary: Path, replicas: int = 2, password: str | None = None) -> None:
        self._binary, self._replicas, self._password = binary, replicas, password
        self.servers: list[Server] = []
        self.sentinels: list[Sentinel] = []

    @property
    def hosts(self) -> str:
        return ",".join(f"127.0.0.1:{sentinel.port}" for sentinel in self.sentinels)

    @property
    def url(self) -> str:
        return f"redis+sentinel://{self.hosts}/{NAME}"

    @property
    def primary(self) -> Server:
        """What the first Sentinel takes for it."""
        port = self.sentinels[0].primary()
        return next(server for server in self.servers if server.port == port)

    @property
    def ready(self) -> bool:
        """Whether a switch could begin."""
        return all(sentinel.knows(len(self.servers) - 1, 2) for sentinel in self.sentinels)

    def __enter__(self) -> Self:
        quick = ["--repl-diskless-sync-delay", "0"]
        for _ in range(self._replicas + 1):  # one after another, or two may be given the same free port
            server = Server(self._binary, tcp=True, options=quick)
            self.servers.append(server)
            server.start()
        for server in self.servers[1:]:
            with server.client() as client:
                client.replicaof("127.0.0.1", str(self.servers[0].port))
        for _ in range(3):
            sentinel = Sentinel(self._binary, self.servers[0], 2, self._password)
            self.sentinels.append(sentinel)
            sentinel.start()
        return self

    def __exit__(self, *_: object) -> None:
        for process in [*self.sentinels, *self.servers]:
            process.close()
