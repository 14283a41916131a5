"""Notes: what an app's code tells operators of its worker stands wherever workers are shown, until it is taken back."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from streamq import App, Notes
from streamq.doctor import examine
from streamq.model.shown import shown
from streamq.notes import MANY, SUBJECT, TEXT

from ..rig import ON_ONE_SERVER, until, working


@ON_ONE_SERVER
async def test_a_note_is_shown_with_its_worker_until_it_is_cleared(
    app: App, server_url: str, prefix: str
) -> None:
    async with working(app, name="w1", queues=["q"]):
        app.notes.set("sms", "held: 401")
        (note,) = await until(lambda: _notes(app))
        app.notes.set("sms", "held: 403")
        (again,) = await until(lambda: _notes(app, "held: 403"))
        assert again.since == note.since, "it is the same trouble still"
        (worker,) = await app.workers()
        assert worker.asdict()["notes"][0] | {"since": ""} == {
            "subject": "sms",
            "text": "held: 403",
            "since": "",
        }
        (found,) = [finding for finding in await examine(app) if finding.check == "notes"]
        assert (found.verdict, found.code) == ("warn", "worker-note")
        assert found.said == f"sms, since {note.since:%Y-%m-%dT%H:%M:%SZ} (w1): held: 403"
        table = await _command(server_url, prefix, "workers")
        assert table.splitlines()[1].endswith("sms: held: 403")
        app.notes.clear("sms")
        app.notes.clear("what was never set")
        await until(lambda: _cleared(app))


async def _command(url: str, prefix: str, *words: str) -> str:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "streamq", *words, stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "STREAMQ_REDIS_URL": url, "STREAMQ_PREFIX": prefix},
    )  # fmt: skip
    return (await process.communicate())[0].decode()


async def _notes(app: App, text: str = "held: 401") -> Any:
    return [note for worker in await app.workers() for note in worker.notes if note.text == text]


async def _cleared(app: App) -> bool:
    return all(not worker.notes for worker in await app.workers())


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.text(), st.text()), max_size=60))
def test_notes_are_bounded_and_harmless_whatever_is_told(told: list[tuple[str, str]]) -> None:
    notes = Notes()
    for subject, text in told:
        notes.set(subject * 9, text * 99)
    assert len(notes.listed) <= MANY
    for note in notes.listed:
        assert shown(note.subject) == note.subject
        assert shown(note.text) == note.text
        assert len(note.subject) <= 10 * SUBJECT, "an escape is ten characters at most"
        assert len(note.text) <= 10 * TEXT
    for subject, _ in told:
        notes.clear(subject * 9)
    assert notes.listed == ()
