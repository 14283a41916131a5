"""A task: a handler, the type of its payload, and the policy of its jobs."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar, Unpack, get_type_hints

from pydantic import ConfigDict, PydanticUserError, TypeAdapter, ValidationError, create_model

from streamq import codec
from streamq.errors import ConfigurationError, FieldError, InvalidPayload, PayloadTooLarge
from streamq.retry import Backoff
from streamq.sending import OPTIONS, EnqueueOptions, Sending, refuse, resembles_an_option

if TYPE_CHECKING:
    from streamq.app import App
    from streamq.job import Job

P = TypeVar("P")
R = TypeVar("R")

_NOTHING: Final[Any] = object()


@dataclass(frozen=True, slots=True)
class Context:
    """What a handler may know of its attempt: give it a parameter annotated ``Context``."""

    app: App
    queue: str
    task: str
    job_id: str
    attempt: int
    """This attempt's number, from 1."""
    attempts: int
    """How many the job may spend."""
    worker: str
    _stopping: Callable[[], bool]

    @property
    def shutting_down(self) -> bool:
        """Whether the worker was told to stop: a long handler does well to end or to ``raise Retry``."""
        return self._stopping()

    @property
    def idempotency_key(self) -> str:
        """A key for outside effects, the same on every attempt of this job."""
        return f"{self.queue}:{self.job_id}"


class Task(Generic[P, R]):
    """Made by ``@app.task``. Calling it calls the handler; ``enqueue`` sends a job.

    A handler with one parameter (its ``Context`` not counted) takes the payload as it is; one with several
    takes a JSON object with a member for each.
    """

    def __init__(
        self, app: App, handler: Callable[..., Any], *, name: str | None, queue: str, attempts: int,
        timeout: float, backoff: Backoff,
    ) -> None:  # fmt: skip
        self.app, self.handler = app, handler
        self.name = str(name or getattr(handler, "__name__", ""))
        self.queue, self.attempts, self.timeout, self.backoff = queue, attempts, timeout, backoff
        self._check()
        self.is_async = inspect.iscoroutinefunction(inspect.unwrap(handler))
        try:
            self._read_signature()
        except (PydanticUserError, NameError) as error:
            raise ConfigurationError(
                f"task {self.name!r} has a type that cannot be sent as JSON: {error}"
            ) from error

    def _check(self) -> None:
        if not self.name or "\n" in self.name or len(self.name) > 200:
            raise ConfigurationError(f"{self.name!r} cannot name a task: use 1 to 200 characters on one line")
        if self.attempts < 1:
            raise ConfigurationError(f"task {self.name!r} has attempts={self.attempts}; it needs at least 1")
        if self.timeout <= 0:
            raise ConfigurationError(
                f"task {self.name!r} has timeout={self.timeout}; it must be above 0 seconds"
            )

    def _read_signature(self) -> None:
        handler = self.handler
        hints = get_type_hints(handler)
        parameters = inspect.signature(handler).parameters
        self.context_name = next((n for n in parameters if hints.get(n) is Context), None)
        fields = {n: p for n, p in parameters.items() if n != self.context_name}
        self.single = next(iter(fields)) if len(fields) == 1 else None
        self._payload = self._adapter(fields, hints)
        self._plain = self.single is not None and hints.get(self.single, Any) is Any
        returned = hints.get("return", Any)
        self._result: TypeAdapter[Any] | None = (
            None if returned in (Any, None, type(None)) else TypeAdapter(returned)
        )

    def _adapter(self, fields: dict[str, inspect.Parameter], hints: dict[str, Any]) -> TypeAdapter[Any]:
        for name, parameter in fields.items():
            if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
                raise ConfigurationError(
                    f"parameter {name!r} of task {self.name!r} has no name to send: use plain parameters"
                )
            if name in OPTIONS and len(fields) > 1:
                raise ConfigurationError(
                    f"parameter {name!r} of task {self.name!r} is an option of enqueue: rename it"
                )
        if self.single is not None:
            return TypeAdapter(hints.get(self.single, Any))
        members: dict[str, Any] = {
            n: (hints.get(n, Any), ... if p.default is p.empty else p.default) for n, p in fields.items()
        }
        return TypeAdapter(
            create_model(f"{self.name}_payload", __config__=ConfigDict(extra="forbid"), **members)
        )

    def __repr__(self) -> str:
        return f"<Task {self.name!r} on queue {self.queue!r}>"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.handler(*args, **kwargs)

    def schema(self) -> dict[str, Any]:
        """The JSON Schema of the payload."""
        return self._payload.json_schema()

    # -- the producer's side ---------------------------------------------------------------------------------

    def encode(self, payload: Any) -> bytes:
        """Validate a payload and encode it. Raises ``InvalidPayload`` and ``PayloadTooLarge``."""
        try:
            if self._plain:
                encoded = codec.dumps(payload)
            else:
                # pydantic's core itself: the adapter's methods around it cost more than most payloads do
                adapter = self._payload
                encoded = adapter.serializer.to_json(adapter.validator.validate_python(payload))
        except ValidationError as error:
            raise InvalidPayload(self.name, field_errors(error)) from None
        except (
            TypeError,
            ValueError,
        ) as error:  # no JSON form: pydantic's and orjson's say so each in its way
            raise InvalidPayload(self.name, [FieldError("", "not-json", str(error))]) from None
        limit = self.app.settings.max_payload
        if len(encoded) > limit:
            raise PayloadTooLarge(self.name, len(encoded), limit)
        return encoded

    async def enqueue(self, payload: P = _NOTHING, /, **options: Unpack[EnqueueOptions]) -> Job[R]:
        """Send one job and return its handle.

        ``delay`` is in seconds, ``at`` an aware time; give one of them or none. ``attempts``, ``timeout`` (seconds)
        and ``durability`` override the task's and the app's.
        Raises ``InvalidPayload``, ``PayloadTooLarge`` and ``Unavailable``; ``OutcomeUnknown`` when the server
        did not answer in time (the job may exist); ``UsageError`` for an option that there is not.
        """
        if payload is not _NOTHING and options.keys() <= OPTIONS:  # what nearly all do, by the shortest way
            return await self.app.enqueue(self.queue, self.name, payload, **options)
        args = () if payload is _NOTHING else (payload,)
        sent: Job[R] = await self._send(args, *self._told_apart(options))
        return sent

    async def enqueue_many(self, payloads: Iterable[P], **options: Unpack[EnqueueOptions]) -> list[Job[R]]:
        """Send many jobs, some hundred to a round trip; all are validated before the first is sent."""
        refuse(self.name, set(options) - OPTIONS, OPTIONS)
        return await self.app.enqueue_many(self.queue, self.name, payloads, **options)

    def options(self, **options: Unpack[EnqueueOptions]) -> Sending[P, R]:
        """The task with options set: ``await report.options(delay=60).enqueue(day="2026-11-26")``."""
        return Sending(self, options)

    async def _send(
        self, args: tuple[Any, ...], fields: Mapping[str, Any], options: Mapping[str, Any]
    ) -> Any:
        payload = self._given(args, fields)
        return await self.app.enqueue(self.queue, self.name, payload, **options)

    def _told_apart(self, named: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Fields of the payload, and options of enqueue."""
        if named.keys() <= OPTIONS:
            return {}, dict(named)
        fields = {name: value for name, value in named.items() if name not in OPTIONS}
        return fields, {name: value for name, value in named.items() if name in OPTIONS}

    def _given(self, args: tuple[Any, ...], fields: Mapping[str, Any]) -> Any:
        if args:
            refuse(self.name, fields, OPTIONS)  # beside a payload, a name can only be an option
            return args[0]
        if self.single is not None and set(fields) == {self.single}:
            return fields[self.single]
        known, more = self._members
        strange = set(fields) - known
        if more is not None:  # whoever declared the payload has said what becomes of other members
            strange = set(filter(resembles_an_option, strange))
        refuse(self.name, strange, known | OPTIONS)
        return dict(fields)

    @cached_property
    def _members(self) -> tuple[set[str], bool | None]:
        """The names that the payload's members have, and whether it may have more (``None``: not said)."""
        schema = self.schema()
        shape = schema.get("$defs", {}).get(str(schema.get("$ref")).rpartition("/")[2], schema)
        model = get_type_hints(self.handler).get(self.single or "")  # its names may differ from its aliases
        members = {*shape.get("properties", ()), *getattr(model, "model_fields", ())}
        more = shape.get("additionalProperties", None if members else True)
        return members, more if more is None else bool(more)

    # -- the worker's side -----------------------------------------------------------------------------------

    def decode(self, payload: bytes) -> Any:
        """Validate an encoded payload. Raises ``InvalidPayload``."""
        try:
            return codec.loads(payload) if self._plain else self._payload.validator.validate_json(payload)
        except ValidationError as error:
            raise InvalidPayload(self.name, field_errors(error)) from None
        except codec.JSONDecodeError as error:
            raise InvalidPayload(self.name, [FieldError("", "not-json", str(error))]) from None

    def bind(self, payload: Any) -> dict[str, Any]:
        """The handler's arguments for a decoded payload, its context not among them."""
        if self.single is not None:
            return {self.single: payload}
        return {name: getattr(payload, name) for name in type(payload).model_fields}

    def parse_result(self, value: Any) -> Any:
        """A stored result as the handler's return type."""
        return value if self._result is None else self._result.validate_python(value)


def field_errors(error: ValidationError) -> list[FieldError]:
    """pydantic's errors as ours, each with a JSON Pointer."""
    return [
        FieldError(
            "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in e["loc"]),
            e["type"],
            e["msg"],
        )
        for e in error.errors(include_url=False, include_context=False, include_input=False)
    ]


Handler = Callable[..., Awaitable[R] | R]
