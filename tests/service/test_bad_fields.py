"""Every field of every message, by every route: what is wrong is pointed at, and leaves nothing behind.

The fields are those of the models, so a new one is not forgotten: it must have its row here.
"""

from __future__ import annotations

import json
import typing
from typing import Any, NamedTuple

import pytest
from pydantic import BaseModel
from streamq_service.app import ROUTES

from ..rig import ON_ONE_SERVER
from .conftest import Service

pytestmark = pytest.mark.keeps_keys
PATHS = {
    route.path: route.body
    for route in ROUTES
    if (route.body and route.path.startswith("/api/") and not route.path.startswith("/api/v1/"))
    or route.path.startswith("/api/v1/messages/")
}  # fmt: skip
"""The routes that send messages, and their models."""
LONG = "x" * 10_000
ODD = ["\0", "a\0b", "a\nb", "a\r\nBcc: b@example.com", "a\x7fb", "a\u202eb", "a\u2028b", "a\x1b[31mb"]
"""Characters that begin a line of a header or of a log, or change how others are shown."""
NO_TEXT: list[Any] = [5, 1.5, True, ["a"], {"a": 1}]
NO_OBJECT: list[Any] = ["a", 5, True, [1]]
NO_ADDRESS = [
    "ada", "@example.com", "ada@", "a b@example.com", "ada@exa mple.com", "ada@example.com, b@example.com",
    "Ada <ada@example.com>", "ada@[127.0.0.1", "ada@example..com", "ada@-example.com", f"{LONG}@example.com",
]  # fmt: skip


class Row(NamedTuple):
    """What a field does not take, and what it does."""

    wrong: list[Any]
    right: list[Any]
    required: bool = False


_ID = Row([*NO_TEXT, *ODD, "", " ", "x" * 257], ["c-9", "x" * 256, "ä 🎂"], required=True)
_WORKSPACE = Row(
    [True, [1], {}, *ODD, "", " ", "x" * 257, 0, -1, 2**53, 1e300], ["w", 66338, 1.5, "66338"], required=True
)
_TEXT = Row(
    [*NO_TEXT, "", " ", "\n", "a\0b"], ["hello", "two\r\nlines\t", "<b>not <i>closed", "🎂"], required=True
)
_NUMBER = Row(
    [*NO_TEXT, *ODD, "", " ", LONG, "hello", "5", "\uff11\uff12\uff13", "+1e9", "+15550100199;ext=5"],
    ["+1 555 010 0199"],
)
FIELDS: dict[str, Row] = {
    "to": Row([*_NUMBER.wrong, *ODD], []),
    "phoneNumber": _NUMBER,
    "message": _TEXT._replace(wrong=[*_TEXT.wrong, "x" * 1_601]),
    "html": _TEXT,
    "message_text": _TEXT,
    "text": Row([*NO_TEXT, "a\0b"], ["", "two\r\nlines"]),
    "subject": Row([*NO_TEXT, *ODD, LONG], ["", "Grüße 🎂"], required=True),
    "workspaceId": _WORKSPACE,
    "workspace_id": _WORKSPACE,
    "contactId": _ID._replace(required=False),
    "contact_id": _ID,
    "message_id": _ID,
    "delay": Row([-1, True, [], {}, "", "5", "soon", "-5s", 1e300, 4e7, "9999d", "5 m"], [0, 1.5, "5m"]),
    "scheduledFor": Row([5, True, [], {}, "", "tomorrow", "2020-01-01T00:00:00Z", "2030-02-30T00:00:00Z"], []),
    "metadata": Row(NO_OBJECT, [{}, {"to": "smuggled", "a\nb": ["\0"]}]),
    "zone": Row([*NO_TEXT, *ODD, "", "Europe", "Mars/Base", "../etc/passwd", LONG], ["Europe/Berlin", "UTC"]),
    "urgent": Row(["yes", 1, 0, [], {}, "true"], [True, False]),
    "attachments": Row([*NO_TEXT[:3], "a", {}, ["a"], [[]], [{}] * 21], [[]]),
    "unsubscribe": Row(
        [*NO_TEXT, *ODD, "", LONG, "javascript:x", "http://example.com/", "https://example.com/>, <https://b.example/",
         "mailto:a@example.com\r\nX: y", "https://exämple.com/", "https://", "mailto:"],
        ["https://example.com/end?a=1", "mailto:end@example.com"],
    ),
    "callback_url": Row(
        [*NO_TEXT, *ODD, "", "x", "ftp://example.com/", "file:///etc/passwd", "//example.com/", "http://", "http://:80/",
         "http://a:b@example.com/", "http://example.com:99999/", "http://[::1", "https://example.com/\r\nX: y",
         "http://exa mple.com/", f"https://example.com/{LONG}"],
        ["https://example.com/hook?a=1"], required=True,
    ),
    "rate_limit_key": Row([*NO_TEXT, *ODD, "", "a:b:c", "a b", LONG], ["vip", "vip:7"]),
    "attachments/0/name": Row([*NO_TEXT, *ODD, "", LONG], ["größe.bin"], required=True),
    "attachments/0/type": Row([*NO_TEXT, *ODD, "", "text", "a/b/c", "text/plain; charset=x", LONG], ["text/plain"]),
    "attachments/0/content": Row([*NO_TEXT, "§", "QQ", "QUI\n", "=", LONG + "x"], ["", "QUJD"], required=True),
}  # fmt: skip
OF_MAIL = Row(
    [*NO_TEXT[:3], {}, *ODD, "", [], ["ada@example.com", ""], *NO_ADDRESS, ["ada@example.com"] * 51],
    ["ä@example.com"],
)
GOOD: dict[str, dict[str, Any]] = {
    "sms": {"to": "+15550100", "message": "hello", "workspaceId": 66338},
    "email": {"to": "ada@example.com", "subject": "s", "html": "<p>hello", "workspaceId": 66338},
    "ai": {
        "workspace_id": 66338, "contact_id": "c-9", "message_id": "m-1", "message_text": "hello",
        "callback_url": "https://example.com/hook",
    },
}  # fmt: skip


def good(path: str) -> dict[str, Any]:
    """A body that the route takes, by the last part of its path."""
    name = path.rpartition("/")[2].removeprefix("schedule-").removesuffix("-response")
    return dict(GOOD[name])


def fields(model: Any, below: str = "") -> list[str]:
    """Those of a model and of the models in it, as callers name them."""
    found = []
    for name, field in model.model_fields.items():
        where = below + (field.alias or name)
        found.append(where)
        for part in typing.get_args(field.annotation):
            if isinstance(part, type) and issubclass(part, BaseModel):
                found += fields(part, f"{where}/0/")
    return found


def row(path: str, field: str) -> Row:
    return OF_MAIL._replace(required=True) if field == "to" and path.endswith("email") else FIELDS[field]


def changed(path: str, field: str, value: Any) -> dict[str, Any]:
    """A body of the route in which one field is another."""
    body = good(path)
    if field == "phoneNumber":
        body.pop("to")
    if "/0/" in field:
        body["attachments"] = [{"name": "a", "content": "QUJD", field.rpartition("/")[2]: value}]
    else:
        body[field] = value
    return body


async def sent(service: Service, path: str, body: dict[str, Any]) -> tuple[int, list[str]]:
    """The status, and what is pointed at."""
    status, _, told = await service.post(path, json.dumps(body).encode())
    return status, [error["pointer"] for error in told.get("errors", ())]


def test_every_field_of_every_message_has_its_row() -> None:
    assert len(PATHS) == 6
    assert {field for model in PATHS.values() for field in fields(model)} == FIELDS.keys()


@ON_ONE_SERVER
@pytest.mark.parametrize("path", PATHS)
async def test_a_field_that_is_wrong_is_pointed_at_and_nothing_is_enqueued(
    service: Service, path: str
) -> None:
    for field in fields(PATHS[path]):
        for value in row(path, field).wrong:
            status, pointers = await sent(service, path, changed(path, field, value))
            assert status == 422, (field, value)
            assert pointers, (field, value)
            assert all(f"{each}/".startswith(f"/{field}/") for each in pointers), (field, value, pointers)
    assert await service.jobs() == 0


@ON_ONE_SERVER
@pytest.mark.parametrize("path", PATHS)
async def test_a_field_that_is_missing_or_null_or_unknown_is_pointed_at(service: Service, path: str) -> None:
    needed = [field for field in fields(PATHS[path]) if row(path, field).required and "/" not in field]
    for field in needed:
        without = {name: value for name, value in good(path).items() if name != field}
        assert await sent(service, path, without) == (422, [f"/{field}"])
        assert await sent(service, path, {**without, field: None}) == (422, [f"/{field}"])
    for field in ("To", "extra", "__proto__", "a/b~c", "", "\0", "x" * 1_000):
        status, (pointer,) = await sent(service, path, {**good(path), field: 1})
        assert (status, pointer[:3]) == (422, f"/{field.replace('~', '~0').replace('/', '~1')}"[:3])
    status, pointers = await sent(service, path, {})
    assert (status, set(needed) <= {each[1:] for each in pointers}) == (422, True)
    assert await service.jobs() == 0


@ON_ONE_SERVER
@pytest.mark.parametrize("path", PATHS)
async def test_a_field_that_is_right_is_taken(service: Service, path: str) -> None:
    count = 0
    for field in fields(PATHS[path]):
        for value in row(path, field).right:
            body = changed(path, field, value)
            if "message_id" in body and field != "message_id":
                body["message_id"] = f"m-{count}"
            assert await sent(service, path, body) == (201, []), (field, value)
            count += 1
    assert await service.jobs() == count
