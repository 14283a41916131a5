"""Contacts: everything of one is erased."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Final, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError
from typing_extensions import TypedDict  # pydantic takes typing's own from Python 3.12 on only

from streamq import InvalidFilter, UsageError

from ..http.auth import Scope
from ..http.failures import OF_ENGINE, OUTAGES
from ..http.inputs import Request
from ..http.route import Asked, Route, Success
from ..messaging import CHANNELS
from ..messaging.erasure import Contact, erase
from ..messaging.numbers import numbers_of
from ..messaging.recipients import recipient
from ..site import Site


class ContactQuery(Request):
    """Whom to erase: a contact by `contactId` and `workspaceId`, an `address` or number, or both."""

    workspace_id: str | None = Field(default=None, alias="workspaceId", min_length=1, max_length=256)
    contact_id: str | None = Field(default=None, alias="contactId", min_length=1, max_length=256)
    address: str | None = Field(default=None, min_length=1, max_length=320)

    @model_validator(mode="after")
    def _somebody(self) -> Self:
        if (self.contact_id is None) != (self.workspace_id is None) or not (self.contact_id or self.address):
            raise PydanticCustomError(
                "missing", "give contactId together with workspaceId, or address, or both"
            )
        return self


class ErasedDocument(TypedDict):
    """How many `jobs` and `records` were erased; `left` says that jobs of it still run, or are many: ask again."""

    jobs: int
    records: int
    left: bool


async def delete(site: Site, asked: Asked[ContactQuery, None]) -> dict[str, Any]:
    """The id of its workspace may be a number or a text in its jobs: both are meant."""
    query = asked.query
    number = numbers_of(site.settings)
    found = query.address and (
        recipient("sms", query.address, number) or recipient("email", query.address, number)
    )
    contact = Contact(query.workspace_id, query.contact_id, found or query.address)
    return asdict(await erase(site.engine, CHANNELS, contact))


ROUTES: Final = (
    Route(
        method="DELETE", path="/api/v1/contacts", handler=delete, scope=Scope.ADMIN, query=ContactQuery, any_type=True,
        summary="erase a contact: its jobs in the queues of messages, and what is remembered of it",
        answers=(Success(200, "What was erased", ErasedDocument),),
        problems=(OF_ENGINE[InvalidFilter], OF_ENGINE[UsageError], *OUTAGES),
    ),
)  # fmt: skip
