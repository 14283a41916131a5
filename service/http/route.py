"""A route, declared once: what it takes, who may ask, what it answers, and the function that does it.

A resource has a table of them. ``register`` makes handlers of aiohttp from it, the tests and the reference page read
it, and it has all that an OpenAPI document is made of.

on the way in    what happens, each with problems of its own
--------------   ------------------------------------------------------------------------------------
the guard        the caller is let in, or refused
the headers      what changes something says that it is JSON; ``Prefer: wait=N``; ``Idempotency-Key``
the inputs       body and query are read and checked together: all wrong fields are told at once
the handler      gets them as ``Asked``, and returns a value, an ``Answer`` or a whole response
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, Generic, NamedTuple, TypeVar

from aiohttp import web
from pydantic import ValidationError

from .answers import Answer, JSONAnswer
from .auth import Scope
from .bodies import await_body
from .failures import STRANGERS, Guard, Handler
from .fields import FieldError, Invalid, given_twice, of_model, unknown_fields
from .kept import knows
from .marks import marked
from .narrowed import QUEUES, Narrow, Queues
from .problems import (
    BAD_IDEMPOTENCY_KEY,
    IDEMPOTENCY_KEY,
    OF_ANY_REQUEST,
    OF_BODIES,
    OF_CALLERS,
    UNSUPPORTED_MEDIA_TYPE,
    VALIDATION,
    WAIT_TOO_LONG,
    ProblemType,
)
from .requests import idempotency_key, read_json, require_json, wait_seconds

S = TypeVar("S")
Q = TypeVar("Q")
B = TypeVar("B")

Context = dict[str, Any] | None
Check = Callable[[web.Request, Any], tuple[Any, Any]]
Wrong = tuple[list[FieldError], int]
"""The first of the wrong fields, and how many there are."""

_NONE: Final = (None, None)
_IN_BRACES: Final = re.compile(r"\{(\w+)\}")


class Callers(Enum):
    """Who may ask where there are no API keys."""

    THIS_MACHINE = "programs of this machine, and our own page"
    VISITS = "those, and whoever follows a link here"
    ANYONE = "anyone, also through a proxy"


class Success(NamedTuple):
    """An answer that is no problem: ``body`` is the type of its JSON, if it has one, or of each event of a stream."""

    status: int
    meaning: str
    body: Any = None
    headers: tuple[str, ...] = ()
    media: str = "application/json"


class Asked(NamedTuple, Generic[Q, B]):
    """A request that was let in, its inputs checked. ``caller`` is the digest of a key, and empty without keys."""

    request: web.Request
    caller: bytes
    query: Q
    body: B
    wait: int | None
    """Seconds that the caller is ready to wait for a job's end."""
    key: str | None = None
    """Its ``Idempotency-Key``."""
    queues: Queues | None = None
    """Those that the key of the caller is for, where it asks of all and its key is not for all."""


@dataclass(frozen=True, kw_only=True)
class Route(Generic[S, Q, B]):
    """``scope`` None is open to all who know no key; ``makes_a_job`` understands ``Prefer: wait=N``."""

    method: str
    path: str
    handler: Callable[[S, Asked[Q, B]], Awaitable[Any]]
    scope: Scope | None
    summary: str
    answers: tuple[Success, ...]
    """The first is that of a handler that returns a value."""
    query: type[Q] | None = None
    body: type[B] | None = None
    problems: tuple[ProblemType, ...] = ()
    """Those that its handler may raise; all others follow from the rest."""
    body_may_be_empty: bool = False
    """A request without a body is one with an empty object."""
    makes_a_job: bool = False
    is_idempotent: bool = False
    """It takes an ``Idempotency-Key``."""
    bodies: int = 1
    """A body may be so many times as long as one of most routes."""
    any_type: bool = False
    """Taken without saying that it is JSON. A form of a page cannot send it by its method."""
    is_stream: bool = False
    """It has no end, so nothing can tell its length: there is no HEAD."""
    without_keys: Callers = Callers.THIS_MACHINE
    narrowed: Narrow | None = None
    """Makes an answer of all queues one of those that the caller's key is for; without it such a key is refused."""

    @property
    def says_json(self) -> bool:
        """Whether it may change something and must say that it is JSON, which a form of a page cannot."""
        return self.method not in ("GET", "HEAD") and not self.any_type

    @property
    def reads_key(self) -> bool:
        """Whether a second request may do what the first one did, so that a key is taken or refused, and not ignored.

        (What has no scope is none of the API's: the sandbox keeps the keys that it is sent.)
        """
        return self.method == "POST" and self.scope is not None

    @property
    def refuses_a_query(self) -> bool:
        """Whether it has no query and says so: a filter that were ignored would be taken for one that holds.

        (What has no scope is none of the API's: providers and links of mails add what they like.)
        """
        return self.query is None and self.scope is not None

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names in the path."""
        return tuple(_IN_BRACES.findall(self.path))

    @property
    def all_problems(self) -> tuple[ProblemType, ...]:
        """Every problem that it may answer, in the order in which they are met."""
        found = [*OF_ANY_REQUEST]
        found += OF_CALLERS if self.without_keys is not Callers.ANYONE else ()
        found += (UNSUPPORTED_MEDIA_TYPE,) if self.says_json else ()
        found += (WAIT_TOO_LONG,) if self.makes_a_job else ()
        found += (BAD_IDEMPOTENCY_KEY if self.is_idempotent else IDEMPOTENCY_KEY,) if self.reads_key else ()
        found += OF_BODIES if self.body is not None else ()
        found += (VALIDATION,) if self.query is not None or self.refuses_a_query else ()
        return tuple(dict.fromkeys([*found, *self.problems]))

    @property
    def steers(self) -> bool:
        """Whether it is an act of a person: it changes something, and is not the sending of work."""
        return self.method not in ("GET", "HEAD") and not self.makes_a_job and self.scope is not None


AnyRoute = Route[Any, Any, Any]
Acting = Callable[[bytes], AbstractContextManager[None]]
"""What holds while a caller acts, by the digest of the key."""


Tracing = Callable[[web.Request], AbstractContextManager[None]]
"""What holds while a request is answered, by its headers."""


def nobody(_caller: bytes) -> AbstractContextManager[None]:
    """It is not noted who acts."""
    return nullcontext()


def register(
    application: web.Application, routes: Iterable[AnyRoute], site: Any, guard_of: Callable[[AnyRoute], Guard],
    *, max_body: int, base_path: str = "", context: Context = None, acting: Acting = nobody,
    tracing: Tracing | None = None,
) -> None:  # fmt: skip
    """Serve the routes with ``site`` as what their handlers find; a body may have ``max_body`` bytes.

    ``context`` is what the models' validators find: bounds that are settings. ``acting`` says who acts,
    and ``tracing`` in which trace, where it is told.
    """
    for route in routes:
        check = _checking(route, context)
        handler = _by_caller(route.handler, acting) if route.steers else route.handler
        if tracing is not None and route.method != "GET":
            handler = _in_its_trace(handler, tracing)
        answer = _answering(route, handler, site, guard_of(route), check, max_body * route.bodies)
        path = base_path + route.path
        application.router.add_route(route.method, path, answer, expect_handler=await_body)
        if route.method == "GET" and not route.is_stream:
            application.router.add_route("HEAD", path, answer)

    _register_options(application, routes, base_path)


def _register_options(application: web.Application, routes: Iterable[AnyRoute], base_path: str) -> None:
    """``OPTIONS`` of each path tells its methods, and nothing else: to whoever may be told that there is no such path.

    A path without a parameter comes first, as one with a parameter may be met by its words, too.
    """
    methods: dict[str, set[str]] = {}
    for route in routes:
        methods.setdefault(route.path, {"OPTIONS"}).update(
            {"GET", "HEAD"} if route.method == "GET" and not route.is_stream else {route.method}
        )
    for path in sorted(methods, key=lambda path: path.count("{")):
        application.router.add_route("OPTIONS", base_path + path, _telling(", ".join(sorted(methods[path]))))


def _telling(allow: str) -> Handler:
    async def options(request: web.Request) -> web.StreamResponse:
        request.app[STRANGERS](request)
        return web.Response(status=204, headers=marked(request, {"Allow": allow}))

    return options


def _by_caller(handler: Callable[[Any, Asked[Any, Any]], Awaitable[Any]], acting: Acting) -> Any:
    """What the handler does is done by the caller."""

    async def act(site: Any, asked: Asked[Any, Any]) -> Any:
        with acting(asked.caller):
            return await handler(site, asked)

    return act


def _in_its_trace(handler: Callable[[Any, Asked[Any, Any]], Awaitable[Any]], tracing: Tracing) -> Any:
    """What the handler sends is in the trace of the caller."""

    async def act(site: Any, asked: Asked[Any, Any]) -> Any:
        with tracing(asked.request):
            return await handler(site, asked)

    return act


def _answering(
    route: AnyRoute, handler: Any, site: Any, guard: Guard, checked: Check, max_body: int
) -> Handler:
    """All that can be known of a route beforehand is: a request pays for its own inputs alone."""
    status = route.answers[0].status
    says_json, makes_a_job, has_body = route.says_json, route.makes_a_job, route.body is not None
    reads_key, is_idempotent = route.reads_key, route.is_idempotent
    may_be_empty, is_read, narrowed = route.body_may_be_empty, route.method == "GET", route.narrowed

    async def answer(request: web.Request) -> web.StreamResponse:
        caller, wait, key = guard(request), None, None
        if says_json:
            require_json(request)
        if makes_a_job:
            wait = wait_seconds(request)
        if reads_key:
            key = idempotency_key(request, taken=is_idempotent)
        sent = await read_json(request, max_body, may_be_empty=may_be_empty) if has_body else None
        query, body = checked(request, sent)
        queues = request.get(QUEUES) if narrowed else None
        given = await handler(site, Asked(request, caller, query, body, wait, key, queues))
        if queues is not None and narrowed is not None:
            given = narrowed(given, queues)
        if type(given) is Answer:
            return JSONAnswer(*given) if not is_read else _if_new(request, given)
        return given if isinstance(given, web.StreamResponse) else JSONAnswer(given, status)

    return answer


def _if_new(request: web.Request, given: Answer) -> web.Response:
    """The answer, or 304 to a caller who has it as it is."""
    etag = given.headers.get("ETag")
    if etag is not None and knows(request, etag.strip('"')):
        return web.Response(status=304, headers=marked(request, given.headers))
    return JSONAnswer(*given)


def _checking(route: AnyRoute, context: Context) -> Check:
    """Query and body as their models; raises ``Invalid`` with the wrong fields of both."""
    query_model, body_model = route.query, route.body
    refuses = route.refuses_a_query

    def check(request: web.Request, sent: Any) -> tuple[Any, Any]:
        if refuses and request.query_string:
            raise Invalid(unknown_fields(request.query), "query string")
        query, wrong_query = _read(query_model, _once_each(request), context) if query_model else _NONE
        body, wrong_body = _read(body_model, sent, context) if body_model else _NONE
        if wrong_query or wrong_body:
            raise _invalid(wrong_query, wrong_body)
        return query, body

    return check if refuses or query_model or body_model else lambda _request, _sent: _NONE


def _once_each(request: web.Request) -> dict[str, str]:
    """The query. Raises ``Invalid`` for a name that comes twice: each of its values would be meant."""
    query = request.query
    found = dict(query)
    if len(found) < len(query):
        raise Invalid(given_twice(name for name in found if len(query.getall(name)) > 1), "query string")
    return found


def _read(model: Any, value: Any, context: Context) -> tuple[Any, Wrong | None]:
    try:
        return model.__pydantic_validator__.validate_python(value, context=context), None
    except ValidationError as error:
        return None, of_model(error, model)


def _invalid(query: Wrong | None, body: Wrong | None) -> Invalid:
    what = "request" if query and body else "request body" if body else "query string"
    found = [wrong for wrong in (query, body) if wrong]
    return Invalid([e for errors, _ in found for e in errors], what, sum(count for _, count in found))
