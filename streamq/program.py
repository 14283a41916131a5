"""A program: the tasks by name, the client they are sent with, and what handlers share. The app is one."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager
from difflib import get_close_matches
from functools import cached_property
from typing import Any, Self, Unpack

from streamq import costs
from streamq.acting import acting
from streamq.audited import note
from streamq.client.client import Client
from streamq.errors import ConfigurationError, InvalidPayload, UsageError
from streamq.job import Job, job_of, jobs_of
from streamq.looking import Looking
from streamq.model.clock import monotonic
from streamq.model.envelope import New
from streamq.model.headers import joined, pack_headers
from streamq.model.job_record import JobRecord
from streamq.model.payloads import check_payload, one_by_one
from streamq.model.schedule import Schedule
from streamq.model.values import Unfit, masked_by_its_own_type, write_untyped
from streamq.notes import Notes
from streamq.once import Once, once
from streamq.options import EnqueueOptions, wrong_task_name
from streamq.redis.ready import wait_ready
from streamq.schedules import Schedules
from streamq.scheduling import Payload, payload_of
from streamq.settings import Durability, Settings
from streamq.sync import Sync
from streamq.task import Task
from streamq.terms import PLAIN, Terms, terms
from streamq.tickets import handed

log = logging.getLogger("streamq.app")

Lifespan = Callable[[Any], AbstractAsyncContextManager[None]]


@asynccontextmanager
async def no_lifespan(_: Program) -> AsyncIterator[None]:
    """Nothing is set up before the first job, and nothing torn down after the last."""
    yield


class Program(Looking):
    """What a worker runs, and a handler reaches by ``ctx.app``: an app without its declaring and its roles."""

    def __init__(self, settings: Settings, lifespan: Lifespan = no_lifespan) -> None:
        self.client = Client(settings, self._with_its_task, self._payload_of)
        self.lifespan = lifespan
        self.state: dict[str, Any] = {}
        self.notes = Notes()
        self.tasks: dict[str, Task[Any, Any]] = {}
        self.declared: dict[str, Schedule] = {}
        """The schedules that code declares, by name."""
        self._compared: set[tuple[str, str]] = set()

    @property
    def settings(self) -> Settings:
        """The settings under which it runs."""
        return self.client.settings

    @settings.setter
    def settings(self, settings: Settings) -> None:
        self.client.settings = settings

    def add_task(self, task: Task[Any, Any]) -> None:
        """Register a task under its name and its aliases. Raises ``ConfigurationError`` when one of them is taken."""
        names = (task.name, *task.aliases)
        for at, name in enumerate(names):
            if name in self.tasks or name in names[:at]:
                hint = f"take it out of the aliases of {task.name!r}" if at else "give one of them name=…"
                raise ConfigurationError(f"two tasks are named {name!r}: {hint}")
        self.tasks.update(dict.fromkeys(names, task))

    def add_schedule(self, schedule: Schedule) -> None:
        """Register a schedule that code declares. Raises ``ConfigurationError`` when its name is taken."""
        if schedule.name in self.declared:
            raise ConfigurationError(f"two schedules are named {schedule.name!r}: give one of them name=…")
        self.declared[schedule.name] = schedule

    def _with_its_task(self, job: JobRecord) -> JobRecord:
        """The record with what the task says of all its jobs, if the task is known here."""
        task = self.tasks.get(job.task)
        return job if task is None else task.add_to_record(job)

    # -- life -----------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        await self.client.openings.enter()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.client.openings.leave()

    @cached_property
    def sync(self) -> Sync:
        """The app for threads without an event loop: Django, Flask, scripts, plain handlers."""
        return Sync(self)

    @cached_property
    def schedules(self) -> Schedules:
        """The schedules: those that code declares, and those that are made at run time."""
        return Schedules(self.client, self.declared, self.tasks, self._scheduled)

    async def ping(self) -> float:
        """A round trip to the server, in seconds. Raises ``Unavailable``."""
        start = monotonic()
        await self.client.store.server.ping()
        return monotonic() - start

    async def wait_ready(self, timeout: float | None = None) -> None:
        """Wait for the server, at most ``timeout`` (default ``settings.ready_timeout``) seconds.

        Raises ``Unavailable`` with what each address said, and ``Rejected`` at once on a wrong login.
        """
        await wait_ready(
            self.client.store.servers, self.settings.ready_timeout if timeout is None else timeout
        )

    # -- jobs by name ---------------------------------------------------------------------------------------

    async def enqueue(
        self, queue: str, task: str, payload: Any = None, **options: Unpack[EnqueueOptions]
    ) -> Job[Any]:
        """Send one job by name, and return its handle.

        A task that is registered here checks its payload; any other name is taken as it is, for a worker that
        knows it. Options and errors are those of ``Task.enqueue``.
        """
        known = self._known(queue, task)
        said = terms(task, options, None if known is None else known.version)
        if known is not None:
            return await known.send(queue, payload, said)
        new = self._untyped(queue, task, payload, said)
        ids = self.client.send(queue, (new,), said.durability)
        return await handed(ids, lambda found: job_of(found[0], queue, task, self.client, None))

    async def enqueue_many(
        self, queue: str, task: str, payloads: Iterable[Any], **options: Unpack[EnqueueOptions]
    ) -> list[Job[Any]]:
        """Send many jobs by name; all are validated before the first is sent.

        ``payloads`` may be the ``JSONText`` of an array, which takes less time than one of each.
        """
        known = self._known(queue, task)
        said = terms(task, options, None if known is None else known.version)
        if known is not None:
            return await known.send_many(queue, payloads, said)
        jobs = list(one_by_one(lambda payload: self._untyped(queue, task, payload, said), payloads))
        ids, client = self.client.send_many(queue, jobs, said.durability), self.client
        return await handed(ids, lambda found: jobs_of(found, queue, task, client, None))

    def once(
        self, queue: str, key: str, body: bytes, *, caller: bytes = b""
    ) -> AbstractAsyncContextManager[Once]:
        """A request that may come again, as one over HTTP with an ``Idempotency-Key`` does, made once.

            async with app.once("sms", key, body) as request:
                if request.answer is None:
                    job = await request.enqueue("send_sms", payload)
                    await request.keep(answer)

        The key, the first answer and the job are remembered for a day, in the queue's own slot. ``body`` is what is
        asked for: another one under the same key of the same ``caller`` raises ``RequestReused``, and the same one
        while the first is in the block raises ``RequestRunning``. A process that is killed in the block leaves a claim
        of three seconds, and whoever asks again then gets the same job.
        """
        return once(self.client, self._new, queue, key, body, caller)

    def _new(
        self, queue: str, task: str, payload: Any, options: EnqueueOptions
    ) -> tuple[New, Durability | None]:
        known = self._known(queue, task)
        said = terms(task, options, None if known is None else known.version)
        new = self._untyped(queue, task, payload, said) if known is None else known.new(payload, said)
        return new, said.durability

    def _known(self, queue: str, name: str) -> Task[Any, Any] | None:
        """The task, if known. Raises ``UsageError`` for an invalid name, ``ConfigurationError`` for that of a queue."""
        task = self.tasks.get(name) if type(name) is str else None
        if task is None:
            if problem := wrong_task_name(name):
                order = "" if type(name) is str else "; write app.enqueue(queue, task, payload)"
                raise UsageError(problem + order)
        elif queue != task.queue:
            self._check_queue(queue, task)
        return task

    def _payload_of(self, name: str, payload: Any) -> tuple[bytes, bytes | None]:
        """A payload of a task by its name, and what the task says of it in the headers, where it is known here."""
        task = self.tasks.get(name)
        return (
            (self._encode(name, payload), None) if task is None else (task.encode(payload), task.own_headers)
        )

    def _untyped(self, queue: str, name: str, payload: Any, said: Terms) -> New:
        """A job of a task that is not known here. A model says itself what of it is masked."""
        if said.units:
            costs.check(self.client, queue, None, said.units)
        masked = masked_by_its_own_type(payload)
        if masked:
            said = said._replace(headers=joined(said.headers, pack_headers({"masked": masked})))
        return said.new(name, self._encode(name, payload), hidden=bool(masked))

    def _encode(self, name: str, payload: Any) -> bytes:
        """The payload of a task that is not known here."""
        try:
            encoded = write_untyped(payload)
        except Unfit as error:
            raise InvalidPayload(name, error.errors) from None
        check_payload(name, encoded, self.settings.max_payload)
        return encoded

    def _check_queue(self, queue: str, task: Task[Any, Any]) -> None:
        """A task may be sent to any queue; a name close to that of a declared queue is likely misspelt: warn once."""
        self.client.store.keys(queue)  # raises for an invalid name
        if (queue, task.queue) in self._compared:
            return
        self._compared.add((queue, task.queue))
        declared = any(queue == other.queue for other in self.tasks.values())
        if not declared and get_close_matches(queue, [task.queue], 1, 0.75):
            log.warning(
                "task %s is sent to queue %s, on which no task is declared: did you mean %s?",
                task.name, queue, task.queue,
            )  # fmt: skip

    def _scheduled(self, name: str, payload: Any) -> Payload:
        """The payload of a schedule, which its task checks when it is known. Raises what ``enqueue`` does."""
        if (known := self.tasks.get(name)) is not None:
            return payload_of(known, known.encode(payload))
        if problem := wrong_task_name(name):
            raise UsageError(problem)
        new = self._untyped("", name, payload, PLAIN)
        return Payload(new.payload, new.headers)

    def acting(self, actor: str) -> AbstractContextManager[None]:
        """Say who acts: what is done to queues, jobs and schedules within the block is in the audit trail.

            with app.acting("alice@example.com"):
                await app.queue("sms").pause("provider down")

        Without it, and without ``by=``, it is the program that acts, and not a person: nothing is noted. ``actor`` is
        1 to 200 characters on one line. Raises ``UsageError``.
        """
        return acting(actor)

    async def note_act(self, action: str, subject: str = "", **details: Any) -> None:
        """Note an act that your own code has done for who is ``acting``, beside all queues; without one nothing is.

        ``action`` is such as ``key.create``, ``subject`` what it was done to; ``details`` have a JSON form, of 2 KB at
        most. It raises nothing where the server cannot be reached: the act is done, and that is logged as an error.
        """
        await note(self.client, "", action, subject, is_gone=True, **details)
