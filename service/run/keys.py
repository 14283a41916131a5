"""The commands ``streamq key create``, ``ls`` and ``revoke``."""

# ruff: noqa: PLC0415 - what a command needs is imported when it runs, so that help is instant

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from streamq.cli.names import QUEUE
from streamq.cli.options import Option, as_json, by_actor, server, with_app
from streamq.cli.outlet import complain, echo_json, say, table
from streamq.exits import Exit

if TYPE_CHECKING:
    from ..http.made_keys import MadeKeys

T = TypeVar("T")


@click.group()
def key() -> None:
    """Make, list and revoke API keys."""


@key.command()
@click.option(
    "--scope", cls=Option, type=click.Choice(["read", "write", "admin"]), default="read", show_default=True,
    help="What it allows.",
)  # fmt: skip
@click.option("--name", cls=Option, default="", help="Whose it is, for lists and the audit trail.")
@click.option(
    "--expires", cls=Option, metavar="DURATION", help="When it ends, as 30d. Default: in ten years."
)
@click.option(
    "--queue",
    "queues",
    cls=Option,
    type=QUEUE,
    multiple=True,
    help="A queue that it is for; for several, again.",
)
@click.option(
    "--rate", cls=Option, metavar="RATE", help="Requests that each API process takes of it, as 10/s."
)
@by_actor
@server
@as_json
def create(
    scope: str, name: str, expires: str | None, queues: tuple[str, ...], rate: str | None, as_json: bool, **given: Any
) -> None:  # fmt: skip
    """Make a key, and print it: it cannot be shown again.

    From then on the API asks everybody for a key. API processes know it within two seconds.

    \b
    Example:
      streamq key create --scope write --name shop --expires 90d
      streamq key create --scope read --queue send-sms-queue --rate 10/s
    """
    from ..http.auth import Scope

    async def make(keys: MadeKeys) -> tuple[Any, str]:
        return await keys.create(Scope[scope.upper()], name=name, expires=expires, queues=queues, rate=rate)

    made, text = _with_keys(given, make)
    if as_json:
        echo_json({**made.asdict(), "key": text})
    else:
        say(text)
        complain(f"key {made.id}, scope {scope}: keep it now, it cannot be shown again")


@key.command()
@server
@as_json
def ls(as_json: bool, **given: Any) -> None:
    """List the keys that were made, without their texts.

    \b
    Example:
      streamq key ls
    """
    rows = [each.asdict() for each in _with_keys(given, lambda keys: keys.all())]
    if as_json:
        echo_json({"keys": rows})
    else:
        table([{**row, "queues": ", ".join(row["queues"]) or "all"} for row in rows], "no key was made")


@key.command()
@click.argument("key_id", metavar="ID")
@by_actor
@server
@as_json
def revoke(key_id: str, as_json: bool, **given: Any) -> None:
    """Refuse a key from now on, by its id.

    \b
    Example:
      streamq key revoke 9f86d081
    """
    done = _with_keys(given, lambda keys: keys.revoke(key_id))
    if as_json:
        echo_json({"id": key_id, "revoked": done})
    elif done:
        say(f"key {key_id} is revoked: API processes refuse it within two seconds")
    if not done:
        complain(f"no key {key_id} is in force: `streamq key ls` lists them")
        raise SystemExit(Exit.NOT_FOUND)


def _with_keys(given: dict[str, Any], act: Callable[[MadeKeys], Awaitable[T]]) -> T:
    """What an act on the keys comes to."""
    from ..http.made_keys import MadeKeys

    return with_app(given, lambda app: act(MadeKeys(app)))
