"""Opt-outs: who wants no more messages; and the page to which the link of an e-mail leads."""

from __future__ import annotations

from html import escape
from typing import Annotated, Any, Final, Literal, Self

from aiohttp import web
from pydantic import Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError
from typing_extensions import TypedDict  # pydantic takes typing's own from Python 3.12 on only

from streamq.times import rfc3339

from ..http.auth import Scope
from ..http.failures import OUTAGES
from ..http.inputs import WHOLE, Request
from ..http.marks import MARKS, marked
from ..http.problems import NOT_FOUND, nothing_at
from ..http.route import Asked, Callers, Route, Success
from ..messaging.email import EMAIL
from ..messaging.fields import WorkspaceId
from ..messaging.opt_outs import ALL, OptOuts, address, contact
from ..messaging.recipients import recipient
from ..messaging.unsubscribe import PATH, link_of
from ..site import Site
from .deliveries import cursor_of, entry_at
from .jobs import BAD_CURSOR, Following
from .messages import rules_of


class OptOutDocument(TypedDict):
    """Who wants no messages: an address on a channel, or a `contact` by the digest of its id; `workspaces` has `*` for
    all, with how each came to be."""

    subject: str
    workspaces: dict[str, str]
    until: str | None


class OptOutList(TypedDict):
    """A page of them."""

    data: list[OptOutDocument]
    page: Following


class OptOutQuery(Request):
    """A page of them; `cursor` is from the page before."""

    limit: Annotated[int, Field(ge=1, le=1_000), WHOLE] = 100
    cursor: str | None = Field(default=None, max_length=600)


class OptOutRequest(Request):
    """An address on a channel, or a contact of a workspace, on all channels. Without a workspace all are meant."""

    channel: Literal["sms", "email"] | None = None
    address: str | None = Field(default=None, min_length=1, max_length=320)
    contact_id: str | None = Field(default=None, alias="contactId", min_length=1, max_length=256)
    workspace_id: WorkspaceId | None = Field(default=None, alias="workspaceId")

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        of_contact = self.contact_id is not None and self.workspace_id is not None
        if (self.channel is not None and self.address is not None) == of_contact or (
            of_contact and (self.channel or self.address)
        ):
            raise PydanticCustomError(
                "ambiguous", "give either channel and address, or contactId and workspaceId"
            )
        return self

    @field_validator("address")
    @classmethod
    def _as_recipients_are_kept(cls, given: str | None, info: ValidationInfo) -> str | None:
        """A number or an address of e-mail in the form in which messages have it, however it is written here."""
        if given is None or info.data.get("channel") is None:
            return given
        found = recipient(info.data["channel"], given, rules_of(info).number)
        if found is None:
            raise PydanticCustomError("address", "is no recipient of this channel")
        return found

    @property
    def subject(self) -> str:
        """Who is meant."""
        if self.contact_id is not None:
            return contact(self.workspace_id, self.contact_id)
        return address(self.channel or "", self.address or "")

    @property
    def workspace(self) -> Any:
        """The workspace that is meant."""
        return ALL if self.workspace_id is None else self.workspace_id


async def index(site: Site, asked: Asked[OptOutQuery, None]) -> dict[str, Any]:
    """Page by page."""
    query = asked.query
    after = None if query.cursor is None else entry_at(query.cursor)
    page = await OptOuts(site.engine).list(after, limit=query.limit)
    return {
        "data": [
            {"subject": e.key, "workspaces": e.value, "until": rfc3339(e.until, "seconds")} for e in page
        ],
        "page": {"next": cursor_of(page[-1]) if len(page) == query.limit else None},
    }


async def add(site: Site, asked: Asked[None, OptOutRequest]) -> dict[str, Any]:
    """Again and again."""
    opt_outs, body = OptOuts(site.engine), asked.body
    await opt_outs.add(body.subject, body.workspace, why="by the API")
    return {"subject": body.subject, "workspaces": await opt_outs.get(body.subject), "until": None}


async def remove(site: Site, asked: Asked[None, OptOutRequest]) -> dict[str, Any]:
    """Whether there was one or not."""
    opt_outs, body = OptOuts(site.engine), asked.body
    await opt_outs.remove(body.subject, body.workspace)
    return {"subject": body.subject, "workspaces": await opt_outs.get(body.subject), "until": None}


# -- the page of the link --------------------------------------------------------------------------------------------

_PAGE: Final = """<!doctype html><html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title><h1>{title}</h1><p>{text}</p>{form}</html>"""
_FORM: Final = (
    '<form method="post"><button name="List-Unsubscribe" value="One-Click">End these e-mails</button></form>'
)
_POLICY: Final = MARKS["Content-Security-Policy"].replace("form-action 'none'", "form-action 'self'")


async def ask(site: Site, asked: Asked[None, None]) -> web.Response:
    """Programs that look at links end nothing: only the button does."""
    recipient, _ = _meant(site, asked)
    return _page(asked, "End these e-mails?", f"They go to {recipient}.", _FORM)


async def end(site: Site, asked: Asked[None, None]) -> web.Response:
    """By the button, or by a program of mail in one click (RFC 8058)."""
    recipient, workspace = _meant(site, asked)
    await OptOuts(site.engine).add(address(EMAIL, recipient), workspace, why="by the link of an e-mail")
    return _page(asked, "You get no more of these e-mails", f"Nothing more goes to {recipient}.")


def _meant(site: Site, asked: Asked[None, None]) -> tuple[str, str]:
    link = link_of(site.settings)
    found = link.read(asked.request.match_info["token"]) if link else None
    if found is None:
        raise nothing_at(asked.request.path)
    return found


def _page(asked: Asked[None, None], title: str, text: str, form: str = "") -> web.Response:
    page = _PAGE.format(title=escape(title), text=escape(text), form=form)
    headers = marked(asked.request, {"Content-Security-Policy": _POLICY})
    return web.Response(text=page, content_type="text/html", headers=headers)


_ALL: Final = "/api/v1/opt-outs"
_NOW: Final = (Success(200, "As it is now", OptOutDocument),)

ROUTES: Final = (
    Route(
        method="GET", path=_ALL, handler=index, scope=Scope.READ, query=OptOutQuery,
        summary="who wants no more messages", answers=(Success(200, "A page of them", OptOutList),),
        problems=(BAD_CURSOR, *OUTAGES),
    ),
    Route(
        method="POST", path=_ALL, handler=add, scope=Scope.WRITE, body=OptOutRequest,
        summary="send no more messages to an address, or to a contact", answers=_NOW, problems=OUTAGES,
    ),
    Route(
        method="POST", path=_ALL + "/remove", handler=remove, scope=Scope.WRITE, body=OptOutRequest,
        summary="send messages to it again", answers=_NOW, problems=OUTAGES,
    ),
    Route(
        method="GET", path=PATH + "/{token}", handler=ask, scope=None, without_keys=Callers.ANYONE,
        summary="the page to which the link of an e-mail leads", answers=(Success(200, "The page", media="text/html"),),
        problems=(NOT_FOUND,),
    ),
    Route(
        method="POST", path=PATH + "/{token}", handler=end, scope=None, any_type=True, without_keys=Callers.ANYONE,
        summary="end the e-mails of a workspace to a reader",
        answers=(Success(200, "The page that says so", media="text/html"),), problems=(NOT_FOUND, *OUTAGES),
    ),
)  # fmt: skip
