"""The command: it tells what it would do, refuses what cannot be in one sentence, and can be undone until the end."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from streamq import App, Limit, MoveRefused, MoveUnfinished, QueueMoved, Rejected
from streamq.doctor import examine
from streamq.moving.lead import leading, token
from streamq.moving.mover import Mover
from streamq.store.pieces import Piece

from ..commands import Call, Ended, run_all, sentence
from ..engine.test_rights import rights
from ..rig import ON_ONE_SERVER, QUICK, until, working
from ..servers import Server
from .rich import QUEUE, declared, fill, known

pytestmark = ON_ONE_SERVER


class Way:
    """An app here, one there, and the command between them."""

    def __init__(self, here: App, there: App, folder: Path) -> None:
        self.here, self.there, self._folder = here, there, folder

    def mover(self, **options: Any) -> Mover:
        return Mover(self.here.client.store, self.there.client.store, QUEUE, **options)

    def run(self, *words: str) -> Ended:
        urls = [app.settings.secret("redis_url") for app in (self.here, self.there)]
        (ended,) = run_all(
            self._folder, [Call(("migrate", "--redis-url", str(urls[0]), "--to", str(urls[1]), *words))]
        )
        return ended


@pytest.fixture
async def way(own_server: Callable[..., Server], tmp_path: Path) -> AsyncIterator[Way]:
    (here, _), (there, _) = declared(own_server().url), declared(own_server().url)
    async with here, there:
        yield Way(here, there, tmp_path)


async def test_a_dry_run_changes_nothing_and_a_run_tells_what_has_moved(way: Way) -> None:
    await fill(way.here)
    before = await known(way.here)
    dry = await asyncio.to_thread(way.run, "--dry-run", "--json")
    rows = {row["queue"]: row for row in json.loads(dry.out)["queues"]}
    assert rows[QUEUE] == {"queue": QUEUE, "phase": "open", "counts": before["counts"], "problem": ""}
    assert await known(way.here) == before
    ended = await asyncio.to_thread(way.run, "--json")
    (row,) = [each for each in json.loads(ended.out)["queues"] if each["queue"] == QUEUE]
    assert (row["state"], row["counts"]) == ("moved", before["counts"])
    assert await known(way.there) == before
    again = await asyncio.to_thread(way.run, "--queue", QUEUE)
    assert (again.code, "moved" in again.out) == (0, True), "it may be started again"
    removed = await way.here.queue(QUEUE).remove()
    assert removed is None
    assert (await way.here.enqueue(QUEUE, "work", {"line": "", "number": 1})).id, "the name is free again"


@pytest.mark.parametrize("closed", [False, True])
async def test_a_move_is_undone_until_the_queue_has_arrived(way: Way, closed: bool) -> None:
    await fill(way.here)
    before, mover = await known(way.here), way.mover()
    async with leading(mover._source, mover._target, QUEUE, mover._token):
        move = await mover._begun()
        if closed:
            await mover._closed(move)
    await mover.undo()
    assert await known(way.here) == before
    assert (await way.there.queue(QUEUE).counts()).waiting == 0
    await way.there.enqueue(QUEUE, "work", {"line": "", "number": 1})
    with pytest.raises(MoveRefused, match="no move of it is under way"):
        await mover.undo()


async def test_jobs_that_do_not_end_in_time_leave_the_queue_paused_and_the_move_to_be_gone_on_with(
    way: Way,
) -> None:
    go = asyncio.Event()

    @way.here.task(name="long", queue=QUEUE)
    async def long() -> None:
        await go.wait()

    async with working(way.here):
        await way.here.enqueue(QUEUE, "long", {})
        await until(lambda: _active(way.here))
        with pytest.raises(MoveUnfinished, match="1 job of queue 'sms' did not end in time"):
            await way.mover(wait=0.1).run()
        assert (await way.here.queue(QUEUE).steering()).paused
        here = way.here.client.store.migrations
        assert await here.leave(QUEUE, (await here.state(QUEUE)).id, "x") == 1, "the server looks as well"
        await way.here.enqueue(QUEUE, "work", {"line": "", "number": 1})
        go.set()
        await way.mover().run()
    assert (await way.there.queue(QUEUE).steering()).paused is None
    counts = await way.there.queue(QUEUE).counts()
    assert (counts.waiting, counts.completed) == (1, 1)


async def _active(app: App) -> bool:
    return bool((await app.queue(QUEUE).counts()).active)


async def test_of_two_at_once_one_is_refused_and_a_silent_one_can_write_nothing_any_more(way: Way) -> None:
    await way.here.enqueue(QUEUE, "work", {"line": "", "number": 1})
    first = way.mover()
    async with leading(first._source, first._target, QUEUE, first._token):
        await first._closed(await first._begun())
        with pytest.raises(MoveRefused, match=r"process [0-9]+ on .* moves it"):
            await way.mover().run()
    await way.mover().run()
    with pytest.raises(MoveRefused, match="another process moves it by now"):
        await first._target.land(QUEUE, first._token, "x", "string", 0, Piece("", [b"late"], 1))


async def test_a_lead_of_another_machine_is_taken_over_when_it_is_silent(way: Way) -> None:
    await way.here.enqueue(QUEUE, "work", {"line": "", "number": 1})
    await way.here.client.store.migrations.take_the_lead(QUEUE, "process 1 on elsewhere, 0123456789abcdef")
    async with asyncio.timeout(12):
        await way.mover().run()


async def test_what_cannot_be_moved_is_refused_in_one_sentence(way: Way) -> None:
    await way.here.enqueue(QUEUE, "work", {"line": "", "number": 1})
    url = str(way.here.settings.secret("redis_url"))
    missing = await asyncio.to_thread(way.run, "--queue", "sma")
    assert (missing.code, "did you mean sms?" in sentence(missing)) == (3, True)
    (same,) = await asyncio.to_thread(
        run_all, way._folder, [Call(("migrate", "--redis-url", url, "--to", url))]
    )
    assert (same.code, "leads to the same keys" in sentence(same)) == (4, True)
    (dry,) = await asyncio.to_thread(
        run_all, way._folder, [Call(("migrate", "--redis-url", url, "--to", url, "--dry-run", "--json"))]
    )
    assert (dry.code, "leads to the same keys" in dry.out) == (same.code, True)
    await way.there.enqueue(QUEUE, "work", {"line": "", "number": 2})
    used = await asyncio.to_thread(way.run)
    assert (used.code, "a queue moves to an empty one" in sentence(used)) == (4, True)
    dry = await asyncio.to_thread(way.run, "--dry-run")
    assert (dry.code, "it has jobs there: 1 waiting" in dry.out) == (used.code, True)
    assert not {"{", "counts"} & set(dry.out.split()), "a count is a column"
    assert (await way.here.queue(QUEUE).counts()).waiting == 1
    assert (await way.here.queue(QUEUE).steering()).paused is None


async def test_a_schedule_whose_name_is_taken_there_is_refused_before_anything_is_done(way: Way) -> None:
    for app, queue in ((way.here, QUEUE), (way.there, "other")):
        await app.schedules.put("nightly", task="t", queue=queue, every=3600)
    with pytest.raises(MoveRefused, match="its schedule 'nightly' is that of queue 'other'"):
        await way.mover().run()
    assert (await way.here.schedules.get("nightly")).schedule.queue == QUEUE


async def test_a_move_to_one_place_is_not_gone_on_with_to_another(
    way: Way, own_server: Callable[..., Server]
) -> None:
    await way.here.enqueue(QUEUE, "work", {"line": "", "number": 1})
    mover = way.mover()
    async with leading(mover._source, mover._target, QUEUE, mover._token):
        await mover._closed(await mover._begun())
    async with App(redis_url=own_server().url, prefix="sq", **QUICK) as third:
        with pytest.raises(MoveRefused, match="it is on its way to"):
            await Mover(way.here.client.store, third.client.store, QUEUE).run()
        assert (await third.queue(QUEUE).counts()).waiting == 0
        await third.enqueue(QUEUE, "work", {"line": "", "number": 2})
    with contextlib.suppress(MoveRefused):
        await mover.run()
    assert (await way.there.queue(QUEUE).counts()).waiting == 1
    assert token() != token()


@pytest.mark.parametrize("also", [("rename", "type", "xsetid"), ("rename", "type")])
async def test_the_rights_of_the_page_are_enough_and_a_missing_one_is_told(
    own_server: Callable[..., Server], server_kind: str, also: tuple[str, ...]
) -> None:
    users = [f"streamq on >sesame {rights(server_kind)} {' '.join(f'+{name}' for name in also)}"]
    old, new = own_server(users=users), own_server(users=users)
    login = {"redis_username": "streamq", "redis_password": "sesame"}
    (here, _), (there, ran) = declared(old.url, **login), declared(new.url, **login)
    async with here, there:
        await fill(here)
        mover = Mover(here.client.store, there.client.store, QUEUE)
        if len(also) == 3:
            await mover.run()
            await there.queue(QUEUE).resume()
            async with working(there):
                await until(lambda: len(ran) > 50)
        else:
            with pytest.raises(Rejected, match="can't run this command"):
                await mover.run()
            await mover.undo()
            assert (await here.queue(QUEUE).counts()).waiting


async def test_roles_that_begin_at_the_new_address_wait_for_the_queue(way: Way) -> None:
    await way.here.enqueue(QUEUE, "work", {"line": "", "number": 1})
    mover = way.mover()
    async with leading(mover._source, mover._target, QUEUE, mover._token):
        await mover._closed(await mover._begun())
    (there, ran) = declared(str(way.there.settings.secret("redis_url")))
    there.limit(QUEUE, Limit(concurrency=3))
    there.schedule(name="often", every=3600)(there.tasks["fails"])
    async with there, working(there):
        with pytest.raises(QueueMoved, match=r"comes from .* and is not open yet"):
            await there.enqueue(QUEUE, "work", {"line": "", "number": 2})
        await mover.run()
        await until(lambda: ran == [("", 1)], 20)
        await there.enqueue(QUEUE, "work", {"line": "", "number": 2})
        await until(lambda: ran == [("", 1), ("", 2)], 20)


async def test_shared_limits_are_told_there_where_nothing_is_told_yet(way: Way) -> None:
    await way.here.enqueue(QUEUE, "work", {"line": "", "number": 1})
    for name, here in (("provider", "100/s"), ("other", "7/s")):
        await way.here.shared(name).limit(rate=here)
    await way.there.shared("other").limit(rate="9/s")
    await way.mover().run()
    rates = {each.name: each.told.rate for each in await way.there.shared_limits()}
    assert {name: str(rate) for name, rate in rates.items()} == {"provider": "100/s", "other": "9/s"}


async def test_the_doctor_tells_of_a_queue_that_has_moved_and_of_no_strange_keys(way: Way) -> None:
    await way.here.enqueue(QUEUE, "work", {"line": "", "number": 1})
    await way.mover().run()
    found = [each for each in await examine(way.here) if each.check == "keys"]
    assert [each.code for each in found] == ["queue-moved"]
    assert "streamq queue rm sms" in found[0].remedy
    assert [each for each in await examine(way.there) if each.check == "keys"] == []


async def test_without_names_those_move_that_have_not_left_and_those_are_undone_that_are_under_way(
    way: Way, own_server: Callable[..., Server]
) -> None:
    await way.here.enqueue(QUEUE, "work", {"line": "", "number": 1})
    async with App(redis_url=own_server().url, prefix="sq", **QUICK) as elsewhere:
        await Mover(way.here.client.store, elsewhere.client.store, QUEUE).run()
    for name in ("a", "b"):
        await way.here.enqueue(name, "t", 1)
    mover = Mover(way.here.client.store, way.there.client.store, "a")
    async with leading(mover._source, mover._target, "a", mover._token):
        await mover._begun()
    undone = await asyncio.to_thread(way.run, "--undo", "--json")
    assert json.loads(undone.out) == {"queues": [{"queue": "a", "state": "open here"}]}
    moved = await asyncio.to_thread(way.run, "--json")
    assert [row["queue"] for row in json.loads(moved.out)["queues"]] == ["a", "b"]


async def test_of_two_that_are_named_one_may_have_moved_before(way: Way) -> None:
    for name in ("a", "b"):
        await way.here.enqueue(name, "t", 1)
    await Mover(way.here.client.store, way.there.client.store, "b").run()
    dry = await asyncio.to_thread(way.run, "--queue", "a", "--queue", "b", "--dry-run")
    ended = await asyncio.to_thread(way.run, "--queue", "a", "--queue", "b")
    assert (dry.code, ended.code, ended.out.count("moved")) == (0, 0, 2), ended.err
