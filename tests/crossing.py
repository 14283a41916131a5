"""Does every command of the suite stay in one slot, with all that its scripts do? A node of a cluster is read along.

A cluster of one node refuses commands whose keys are in several slots, but not a script that touches a key which it was
not given: it has all slots. So everything that it runs is read by MONITOR, and the keys of each command, with those of
what its script does, must be in one slot.

``python -m tests.crossing PORT`` reads along, until ``ECHO`` says ``END``, and prints what it found. ``python -m
tests.crossing FOLDER`` sums up what was found in all processes of a run.
"""

from __future__ import annotations

import codecs
import contextlib
import hashlib
import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import redis

from streamq.model.slots import slot_of
from streamq.redis import scripts

from .clusters import Alone

END: Final = "the suite has ended"
LINE: Final = re.compile(r"[\d.]+ \[\d+ (\S+)\] (.*)")
WORD: Final = re.compile(r'"((?:[^"\\]|\\.)*)"')
FOLDER: Final = "STREAMQ_TEST_CROSSING"
"""The variable that says where each process of a run leaves what it found."""


class Specs:
    """Which words of a command are keys, by what the server says in COMMAND."""

    def __init__(self, rows: Any) -> None:
        self._of: dict[str, list[dict[str, Any]]] = {}
        for row in rows:
            self._learn(row)

    @classmethod
    def of(cls, port: int) -> Specs:
        """Those of a server."""
        connection = redis.Connection(port=port, protocol=2)
        connection.connect()
        try:
            connection.send_command("COMMAND")
            return cls(connection.read_response())
        finally:
            connection.disconnect()

    def _learn(self, row: Any) -> None:
        name = row[0].decode().lower()
        if row[8] or not row[9]:
            self._of[name] = [_mapping(spec) for spec in row[8]]
        for each in row[9]:
            self._learn(each)

    def keys(self, words: Sequence[str]) -> list[str]:
        """The keys, and the channels of slots."""
        name = words[0].lower()
        specs = self._of.get(name)
        if specs is None and len(words) > 1:
            specs = self._of.get(f"{name}|{words[1].lower()}")
        return [key for spec in specs or () for key in _found(spec, words)]


def _mapping(flat: Any) -> Any:
    """A reply that is names and values in turn, as a dictionary, with all that is in it."""
    if not isinstance(flat, list):
        return flat.decode() if isinstance(flat, bytes) else flat
    return {
        flat[at].decode(): _mapping(flat[at + 1]) if flat[at] != b"flags" else ()
        for at in range(0, len(flat), 2)
    }


def _found(spec: dict[str, Any], words: Sequence[str]) -> Sequence[str]:
    """The keys by one rule: https://redis.io/docs/latest/develop/reference/key-specs/"""
    begin, find = spec["begin_search"], spec["find_keys"]
    start = 0
    if begin["type"] == "index":
        start = begin["spec"]["index"]
    elif begin["type"] == "keyword":
        word, at = begin["spec"]["keyword"], begin["spec"]["startfrom"]
        places = range(at, len(words)) if at > 0 else range(len(words) + at, 0, -1)
        start = next((place + 1 for place in places if words[place].upper() == word), 0)
    if not start or start >= len(words) or find["type"] == "unknown":
        return ()
    rule = find["spec"]
    if find["type"] == "keynum":
        first, step = start + rule["firstkey"], rule["keystep"]
        return words[first : first + int(words[start + rule["keynumidx"]]) * step : step]
    last = start + rule["lastkey"] if rule["lastkey"] >= 0 else len(words) + rule["lastkey"]
    if rule["lastkey"] < 0 and rule["limit"] > 1:
        last = start + (len(words) - start) // rule["limit"] - 1
    return words[start : last + 1 : rule["keystep"]]


class Crossing:
    """What was read: which commands and scripts there were, and what crossed slots."""

    def __init__(self, specs: Specs) -> None:
        self._specs = specs
        self.commands: Counter[str] = Counter()
        self.scripts: Counter[str] = Counter()
        self.faults: list[str] = []
        self._running: list[str] = []
        """The last command that came from outside."""
        self._keys: set[str] = set()

    def take(self, source: str, words: list[str]) -> None:
        """One line of MONITOR."""
        self.commands[words[0].upper()] += 1
        if source != "lua":
            self._running, self._keys = words[:2], set()
            if words[0].upper() in ("EVAL", "EVALSHA"):
                self.scripts[_digest(*words[:2])] += 1
        self._keys.update(self._specs.keys(words))
        if len(self._keys) > 1 and len(set(map(slot_of, self._keys))) > 1 and len(self.faults) < 100:
            self.faults.append(f"{' '.join(self._running)[:200]} does {words[0]}: {sorted(self._keys)[:10]}")
            self._keys.clear()

    def told(self) -> str:
        """As JSON."""
        return json.dumps({"commands": self.commands, "scripts": self.scripts, "faults": self.faults})


def _digest(command: str, said: str) -> str:
    """The SHA1 of a script that is called by it, or in full."""
    if command.upper() == "EVALSHA":
        return said
    text: Any = codecs.escape_decode(said.encode())[0]  # type: ignore[attr-defined]
    return hashlib.sha1(text, usedforsecurity=False).hexdigest()


def read_along(port: int) -> None:
    """Until the end of the suite is told."""
    found, has_ended = Crossing(Specs.of(port)), False
    while not has_ended:  # a test may have the server hang up on everybody
        with contextlib.suppress(ConnectionError, redis.ConnectionError):
            has_ended = _read(port, found)
    print(found.told())  # noqa: T201  # what it is for


def _read(port: int, found: Crossing) -> bool:
    """Read over one connection. Whether the end was told."""
    connection = redis.Connection(port=port, protocol=2)
    connection.connect()
    connection.send_command("MONITOR")
    connection.read_response()
    connection._sock.settimeout(None)
    print("reading", flush=True)  # noqa: T201  # whoever started it waits for this
    for line in connection._sock.makefile("r", encoding="latin-1", newline="\r\n"):
        match = LINE.match(line[1:])
        if match is None:
            continue
        words = WORD.findall(match[2])
        if words == ["ECHO", END]:
            return True
        found.take(match[1], words)
    return False


@contextlib.contextmanager
def watched(server: Alone) -> Iterator[None]:
    """All that the node runs meanwhile is in one slot each."""
    command = [sys.executable, "-m", "tests.crossing", str(server.port)]
    log = server.directory / "crossing"
    with log.open("w") as errors:
        reader = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, text=True, cwd=Path(__file__).parents[1]
        )
    assert reader.stdout is not None
    try:
        assert reader.stdout.readline() == "reading\n"
        yield
        server.ask("ECHO", END)
        *_, told = reader.communicate(timeout=300)[0].splitlines()[-1:] or [""]
        assert told, log.read_text()
    finally:
        reader.kill()
        reader.wait()
        reader.stdout.close()
    if folder := os.environ.get(FOLDER):
        Path(folder, f"{os.getpid()}.json").write_text(told)
    faults = json.loads(told)["faults"]
    assert not faults, "these are in several slots:\n" + "\n".join(faults)


def sum_up(folder: Path) -> None:
    """Print what a run had, and fail for a script that it had not."""
    commands, called = Counter[str](), Counter[str]()
    for file in folder.glob("*.json"):
        told = json.loads(file.read_text())
        commands.update(told["commands"])
        called.update(told["scripts"])
    ours = {
        each._sha.decode(): each._name for each in vars(scripts).values() if isinstance(each, scripts.Script)
    }
    missing = sorted(name for sha, name in ours.items() if sha not in called)
    print(  # noqa: T201  # what it is for
        f"{commands.total():,} commands of {len(commands)} names, {called.total():,} calls of "
        f"{len(ours) - len(missing)} of {len(ours)} scripts: each in one slot"
    )
    if missing:
        sys.exit(f"scripts that no test called on the cluster: {', '.join(missing)}")


if __name__ == "__main__":
    if sys.argv[1].isdigit():
        read_along(int(sys.argv[1]))
    else:
        sum_up(Path(sys.argv[1]))
