"""The settings, each with its default and its unit. ``Settings()`` reads ``STREAMQ_*``; nothing else does."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypedDict

from pydantic import (
    BeforeValidator,
    Field,
    NonNegativeInt,
    PositiveInt,
    PrivateAttr,
    SecretStr,
    ValidationError,
    field_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from streamq.durations import Duration, seconds_of
from streamq.errors import ConfigurationError

Durability = Literal["memory", "fsync", "replica"]
"""How safe an acknowledged job is: in the server's memory, on its disk, or on a replica."""

Seconds = Annotated[float, BeforeValidator(seconds_of)]
"""A setting in seconds: a number, or a duration as people write it, such as ``250ms`` or ``5m``."""
PositiveSeconds = Annotated[Seconds, Field(gt=0)]


class SettingsOptions(TypedDict, total=False):
    """The arguments of ``App(…)`` for the type checker: the fields of ``Settings``; a test keeps them equal."""

    redis_url: str | None
    redis_username: str | None
    redis_password: SecretStr | str | None
    redis_ca: Path | str | None
    prefix: str
    data_dir: Path | str
    connect_timeout: Duration
    command_timeout: Duration
    ready_timeout: Duration
    enqueue_timeout: Duration
    connections: int
    durability: Durability
    max_payload: int
    max_result: int
    app: str | None
    queues: Sequence[str] | str
    concurrency: int
    processes: int
    shutdown_grace: Duration
    beat: Duration
    lease: Duration
    stuck: Duration
    crash_limit: int
    unknown_task_for: Duration
    keep_completed: int
    keep_completed_for: Duration
    keep_failed: int
    keep_failed_for: Duration
    host: str
    port: int
    api_keys: SecretStr | str
    log: Literal["console", "json"]
    log_level: Literal["debug", "info", "warning", "error"]


class Settings(BaseSettings):
    """What a process needs to know. Frozen; the environment variable of ``name`` is ``STREAMQ_NAME``.

    Raises ``ConfigurationError`` for an argument that is no setting.
    """

    model_config = SettingsConfigDict(
        env_prefix="STREAMQ_", frozen=True, extra="ignore", env_ignore_empty=True
    )

    redis_url: str | None = Field(
        None,
        description="redis://, rediss:// or unix://; several, by comma, are tried in order. Empty: the embedded server",
    )
    redis_username: str | None = Field(None, description="user for addresses that name none")
    redis_password: SecretStr | None = Field(None, description="password for addresses that have none")
    redis_ca: Path | None = Field(None, description="file of the certificate authority for rediss://")
    prefix: str = Field("sq", pattern=r"^[A-Za-z0-9_.-]{1,32}$", description="first part of every key")
    data_dir: Path = Field(Path(".streamq"), description="folder of the embedded server")

    connect_timeout: PositiveSeconds = Field(5.0, description="seconds to connect to one address")
    command_timeout: PositiveSeconds = Field(15.0, description="seconds an ordinary command may take")
    ready_timeout: PositiveSeconds = Field(30.0, description="seconds to wait for the server at start")
    enqueue_timeout: PositiveSeconds = Field(
        5.0, description="seconds an enqueue waits for its answer, and is repeated"
    )
    connections: PositiveInt = Field(4, description="connections for ordinary commands, per process")

    durability: Durability = Field("memory", description="memory, fsync (WAITAOF) or replica (WAIT)")
    max_payload: PositiveInt = Field(65_536, description="bytes of an encoded payload")
    max_result: PositiveInt = Field(1_048_576, description="bytes of an encoded result")

    app: str | None = Field(None, description="module:attribute of the app that roles run")
    queues: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="queues a worker serves, separated by commas. Empty: all of its tasks'"
    )
    concurrency: PositiveInt = Field(100, le=100_000, description="jobs one worker process runs at once")
    processes: PositiveInt = Field(1, le=256, description="worker processes")
    shutdown_grace: Seconds = Field(25.0, description="seconds running jobs may finish in at shutdown")
    beat: PositiveSeconds = Field(5.0, description="seconds between two beats of a worker")
    lease: PositiveSeconds = Field(15.0, description="seconds without a beat after which a worker is lost")
    stuck: PositiveSeconds = Field(600.0, description="seconds a blocked event loop is put up with")
    crash_limit: PositiveInt = Field(3, description="crashes after which a job is failed")
    unknown_task_for: Seconds = Field(
        3_600.0, description="seconds a job waits for a worker that knows its task"
    )

    keep_completed: NonNegativeInt = Field(1_000, description="completed jobs kept")
    keep_completed_for: PositiveSeconds = Field(86_400.0, description="seconds a completed job is kept")
    keep_failed: NonNegativeInt = Field(10_000, description="failed jobs kept")
    keep_failed_for: PositiveSeconds = Field(604_800.0, description="seconds a failed job is kept")

    host: str = Field("127.0.0.1", description="address the API binds to")
    port: int = Field(8000, ge=0, le=65_535, description="port the API binds to")
    api_keys: SecretStr = Field(
        SecretStr(""), description="key=scope[+scope], separated by commas; scopes read, write, admin"
    )
    log: Literal["console", "json"] = Field("console", description="format of log lines")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="lowest level logged")

    @field_validator("queues", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(q.strip() for q in value.split(",") if q.strip()) if isinstance(value, str) else value

    _given: dict[str, Any] = PrivateAttr(default_factory=dict)

    def __init__(self, **values: Any) -> None:
        refuse_unknown("setting", values, type(self).model_fields)
        super().__init__(**values)
        self._given = values

    @property
    def given(self) -> dict[str, Any]:
        """What was given as an argument, and so wins over the environment."""
        return dict(self._given)

    @classmethod
    def load(cls, **overrides: object) -> Self:
        """Read the environment; ``overrides`` win where they are not ``None``.

        Raises ``ConfigurationError`` that names every wrong setting by its environment variable.
        """
        given = {name: value for name, value in overrides.items() if value is not None}
        try:
            return cls(**given)
        except ValidationError as error:
            wrong = "; ".join(
                f"STREAMQ_{str(e['loc'][0]).upper().removeprefix('STREAMQ_') if e['loc'] else '…'}: {e['msg']}"
                for e in error.errors()
            )
            raise ConfigurationError(wrong) from None

    def model_post_init(self, _context: object, /) -> None:
        if self.lease < 2 * self.beat:
            raise ConfigurationError(
                f"STREAMQ_LEASE is {self.lease:g} s, less than two beats of {self.beat:g} s: "
                "a worker that misses one beat would be declared lost"
            )


def refuse_unknown(kind: str, given: Mapping[str, Any], known: Iterable[str]) -> None:
    """Raise ``ConfigurationError`` for the first name that is not known, with the one that may be meant."""
    known = sorted(known)
    for name in given:
        if name not in known:
            near = get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
            raise ConfigurationError(f"{name!r} is not a {kind}: {hint}")


def environment_with(**more: str) -> dict[str, str]:
    """The environment for a process of ours, with some variables more."""
    return {**os.environ, **more}


def runtime_folder() -> Path | None:
    """The folder that the system keeps for what this user runs; None if it names none."""
    named = Path(os.environ.get("XDG_RUNTIME_DIR", ""))
    return named if named.is_absolute() else None
