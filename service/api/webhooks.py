"""Webhooks: what providers of text messages tell of them, and what contacts send. Their signature lets them in."""

from __future__ import annotations

from typing import Any, Final

from aiohttp import web
from typing_extensions import TypedDict  # pydantic takes typing's own from Python 3.12 on only

from ..http.bodies import read_body
from ..http.failures import OUTAGES
from ..http.problems import OF_BODIES, Problem, ProblemType
from ..http.route import Asked, Callers, Route, Success
from ..messaging import sms
from ..messaging.formats.form import Form, Heard, Incoming
from ..messaging.numbers import numbers_of
from ..messaging.recipients import recipient
from ..messaging.reports import Reports
from ..site import Site

NOT_SIGNED: Final = ProblemType(
    401, "not-signed", "it is not signed by the provider, or was signed minutes ago"
)
NO_PROVIDER: Final = ProblemType(
    404, "no-provider", "no provider of that name is configured, or none that reports"
)
NOT_READ: Final = ProblemType(422, "report-not-read", "what the provider sent cannot be read")


class TakenDocument(TypedDict):
    """`result` is `noted`; or `known` where it says nothing new; or `kept` for a message that is not known yet; or
    `heard` of a message of a contact, whose `word` is `stop` or `start` where it was one; or `ignored`."""

    result: str
    word: str | None


async def take(site: Site, asked: Asked[None, None]) -> dict[str, Any]:
    """Any number of times, and in any order."""
    name = asked.request.match_info.get("provider", "")
    form = _form(site, name)
    body = await read_body(asked.request, site.settings.max_body)
    incoming = Incoming(_url(site, asked.request), asked.request.query, asked.request.headers, body)
    if not form.is_genuine(incoming):
        raise Problem(NOT_SIGNED, "The signature is missing or wrong, or older than five minutes.")
    try:
        said = form.read(incoming)
    except ValueError as error:
        raise Problem(NOT_READ, f"The report cannot be read: {error}.") from None
    if said is None:
        return {"result": "ignored", "word": None}
    reports = Reports(site.engine)
    if isinstance(said, Heard):
        heard = said._replace(sender=_number(site, said.sender))
        return {"result": "heard", "word": await reports.hear(sms.SMS, heard)}
    return {"result": await reports.take(sms.SMS, form.address.name, said), "word": None}


def _form(site: Site, name: str) -> Form:
    found = {form.address.name: form for form in sms.forms_of(site.settings)}
    form = found.get(name) or (next(iter(found.values())) if not name else None)
    if form is None or not sms.reports_come(site.settings):
        named = ", ".join(each for each in found if each) or "none"
        raise Problem(
            NO_PROVIDER,
            f"No provider {name!r} tells what became of messages: those with a name are {named}; reports need "
            "STREAMQ_SMS_REPORT_SECRET, or STREAMQ_PUBLIC_URL.",
        )
    return form


def _number(site: Site, sender: str) -> str:
    """As recipients are kept; some providers leave the plus out."""
    return recipient(sms.SMS, sender, numbers_of(site.settings)) or sender


def _url(site: Site, request: web.Request) -> str:
    """As the provider called it: some sign the address too."""
    return site.settings.public_url.rstrip("/") + request.raw_path.removeprefix(site.settings.base_path)


def _takes(path: str) -> Route[Any, Any, Any]:
    return Route(
        method="POST", path=path, handler=take, scope=None, any_type=True, without_keys=Callers.ANYONE,
        summary="a signed report of a provider on a text message, or a message of a contact",
        answers=(Success(200, "What came of it", TakenDocument),),
        problems=(NOT_SIGNED, NO_PROVIDER, NOT_READ, *OF_BODIES, *OUTAGES),
    )  # fmt: skip


ROUTES: Final = (_takes("/api/v1/webhooks/sms"), _takes("/api/v1/webhooks/sms/{provider}"))
