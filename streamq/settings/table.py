"""The settings, each with its default and its unit. ``Settings()`` reads ``STREAMQ_*``; nothing else does."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypedDict, get_args

from pydantic import (
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    NonNegativeInt,
    PositiveInt,
    PrivateAttr,
    SecretStr,
    ValidationError,
    field_validator,
)

from streamq.durations import Duration, seconds_of_setting
from streamq.errors import ConfigurationError, meant
from streamq.model.durability import Durability
from streamq.model.weights import as_text, weights_of
from streamq.settings import variables
from streamq.settings.location import locations

log = logging.getLogger("streamq.settings")

Seconds = Annotated[float, BeforeValidator(seconds_of_setting)]
"""A setting in seconds: a number, or a duration as people write it, such as ``250ms`` or ``5m``."""
PositiveSeconds = Annotated[Seconds, Field(gt=0)]
MOST_CONCURRENCY = 100_000
"""Slots of one worker: more tasks than one event loop serves without delay."""


class SettingsOptions(TypedDict, total=False):
    """The arguments of ``App(…)`` for the type checker: the fields of ``Settings``; a test keeps them equal."""

    redis_url: SecretStr | str | None
    redis_username: str | None
    redis_password: SecretStr | str | None
    sentinel_username: str | None
    sentinel_password: SecretStr | str | None
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
    strict_queues: bool
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
    statistics: bool
    host: str
    port: int
    api_keys: SecretStr | str
    log: Literal["console", "json"]
    log_level: Literal["debug", "info", "warning", "error"]


class Settings(BaseModel):
    """What a process needs to know. Frozen; the environment variable of ``name`` is ``STREAMQ_NAME``.

    An argument wins over the environment, and that over the file ``.env`` of the folder one is in. A secret may lie in
    a file that ``STREAMQ_NAME_FILE`` names. Raises ``ConfigurationError`` for an argument that is no setting, for a
    file that cannot be read, and for wrong values: it names each by its environment variable, and no value.
    """

    model_config = ConfigDict(
        frozen=True, extra="ignore", populate_by_name=True, validate_default=True, hide_input_in_errors=True
    )

    redis_url: SecretStr | None = Field(
        None,
        description="redis://, rediss:// or unix://, several by comma are tried in order; "
        "redis+sentinel://h1,h2,h3/name or redis+cluster://h1,h2,h3. Empty: the embedded server",
    )
    redis_username: str | None = Field(None, description="user for addresses that name none")
    redis_password: SecretStr | None = Field(None, description="password for addresses that have none")
    sentinel_username: str | None = Field(None, description="user of the Sentinels in a +sentinel address")
    sentinel_password: SecretStr | None = Field(None, description="password of these Sentinels")
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
    queues: tuple[str, ...] = Field(
        (),
        description="queues a worker serves, separated by commas, with their weights: a:3,b. Empty: all of its tasks'",
    )
    strict_queues: bool = Field(False, description="serve the queues in their order, without shares")
    concurrency: PositiveInt = Field(
        100, le=MOST_CONCURRENCY, description="jobs one worker process runs at once"
    )
    processes: PositiveInt = Field(1, le=256, description="worker processes")
    shutdown_grace: Seconds = Field(25.0, description="seconds running jobs may finish in at shutdown")
    beat: PositiveSeconds = Field(5.0, description="seconds between two beats of a worker")
    lease: PositiveSeconds = Field(15.0, description="seconds without a beat after which a worker is lost")
    stuck: PositiveSeconds = Field(600.0, description="seconds a blocked event loop is tolerated")
    crash_limit: PositiveInt = Field(3, description="crashes after which a job is failed")
    unknown_task_for: Seconds = Field(
        3_600.0, description="seconds a job waits for a worker that knows its task"
    )

    keep_completed: NonNegativeInt = Field(1_000, description="completed jobs kept")
    keep_completed_for: PositiveSeconds = Field(86_400.0, description="seconds a completed job is kept")
    keep_failed: NonNegativeInt = Field(10_000, description="failed jobs kept")
    keep_failed_for: PositiveSeconds = Field(604_800.0, description="seconds a failed job is kept")

    statistics: bool = Field(True, description="workers count what jobs come to, by minute and by hour")

    host: str = Field("127.0.0.1", description="address the API binds to")
    port: int = Field(8000, ge=0, le=65_535, description="port the API binds to")
    api_keys: SecretStr = Field(
        SecretStr(""),
        description="key=scope, separated by commas; scopes read, write, admin; keys of 16 characters or more",
    )
    log: Literal["console", "json"] = Field("console", description="format of log lines")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="lowest level logged")

    @field_validator("queues", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return as_text(weights_of(value)) if isinstance(value, str) else value

    @field_validator("queues")
    @classmethod
    def _each_once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return as_text(weights_of(value))

    @field_validator("redis_url")
    @classmethod
    def _is_readable(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None or not value.get_secret_value().strip():
            return None
        locations(value.get_secret_value())
        return value

    _given: dict[str, Any] = PrivateAttr(default_factory=dict)
    _files: dict[str, Path] = PrivateAttr(default_factory=dict)
    _read: dict[str, str] = PrivateAttr(default_factory=dict)
    _trouble: dict[str, str] = PrivateAttr(default_factory=dict)

    def __init__(self, **values: Any) -> None:
        kind = type(self)
        refuse_unknown("setting", values, kind.model_fields)
        asked = {name: names for name, names in kind.variables().items() if name not in values}
        found = variables.find(asked, kind.secrets())
        try:
            super().__init__(**found.values, **values)
        except ValidationError as error:
            told = [self._told(wrong["loc"], wrong["msg"]) for wrong in error.errors(include_input=False)]
            raise ConfigurationError("; ".join(told)) from None
        self._given, self._files = values, found.files
        self._read = {name: found.values[name] for name in found.files}

    @property
    def given(self) -> dict[str, Any]:
        """What was given as an argument, and so wins over the environment."""
        return dict(self._given)

    @classmethod
    def variables(cls) -> dict[str, tuple[str, ...]]:
        """The environment variables of each setting; the first that is set counts."""
        return {name: _variables_of(name, field.validation_alias) for name, field in cls.model_fields.items()}

    @classmethod
    def secrets(cls) -> frozenset[str]:
        """The settings that are secret: they are never shown, and each may come from a file."""
        fields = cls.model_fields.items()
        return frozenset(name for name, f in fields if SecretStr in (f.annotation, *get_args(f.annotation)))

    def secret(self, name: str) -> str:
        """A secret as text, empty when it is not set. One that came from a file is read from it again.

        While that file cannot be read the last text stays in force, and the log says so once.
        """
        if name in self._files:
            try:
                self._read[name] = variables.read_secret(self._files[name])
                self._trouble.pop(name, None)
            except ConfigurationError as error:
                if self._trouble.get(name) != str(error):
                    self._trouble[name] = str(error)
                    log.error("%s stays as it was: %s", self.variables()[name][0], error)
            return self._read[name]
        value: SecretStr | str | None = getattr(self, name)
        return (value.get_secret_value() if isinstance(value, SecretStr) else value) or ""

    def secret_file(self, name: str) -> Path | None:
        """The file that a secret came from, if it came from one."""
        return self._files.get(name)

    def remarks(self) -> list[str]:
        """Warnings about the environment: variables that are misspelt or not for us, permissions of ``.env``."""
        kinds: list[type[Settings]] = [type(self), *_of_other_packages()]
        names = [(name, setting in kind.secrets()) for kind in kinds for setting, names in kind.variables().items()
                 for name in names]  # fmt: skip
        secret = {name for name, hidden in names if hidden}
        return variables.remarks({*(n for n, _ in names), *(f"{n}_FILE" for n in secret)}, secret)

    def tell(self) -> None:
        """Log the remarks, as a role does when it starts."""
        for remark in self.remarks():
            log.warning("%s", remark)

    @classmethod
    def load(cls, **overrides: object) -> Self:
        """Read the environment; ``overrides`` win where they are not ``None``.

        Raises ``ConfigurationError`` as the settings do.
        """
        return cls(**{name: value for name, value in overrides.items() if value is not None})

    @classmethod
    def _told(cls, where: tuple[int | str, ...], said: str) -> str:
        """The variable, what is wrong and what the setting is with its unit. Not the value: it may be a secret."""
        names = cls.variables()
        first = str(where[0]) if where else ""
        name = next((name for name in names if first == name or first in names[name]), "")
        said = said.removeprefix("Value error, ")
        if not name:
            return said
        about = "" if name in cls.secrets() else f" ({cls.model_fields[name].description})"
        return f"{names[name][0]}: {said}{about}"

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
            hint = meant(name, known, f"there are {', '.join(known)}")
            raise ConfigurationError(f"{name!r} is not a {kind}: {hint}")


def _variables_of(name: str, alias: object) -> tuple[str, ...]:
    if isinstance(alias, AliasChoices):
        return tuple(str(choice) for choice in alias.choices)
    return (str(alias or f"{variables.PREFIX}{name}").upper(),)


def kinds() -> list[type[Settings]]:
    """The settings of the engine, and after them those of packages that stand on it, as the service does."""
    return [Settings, *_of_other_packages()]


def _of_other_packages() -> list[type[Settings]]:
    """Settings of packages that stand on ours, as the service does."""
    return [entry.load() for entry in entry_points(group="streamq.settings")]
