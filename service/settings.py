"""Settings of the service: those of the engine, and these."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final, Literal

from pydantic import AliasChoices, Field, SecretStr, field_validator

from streamq import InvalidLimit, Limit
from streamq.settings import Seconds

from .access_settings import AccessSettings
from .urls import check_database, check_http, parts_of

SIMULATED: Final = "simulated"
"""In the place of the address of a model: replies are made without one."""
_FORM: Final = re.compile(r"^[a-z]+\+(?=https?://)")
"""What may stand before the address of a provider of text messages."""
_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{0,40}")
_HOST: Final = re.compile(r"(?:[A-Za-z0-9_.-]+|\[?[0-9A-Fa-f:.]+\]?)?")
_PATH: Final = re.compile(r"(/[A-Za-z0-9._~-]+)*")


class ServiceSettings(AccessSettings):
    """Read from ``STREAMQ_<NAME>``; arguments win over the environment. Frozen.

    Raises ``ConfigurationError`` for a value out of its range.
    """

    traces: bool = Field(
        default=False,
        description="Trace by OpenTelemetry what is sent and run; a request with a traceparent is part of that trace.",
    )
    sms_api_url: SecretStr | None = Field(
        default=None,
        validation_alias=AliasChoices("STREAMQ_SMS_API_URL", "SMS_API_URL"),
        description="Base URL of the SMS provider; messages go to {SMS_API_URL}/send-sms. Default: none.",
    )
    sms_timeout: Seconds = Field(
        default=15.0, gt=0, le=600, description="Seconds one call to the provider may take."
    )
    sms_attempts: int = Field(default=8, ge=1, le=100, description="Attempts before a message is failed.")
    sms_backoff: Seconds = Field(
        default=2.0, gt=0, le=3600, description="Seconds before the second attempt; doubles after each."
    )
    sms_max_retry_after: Seconds = Field(
        default=3600.0, gt=0, description="Seconds: the longest Retry-After of a provider that is honoured."
    )
    sms_max_length: int = Field(default=1600, ge=1, description="Characters a message may have.")
    sms_concurrency: int | None = Field(
        default=None,
        ge=1,
        le=1_000_000,
        description="Messages that all workers together send at once. Default: as many as they have slots.",
    )
    sms_rate: str | None = Field(
        default=None,
        description="Messages that all workers together send in a time, as 100/s. Default: no limit.",
    )
    sms_provider_rates: str = Field(
        default="",
        description="Text messages that each of several providers is given in a time, as main=50/s,backup=10/s.",
    )
    sms_numbers: Literal["e164", "any"] = Field(
        default="e164",
        description="e164 takes recipients in international form alone, any takes short codes and aliases too.",
    )
    sms_region: str | None = Field(
        default=None,
        pattern="^[A-Z]{2}$",
        description="Country of numbers without a +, as two letters such as DE. Default: none, they are refused.",
    )
    sms_unknown: Literal["resend", "ask", "hold"] = Field(
        default="resend",
        description="What is done with a message whose answer, or worker, was lost: resend, ask the provider, or hold.",
    )
    sms_report_secret: SecretStr = Field(
        default=SecretStr(""),
        description="Secret of delivery reports of the plain form (Standard Webhooks). Default: no report is taken.",
    )
    public_url: str = Field(
        default="",
        description="Address of this service from outside, as https://jobs.example.com or below. Default: none.",
    )
    link_secret: SecretStr = Field(
        default=SecretStr(""),
        description="Secret that links to end e-mails are signed with. Default: none, there are no links.",
    )
    quiet_hours: str = Field(
        default="",
        description="When no text message goes out, by its recipient's clock, as 21:00-08:00. Default: never.",
    )
    quiet_zone: str = Field(
        default="UTC", description="Time zone of recipients whose number says none, as Europe/Berlin."
    )
    recipient_cap: int | None = Field(
        default=None, ge=1, description="Text messages of a recipient in 24 hours. Default: no limit."
    )
    workspace_concurrency: int | None = Field(
        default=None,
        ge=1,
        le=1_000_000,
        description="Messages of a workspace that are sent at once, by queue.",
    )
    workspace_rate: str | None = Field(
        default=None, description="Messages of a workspace in a time, as 10/s, by queue. Default: no limit."
    )
    contact_concurrency: int | None = Field(
        default=None, ge=1, le=1_000_000, description="Messages of a contact that are sent at once, by queue."
    )
    contact_rate: str | None = Field(
        default=None, description="Messages of a contact in a time, as 5/m, by queue. Default: no limit."
    )
    workspace_names: str = Field(
        default="",
        validation_alias=AliasChoices("STREAMQ_WORKSPACE_NAMES", "WORKSPACE_NAMES"),
        description=(
            "Names of workspaces by their ids: a JSON object, a file that has one, or table:NAME of the database of "
            "STREAMQ_INTAKE_URL, with the columns id and name. Default: none."
        ),
    )
    email_unknown: Literal["resend", "ask", "hold"] = Field(
        default="resend",
        description="The same of an e-mail; a mail server cannot be asked.",
    )
    email_api_url: SecretStr | None = Field(
        default=None,
        validation_alias=AliasChoices("STREAMQ_EMAIL_API_URL", "EMAIL_API_URL"),
        description="Base URL of the e-mail provider; messages go to {EMAIL_API_URL}/send-email. Default: none.",
    )
    smtp_url: SecretStr | None = Field(
        default=None,
        validation_alias=AliasChoices("STREAMQ_SMTP_URL", "SMTP_URL"),
        description="Mail server, as smtp://login:password@mail.example.com:587 or smtps://…. Default: none.",
    )
    email_from: str | None = Field(
        default=None, description="Sender of e-mail by SMTP, as Shop <shop@example.com>. Default: none."
    )
    email_timeout: Seconds = Field(
        default=30.0, gt=0, le=600, description="Seconds one call to the e-mail provider may take."
    )
    email_attempts: int = Field(default=8, ge=1, le=100, description="Attempts before an e-mail is failed.")
    email_backoff: Seconds = Field(
        default=2.0, gt=0, le=3600, description="Seconds before its second attempt; doubles after each."
    )
    email_max_retry_after: Seconds = Field(
        default=3600.0,
        gt=0,
        description="Seconds: the longest Retry-After of an e-mail provider that is honoured.",
    )
    email_concurrency: int | None = Field(
        default=None,
        ge=1,
        le=1_000_000,
        description="E-mails that all workers together send at once. Default: as many as they have slots.",
    )
    email_rate: str | None = Field(
        default=None,
        description="E-mails that all workers together send in a time, as 100/s. Default: no limit.",
    )
    email_max_attachments: int = Field(
        default=1_048_576, ge=0, description="Bytes that the attachments of an e-mail may have together."
    )
    ai_api_url: SecretStr | None = Field(
        default=None,
        validation_alias=AliasChoices("STREAMQ_AI_API_URL", "AI_API_URL"),
        description="Base of an OpenAI-compatible endpoint, as https://api.example.com/v1, or simulated. Default: no.",
    )
    ai_api_key: SecretStr = Field(
        default=SecretStr(""),
        validation_alias=AliasChoices("STREAMQ_AI_API_KEY", "AI_API_KEY"),
        description="Key of that endpoint. Default: none.",
    )
    ai_model: str = Field(default="gpt-4o-mini", min_length=1, description="Model that answers.")
    ai_prompt: str = Field(
        default="You answer messages of customers, briefly and kindly.",
        max_length=8_000,
        description="What the model is told before each conversation.",
    )
    ai_prompts: str | None = Field(
        default=None,
        description="Prompts of workspaces, as a JSON object of their ids, or a file that holds one. Default: none.",
    )
    ai_price: float | None = Field(
        default=None,
        ge=0,
        le=1_000_000,
        description="Price of 1,000,000 tokens, from which the cost of a reply is told. Default: none.",
    )
    ai_context: int = Field(
        default=5, ge=0, le=50, description="Earlier messages of a contact that the model is told."
    )
    ai_first_token: Seconds = Field(
        default=30.0, gt=0, le=600, description="Seconds to the first token of a reply."
    )
    ai_next_token: Seconds = Field(
        default=15.0, gt=0, le=600, description="Seconds from one token to the next."
    )
    ai_timeout: Seconds = Field(default=120.0, gt=0, le=3600, description="Seconds that a reply may take.")
    ai_max_tokens: int = Field(default=500, ge=1, le=100_000, description="Tokens that a reply may have.")
    ai_budget: int | None = Field(
        default=None,
        ge=1,
        description="Tokens of a workspace and day; then its messages wait. Default: no limit.",
    )
    ai_concurrency: int | None = Field(
        default=None,
        ge=1,
        le=1_000_000,
        description="Replies that all workers together make at once. Default: as many as they have slots.",
    )
    ai_rate: str | None = Field(
        default=None,
        description="Replies that all workers together make in a time, as 100/s. Default: no limit.",
    )
    callback_hosts: str = Field(
        default="", description="Hosts that callbacks may go to, separated by commas. Default: all."
    )
    callback_private: bool = Field(
        default=False, description="Let callbacks go to addresses of this machine and of private networks."
    )
    callback_secret: SecretStr = Field(
        default=SecretStr(""),
        description="Secret that callbacks are signed with (Standard Webhooks), base64 after whsec_. Default: none.",
    )
    callback_timeout: Seconds = Field(
        default=15.0, gt=0, le=600, description="Seconds that a callback may take."
    )
    callback_attempts: int = Field(
        default=12, ge=1, le=100, description="Attempts before a callback is failed."
    )
    callback_backoff: Seconds = Field(
        default=5.0,
        gt=0,
        le=3600,
        description="Seconds before its second attempt; doubles after each, up to an hour.",
    )
    callback_max_retry_after: Seconds = Field(
        default=3600.0, gt=0, description="Seconds: the longest Retry-After of a callback that is honoured."
    )
    log_messages: bool = Field(
        default=False,
        description="Let logs and errors show words and recipients of messages, for a while and never for long.",
    )
    intake_url: SecretStr | None = Field(
        default=None,
        description="Database whose rows become jobs, as postgresql://login:password@db.example.com/app. Default: no.",
    )
    intake_poll: Seconds = Field(
        default=5.0, ge=0.1, le=3600, description="Seconds after which it is looked at where nothing rings."
    )
    intake_batch: int = Field(
        default=200, ge=1, le=10_000, description="Rows of a table that a process takes at once."
    )
    intake_realtime_url: SecretStr | None = Field(
        default=None,
        description="Supabase project that rings instead of LISTEN, as https://project.example.com, or none.",
    )
    intake_realtime_key: SecretStr = Field(
        default=SecretStr(""), description="Key of that project. Default: none."
    )
    default_workspace_id: str | None = Field(
        default=None,
        min_length=1,
        max_length=256,
        description="Workspace of a message that says none. Default: none, it is refused.",
    )
    default_contact_id: str | None = Field(
        default=None,
        min_length=1,
        max_length=256,
        description="Contact of a message that says none. Default: none.",
    )
    schedule_delay_unit: Literal["s", "ms"] = Field(
        default="s",
        description="Unit of a delay that is a number, at /api/schedule-*: s, or ms as the predecessor had it.",
    )
    max_body: int = Field(
        default=262_144, ge=1024, le=67_108_864, description="Bytes a request body may have."
    )
    base_path: str = Field(
        default="", description="Path the service is mounted under, such as /jobs. Default: none."
    )
    capacity_coefficients: Path | None = Field(
        default=None,
        description="File of `streamq bench plan --save`, for GET /api/v1/capacity. Default: one that is shipped.",
    )
    feed_interval: Seconds = Field(
        default=1.0, ge=0.1, le=60, description="Seconds between two samples of the live counts."
    )
    max_watchers: int = Field(
        default=200,
        ge=1,
        le=10_000,
        description="Browsers that may follow the live counts at once; one key may have a quarter of them.",
    )

    @field_validator("smtp_url")
    @classmethod
    def _mail_server_is_smtp(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None or not value.get_secret_value():
            return None
        parts = parts_of(value.get_secret_value())
        if parts is None or parts.scheme not in ("smtp", "smtps"):
            raise ValueError(
                "it must be an address such as smtp://login:password@mail.example.com:587, or smtps://…"
            )
        return value

    @field_validator("intake_url")
    @classmethod
    def _database_is_postgresql(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None or not value.get_secret_value():
            return None
        check_database(value.get_secret_value())
        return value

    @field_validator("intake_realtime_url")
    @classmethod
    def _realtime_is_a_websocket(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None or not value.get_secret_value():
            return None
        parts = parts_of(value.get_secret_value())
        if parts is None or parts.scheme not in ("http", "https", "ws", "wss"):
            raise ValueError("it must be an address such as https://project.example.com, or wss://…")
        return value

    @field_validator("email_api_url", "ai_api_url")
    @classmethod
    def _provider_is_http(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None or not value.get_secret_value():
            return None
        if value.get_secret_value() != SIMULATED:
            check_http(value.get_secret_value())
        return value

    @field_validator("sms_api_url")
    @classmethod
    def _providers_are_http(cls, value: SecretStr | None) -> SecretStr | None:
        """Several are separated by spaces; before each may stand its form."""
        if value is None or not value.get_secret_value():
            return None
        for each in value.get_secret_value().split(" "):
            address, _, name = _FORM.sub("", each).partition("#")
            if not _NAME.fullmatch(name):
                raise ValueError(
                    "a # begins the name of a provider, of letters and digits: in a password write %23"
                )
            check_http(address)
        return value

    @field_validator("public_url")
    @classmethod
    def _service_is_http(cls, value: str) -> str:
        if value:
            check_http(value)
        return value

    @field_validator("sms_rate", "email_rate", "ai_rate", "workspace_rate", "contact_rate")
    @classmethod
    def _is_a_rate(cls, value: str | None) -> str | None:
        if not value:
            return None
        try:
            Limit(rate=value)
        except InvalidLimit as error:
            raise ValueError(str(error)) from None
        return value

    @field_validator("callback_hosts")
    @classmethod
    def _are_hosts(cls, value: str) -> str:
        for each in value.split(","):
            if not _HOST.fullmatch(each.strip()):
                raise ValueError("it must be names of hosts alone, such as hooks.example.com,api.example.com")
        return value

    @field_validator("default_workspace_id", "default_contact_id")
    @classmethod
    def _is_an_id(cls, value: str | None) -> str | None:
        if value is not None and not (value.strip() and value.isprintable()):
            raise ValueError("it must be printable, and not blank")
        return value

    @field_validator("base_path")
    @classmethod
    def _base_path_is_absolute(cls, value: str) -> str:
        path = value.rstrip("/")
        if not _PATH.fullmatch(path) or {".", ".."} & set(path.split("/")):
            raise ValueError("it must be a path of letters, digits and . _ ~ - after slashes, such as /jobs")
        return path
