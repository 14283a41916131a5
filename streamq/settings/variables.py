"""The environment of a process, as settings are read from it: variables, the file ``.env``, and files of secrets.

What is set nearer to the process wins:

    1  the environment            STREAMQ_PORT=8080 streamq api
    2  .env of the folder one is in, with the same names; the environment itself is not changed by it

A secret may lie in a file: ``STREAMQ_REDIS_PASSWORD_FILE`` names the file of ``STREAMQ_REDIS_PASSWORD``. Whatever is
wrong with a file ends in an error, never in a default.
"""

from __future__ import annotations

import io
import os
import re
import stat
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from dotenv.parser import parse_stream

from streamq.errors import ConfigurationError, meant

PREFIX: Final = "STREAMQ_"
DOTENV: Final = Path(".env")
LARGEST: Final = 65_536
"""Bytes of a file of a secret, far more than any has: a larger file was named by mistake. ``.env`` may have a hundred
times as many."""

_OTHER_OURS: Final = re.compile(
    r"STREAMQ_(SUPERVISED|BENCH_\w+|JSON|ACTOR|UP_DEMO|WORKER_(UNDECLARED|NO_DUTIES)|DOCTOR_REPAIR"
    r"|(JOB|QUEUE|GROUP|SHARED|BREAKER|SCHEDULE|OPERATION|ERRORS|AUDIT|KEY|EVENTS|EXPORT|IMPORT)_[A-Z0-9]+_[A-Z_]+|(STATS|TOP|SLOW|MIGRATE)_[A-Z_]+"
    r"|SANDBOX_(HOST|PORT|LEDGER|REPORT_TO)|INTAKE_(URL|INIT_PRINTED))"
)
"""Variables that our own programs pass to each other, and those of options of commands."""
_SERVICE_LINK: Final = re.compile(
    r"STREAMQ_(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)"
)
"""What Kubernetes sets in every container beside a service whose name begins with ``streamq``."""
_LINK_NAME: Final = re.compile(r"STREAMQ_(\w+_)?PORT")
_LINK_VALUE: Final = re.compile(r"(tcp|udp|sctp)://\S+:\d+")


@dataclass(frozen=True, slots=True)
class Found:
    """What was found for the settings: their texts, and the files of those that came from one."""

    values: dict[str, str] = field(default_factory=dict, repr=False)
    files: dict[str, Path] = field(default_factory=dict)


def environment_with(**more: str) -> dict[str, str]:
    """The environment for a process of ours, with some variables more."""
    return {**os.environ, **more}


def runtime_folder() -> Path | None:
    """The folder that the system keeps for what this user runs; None if it names none."""
    named = Path(os.environ.get("XDG_RUNTIME_DIR", ""))
    return named if named.is_absolute() else None


def find(variables: Mapping[str, Collection[str]], secret: Collection[str]) -> Found:
    """The texts of the settings. ``variables`` has the names of each; those in ``secret`` may lie in a file.

    Raises ``ConfigurationError`` that names every file that cannot be read, and every secret that is set twice.
    """
    sources, found, wrong = _sources(), Found(), []
    for setting, names in variables.items():
        files = [f"{name}_FILE" for name in names] if setting in secret else []
        for source in sources:
            plain = [name for name in names if source.get(name)]
            named = [name for name in files if source.get(name)]
            if plain and named:
                wrong.append(f"{plain[0]} and {named[0]} are both set: keep one of them")
            elif named and not _is_there(path := Path(source[named[0]])):
                # the path is not shown: it may be the secret itself, given in its place
                wrong.append(
                    f"{named[0]}: there is no file as it names: it must be the path of one, not the secret"
                )
            elif named:
                try:
                    found.values[setting] = read_secret(path)
                    found.files[setting] = path
                except ConfigurationError as error:
                    wrong.append(f"{named[0]}: {error}")
            elif plain:
                found.values[setting] = source[plain[0]]
            if plain or named:
                break
    if wrong:
        raise ConfigurationError("; ".join(wrong))
    return found


def read_secret(path: Path) -> str:
    """The text of a file of a secret, without the newline at its end. Raises ``ConfigurationError``."""
    text = _text(path, LARGEST).rstrip("\r\n")
    if not text.strip():
        raise ConfigurationError(f"the file {path} is empty")
    return text


def remarks(known: Collection[str], secret: Collection[str]) -> list[str]:
    """Warnings about the environment, a sentence each. ``known`` are the variables that are settings."""
    said, in_file = [], dotenv()
    for name, value in {**in_file, **_ours(os.environ)}.items():
        if name in known and _is_link(name, value):
            said.append(f"{name} is what Kubernetes sets for a service named streamq, and is passed over")
    for name in unknown({**in_file, **_ours(os.environ)}, known):
        hint = meant(name, known)
        said.append(f"{name} is no setting of streamq and has no effect{hint and ': '}{hint}")
    if in_file.keys() & set(secret) and DOTENV.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH):
        said.append("the file .env holds a secret and may be read by other users: chmod 600 .env")
    return said


def unknown(source: Mapping[str, str], known: Collection[str]) -> list[str]:
    """Variables with our prefix that are neither settings nor what Kubernetes sets beside a service."""
    return [
        name
        for name, value in source.items()
        if name.startswith(PREFIX) and name not in known
        if not (_OTHER_OURS.fullmatch(name) or _SERVICE_LINK.fullmatch(name) or _is_link(name, value))
    ]


def dotenv() -> dict[str, str]:
    """The variables in ``.env`` of the folder one is in. Raises ``ConfigurationError`` for a line that is none.

    Also for a file that another user could have written: it decides which code runs, and with which server. And for a
    path that is no file: a container gets a folder in the place of a missing file, which may have had the passwords.
    """
    if not os.path.lexists(DOTENV) or _is_nothing(DOTENV):
        return {}
    if not DOTENV.is_file():
        raise ConfigurationError(
            f"{DOTENV.absolute()} is there and is not a file that can be read: make it one, or remove it"
        )
    about = DOTENV.stat()
    if about.st_mode & stat.S_IWOTH or (about.st_uid not in (0, os.geteuid()) and os.geteuid()):
        raise ConfigurationError(
            f"the file {DOTENV.absolute()} can be written by other users, so it is not read: "
            "make it yours alone (chown, chmod 600), or remove it"
        )
    return _ours(dict(_entries(_text(DOTENV, 100 * LARGEST))))


def _sources() -> list[dict[str, str]]:
    """The environment, then ``.env``, without what Kubernetes put there."""
    return [
        {name: value for name, value in source.items() if not _is_link(name, value)}
        for source in (_ours(os.environ), dotenv())
    ]


def _ours(source: Mapping[str, str]) -> dict[str, str]:
    """By the name in capitals; the name that is written so wins."""
    every = {name.upper(): value for name, value in source.items()} | dict(source)
    return {name: value for name, value in every.items() if name.isupper()}


def _is_link(name: str, value: str) -> bool:
    return bool(_LINK_NAME.fullmatch(name) and _LINK_VALUE.fullmatch(value))


def _is_nothing(path: Path) -> bool:
    """``/dev/null``, by which a file is hidden from a container on purpose."""
    try:
        about = path.stat()
    except OSError:  # a link to nothing
        return False
    return stat.S_ISCHR(about.st_mode) and about.st_rdev == Path(os.devnull).stat().st_rdev


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # too long for a name
        return False


def _text(path: Path, most: int) -> str:
    try:
        if not path.is_file():  # a pipe would be read once, and block
            raise ConfigurationError(f"{path} is not a file" if path.exists() else f"there is no file {path}")
        with path.open("rb") as file:
            content = file.read(most + 1)
        if len(content) > most:
            raise ConfigurationError(f"the file {path} has more than {most} bytes")
        return content.decode("utf-8-sig")
    except OSError as error:
        raise ConfigurationError(f"the file {path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"the file {path} is not text in UTF-8") from None


def _entries(text: str) -> Iterator[tuple[str, str]]:
    for binding in parse_stream(io.StringIO(text)):
        if binding.error or (binding.key and binding.value is None):
            at, said = binding.original.line, binding.original.string  # blank lines before it are part of it
            at += said[: len(said) - len(said.lstrip())].count("\n")
            raise ConfigurationError(f".env, line {at}: write NAME=value, and a value with quotes as 'value'")
        if binding.key and binding.value is not None:
            yield binding.key, binding.value
