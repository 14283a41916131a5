"""AI replies."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import AfterValidator, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from streamq import OPTIONS, State

from ..http.answers import Answer
from ..http.auth import Scope
from ..http.inputs import Request, of_option
from ..http.route import Asked, Route, Success
from ..messaging import ai
from ..messaging.ai import AiMessage
from ..messaging.callback import wrong_address
from ..messaging.fields import ContactId, Text, WorkspaceId, not_blank, printable
from ..site import Site
from .jobs import REFUSALS, WAITED
from .messages import NO_MESSAGING, Sent, check_channel, rules_of
from .sent import answer, ended, place

_Id = Annotated[str, Field(max_length=256), AfterValidator(not_blank), AfterValidator(printable)]


class AiRequest(Request):
    """A message that a model is to answer; the answer goes to ``callback_url``.

    ``rate_limit_key`` is the group of the job: by default ``workspace_id:contact_id``. The same ``message_id`` of a
    workspace twice within a day is one job.
    """

    workspace_id: WorkspaceId
    contact_id: ContactId
    message_id: _Id
    message_text: Text
    callback_url: Annotated[str, Field(max_length=2_000), AfterValidator(printable)]
    rate_limit_key: of_option(OPTIONS["group"]) = None  # type: ignore[valid-type]  # a type that is made of a table

    @field_validator("callback_url")
    @classmethod
    def _may_be_called(cls, url: str, info: ValidationInfo) -> str:
        if wrong := wrong_address(url, rules_of(info).callbacks):
            raise PydanticCustomError("callback", "{text}", {"text": wrong})
        return url


async def send(site: Site, asked: Asked[None, AiRequest]) -> Answer:
    """Its job, or the one that answers it already."""
    check_channel(site, ai.CHANNEL)
    body = asked.body
    message = AiMessage.model_construct(
        workspace_id=body.workspace_id,
        contact_id=body.contact_id,
        message_id=body.message_id,
        message_text=body.message_text,
        callback_url=body.callback_url,
    )
    job, state = await ai.send(site.engine, message, body.rate_limit_key)
    if asked.wait:
        return await ended(site, asked, job)
    return answer(site, job, {
        "success": True, "id": job.id, "jobId": job.id, "queue": job.queue, "task": job.task,
        "state": state if job.disposition == "created" else State.WAITING, "due_at": None, "url": place(site, job),
    })  # fmt: skip


def _answers(path: str) -> Route[Site, None, AiRequest]:
    return Route(
        method="POST", path=path, handler=send, scope=Scope.WRITE, body=AiRequest, makes_a_job=True,
        summary="have a message answered by a model, and its reply sent to an address; 201 with its job",
        answers=(Success(201, "Its job", Sent, ("Location",)), *WAITED),
        problems=(NO_MESSAGING, *REFUSALS),
    )  # fmt: skip


ROUTES: Final = (_answers("/api/v1/messages/ai"), _answers("/api/ai-response"))
