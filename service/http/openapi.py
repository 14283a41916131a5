"""The routes as an OpenAPI 3.1 document: made of their declarations, and of nothing else.

Names of operations follow from method and path, so they are as stable as these: ``GET /api/v1/queues/{queue}/jobs``
is ``get_queue_jobs``. An answer that is a problem is told by its status with all codes that it may have.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from hashlib import sha256
from itertools import groupby
from typing import Any, Final, NamedTuple

import orjson
from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

from .openapi_headers import ANSWERED, RATED, of_problem, of_request
from .problems import ProblemType
from .route import AnyRoute, Success

VERSION: Final = "3.1.0"
_SCHEMAS: Final = "#/components/schemas/"
_OF_ALL: Final = ("api", "v1")

PROBLEM: Final = {
    "type": "object",
    "description": "An error (RFC 9457). Some have more members, which the meaning of their `code` names.",
    "required": ["type", "title", "status", "code", "detail", "request_id"],
    "properties": {
        "type": {"type": "string", "description": "`urn:streamq:problem:` and the code"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "description": "what programs tell errors apart by"},
        "detail": {"type": "string", "description": "what was wrong, and what to do, for people"},
        "request_id": {"type": "string", "description": "the number of the request in the log"},
        "errors": {"type": "array", "items": {"$ref": _SCHEMAS + "FieldError"}},
        "more_errors": {"type": "integer", "description": "how many more there are than `errors` tells"},
    },
}  # fmt: skip
FIELD_ERROR: Final = {
    "type": "object",
    "description": "A wrong field.",
    "required": ["pointer", "code", "message"],
    "properties": {
        "pointer": {"type": "string", "description": "where it is (RFC 6901); empty for the whole"},
        "code": {"type": "string"},
        "message": {"type": "string"},
        "hint": {"type": "string", "description": "what to write"},
    },
}
_OWN: Final = {"Problem": PROBLEM, "FieldError": FIELD_ERROR}


class Written(NamedTuple):
    """The document as JSON text, and what changes with it."""

    text: bytes
    etag: str


class Description:
    """The document of an API, made when it is first asked for.

    ``tags`` has what each resource is, in their order, and ``tag_of`` says to which a path belongs. ``has_keys`` tells
    whether callers need a key now: the first one may be made while all runs.
    """

    def __init__(
        self, routes: Iterable[AnyRoute], tags: Mapping[str, str], tag_of: Callable[[str], str], *,
        version: str, base_path: str, has_keys: Callable[[], bool],
    ) -> None:  # fmt: skip
        self._routes, self._tags, self._tag_of = tuple(routes), tags, tag_of
        self._version, self._base_path, self._has_keys = version, base_path, has_keys
        self._written: dict[bool, Written] = {}

    def written(self) -> Written:
        """The document as it holds now."""
        has_keys = self._has_keys()
        if has_keys not in self._written:
            text = orjson.dumps(self.document(needs_keys=has_keys)).replace(b"``", b"`")
            self._written[has_keys] = Written(text, sha256(text).hexdigest()[:16])
        return self._written[has_keys]

    @cached_property
    def links(self) -> tuple[tuple[str, str, str], ...]:
        """What may be looked at without a name in its path: how it is called, its path, and what it is."""
        found = [route for route in self._routes if route.method == "GET" and not route.parameters]
        return tuple(
            (operation_id("", route.path).strip("_"), route.path, route.summary.partition(". ")[0])
            for route in found
        )

    def document(self, *, needs_keys: bool = True) -> dict[str, Any]:
        """The document, for callers who need keys or do not."""
        schemas = _Schemas(self._routes)
        paths: dict[str, Any] = {}
        responses: dict[str, Any] = {}
        for route in self._routes:
            told = self._operation(route, schemas, responses)
            told["security"] = _security(route, needs_keys=needs_keys)
            paths.setdefault(route.path, {})[route.method.lower()] = told
        about = "A job system on Redis Streams, and messages by text, e-mail and models. Times are RFC 3339 in UTC."
        return {
            "openapi": VERSION,
            "info": {"title": "streamq", "version": self._version, "description": about},
            "servers": [{"url": self._base_path or "/"}],
            "tags": [{"name": name, "description": text} for name, text in self._tags.items()],
            "paths": paths,
            "components": {
                "schemas": {**schemas.named, **_OWN}, "responses": responses, "headers": ANSWERED,
                "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "description": _KEYS}},
            },
        }  # fmt: skip

    def _operation(self, route: AnyRoute, schemas: _Schemas, responses: dict[str, Any]) -> dict[str, Any]:
        told = {
            "operationId": operation_id(route.method, route.path),
            "tags": [self._tag_of(route.path)],
            "summary": route.summary,
            "description": _needs(route),
            "parameters": [*_in_path(route), *schemas.in_query(route), *of_request(route)],
            "responses": {**_successes(route, schemas), **_problems(route, responses)},
        }
        body = _body(route, schemas)
        return {**told, "requestBody": body} if body else told


_KEYS: Final = (
    "An API key of `STREAMQ_API_KEYS`. A key with the scope `write` may also read, one with `admin` may do all. A "
    "service without keys answers programs of its own machine, and these alone."
)


def _security(route: AnyRoute, *, needs_keys: bool) -> list[dict[str, list[str]]]:
    if route.scope is None:
        return []
    needed = [{"key": [route.scope.name.lower()]}]
    return needed if needs_keys else [*needed, {}]


def _needs(route: AnyRoute) -> str:
    if route.scope is None:
        return "Needs no key."
    narrowed = " One for some queues is told of these alone." if route.narrowed is not None else ""
    return f"Needs a key with the scope `{route.scope.name.lower()}`.{narrowed}"


# -- names -------------------------------------------------------------------------------------------------------


def operation_id(method: str, path: str) -> str:
    """The name of an operation: its method, and the words of its path, in the singular before a parameter."""
    words: list[str] = []
    for part in words_of(path):
        if not part.startswith("{"):
            words.append(re.sub(r"\W+", "_", part))
        elif words and words[-1].endswith("s") and len(words[-1]) > len("sms"):
            words[-1] = words[-1][:-1]
        else:
            words.append(f"of_{part[1:-1]}")
    return "_".join([method.lower(), *(words or ["index" if path.startswith("/api/v1") else "page"])])


def words_of(path: str) -> list[str]:
    """What a path consists of, parameters in braces, without what all paths of the API begin with."""
    parts = [part for part in path.split("/") if part]
    return parts[next((n for n, part in enumerate(parts) if part not in _OF_ALL), len(parts)) :]


# -- schemas -----------------------------------------------------------------------------------------------------


class _Untitled(GenerateJsonSchema):
    """A field has its name, and needs no title that says the same."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - it is pydantic's
        """For no field."""
        return False


class _Schemas:
    """The schemas of all routes: those with a name once for all, and what refers to them."""

    def __init__(self, routes: Iterable[AnyRoute]) -> None:
        taken = [kind for route in routes for kind in (route.query, route.body) if kind is not None]
        given = [one.body for route in routes for one in route.answers if one.body is not None]
        kinds: dict[tuple[Any, Any], TypeAdapter[Any]] = {}
        for mode, found in (("validation", taken), ("serialization", given)):
            kinds |= {(kind, mode): TypeAdapter(kind) for kind in found}
        by_kind, whole = TypeAdapter.json_schemas(
            [(kind, mode, adapter) for (kind, mode), adapter in kinds.items()],
            ref_template=_SCHEMAS + "{model}", schema_generator=_Untitled,
        )  # fmt: skip
        self._by_kind = {kind: schema for (kind, _), schema in by_kind.items()}
        queries = {route.query.__name__: route.query for route in routes if route.query is not None}
        all_named = whole.get("$defs", {})
        self.named = {name: schema for name, schema in all_named.items() if name not in queries}
        self._queries = {kind: all_named[name] for name, kind in queries.items()}

    def of(self, kind: Any) -> Any:
        """The schema of a body or an answer, which may refer to one with a name."""
        return self._by_kind[kind]

    def in_query(self, route: AnyRoute) -> Iterator[dict[str, Any]]:
        """The parameters of a route in its query string."""
        if route.query is None:
            return
        whole = self._queries[route.query]
        for name, schema in whole["properties"].items():
            said = _of_text(schema)
            about = {"description": said.pop("description")} if "description" in said else {}
            needed = name in whole.get("required", ())
            yield {"name": name, "in": "query", "required": needed, **about, "schema": said}


def _of_text(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of a field, of which a query string can have no null."""
    said = {name: value for name, value in schema.items() if not (name == "default" and value is None)}
    kinds = [kind for kind in said.pop("anyOf", ()) if kind.get("type") != "null"]
    if len(kinds) > 1:
        return {**said, "anyOf": kinds}
    found = {**said, **(kinds[0] if kinds else {})}
    types = found.get("type")
    if isinstance(types, list):
        types = [one for one in types if one != "null"]
        found["type"] = types[0] if len(types) == 1 else types
    return found


# -- requests and answers ----------------------------------------------------------------------------------------


def _in_path(route: AnyRoute) -> Iterator[dict[str, Any]]:
    for name in route.parameters:
        yield {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}


def _body(route: AnyRoute, schemas: _Schemas) -> dict[str, Any] | None:
    """What changes something says that it is JSON, so one without fields is told as any JSON: `{}` will do."""
    if route.body is None:
        empty = {"required": True, "content": {"application/json": {"example": {}}}}
        return {"description": "Nothing of it is read", **empty} if route.says_json else None
    about = (
        {"description": "It may be left out, its `Content-Type` may not"} if route.body_may_be_empty else {}
    )
    return {**about, "required": True, "content": {"application/json": {"schema": schemas.of(route.body)}}}


def _successes(route: AnyRoute, schemas: _Schemas) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for status, same in groupby(sorted(route.answers, key=_status), key=_status):
        answers = [*same]
        rated = RATED if route.scope is not None else ()
        names = dict.fromkeys(["X-Request-Id", *rated, *(name for one in answers for name in one.headers)])
        content = {one.media: _content(one, schemas) for one in answers if _has_content(one)}
        found[str(status)] = {
            "description": ". ".join(dict.fromkeys(one.meaning for one in answers)),
            "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in names},
            **({"content": content} if content else {}),
        }
    return found


def _status(answer: Success | ProblemType) -> int:
    return answer.status


def _has_content(answer: Success) -> bool:
    return answer.body is not None or (answer.media != "application/json" and answer.status < 300)


def _content(answer: Success, schemas: _Schemas) -> dict[str, Any]:
    if answer.media == "application/json":
        return {"schema": schemas.of(answer.body)}
    return {"schema": {"type": "string"}}


def _problems(route: AnyRoute, responses: dict[str, Any]) -> dict[str, Any]:
    """By status, each as a response that all routes share which may answer the same."""
    found = {}
    for status, same in groupby(sorted(route.all_problems, key=_status), key=_status):
        kinds = sorted(dict.fromkeys(same))
        name = ".".join([str(status), *(kind.code for kind in kinds)])
        responses.setdefault(name, _problem(status, kinds))
        found[str(status)] = {"$ref": f"#/components/responses/{name}"}
    return found


def _problem(status: int, kinds: list[ProblemType]) -> dict[str, Any]:
    codes = {"properties": {"code": {"enum": [kind.code for kind in kinds]}}}
    return {
        "description": "\n".join(f"- `{kind.code}`: {kind.meaning}" for kind in kinds),
        "headers": of_problem(status),
        "content": {
            "application/problem+json": {"schema": {"allOf": [{"$ref": _SCHEMAS + "Problem"}, codes]}}
        },
    }
