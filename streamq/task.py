"""A task: a handler, the type of its payload, and the policy of its jobs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from inspect import isasyncgen, isgenerator
from typing import Any, Final, Generic, TypeVar, Unpack

from pydantic import ConfigDict, PydanticUserError
from typing_extensions import TypedDict  # pydantic takes typing's own from Python 3.12 on only

from streamq import costs, handlers
from streamq.client.client import Client
from streamq.durations import Duration, seconds_of
from streamq.errors import ConfigurationError, InvalidPayload, ResultUnreadable, UsageError
from streamq.grouping import GroupOf, group_of
from streamq.job import Job, job_of, jobs_of
from streamq.model import codec, values
from streamq.model.envelope import New
from streamq.model.headers import NO_HEADERS, Headers, joined, pack_headers
from streamq.model.job_record import JobRecord
from streamq.model.json_text import JSONText
from streamq.model.judge import ResultNotStorable, ResultTooLarge
from streamq.model.limit import Limit
from streamq.model.masked import mask, texts_in
from streamq.model.masks import Masks
from streamq.model.payloads import check_payload, check_payloads, one_by_one
from streamq.model.retries import retries_of
from streamq.options import KEEPING, NAMES, OPTIONS, POLICY, EnqueueOptions, kept_of, refuse, wrong_task_name
from streamq.terms import NOTHING, PLAIN, Terms, terms
from streamq.tickets import handed
from streamq.unique import Unique
from streamq.verdicts import Verdict
from streamq.versions import Upgrade, upgraded

OnError = Callable[[BaseException, Any], Verdict | Duration | None]
"""What ``on_error`` is: a plain function of the error and the ``Context``; ``None`` leaves it to the policy."""

P = TypeVar("P")
R = TypeVar("R")

_record: Final[Any] = TypedDict  # called, with members that are known when a task is declared


class Task(Generic[P, R]):
    """Made by ``@app.task``. Calling it calls the handler; ``enqueue`` sends a job.

    A handler with one parameter (its ``Context`` not counted) takes the payload as it is; one with several
    takes a JSON object with a member for each.
    """

    def __init__(
        self, client: Client, handler: Callable[..., Any], context: type, *, name: str | None, **policy: Any
    ) -> None:
        self._client, self.handler = client, handler
        try:
            reading = handlers.read(handler, context)
            self.name: str = name if name is not None else reading.name
            self._check_policy(policy)
            self._take(**policy)
            self._read(reading)
        except (PydanticUserError, NameError) as error:
            raise ConfigurationError(
                f"task {name or getattr(handler, '__name__', '')!r} has a type that cannot be sent as JSON: {error}"
            ) from error

    def _check_policy(self, given: Mapping[str, Any]) -> None:
        if problem := wrong_task_name(self.name):
            raise ConfigurationError(problem)
        for argument, value in given.items():
            policy = POLICY[argument]
            if value is not policy.default and (problem := policy.wrong(value)):
                raise ConfigurationError(f"task {self.name!r}: {problem}")

    def _take(
        self, *, queue: str, attempts: int, timeout: Duration, version: int, upgrade: Upgrade | None,
        aliases: tuple[str, ...], on_error: OnError | None, unique: Unique | None,
        on_failed: str | None, keep_result: Duration | None, capture_logs: bool, group: GroupOf | None,
        limit: Limit | None, **more: Any,
    ) -> None:  # fmt: skip
        self.queue, self.attempts, self.timeout = queue, attempts, seconds_of(timeout)
        self.unique, self.on_failed, self.captures_logs = unique, on_failed, capture_logs
        self.group, self.limit = group, limit
        self.keep_result = None if keep_result is None else seconds_of(keep_result)
        self.kept = kept_of({name: more.pop(f"keep_{name}") for name in KEEPING})
        """The retention of its records, where it has one of its own."""
        if on_failed == self.name:
            raise ConfigurationError(f"task {self.name!r}: on_failed names the task itself: name another one")
        self.version, self.upgrade, self.aliases, self.on_error = version, upgrade, tuple(aliases), on_error
        if upgrade is not None and version == 1:
            raise ConfigurationError(
                f"task {self.name!r}: there is nothing to upgrade to version 1: give version= too"
            )
        try:
            self.retries = retries_of(attempts, **more)
        except ValueError as error:
            raise ConfigurationError(f"task {self.name!r}: {error}") from None

    def _read(self, reading: handlers.Reading) -> None:
        handlers.check_fields(reading, self.name)
        self.is_async, self.context_name = reading.is_async, reading.context
        self._fields = reading.fields
        self.single = next(iter(self._fields)) if len(self._fields) == 1 else None
        self._defaults = {n: p.default for n, p in reading.fields.items() if p.default is not p.empty}
        self._payload = self._form(reading)
        self._spare = len(self._fields) > 1 and len(self._defaults) == len(self._fields)
        returned = reading.returns
        self._result: values.Form | None = (
            None if returned in (Any, None) else values.form(returned, f"the result of task {self.name!r}")
        )
        self.returns_nothing = self._result is None
        """Whether the result ``None`` is stored as nothing, without being looked at."""
        self.masks = Masks(self._payload.masked, self._result.masked if self._result else (), self.version)
        self.hides = bool(self.masks)
        """Whether anything of its jobs is masked."""
        self.is_told = self.hides or self.keep_result is not None
        """Whether the records of its jobs say something that the jobs themselves do not."""
        self._own_headers = self._headers_of_all()
        self._sends_plain = self.unique is None and not self._own_headers and self.group is None

    def _headers_of_all(self) -> bytes:
        """What each job of the task says in its headers, without an option: nothing for most tasks."""
        headers: dict[str, Any] = {"payload_version": self.version} if self.version > 1 else {}
        return pack_headers({**headers, "masked": self.masks.payload} if self.masks.payload else headers)

    def _form(self, reading: handlers.Reading) -> values.Form:
        hints, what = reading.hints, f"the payload of task {self.name!r}"
        if not reading.fields:
            return values.NothingForm()
        if self.single is not None:
            return values.form(hints.get(self.single, Any), what)
        # not a model: its own attributes would forbid some names (json, copy, model_config, _x)
        members = {name: handlers.member(hints.get(name, Any), p) for name, p in reading.fields.items()}
        declared = _record(f"{self.name}_payload", members)
        declared.__pydantic_config__ = ConfigDict(extra="forbid")
        return values.form(declared, what)

    def __repr__(self) -> str:
        return f"<Task {self.name!r} on queue {self.queue!r}>"

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        return self.handler(*args, **kwargs)

    def schema(self) -> dict[str, Any]:
        """The JSON Schema of the payload."""
        return self._payload.schema()

    # -- the producer's side ---------------------------------------------------------------------------------

    def encode(self, payload: Any) -> bytes:
        """Validate a payload and encode it; ``JSONText`` is read as a worker reads it.

        Raises ``InvalidPayload``, also when something else would arrive, and ``PayloadTooLarge``.
        """
        try:
            if type(payload) is JSONText:
                known = payload.encoded
                if known is not None and known[0] is self and known[1] is payload.text:
                    return known[2]
                encoded = self._encode_text(payload.text)
            elif payload is None and self._spare:
                encoded = self._payload.write({})
            else:
                encoded = self._payload.write(payload)
        except values.Unfit as error:
            told = self._payload.told(error).errors
            raise InvalidPayload(self.name, told, self.version, self.version) from None
        check_payload(self.name, encoded, self._client.settings.max_payload)
        if type(payload) is JSONText:
            payload.encoded = self, payload.text, encoded
        return encoded

    def encode_or_default(self, payload: Any) -> bytes:
        """The same; for ``None`` the default of the handler's one parameter, where it has one."""
        if payload is None and self.single is not None:
            payload = self._defaults.get(self.single)
        return self.encode(payload)

    def encode_each(self, many: Iterable[Any]) -> Iterable[bytes]:
        """The same for many payloads; those that ``JSONText`` of an array has are read at once, unless one is wrong."""
        if type(many) is JSONText and not self._spare:
            with suppress(values.Unfit):
                encoded = self._payload.write_each(many.text)
                check_payloads(self.name, encoded, self._client.settings.max_payload)
                return encoded
        return one_by_one(self.encode, many)

    def _encode_text(self, text: str | bytes) -> bytes:
        if self._spare and text.strip() in ("null", b"null"):
            return self._payload.write({})
        return self._payload.write_text(text)

    async def enqueue(self, payload: P = NOTHING, /, **options: Unpack[EnqueueOptions]) -> Job[R]:
        """Send one job and return its handle.

        ``delay`` is a duration (seconds, a ``timedelta``, or text such as ``"5m"``), ``at`` an aware time; give one of
        them or none. ``attempts``, ``timeout`` (a duration) and ``durability`` override the task's and the app's.
        Raises ``InvalidPayload``, ``PayloadTooLarge`` and ``Unavailable``; ``OutcomeUnknown`` when the server
        did not answer in time (the job may exist); ``UsageError`` for an unknown option.
        """
        if payload is NOTHING:
            payload = self._payload_by_name(options)
        return await self.send(self.queue, payload, terms(self.name, options, self.version))

    async def enqueue_many(self, payloads: Iterable[P], **options: Unpack[EnqueueOptions]) -> list[Job[R]]:
        """Send many jobs, some hundred to a round trip; all are validated before the first is sent."""
        return await self.send_many(self.queue, payloads, terms(self.name, options, self.version))

    @property
    def own_headers(self) -> bytes:
        """What each job of the task says of its payload in its headers; ``{}`` for nothing."""
        return self._own_headers or b"{}"

    def group_for(self, encoded: bytes) -> str:
        """The group that the task makes of a payload; empty for none. Raises ``InvalidPayload``."""
        if self.group is None:
            return ""
        return group_of(self.name, self.group, encoded, self._payload.read, hides=self.hides)

    def _own(self, said: Terms) -> Terms:
        """Terms with what each job of the task says in its headers. Raises ``InvalidLimit`` for too many units."""
        if said.units:
            costs.check(self._client, self.queue, self.limit, said.units)
        return said._replace(headers=joined(said.headers, self._own_headers)) if self._own_headers else said

    def new(self, payload: Any, said: Terms) -> New:
        """A job of the task, not yet sent. Raises ``InvalidPayload`` and ``PayloadTooLarge``."""
        if said is PLAIN and self._sends_plain:  # as most
            return New(self.name, self.encode(payload))
        return self._made(self._own(said), self.encode(payload))

    def _made(self, said: Terms, encoded: bytes) -> New:
        if self.group is not None and not said.group and (group := self.group_for(encoded)):
            said = said.in_group(group)
        return said.new(self.name, encoded, self.unique, hidden=self.hides)

    async def send(self, queue: str, payload: Any, said: Terms) -> Job[R]:
        """Send one job to a queue, which may be another than the task's own."""
        new = self.new(payload, said)
        client, name, parse = self._client, self.name, self.parse_result
        ids = client.send(queue, (new,), said.durability)
        return await handed(ids, lambda found: job_of(found[0], queue, name, client, parse))

    async def send_many(self, queue: str, payloads: Iterable[Any], said: Terms) -> list[Job[R]]:
        """The same for many."""
        client, name, parse = self._client, self.name, self.parse_result
        said = self._own(said)
        if self.unique is None and self.group is None and said.is_plain:  # a call less for each
            headers, due = said.headers, said.due
            jobs = [New(name, encoded, headers, due) for encoded in self.encode_each(payloads)]
        else:
            jobs = [self._made(said, encoded) for encoded in self.encode_each(payloads)]
        ids = client.send_many(queue, jobs, said.durability)
        return await handed(ids, lambda found: jobs_of(found, queue, name, client, parse))

    def options(self, **options: Unpack[EnqueueOptions]) -> Sending[P, R]:
        """The task with options set, for all that is sent with it: ``await send.options(delay=60).enqueue(message)``.

        Raises ``UsageError`` at once for what is no option, or cannot be its value.
        """
        return Sending(self, options)

    def _payload_by_name(self, named: Any) -> Any:
        """The payload by the name of the handler's parameter, taken out of ``named``; else that parameter's default."""
        single = str(self.single)
        if single in named and single not in NAMES:
            return named.pop(single)
        strange = named.keys() - OPTIONS.keys()
        members = ", ".join(f'"{name}": …' for name in sorted(strange))
        refuse(self.name, strange, OPTIONS, f"; a payload is one value: {self.name}.enqueue({{{members}}})")
        return self.default_payload()

    def default_payload(self) -> Any:
        """What the handler declares as its parameter's default. Raises ``UsageError`` when there is none."""
        name, single = self.name, str(self.single)
        if single not in self._defaults:
            raise UsageError(f"{name}.enqueue() has no payload: write {name}.enqueue({single})")
        return self._defaults[single]

    # -- the worker's side -----------------------------------------------------------------------------------

    def is_older_than(self, headers: Headers) -> bool:
        """Whether a job's payload is of a newer version than this task knows."""
        return headers.get("payload_version", 1) > self.version

    def arguments(self, payload: bytes, headers: Headers = NO_HEADERS) -> dict[str, Any]:
        """The handler's arguments, its context not among them; an older payload is upgraded first.

        Raises ``InvalidPayload``.
        """
        if self.upgrade is not None and (was := self._version_of(headers)) < self.version:
            payload = self._upgraded(payload, was)
        if self._spare and payload == b"null":
            payload = b"{}"
        try:
            read = self._payload.read(payload)
        except values.Unfit as error:
            told, was = self._payload.told(error).errors, headers.get("payload_version", 1)
            raise InvalidPayload(self.name, told, was, self.version) from None
        return (read or {}) if self.single is None else {self.single: read}

    def _version_of(self, headers: Headers) -> int:
        """The version of a job's payload; that of a ``FailedJob``, which no producer has sent, is the task's own."""
        return self.version if "follows" in headers else headers.get("payload_version", 1)

    def _upgraded(self, payload: bytes, was: int) -> bytes:
        return upgraded(self.name, payload, was, self.version, self.upgrade) if self.upgrade else payload

    def masked_texts(self, payload: bytes, headers: Headers) -> set[str]:
        """The texts in the masked places of a payload, as it was sent and as it is upgraded."""
        found = texts_in(codec.all_of(payload), self.masks.of(headers))
        was = self._version_of(headers)
        if self.upgrade is not None and was < self.version:
            with suppress(InvalidPayload):  # then nothing but what was sent has been seen
                found |= texts_in(codec.all_of(self._upgraded(payload, was)), self.masks.payload)
        return found

    def shown(self, payload: bytes) -> Any:
        """An encoded payload as views show it: ``***`` in its masked places."""
        return mask(codec.exact(payload), self.masks.payload)

    def add_to_record(self, job: JobRecord) -> JobRecord:
        """A job's record with what it leaves to the task: its attempts, and what nobody said is masked."""
        if job.attempts is None:
            job = replace(job, attempts=self.retries.attempts_at(job.attempt))
        return self.masks.kept_from(job) if self.hides else job

    def encode_result(self, value: Any) -> bytes:
        """What the handler returned, by its declared type, else as whatever can be written; empty for ``None``.

        Raises ``ResultNotStorable`` and ``ResultTooLarge`` (more than ``settings.max_result`` bytes).
        """
        if value is None and self.returns_nothing:
            return b""
        encoded = self._write_result(value)
        limit = self._client.settings.max_result
        if len(encoded) > limit:
            raise ResultTooLarge(self.name, len(encoded), limit)
        if problem := codec.unreadable(encoded):
            raise ResultNotStorable(f"the handler's result cannot be kept: {problem}")
        return b"" if encoded == b"null" else encoded

    def _write_result(self, value: Any) -> bytes:
        try:
            if self._result is not None:
                return self._result.write(value)
            if isgenerator(value) or isasyncgen(value):
                raise ResultNotStorable(
                    "the handler returned a generator, whose body has not run: collect its items"
                )
            return codec.storable(value)
        except values.Unfit as error:
            told = error if self._result is None else self._result.told(error)
            problem = (
                f"the handler's result is not of its declared type, or has no JSON form that keeps it: {told}"
            )
            raise ResultNotStorable(problem) from None
        except (TypeError, ValueError, RecursionError) as error:
            raise ResultNotStorable(f"the handler's result has no JSON form: {error}") from None

    def decode_result(self, raw: bytes, job_id: str = "") -> Any:
        """A stored result as the handler's return type. Raises ``ResultUnreadable``."""
        if self._result is None:
            return codec.exact(raw or b"null")
        try:
            return self._result.read(raw or b"null")
        except values.Unfit as error:
            raise ResultUnreadable(job_id, self.name, str(self._result.told(error))) from None

    def parse_result(self, value: Any, job_id: str = "") -> Any:
        """The same for a result that was read as JSON already."""
        return value if self._result is None else self.decode_result(codec.dumps(value), job_id)


class Sending(Generic[P, R]):
    """Made by ``task.options(…)``: the task, with options that hold for all it enqueues."""

    def __init__(self, task: Task[Any, Any], options: Mapping[str, Any]) -> None:
        self.task, self._given = task, dict(options)
        self._terms = terms(task.name, options, task.version)

    def __repr__(self) -> str:
        said = ", ".join(f"{name}={value!r}" for name, value in self._given.items())
        return f"{self.task!r}.options({said})"

    async def enqueue(self, payload: P = NOTHING, /) -> Job[R]:
        """Send one job; its payload alone, as the options are given already."""
        task = self.task
        return await task.send(
            task.queue, task.default_payload() if payload is NOTHING else payload, self._terms
        )

    async def enqueue_many(self, payloads: Iterable[P]) -> list[Job[R]]:
        """Send many jobs."""
        return await self.task.send_many(self.task.queue, payloads, self._terms)
