"""Supabase Realtime as a doorbell: changes of tables, told over a websocket by the protocol of Phoenix channels.

What is told is only that there are rows; they are read from the database, as with any doorbell. The key is a token
that may be renewed while the connection stands: where it came from a file, that is read again.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final
from urllib.parse import quote, quote_plus, urlencode, urlsplit, urlunsplit

import aiohttp
import orjson

from streamq import Unavailable

from ..json_text import encoded
from .doorbell import Bells

BEAT: Final = 25.0
"""Seconds between two heartbeats, as its own clients have it: the server ends connections without one for a minute."""
ANSWER: Final = 10.0
"""Seconds that joining, and a heartbeat, may wait for their answer."""
LARGEST: Final = 4 * 1024 * 1024
"""Bytes of a message at most: a change holds the whole row."""
TOPIC: Final = "realtime:streamq-intake"
PATH: Final = "/realtime/v1/websocket"
"""Of a project; who hosts it himself names the whole address, as ws or wss."""


class RealtimeUnavailable(Unavailable):
    """The server of Realtime cannot be reached, or has ended the channel."""

    code = "realtime-unavailable"
    advice = ""


class Realtime:
    """One channel for all tables. ``token`` gives the key anew, each time it is asked for."""

    name = "Realtime"

    def __init__(
        self,
        url: str,
        token: Callable[[], str],
        tables: Sequence[str],
        *,
        beat: float = BEAT,
        schema: str = "public",
    ) -> None:
        self._url, self._token, self._tables, self._beat, self._schema = url, token, tables, beat, schema

    async def listen(self, bells: Bells) -> None:
        """Join, and ring for each change, until the connection ends. Raises ``RealtimeUnavailable`` then."""
        token = self._token()
        timeout, where = aiohttp.ClientTimeout(total=None, connect=ANSWER), address(self._url, token)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.ws_connect(where, max_msg_size=LARGEST) as socket,
            ):
                await _Channel(socket, self._token, self._beat).serve(self._wanted(token), token, bells)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            said = (
                f"status {error.status}"
                if isinstance(error, aiohttp.WSServerHandshakeError)
                else type(error).__name__
            )
            raise RealtimeUnavailable(f"Realtime cannot be reached: {said}") from None

    def _wanted(self, token: str) -> dict[str, Any]:
        changes = [
            {"event": event, "schema": self._schema, "table": table, "filter": "status=eq.pending"}
            for table in self._tables
            for event in ("INSERT", "UPDATE")
        ]
        config = {"broadcast": {"self": False}, "presence": {"key": ""}, "postgres_changes": changes}
        return {"config": config, "access_token": token}


class _Channel:
    """A joined channel over one socket."""

    def __init__(
        self, socket: aiohttp.ClientWebSocketResponse, token: Callable[[], str], beat: float
    ) -> None:
        self._socket, self._token, self._beat = socket, token, beat
        self._numbers = itertools.count(1)
        self._answered = asyncio.Event()
        self._joined = asyncio.Event()
        self._beats: set[str] = set()
        self._tokens: set[str] = set()

    async def serve(self, wanted: dict[str, Any], token: str, bells: Bells) -> None:
        """Raises ``RealtimeUnavailable`` at its end, whoever noticed that first."""
        self._tokens.add(token)
        join = await self._send(TOPIC, "phx_join", wanted)
        tasks = [
            asyncio.create_task(self._beat_on(token), name="intake heartbeat"),
            asyncio.create_task(self._read(join, bells), name="intake realtime"),
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        done.pop().result()

    async def _read(self, join: str, bells: Bells) -> None:
        async for message in self._socket:
            if message.type is aiohttp.WSMsgType.TEXT:
                self._heard(message.data, join, bells)
        raise RealtimeUnavailable("Realtime has ended the connection")

    async def _send(self, topic: str, event: str, payload: dict[str, Any]) -> str:
        number = str(next(self._numbers))
        of = {"join_ref": "1"} if topic == TOPIC else {}
        message = {"topic": topic, "event": event, "payload": payload, "ref": number, **of}
        await self._socket.send_str(encoded(message).decode())
        return number

    def _heard(self, text: str, join: str, bells: Bells) -> None:
        """Raises ``RealtimeUnavailable`` for what ends the channel; what is not understood is no ring."""
        topic, event, number, payload = _parts(text)
        if event == "phx_reply" and number in self._beats:
            self._beats.discard(number)
        if topic != TOPIC:
            return
        match event:
            case "phx_reply" if number == join and payload.get("status") != "ok":
                raise RealtimeUnavailable(f"Realtime refuses the channel: {_words(payload, self._tokens)}")
            case "phx_reply" if number == join:
                self._joined.set()
            case "system" if payload.get("status") == "ok":
                bells.listening()
            case "system" | "phx_error" | "phx_close":
                raise RealtimeUnavailable(
                    f"Realtime has ended the channel: {_words(payload, self._tokens) or event}"
                )
            case "postgres_changes":
                data = payload.get("data")
                bells.ring(str(data.get("table")) if isinstance(data, dict) else "")

    async def _beat_on(self, token: str) -> None:
        """Say that we are there, and what the token is now; end the connection when nothing answers."""
        try:
            async with asyncio.timeout(ANSWER):
                await self._joined.wait()
            while True:
                await asyncio.sleep(self._beat)
                if self._beats:
                    raise RealtimeUnavailable("Realtime answers no heartbeat")
                self._beats.add(await self._send("phoenix", "heartbeat", {}))
                if (newer := self._token()) != token:
                    token = newer
                    self._tokens.add(token)
                    await self._send(TOPIC, "access_token", {"access_token": token})
        except TimeoutError:
            raise RealtimeUnavailable("Realtime did not answer that the channel is joined") from None


def address(url: str, token: str) -> str:
    """The address of the websocket, with the key, of the address of a project or of the websocket itself."""
    parts = urlsplit(url)
    scheme = {"http": "ws", "https": "wss"}.get(parts.scheme, parts.scheme)
    path = parts.path if parts.scheme in ("ws", "wss") else parts.path.rstrip("/") + PATH
    return urlunsplit((scheme, parts.netloc, path, urlencode({"apikey": token, "vsn": "1.0.0"}), ""))


def _parts(text: str) -> tuple[str, str, str, dict[str, Any]]:
    """Topic, event, number and payload of a message; empty where it has none."""
    try:
        said = orjson.loads(text)
    except ValueError:
        return "", "", "", {}
    if not isinstance(said, dict):
        return "", "", "", {}
    payload = said.get("payload")
    return (
        str(said.get("topic")), str(said.get("event")), str(said.get("ref")),
        payload if isinstance(payload, dict) else {},
    )  # fmt: skip


def _words(payload: dict[str, Any], tokens: Iterable[str]) -> str:
    """What the server says of it, on one line, without our tokens: some repeat what they were sent."""
    said = payload.get("message") or payload.get("response") or ""
    text = " ".join(str(said).split())
    for token in sorted(filter(None, tokens), key=len, reverse=True):
        for form in (token, quote(token, safe=""), quote(token), quote_plus(token), repr(token)[1:-1]):
            text = text.replace(form, "***")
    return text[:200]
