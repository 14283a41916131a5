"""Rows of a database that are messages: what is read of each, by the checks that requests have, and where it goes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any, cast

from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
)
from pydantic_core import PydanticCustomError

from streamq import App, Job

from ..clock import now
from ..intake.outbox import TABLE as OUTBOX
from ..intake.table import ONCE, Fields, Outcome, Table, Unreadable
from ..settings import ServiceSettings
from . import ai, email, sms
from .addresses import normal_address
from .callback import wrong_address
from .delivery import Deliveries, DeliveryState
from .fields import ContactId, Text, WorkspaceId, printable
from .numbers import numbers_of
from .quiet_hours import zone_of
from .unsubscribe import End

Check = Callable[[Any], Any]


def _as_text(value: Any) -> Any:
    """An id that a column holds as a number, where it is text elsewhere."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _in_utc(at: datetime | None) -> datetime | None:
    """A time of a column without a zone is one of UTC."""
    return at.replace(tzinfo=UTC) if at is not None and at.tzinfo is None else at


def _by(name: str) -> AfterValidator:
    """The check of that name, which settings make."""

    def check(value: Any, info: ValidationInfo) -> Any:
        return cast("dict[str, Check]", info.context)[name](value)

    return AfterValidator(check)


When = Annotated[datetime | None, Field(strict=False), AfterValidator(_in_utc)]
Id = Annotated[ContactId, BeforeValidator(_as_text)]


class _Row(BaseModel):
    """Columns that are not named are not read."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)

    workspace_id: WorkspaceId
    contact_id: Id | None = None


class SmsRow(_Row):
    """A row of ``sms_queue``."""

    to: Annotated[
        sms.Recipient, BeforeValidator(_as_text), _by("number"),
        Field(validation_alias=AliasChoices("phone_number", "to", "phoneNumber")),
    ]  # fmt: skip
    message: Annotated[Text, _by("length")]
    scheduled_for: When = None
    metadata: dict[str, Any] | None = None
    zone: Annotated[str | None, _by("zone")] = None
    urgent: bool = False


class EmailRow(_Row):
    """A row of ``email_queue``; its recipient is text, or a list in JSON or in an array."""

    to: Annotated[
        list[Annotated[str, Field(max_length=320), AfterValidator(printable), _by("address")]],
        BeforeValidator(lambda value: [value] if isinstance(value, str) else value),
        AfterValidator(email.each_once),
        Field(min_length=1, max_length=50, validation_alias=AliasChoices("recipient", "to", "to_email")),
    ]
    subject: Annotated[str, Field(max_length=998), AfterValidator(printable)]
    html: Text
    text: str | None = None
    scheduled_for: When = None
    metadata: dict[str, Any] | None = None
    attachments: Annotated[list[email.Attachment], Field(max_length=20), _by("attachments")] | None = None
    unsubscribe: End | None = None


class AiRow(_Row):
    """A row of ``ai_response_queue``."""

    contact_id: Id
    message_id: Annotated[
        str, Field(min_length=1, max_length=256), BeforeValidator(_as_text), AfterValidator(printable)
    ]
    message_text: Text
    callback_url: Annotated[str, Field(max_length=2_000), AfterValidator(printable), _by("callback")]
    rate_limit_key: Annotated[str | None, BeforeValidator(_as_text)] = None


class Reader:
    """Reads rows as settings say."""

    def __init__(self, settings: ServiceSettings) -> None:
        self._defaults = {
            name: value
            for name, value in (
                ("workspace_id", settings.default_workspace_id), ("contact_id", settings.default_contact_id)
            )
            if value is not None
        }  # fmt: skip
        number, callbacks = numbers_of(settings), ai.callback_rules(settings)
        self._checks: dict[str, Check] = {
            "number": lambda value: _some(number(value), "is no telephone number"),
            "length": lambda value: _at_most(value, len(value), settings.sms_max_length, "characters"),
            "address": _address,
            "zone": _zone,
            "attachments": lambda value: _at_most(
                value,
                sum(3 * len(each.content) // 4 for each in value),
                settings.email_max_attachments,
                "bytes",
            ),
            "callback": lambda value: _fine(value, wrong_address(value, callbacks)),
        }

    def read(self, kind: type[_Row], fields: Fields) -> Any:
        """A row of a kind. Raises ``Unreadable`` with all that is wrong."""
        said = {name: value for name, value in fields.items() if value is not None}
        try:
            return kind.model_validate({**self._defaults, **said}, context=self._checks)
        except ValidationError as error:
            wrong = (
                f"{'.'.join(map(str, each['loc']))}: {each['msg']}"
                for each in error.errors(include_url=False)
            )
            raise Unreadable("; ".join(wrong)) from None

    async def sms(self, app: App, fields: Fields, key: str) -> Job[Any]:
        """The job of a text message."""
        row: SmsRow = self.read(SmsRow, fields)
        message = sms.SmsMessage.model_construct(
            to=row.to, message=row.message, workspace_id=row.workspace_id, contact_id=row.contact_id,
            metadata=row.metadata or {}, zone=row.zone, urgent=row.urgent,
        )  # fmt: skip
        job, _ = await sms.CHANNEL.send(app, message, at=_later(row.scheduled_for), key=key, unique=ONCE)
        return job

    async def email(self, app: App, fields: Fields, key: str) -> Job[Any]:
        """The job of an e-mail."""
        row: EmailRow = self.read(EmailRow, fields)
        message = email.EmailMessage.model_construct(
            to=row.to, subject=row.subject, html=row.html, text=row.text, workspace_id=row.workspace_id,
            contact_id=row.contact_id, metadata=row.metadata or {}, attachments=row.attachments or [],
            unsubscribe=row.unsubscribe,
        )  # fmt: skip
        job, _ = await email.CHANNEL.send(app, message, at=_later(row.scheduled_for), key=key, unique=ONCE)
        return job

    async def ai(self, app: App, fields: Fields, _key: str) -> Job[Any]:
        """The job of a message to answer: the one of its id, which a request may have made already."""
        row: AiRow = self.read(AiRow, fields)
        message = ai.AiMessage.model_construct(
            workspace_id=row.workspace_id, contact_id=row.contact_id, message_id=row.message_id,
            message_text=row.message_text, callback_url=row.callback_url,
        )  # fmt: skip
        job, _ = await ai.send(app, message, row.rate_limit_key)
        return job


def tables(settings: ServiceSettings) -> tuple[Table, ...]:
    """All that is read: the table of each channel, and the outbox."""
    reader = Reader(settings)
    return (
        Table("sms_queue", reader.sms, _columns(SmsRow), known=_delivered),
        Table("email_queue", reader.email, _columns(EmailRow), known=_delivered, most=20),
        Table("ai_response_queue", reader.ai, _columns(AiRow)), OUTBOX,
    )  # fmt: skip


def _columns(kind: type[_Row]) -> frozenset[str]:
    """The names that the fields of a row may have."""
    found: set[str] = set()
    for name, field in kind.model_fields.items():
        alias = field.validation_alias
        found |= {str(each) for each in alias.choices} if isinstance(alias, AliasChoices) else {name}
    return frozenset(found)


async def _delivered(app: App, key: str) -> Outcome | None:
    """What is known of the delivery of a message, which is remembered for longer than its job in a flood."""
    delivery = await Deliveries(app, reports=False).get(key)
    match delivery.state if delivery else None:
        case DeliveryState.SENT | DeliveryState.DELIVERED:
            return Outcome("complete")
        case DeliveryState.FAILED | DeliveryState.UNKNOWN as state:
            return Outcome("failed", f"{state}: {delivery.reason}" if delivery and delivery.reason else state)
    return None


def _later(at: datetime | None) -> datetime | None:
    """A time that is over by now is none: the row may have waited for us."""
    return at if at is not None and at > now() else None


def _some(value: Any, wrong: str) -> Any:
    return _fine(value, wrong if value is None else "")


def _fine(value: Any, wrong: str) -> Any:
    if wrong:
        raise PydanticCustomError("row", "{text}", {"text": wrong})
    return value


def _at_most(value: Any, size: int, limit: int, unit: str) -> Any:
    return _fine(value, f"has {size:,} {unit}, at most {limit:,} are allowed" if size > limit else "")


def _zone(value: str) -> str:
    try:
        return zone_of(value).key
    except ValueError as error:
        return cast("str", _fine(value, str(error)))


def _address(value: str) -> str:
    try:
        return normal_address(value)
    except ValueError as error:
        return cast("str", _fine(value, f"is no address of e-mail: {error}"))
