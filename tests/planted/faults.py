"""The bugs: what stands in the code, what is planted in its place, and which tests must notice."""

from __future__ import annotations

from typing import NamedTuple


class Fault(NamedTuple):
    """``sound`` stands exactly once in ``file``; ``tests`` are words for pytest."""

    name: str
    file: str
    sound: str
    planted: str
    tests: str


FAULTS: tuple[Fault, ...] = (
    Fault(
        "an unknown batch keeps its producer's name",
        "streamq/outbox.py",
        "if name != load.batch.producer}",
        "if True}",
        "tests/promises/test_producers.py",
    ),
    Fault(
        "a repeat answers the ids of its neighbours too",
        "streamq/outbox.py",
        "return answer[start:end]",
        "return answer",
        "tests/promises/test_producers.py",
    ),
    Fault(
        "a slice of unknown outcome is put anew",
        "streamq/transfer.py",
        "error.repeat or self._next, None",
        "self._next, None",
        "tests/promises/test_producers.py tests/engine/test_outbox.py",
    ),
    Fault(
        "a repeat that is broken off forgets what it sent",
        "streamq/transfer.py",
        "await asyncio.shield(sending)",
        "await sending",
        "tests/engine/test_outbox.py tests/promises/test_producers.py",
    ),
    Fault(
        "one order that cannot be written is everybody's",
        "streamq/outbox.py",
        "if len(orders) > 1 and isinstance(answers[0], UsageError):",
        "if False:",
        "tests/engine/test_outbox.py",
    ),
    Fault(
        "a flight that dies wakes nobody who waits for the next",
        "streamq/outbox.py",
        "            self._waiting.clear()\n            raise",
        "            raise",
        "tests/engine/test_outbox.py",
    ),
    Fault(
        "a clean close leaves the producers' records",
        "streamq/outbox.py",
        "            await self._forget()",
        "            pass",
        "tests/engine/test_outbox.py",
    ),
    Fault(
        "a queue is announced once in a process's life",
        "streamq/batches.py",
        "            self._until.clear()",
        "            pass",
        "tests/engine/test_outbox.py",
    ),
    Fault(
        "a refused durability is a refused job",
        "streamq/batches.py",
        "            error = NotDurable(",
        "            error = Rejected(",
        "tests/engine/test_durability.py tests/engine/test_outbox.py",
    ),
    Fault(
        "durability is not asked for after a script was sent in full",
        "streamq/batches.py",
        "            confirmed = more[len(again) :]",
        "            confirmed = []",
        "tests/engine/test_durability.py tests/promises/test_producers.py",
    ),
    Fault(
        "a repeated batch is added again",
        "streamq/lua/enqueue.lua",
        "if last and last == ARGV[1] then",
        "if last and last == '' then",
        "tests/engine/test_producers.py",
    ),
    Fault(
        "an answer from the record is no write",
        "streamq/lua/enqueue.lua",
        "    redis.call('PEXPIRE', KEYS[4], ARGV[2])",
        "    -- redis.call('PEXPIRE', KEYS[4], ARGV[2])",
        "tests/engine/test_durability.py",
    ),
    Fault(
        "a batch is refused in its middle",
        "streamq/lua/enqueue.lua",
        "  redis.call('HLEN', KEYS[2])\n  redis.call('ZCARD', KEYS[3])",
        "",
        "tests/engine/test_outbox.py",
    ),
    Fault(
        "ids of two milliseconds are answered as of one",
        "streamq/lua/enqueue.lua",
        "string.match(ids[from], '^%d+') == string.match(ids[to], '^%d+')",
        "ids[from]",
        "tests/engine/test_outbox.py",
    ),
    Fault(
        "headers do not count in a slice's bytes",
        "streamq/outbox.py",
        "len(job.task) + len(job.payload) + len(job.headers)",
        "len(job.task) + len(job.payload)",
        "tests/engine/test_outbox.py",
    ),
    Fault(
        "a replica is as good as a primary",
        "streamq/connection.py",
        "if self._servers.several and await _is_replica(connection):",
        "if False and await _is_replica(connection):",
        "tests/engine/test_failover.py",
    ),
    Fault(
        "a thread takes a replica for a primary",
        "streamq/connection.py",
        "if self._servers.several and self._is_replica(connection):",
        "if False and self._is_replica(connection):",
        "tests/engine/test_failover.py",
    ),
    Fault(
        "a demoted server is left only by the connection that noticed",
        "streamq/addresses.py",
        "            self.era += 1",
        "            pass",
        "tests/engine/test_failover.py",
    ),
    Fault(
        "an unblocked read is no demotion",
        "streamq/answers.py",
        '("READONLY", "UNBLOCKED", "-READONLY")',
        '("READONLY", "-READONLY")',
        "tests/engine/test_failover.py",
    ),
    Fault(
        "what the server said before it closed is not read",
        "streamq/connection.py",
        "            replies += left_over(arrived)\n",
        "",
        "tests/engine/test_outbox.py",
    ),
    Fault(
        "a caller waits for ever for a free connection",
        "streamq/connection.py",
        "async with asyncio.timeout(settings.command_timeout):",
        "async with asyncio.timeout(None):",
        "tests/engine/test_answers.py",
    ),
    Fault(
        "what cannot be written costs the connection",
        "streamq/connection.py",
        "        written = packed(commands)\n        connection = await self._connected()",
        "        connection = await self._connected()\n        await self.close()\n        written = packed(commands)",
        "tests/engine/test_answers.py",
    ),
)
