"""Does to a queue what it does to a model of its jobs, and compares the two."""

from __future__ import annotations

import random
from typing import Any, Final

import redis

from streamq import App, JobNotFound, KeyInUse, Unique, WrongState
from streamq.model.envelope import Delivery, parked
from streamq.model.headers import key_given_up, pack_headers
from streamq.model.keys import GROUP, Keys
from streamq.model.lanes import ALONE, BY_PRIORITY, PRIORITIES
from streamq.model.outcomes import CANCELLED, COMPLETED, DELAYED, EXPIRED, FAILED, HELD, MARKS, STATES
from streamq.redis.links import Links
from streamq.store.outcomes import Settlement

from .jobs_model import Job, Model

MODES: Final[dict[str, Unique | None]] = {
    "plain": None,
    "keep": Unique(),
    "replace": Unique(conflict="replace"),
    "latest": Unique(conflict="latest"),
    "queue": Unique(conflict="queue"),
    "started": Unique(until="started"),
    "started-replace": Unique(until="started", conflict="replace"),
    "window": Unique(window=3600),
    "debounce": Unique(debounce=3600),
}
ENDED: Final = (FAILED, CANCELLED, EXPIRED)


class Driver:
    """Does random things to the queue ``q`` and to a model, and compares the two after each."""

    def __init__(self, app: App, link: Links, client: redis.Redis, seed: int) -> None:
        self.app, self.link, self.client, self.random = app, link, client, random.Random(seed)  # noqa: S311  # no secret
        self.keys, self.model = Keys(app.settings.prefix, "q"), Model()
        self.queue, self.store = app.queue("q"), app.client.store
        self.held: dict[str, Delivery] = {}
        """The deliveries of active jobs."""
        self.stale: list[Delivery] = []
        self.priorities: dict[str, int] = {}
        """The lane of each job's priority, wherever it lies."""
        self.told: list[str] = []
        """What was done, for who looks for the reason of a difference."""

    async def run(self, steps: int) -> None:
        acts = [
            (self.enqueue, 12), (self.fetch, 8), (self.settle, 5), (self.reclaim, 4), (self.release, 1),
            (self.promote, 3), (self.cancel, 2), (self.requeue, 2), (self.delete, 1), (self.change, 3),
            (self.pause, 1), (self.resume, 2), (self.delete_by_hand, 2), (self.mend, 1), (self.settle_late, 1),
            (self.audit, 1), (self.end_window, 2),
        ]  # fmt: skip
        for _ in range(steps):
            (act,) = self.random.choices([a for a, _ in acts], [w for _, w in acts])
            self.told.append(act.__name__)
            await act()
            self.compare()

    def compare(self) -> None:
        """Jobs and keys are as the model has them."""
        expected = {i: (j.state, j.lane if j.state == "waiting" else 0) for i, j in self.model.jobs.items()}
        assert self._observed() == expected, self.told[-12:]
        found = {}
        for key, said in self.client.hgetall(self.keys.unique).items():
            holder, until, *following = said.split()
            found[key] = holder, "window" if until.isdigit() else "", following
        known = {k: (h, u if u == "window" else "", f) for k, (h, u, f) in self.model.keys.items()}
        assert found == known, self.told[-12:]

    def _observed(self) -> dict[str, tuple[str, int]]:
        found = {}
        for number, lane in enumerate(self.keys.lanes, 1):
            pending = set()
            if self.client.exists(lane):
                pending = {p["message_id"] for p in self.client.xpending_range(lane, GROUP, "-", "+", 1000)}
            for entry, fields in self.client.xrange(lane):
                job_id = _delivery(number, entry, fields).job_id
                assert job_id not in found, "it lies in two places"
                found[job_id] = ("active", 0) if entry in pending else ("waiting", number)
        for job_id in self.client.hkeys(self.keys.parked):
            assert job_id not in found, "it lies in two places"
            delayed = self.client.zscore(self.keys.delayed, job_id) is not None
            found[job_id] = (DELAYED if delayed else HELD, 0)
        for job_id, record in self.client.hgetall(self.keys.finished).items():
            assert job_id not in found, "it lies in two places"
            found[job_id] = (STATES[record[:1].encode()], 0)
        return found

    def _any(self, *states: str) -> str | None:
        fits = [job_id for job_id, job in self.model.jobs.items() if job.state in states]
        return self.random.choice(fits) if fits else None

    # -- what producers do ----------------------------------------------------------------------------------

    async def enqueue(self) -> None:
        mode, key = self.random.choice(list(MODES)), self.random.choice("ab")
        task, n, priority = (
            self.random.choice("tu"),
            self.random.randrange(10**6),
            self.random.choice(PRIORITIES),
        )
        unique = MODES[mode]
        delay = 3600 if mode != "debounce" and self.random.random() < 0.25 else None
        options: dict[str, Any] = {"priority": priority} if priority != "normal" else {}
        if unique is not None:
            options |= {"key": key, "unique": unique}
        if delay is not None:
            options["delay"] = delay
        self.store.producers.plain.forget("q")
        job = await self.app.enqueue("q", task, n, **options)
        self.told[-1] = f"enqueue {mode} {key} {priority} {delay} -> {job.id} {job.disposition}"
        new = Job("waiting", task, n, BY_PRIORITY[priority], "", "")
        if unique is not None:
            new.key, new.until = key, unique.header
        expected = self._expect(new, unique)
        assert (job.disposition, job.id if expected[1] else "") == expected, self.told[-12:]
        if not expected[1]:
            self._create(job.id, new, unique, mode, later=delay is not None or mode == "debounce")

    def _expect(self, new: Job, unique: Unique | None) -> tuple[str, str]:
        """The disposition, and the id where the job is not a new one. Replaces where that is what becomes of it."""
        holder = self.model.holder(new.key) if unique is not None else None
        if unique is None or holder is None:
            return "created", ""
        _, until, following = self.model.keys[new.key]
        active = until != "window" and self.model.jobs[holder].state == "active"
        if until != "window" and unique.debounce is not None:
            if not active:
                return self._replace(holder, new)
            return self._follow(following, new) if until != "started" else ("created", "")
        if until == "window" or unique.conflict == "keep" or (active and unique.conflict == "replace"):
            return "existing", holder
        if not active and unique.conflict != "queue":
            return self._replace(holder, new)
        return self._follow(following, new) if unique.conflict == "latest" else ("following", "")

    def _follow(self, following: list[str], new: Job) -> tuple[str, str]:
        """The latest of all takes the place of the one that was the latest."""
        if following and self.model.is_living(following[-1]):
            return self._replace(following[-1], new)
        return "following", ""

    def _replace(self, job_id: str, new: Job) -> tuple[str, str]:
        job = self.model.jobs[job_id]
        job.task, job.n, job.until, job.crashes = new.task, new.n, new.until, 0
        self.priorities[job_id] = new.lane
        if job.lane != ALONE or job.state != "waiting":
            job.lane = new.lane
        return "replaced", job_id

    def _create(self, job_id: str, new: Job, unique: Unique | None, mode: str, *, later: bool) -> None:
        model, standing = self.model, self.model.keys.get(new.key)
        assert job_id not in model.jobs
        self.priorities[job_id] = new.lane
        model.jobs[job_id] = new
        if standing is not None and unique is not None and (unique.debounce is None or not standing[1]):
            new.state, new.later = HELD, later and mode != "debounce"
            model.keys[new.key] = (*standing[:2], [*standing[2], job_id])
            return
        if later:
            new.state = DELAYED
        elif new.task in model.paused:
            new.state, new.paused = HELD, True
        if unique is not None:
            until = "window" if mode == "window" else new.until
            model.keys[new.key] = job_id, until, standing[2] if standing else []

    # -- what workers do ------------------------------------------------------------------------------------

    async def fetch(self) -> None:
        job_id = next(
            (i for i, job in self.model.jobs.items() if job.state == "waiting" and job.lane == ALONE), None
        )
        if job_id is None or self.random.random() < 0.6:
            job_id = self._any("waiting")
        if job_id is None:
            return
        lane, worker = self.model.jobs[job_id].lane, self.random.choice(("w1", "w2"))
        ((_, ((entry, fields),)),) = self.client.xreadgroup(
            GROUP, worker, {self.keys.lanes[lane - 1]: ">"}, count=1
        )
        delivery = _delivery(lane, entry, fields)
        job = self.model.jobs[delivery.job_id]
        assert (job.state, job.lane, delivery.payload) == ("waiting", lane, str(job.n).encode()), self.told[
            -12:
        ]
        job.state, job.worker = "active", worker
        self.held[delivery.job_id] = delivery
        if delivery.headers.get("until") == "started" and self.random.random() < 0.8:
            await self.store.unique.begin("q", delivery.headers["key"], delivery.job_id)
            self.model.leave(job.key, delivery.job_id)

    async def settle(self) -> None:
        job_id = self._any("active")
        if job_id is None or (self.model.jobs[job_id].crashes == 2 and self.random.random() < 0.8):
            return  # so that enough of them crash once more
        delivery, job = self.held.pop(job_id), self.model.jobs[job_id]
        kind = self.random.choice((COMPLETED, COMPLETED, FAILED, CANCELLED, EXPIRED, DELAYED, HELD))
        self.told[-1] = f"settle {job_id} {kind}"
        assert await self._settle(delivery, kind) == []
        if kind in MARKS:
            self.model.end(job_id, kind)
        elif job.asked:
            self.model.end(job_id, CANCELLED)
        elif kind == DELAYED:
            job.state, job.worker, job.lane = DELAYED, "", self.priorities[job_id]
        elif job.task in self.model.paused:
            job.state, job.worker, job.paused, job.lane = HELD, "", True, self.priorities[job_id]
        else:
            self.model.wait(job_id, self.priorities[job_id])

    async def _settle(self, delivery: Delivery, kind: str) -> list[bytes]:
        headers = pack_headers({**delivery.headers, "id": delivery.job_id})
        if kind in MARKS:
            body = MARKS[kind] + b"7 0 w\n%b\n%b\n{}\n%b" % (delivery.raw_task, headers, delivery.payload)
        else:
            body = parked(delivery.task, headers, delivery.payload)
        key = key_given_up(delivery.headers) if kind in MARKS else ""
        due = "3600000" if kind == DELAYED else ""
        outcome = Settlement(kind, delivery.lane, delivery.entry, delivery.job_id, body, due, key)
        return await self.store.outcomes.settle(self.link, {"q": [outcome]})

    async def settle_late(self) -> None:
        """A worker that was taken for lost comes back with an outcome."""
        if self.stale:
            delivery = self.stale.pop()
            assert await self._settle(delivery, COMPLETED) == [delivery.entry]

    async def reclaim(self) -> None:
        worker = self.random.choice(("w1", "w2"))
        await self.store.recovery.reclaim(self.link, "q", worker, None)
        for job_id, job in list(self.model.jobs.items()):
            if job.state == "active" and job.worker == worker:
                self.stale.append(self.held.pop(job_id))
                job.crashes += 1
                if job.asked:
                    self.model.end(job_id, CANCELLED)
                elif job.crashes >= 3:
                    self.model.end(job_id, FAILED)
                else:
                    self.model.wait(job_id, ALONE if job.crashes == 2 else self.priorities[job_id])

    async def release(self) -> None:
        job_id = self._any("active")
        if job_id is not None:
            delivery = self.held.pop(job_id)
            await self.store.delivery.release(self.link, "q", [(delivery.lane, delivery.entry)])
            if self.model.jobs[job_id].asked:
                self.model.end(job_id, CANCELLED)
            else:
                self.model.wait(job_id)

    # -- what duties do -------------------------------------------------------------------------------------

    async def promote(self) -> None:
        due = [i for i, job in self.model.jobs.items() if job.state == DELAYED and self.random.random() < 0.5]
        if due:
            self.client.zadd(self.keys.delayed, dict.fromkeys(due, 1), xx=True)
        await self.store.delayed.promote(self.link, ["q"], 100)
        for job_id in due:
            self.model.wait(job_id, self.priorities[job_id])

    async def audit(self) -> None:
        assert await self.store.recovery.audit(self.link, "q") == 0

    async def end_window(self) -> None:
        for key, (holder, until, _) in list(self.model.keys.items()):
            if until == "window":
                self.client.hset(self.keys.unique, key, f"{holder} 1")
                self.client.zadd(self.keys.windows, {key: 1})
                del self.model.keys[key]
        await self.store.retention.end_windows("q")

    # -- what people do -------------------------------------------------------------------------------------

    async def pause(self) -> None:
        task = self.random.choice("tu")
        await self.queue.pause(task=task)
        self.model.paused.add(task)

    async def resume(self) -> None:
        for task in sorted(self.model.paused):
            await self.queue.resume(task=task)
        self.model.paused.clear()
        await self.store.steering.resume_held(self.link, "q")
        for job_id, job in self.model.jobs.items():
            if job.state == HELD and job.paused:
                self.model.wait(job_id, self.priorities[job_id])

    async def cancel(self) -> None:
        job_id = self._any("waiting", "active", DELAYED, HELD)
        if job_id is not None:
            self.told[-1] = f"cancel {job_id}"
            await self.queue.cancel(job_id)
            if self.model.jobs[job_id].state == "active":
                self.model.jobs[job_id].asked = True
            else:
                self.model.end(job_id, CANCELLED)

    async def requeue(self) -> None:
        job_id = self._any(*ENDED)
        if job_id is None:
            return
        job = self.model.jobs[job_id]
        takes = job.key != "" and job.until != "window"
        refused = takes and self.model.holder(job.key) is not None
        self.told[-1] = f"requeue {job_id} {refused}"
        try:
            await self.queue.retry(job_id)
        except KeyInUse:
            assert refused, self.told[-12:]
            return
        assert not refused, self.told[-12:]
        job.crashes, job.asked = 0, False
        self.model.wait(job_id, self.priorities[job_id])
        if takes:
            self.model.keys[job.key] = job_id, job.until, []

    async def delete(self) -> None:
        job_id = self._any(COMPLETED, *ENDED)
        if job_id is not None:
            await self.queue.delete(job_id)
            del self.model.jobs[job_id]

    async def change(self) -> None:
        job_id = self._any("waiting", "active", DELAYED, HELD)
        if job_id is None:
            return
        job, verb = self.model.jobs[job_id], self.random.choice(("priority", "edit", "promote", "reschedule"))
        self.told[-1] = f"{verb} {job_id}"
        priority = self.random.choice(PRIORITIES)
        try:
            if verb == "priority":
                await self.queue.change_priority(job_id, priority)
            elif verb == "edit":
                await self.queue.edit(job_id, 5)
            elif verb == "promote":
                await self.queue.promote(job_id)
            else:
                await self.queue.reschedule(job_id, delay=3600)
        except WrongState:
            fits = {"promote": (DELAYED,), "reschedule": ("waiting", DELAYED)}
            assert job.state not in fits.get(verb, ("waiting", DELAYED, HELD)), self.told[-12:]
            return
        self._changed(job_id, job, verb, BY_PRIORITY[priority])

    def _changed(self, job_id: str, job: Job, verb: str, lane: int) -> None:
        if verb == "edit":
            job.n = 5
        elif verb == "priority":
            self.priorities[job_id] = lane
            if job.state != "waiting" or job.lane != ALONE:
                job.lane = lane
        elif verb == "promote":
            self.model.wait(job_id, self.priorities[job_id])
        else:
            job.state = DELAYED

    async def delete_by_hand(self) -> None:
        """Somebody removes a job past all scripts: its key is left, until it is met or mended."""
        job_id = self._any("waiting", DELAYED, HELD)
        followed = [holder for holder, _, following in self.model.keys.values() if following]
        if followed and self.model.state(followed[0]) in ("waiting", DELAYED):
            job_id = followed[0]  # its follower must not be forgotten
        if job_id is None:
            return
        self.told[-1] = f"delete {job_id} by hand"
        lane = self.model.jobs.pop(job_id).lane
        self.client.hdel(self.keys.parked, job_id)
        self.client.zrem(self.keys.delayed, job_id)
        for entry, fields in self.client.xrange(self.keys.lanes[lane - 1]):
            if _delivery(lane, entry, fields).job_id == job_id:
                self.client.xdel(self.keys.lanes[lane - 1], entry)
        try:
            await self.queue.get(job_id)
        except JobNotFound:
            return
        raise AssertionError("it is still there")

    async def mend(self) -> None:
        await self.store.unique.compare("q", mend=True)
        for key, (holder, until, following) in list(self.model.keys.items()):
            if until == "window":
                continue
            self.model.keys[key] = (
                holder,
                until,
                [other for other in following if self.model.is_living(other)],
            )
            self.model.holder(key)
        assert not any(await self.store.unique.compare("q", mend=False))


def _delivery(lane: int, entry: str, fields: dict[str, str]) -> Delivery:
    flat = [text.encode() for pair in fields.items() for text in pair]
    return Delivery("q", lane, [entry.encode(), flat])
