"""Supabase Realtime as a doorbell: told, kept up, renewed, and done without where it is away."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from streamq_service.intake.doorbell import Bells
from streamq_service.intake.realtime import Realtime, RealtimeUnavailable, address

from ..rig import ON_ONE_SERVER, until
from .conftest import Service
from .intake import Base, Settings, reading
from .realtime import RealtimeServer, realtime
from .test_intake_weather import no_note, note

TABLES = ("sms_queue", "email_queue", "ai_response_queue", "streamq_outbox")


class Rung:
    """Bells that count."""

    def __init__(self) -> None:
        self.heard = 0
        self.bells = Bells(TABLES, self._hear)

    def _hear(self) -> None:
        self.heard += 1

    async def rings(self, table: str) -> None:
        """Wait for a ring."""
        await self.bells.wait(table, 5.0)
        assert self.bells._bells[table].is_set()

    def hush(self) -> None:
        """Nothing has rung."""
        for table in TABLES:
            self.bells.hush(table)


async def ringing(
    server: RealtimeServer, token: Callable[[], str], beat: float = 0.05
) -> tuple[Rung, asyncio.Task[None]]:
    """A doorbell of this server, once it has rung for what came before."""
    rung = Rung()
    listening = asyncio.create_task(Realtime(server.url, token, TABLES, beat=beat).listen(rung.bells))
    await rung.rings("sms_queue")
    return rung, listening


async def ended(listening: asyncio.Task[None], words: str) -> None:
    """It ends with these words."""
    with pytest.raises(RealtimeUnavailable, match=words):
        await asyncio.wait_for(listening, 15.0)


async def test_it_joins_for_pending_rows_of_each_table_and_rings_for_theirs_alone() -> None:
    async with realtime() as server:
        rung, listening = await ringing(server, lambda: "key-1")
        (joined,) = server.joined
        assert joined["access_token"] == "key-1"
        assert joined["config"]["postgres_changes"] == [
            {"event": event, "schema": "public", "table": table, "filter": "status=eq.pending"}
            for table in TABLES
            for event in ("INSERT", "UPDATE")
        ]
        rung.hush()
        assert not await server.change("UPDATE", "email_queue", {"status": "processing"})
        for kind, table in (("INSERT", "sms_queue"), ("UPDATE", "email_queue")):
            assert await server.change(kind, table, {"status": "pending"})
            await rung.rings(table)
        assert not rung.bells._bells["ai_response_queue"].is_set()
        await server.hang_up()
        await ended(listening, "ended the connection")


async def test_it_says_that_it_is_there_and_sends_a_renewed_key() -> None:
    keys = ["key-1"]
    async with realtime() as server:
        _, listening = await ringing(server, lambda: keys[-1])
        await until(lambda: server.heartbeats >= 3)
        assert server.tokens == []
        keys.append("key-2")
        await until(lambda: server.tokens == ["key-2"])
        beats = server.heartbeats
        await until(lambda: server.heartbeats > beats + 2)
        assert server.tokens == ["key-2"]
        server.answers_heartbeats = False
        await ended(listening, "answers no heartbeat")


async def test_what_it_does_not_understand_rings_nothing_and_ends_nothing() -> None:
    async with realtime() as server:
        rung, listening = await ringing(server, lambda: "key-1")
        rung.hush()
        topic = '"topic": "realtime:streamq-intake"'
        for text in (
            "", "[]", "null", "{", "\u0000", '{"topic": 1}', f'{{{topic}, "event": "postgres_changes"}}',
            f'{{{topic}, "event": "postgres_changes", "payload": {{"data": []}}}}',
            f'{{{topic}, "event": "postgres_changes", "payload": {{"data": {{"table": "other"}}}}}}',
            '{"topic": "realtime:other", "event": "phx_error", "payload": {}}',
        ):  # fmt: skip
            await server.say(text)
        await server.change("INSERT", "sms_queue", {"status": "pending"})
        await rung.rings("sms_queue")
        assert not rung.bells._bells["email_queue"].is_set()
        await server.end_channels()
        await ended(listening, "ended the channel")


async def test_a_wrong_key_a_refusal_and_no_server_are_told_without_the_key() -> None:
    async with realtime() as server:
        listen = Realtime(server.url, lambda: "secret-7", TABLES).listen
        with pytest.raises(RealtimeUnavailable, match="status 401") as refused:
            await listen(Rung().bells)
        assert "secret-7" not in str(refused.value)
        server.refuses = "no such\ntable"
        with pytest.raises(RealtimeUnavailable, match=r"refuses the channel: .*no such"):
            await Realtime(server.url, lambda: "key-1", TABLES).listen(Rung().bells)
        server.key = "a b'c/7"
        for said in (server.key, quote(server.key), quote_plus(server.key), "x" * 190 + server.key):
            server.refuses = f"the token {said} is no good"
            with pytest.raises(RealtimeUnavailable, match="refuses the channel") as repeated:
                await Realtime(server.url, lambda: server.key, TABLES).listen(Rung().bells)
            assert not any(part in str(repeated.value) for part in (said[-7:], "c/", "a b"))
    with pytest.raises(RealtimeUnavailable, match="cannot be reached") as away:
        await listen(Rung().bells)
    assert "secret-7" not in str(away.value)


def test_the_address_is_that_of_a_project_or_of_the_websocket_itself() -> None:
    ends = "?apikey=k+1&vsn=1.0.0"
    assert address("https://p.example.com/", "k 1") == f"wss://p.example.com/realtime/v1/websocket{ends}"
    assert address("http://127.0.0.1:1", "k 1") == f"ws://127.0.0.1:1/realtime/v1/websocket{ends}"
    assert address("wss://own.example.com/socket/websocket", "k 1") == (
        f"wss://own.example.com/socket/websocket{ends}"
    )


@pytest.mark.keeps_keys
@ON_ONE_SERVER
async def test_rows_come_by_realtime_and_without_it_by_polling(
    base: Base, settings: Settings, sandbox: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = tmp_path / "key"
    key.write_text("key-1")
    key.chmod(0o600)
    monkeypatch.setenv("STREAMQ_INTAKE_REALTIME_KEY_FILE", str(key))
    given: dict[str, Any] = {"sms_api_url": sandbox.url, "intake_url": base.url}
    async with realtime() as server:
        known = settings(**given, intake_realtime_url=server.url, intake_poll=60)
        before = await base.sms("before")
        async with reading(known) as app:
            await base.ended("sms_queue", before)
            await until(lambda: server.joined)
            row = await base.sms("by a ring")
            await until(lambda: server.change("INSERT", "sms_queue", {"status": "pending"}))
            await base.ended("sms_queue", row)
            missed = await base.sms("while nobody was told")
            await server.hang_up()
            await note(app, "Realtime: ")
            await base.ended("sms_queue", missed)
            await no_note(app)
    async with reading(settings(**given, intake_realtime_url=server.url, intake_poll=0.2)):
        await base.ended("sms_queue", await base.sms("by a poll"))
