"""All channels and the intake, while workers, the scheduler, the API and the database are killed: the ledger balances.

What was accepted was delivered, or failed with its reason, or stands among the unknown; nothing is lost.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import aiohttp
import asyncpg
import pytest

from ..rig import ON_ONE_SERVER, until
from ..servers import Server
from .parties import GONE, REFUSED, Parties, parties

EACH: Final = int(os.environ.get("STREAMQ_TEST_DRILL", "40"))
"""Messages by each of six ways; `make drill` sends 1,500."""
KILLS: Final = max(6, EACH // 30)
BAD: Final = 10
"""One of so many is to fail."""
ROLES: Final = ("worker", "database", "api", "second worker", "scheduler")
QUEUES: Final = {
    "sms": ("send-sms-queue", "scheduled-sms-queue"), "email": ("send-email-queue", "scheduled-email-queue"),
    "ai": ("ai-response-queue",),
}  # fmt: skip
TABLES: Final = {"sms": "sms_queue", "email": "email_queue", "ai": "ai_response_queue"}
TEXT: Final = {"sms": "message", "email": "subject", "ai": "message_text"}
"""The field of a payload in which a message says which one it is."""
HEAD: Final = ("channel", "accepted", "delivered", "failed", "unknown", "lost", "repeated")


class Drill:
    """What was accepted, by channel; and what has become of it."""

    def __init__(self, among: Parties) -> None:
        self.among = among
        self.accepted: dict[str, set[str]] = {channel: set() for channel in QUEUES}
        self.kills: Counter[str] = Counter()

    # -- sending ----------------------------------------------------------------------------------------------------

    async def send(self) -> None:
        """By all ways at once, while others are killed."""
        ways = [self._over_http(channel) for channel in QUEUES] + [
            self._as_rows(channel) for channel in QUEUES
        ]
        async with asyncio.TaskGroup() as group:
            killing = group.create_task(self._kill())
            await asyncio.gather(*ways)
            await killing

    async def _kill(self) -> None:
        for number in range(KILLS):
            await asyncio.sleep(random.uniform(0.2, 1.5))  # noqa: S311  # when is no secret
            role = ROLES[number % len(ROLES)]
            await self.among.kill(role)
            self.kills[role] += 1

    async def _over_http(self, channel: str) -> None:
        for number in range(EACH):
            name, is_bad = f"{channel} http {number}", number % BAD == 0
            body, headers = self._body(channel, name, is_bad), {}
            if channel != "ai":  # of which a message is one by its id
                headers = {"Idempotency-Key": name}
            await self._posted(channel, name, body, headers)

    async def _posted(self, channel: str, name: str, body: Any, headers: dict[str, str]) -> None:
        """A caller goes on until it is answered."""
        while True:
            with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                url = f"{self.among.api}/api/v1/messages/{channel}"
                async with self.among.http.post(url, json=body, headers=headers) as answer:
                    if answer.status == 201:
                        self.accepted[channel].add(name)
                        return
                    assert answer.status in (409, 503), await answer.text()
            await asyncio.sleep(0.05)

    def _body(self, channel: str, name: str, is_bad: bool) -> dict[str, Any]:
        if channel == "ai":
            return self._row(channel, name, is_bad)
        delay = {"delay": 0.5} if hash(name) % 3 == 0 else {}
        if channel == "sms":
            return {
                "to": "+15550666" if is_bad else "+15550100",
                "message": name,
                "workspaceId": 66338,
                **delay,
            }
        to = REFUSED if is_bad else "ada@example.com"
        return {"to": to, "subject": name, "html": f"<p>{name}", "workspaceId": 66338, **delay}

    def _row(self, channel: str, name: str, is_bad: bool) -> dict[str, Any]:
        if channel == "sms":
            number = "+15550666" if is_bad else "+15550100"
            return {"workspace_id": "66338", "phone_number": number, "message": name}
        if channel == "email":
            to = REFUSED if is_bad else "ada@example.com"
            return {"workspace_id": "66338", "recipient": to, "subject": name, "html": f"<p>{name}"}
        url = self.among.peer.url + (GONE if is_bad else "/hook")
        return {
            "workspace_id": "66338", "contact_id": "c-9", "message_id": name, "message_text": name, "callback_url": url,
        }  # fmt: skip

    async def _as_rows(self, channel: str) -> None:
        for number in range(EACH):
            name = f"{channel} row {number}"
            row = self._row(channel, name, number % BAD == 0)
            await self._written(TABLES[channel], TEXT[channel], name, row)
            self.accepted[channel].add(name)

    async def _written(self, table: str, field: str, name: str, row: dict[str, Any]) -> None:
        """Once, though nobody knows after a kill whether a row was committed: then it is looked for."""
        marks = ", ".join(f"${at}" for at in range(1, len(row) + 1))
        insert = f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})"  # noqa: S608  # names of ours
        is_there = f"SELECT 1 FROM {table} WHERE {field} = $1"  # noqa: S608  # as above

        async def write(connection: asyncpg.Connection[Any]) -> None:
            if not await connection.fetchval(is_there, name):
                await connection.execute(insert, *row.values())

        await self._at_the_database(write)

    async def _at_the_database(self, act: Callable[[Any], Awaitable[Any]]) -> Any:
        while True:
            with contextlib.suppress(asyncpg.PostgresError, OSError, asyncpg.InterfaceError):
                connection = await asyncpg.connect(self.among.database.url, timeout=5)
                try:
                    return await act(connection)
                finally:
                    await connection.close(timeout=5)
            await asyncio.sleep(0.1)

    # -- the end ------------------------------------------------------------------------------------------------------

    async def is_over(self) -> bool:
        """Whether nothing waits or runs, and each row says what has become of it."""
        for queues in QUEUES.values():
            for queue in queues:
                counts = (await self.among.asked(f"/api/v1/queues/{queue}"))["counts"]
                if any(counts[state] for state in ("waiting", "held", "active", "delayed")):
                    return False

        async def open_rows(connection: asyncpg.Connection[Any]) -> int:
            open_ones = "SELECT count(*) FROM {} WHERE status NOT IN ('complete', 'failed')"
            return sum([await connection.fetchval(open_ones.format(table)) for table in TABLES.values()])

        return bool(await self._at_the_database(open_rows) == 0)

    async def table(self) -> list[tuple[Any, ...]]:
        """A row for each channel."""
        seen = {"sms": await self._sms(), "email": self._mails(), "ai": self.among.peer.called}
        unknown = await self._unknown()
        rows = []
        for channel, accepted in self.accepted.items():
            failed = await self._failed(channel) - seen[channel].keys()
            lost = accepted - seen[channel].keys() - failed - unknown
            repeated = sum(count - 1 for count in seen[channel].values())
            delivered, known = len(accepted & seen[channel].keys()), len(accepted & unknown)
            rows.append((channel, len(accepted), delivered, len(failed), known, len(lost), repeated))
        return rows

    async def _sms(self) -> Counter[str]:
        """By message, how often the sandbox took it."""
        found: Counter[str] = Counter()
        offset: int | None = 0
        while offset is not None:
            url = f"{self.among.sandbox}/ledger?offset={offset}&limit=10000"
            async with self.among.http.get(url) as answer:
                page = await answer.json()
            found.update(call["body"]["message"] for call in page["calls"] if call["status"] == 200)
            offset = page["next"]
        return found

    def _mails(self) -> Counter[str]:
        return Counter(str(mail["Subject"]) for mail in self.among.mailbox.mails)

    async def _failed(self, channel: str) -> set[str]:
        """Those that failed with a reason, by the jobs."""
        found = set()
        for queue in QUEUES[channel]:
            cursor = ""
            while cursor is not None:
                page = await self.among.asked(
                    f"/api/v1/queues/{queue}/jobs?state=failed&limit=100"
                    + (f"&cursor={cursor}" if cursor else "")
                )
                found |= {job["payload"][TEXT[channel]] for job in page["data"] if job["error"]["message"]}
                cursor = page["page"]["next"]
        return found

    async def _unknown(self) -> set[str]:
        listed = (await self.among.asked("/api/v1/deliveries/unknown?limit=1000"))["data"]
        jobs = [await self.among.asked(f"/api/v1/queues/{d['queue']}/jobs/{d['id']}") for d in listed]
        return {text for job in jobs for field in TEXT.values() if (text := job["payload"].get(field))}


@ON_ONE_SERVER
@pytest.mark.slow
@pytest.mark.keeps_keys
@pytest.mark.timeout(900)
async def test_through_kills_of_everybody_what_was_accepted_is_delivered_failed_or_listed_as_unknown(
    own_server: Callable[..., Server],
    prefix: str,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    async with parties(own_server(aof=True).url, prefix, tmp_path) as among:
        reject = {"mode": "reject", "match": "+15550666"}
        async with among.http.put(f"{among.sandbox}/behaviour", json=reject) as answer:
            assert answer.status == 200
        drill = Drill(among)
        await drill.send()
        await until(drill.is_over, 300)
        rows = await drill.table()
        stats = await among.asked("/api/v1/stats?by=channel&since=1h")
    _print([HEAD, *rows], drill.kills)
    for row in rows:
        record_property(
            f"{row[0]}: accepted, delivered, failed, unknown, lost, repeated", ", ".join(map(str, row[1:]))
        )
        channel, accepted, delivered, failed, unknown, lost, repeated = row
        assert (accepted, lost) == (2 * EACH, 0)
        assert failed >= 2 * EACH // BAD
        assert delivered + failed + unknown == accepted
        assert channel != "sms" or repeated == 0, "the provider is asked before a message is sent again"
        assert repeated <= 8 * sum(drill.kills.values())
    assert {row["channel"] for row in stats["data"]} == set(QUEUES)


def _print(rows: list[tuple[Any, ...]], kills: Counter[str]) -> None:
    """For whoever runs it with ``-s``."""
    widths = [max(len(str(row[at])) for row in rows) for at in range(len(HEAD))]
    lines = [
        "  ".join(str(cell).rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows
    ]
    said = ", ".join(f"{role} {count} times" for role, count in kills.items())
    print("", *lines, f"killed: {said}", sep="\n")  # noqa: T201  # the table is what it is for
