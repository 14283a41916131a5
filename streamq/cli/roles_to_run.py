"""What is to run of a project: its roles, the settings that are set, and the names of its secrets, not their values."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from streamq.app import App
from streamq.settings import variables
from streamq.settings.table import kinds

GIVEN_BY_THE_PLACE: Final = frozenset({"data_dir", "host", "port", "app", "log", "redis_ca"})
"""Settings that each place says itself: an address, a folder or a file of here is not one of there."""
PORT: Final = 8000
SPARE: Final = 15
"""Seconds beyond the grace of running jobs, until a role that does not end is killed."""


@dataclass(frozen=True, slots=True)
class Role:
    """One of the processes: the words behind ``streamq`` that start it."""

    name: str
    words: tuple[str, ...]
    secrets: tuple[str, ...]
    """The settings that it reads from files."""

    @property
    def is_api(self) -> bool:
        """Whether it listens."""
        return self.words[0] == "api"


@dataclass(frozen=True, slots=True)
class Plan:
    """All that is to run."""

    roles: tuple[Role, ...]
    environment: Mapping[str, str]
    """Variables of settings that are set here, none of them a secret."""
    stop_after: int
    """Seconds that a role may take to end."""

    @property
    def secrets(self) -> tuple[str, ...]:
        """Those of all roles, by the names of their settings."""
        return tuple(dict.fromkeys(name for role in self.roles for name in role.secrets))


def plan(app: App, path: str, *, each_queue: bool, with_api: bool) -> Plan:
    """What runs an app that is imported by that path. Raises ``ConfigurationError`` as settings do."""
    environment, secrets = _settings()
    if each_queue:
        environment.pop("STREAMQ_QUEUES", None)
    shared = tuple(name for name in secrets if name != "api_keys")
    roles = [Role(name, words, shared) for name, words in _workers(app, path, each_queue=each_queue)]
    roles.append(Role("scheduler", ("scheduler", path), shared))
    if with_api:
        roles.append(Role("api", ("api", path), secrets))
    return Plan(tuple(roles), environment, int(app.settings.shutdown_grace) + SPARE)


def variable_of(setting: str) -> str:
    """The variable of a setting, the first where there are several."""
    return next(kind.variables()[setting][0] for kind in kinds() if setting in kind.variables())


def _settings() -> tuple[dict[str, str], tuple[str, ...]]:
    """The variables that are set, and the names of the settings that are secret: those that are set, and two always."""
    environment, secrets = dict[str, str](), {"redis_url", "api_keys"}
    for kind in kinds():
        hidden, names = kind.secrets(), kind.variables()
        for setting, text in variables.find(names, hidden).values.items():
            if setting in hidden:
                secrets.add(setting)
            elif setting not in GIVEN_BY_THE_PLACE:
                environment[names[setting][0]] = text
    return dict(sorted(environment.items())), tuple(sorted(secrets))


def _workers(app: App, path: str, *, each_queue: bool) -> Iterator[tuple[str, tuple[str, ...]]]:
    if not each_queue:
        yield "worker", ("worker", path)
        return
    queues = sorted({task.queue for task in app.tasks.values()})
    for name, queue in zip(_names(queues), queues, strict=True):
        yield name, ("worker", path, "--queues", queue)


def _names(queues: Iterable[str]) -> Iterator[str]:
    """A name for the worker of each that every place takes: small letters, digits and hyphens."""
    taken = set[str]()
    for queue in queues:
        plain = re.sub(r"[^a-z0-9]+", "-", queue.lower()).strip("-")[:40].strip("-") or "queue"
        name = next(each for each in _numbered(f"worker-{plain}") if each not in taken)
        taken.add(name)
        yield name


def _numbered(name: str) -> Iterator[str]:
    yield name
    for number in range(2, 100_000):
        yield f"{name}-{number}"
