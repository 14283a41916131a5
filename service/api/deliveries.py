"""Deliveries: what is known of messages beyond this service, and the unknown ones to be settled."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import Field
from typing_extensions import TypedDict  # pydantic takes typing's own from Python 3.12 on only

from streamq import Entry, JobNotFound, WrongState
from streamq.times import NoTime, parse_rfc3339, rfc3339

from ..http.auth import Scope
from ..http.failures import OF_ENGINE, OUTAGES
from ..http.inputs import WHOLE, Request
from ..http.problems import Problem, ProblemType, cut
from ..http.route import Asked, Route, Success
from ..messaging.delivery import Delivery
from ..messaging.reports import Reports
from ..site import Site
from .jobs import BAD_CURSOR, JOB, Following

LONGEST_KEY: Final = 500
"""Characters of the key of a delivery."""
NO_DELIVERY: Final = ProblemType(
    404, "delivery-not-found", "nothing is known of the delivery of this job, or not any more"
)
NOT_UNKNOWN: Final = ProblemType(409, "delivery-known", "the delivery is known: it is in `state`")


class DeliveryDocument(TypedDict):
    """A delivery. `state` is `sending`, `unknown`, `sent`, `failed` or `delivered`; `at` is when it was given out."""

    queue: str
    id: str
    state: str
    channel: str
    provider: str
    provider_id: str | int | None
    workspace_id: str | int | float
    at: str
    reason: str


class UnknownDeliveries(TypedDict):
    """A page of those of which nobody knows whether they were sent, the longest unknown ones first; `total` of all."""

    data: list[DeliveryDocument]
    total: int
    page: Following


class UnknownQuery(Request):
    """A page of them; `cursor` is from the page before."""

    limit: Annotated[int, Field(ge=1, le=1_000), WHOLE] = 100
    cursor: str | None = Field(default=None, max_length=600)


class Settling(Request):
    """What becomes of an unknown message. `sent` completes its job; `resend` sends it again."""

    as_: Literal["sent", "failed", "resend"] = Field(alias="as")


async def unknown(site: Site, asked: Asked[UnknownQuery, None]) -> dict[str, Any]:
    """The longest unknown first."""
    deliveries = Reports(site.engine).deliveries
    page = await deliveries.unknown(_after(asked.query.cursor), limit=asked.query.limit)
    return {
        "data": [_document(entry.key, Delivery.of(entry)) for entry in page],
        "total": await deliveries.count_unknown(),
        "page": {"next": cursor_of(page[-1]) if len(page) == asked.query.limit else None},
    }


def cursor_of(entry: Entry) -> str:
    """The place of an entry among others."""
    return f"{rfc3339(entry.until, 'milliseconds')} {entry.key}"


def _after(cursor: str | None) -> Entry | None:
    return None if cursor is None else entry_at(cursor)


def entry_at(cursor: str) -> Entry:
    """The entry at a place. Raises ``Problem``."""
    at, _, key = cursor.partition(" ")
    try:
        return Entry(key or "?", None, 0, parse_rfc3339(at))
    except NoTime:
        raise Problem(BAD_CURSOR, "The cursor is none: take it from the page before.") from None


async def show(site: Site, asked: Asked[None, None]) -> dict[str, Any]:
    """Of one job."""
    key = _key(asked)
    found = await Reports(site.engine).deliveries.get(key)
    if found is None:
        raise Problem(NO_DELIVERY, f"Nothing is known of the delivery of {key}, or not any more.")
    return _document(key, found)


async def settle(site: Site, asked: Asked[None, Settling]) -> dict[str, Any]:
    """By one of several who try."""
    key, reports = _key(asked), Reports(site.engine)
    settled = await reports.settle(key, asked.body.as_)
    if settled is not None:
        return _document(key, settled)
    found = await reports.deliveries.get(key)
    if found is None:
        raise Problem(NO_DELIVERY, f"Nothing is known of the delivery of {key}, or not any more.")
    raise Problem(
        NOT_UNKNOWN, f"The delivery of {key} is {found.state}: nothing is to be settled.", state=found.state
    )


def _key(asked: Asked[Any, Any]) -> str:
    """The key of a delivery. Raises ``Problem`` for what can be the name of none."""
    key = f"{asked.request.match_info['queue']}:{asked.request.match_info['id']}"
    if len(key) > LONGEST_KEY or not key.isprintable():
        raise Problem(
            NO_DELIVERY, f"Nothing is known of the delivery of {cut(key, 200)}: no job is named so."
        )
    return key


def _document(key: str, delivery: Delivery) -> dict[str, Any]:
    queue, _, job_id = key.partition(":")
    return {
        "queue": queue, "id": job_id, "state": delivery.state, "channel": delivery.channel,
        "provider": delivery.provider, "provider_id": delivery.provider_id, "workspace_id": delivery.workspace,
        "at": rfc3339(delivery.given_at, "milliseconds"), "reason": delivery.reason,
    }  # fmt: skip


_OF: Final = JOB + "/delivery"

ROUTES: Final = (
    Route(
        method="GET", path="/api/v1/deliveries/unknown", handler=unknown, scope=Scope.READ, query=UnknownQuery,
        summary="messages of which nobody knows whether they were sent",
        answers=(Success(200, "A page of them", UnknownDeliveries),), problems=(BAD_CURSOR, *OUTAGES),
    ),
    Route(
        method="GET", path=_OF, handler=show, scope=Scope.READ,
        summary="what is known of the delivery of a message",
        answers=(Success(200, "The delivery", DeliveryDocument),), problems=(NO_DELIVERY, *OUTAGES),
    ),
    Route(
        method="POST", path=_OF, handler=settle, scope=Scope.WRITE, body=Settling,
        summary="settle an unknown delivery: it was sent, it failed, or it is to be sent again",
        answers=(Success(200, "The delivery as it is now", DeliveryDocument),),
        problems=(NO_DELIVERY, NOT_UNKNOWN, OF_ENGINE[JobNotFound], OF_ENGINE[WrongState], *OUTAGES),
    ),
)  # fmt: skip
