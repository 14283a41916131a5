"""What commands share: their options, and how an error becomes a message and an exit code.

0 ok   1 the operation failed   2 usage   3 not found   4 wrong state   69 server unreachable   78 configuration
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import click

import streamq
from streamq import codec

Command = Callable[..., Any]
T = TypeVar("T")


class Twin(click.Option):
    """An option with an environment twin, which help shows and the settings read.

    Click must not read it: what is typed wins over the arguments of ``App(…)``, and those win over the environment.
    """

    def resolve_envvar_value(self, ctx: click.Context) -> None:
        """Nothing: see above."""


redis_url = click.option(
    "--redis-url", cls=Twin, envvar="STREAMQ_REDIS_URL", show_envvar=True, metavar="URL",
    help="Server; several separated by commas are tried in order. Default: the one `streamq up` runs here.",
)  # fmt: skip
data_dir = click.option(
    "--data-dir", cls=Twin, envvar="STREAMQ_DATA_DIR", show_envvar=True, metavar="DIR",
    help="Folder of the embedded server. Default: .streamq",
)  # fmt: skip
as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")


def server(command: Command) -> Command:
    """The options that say which server."""
    return redis_url(data_dir(command))


def with_app(options: dict[str, Any], act: Callable[[streamq.App], Awaitable[T]]) -> T:
    """Do something with an app of no tasks, on the server that the options name."""

    async def main() -> T:
        async with streamq.App(streamq.Settings.load(**options)) as app:
            return await act(app)

    return streamq.run(main())


def echo_json(value: Any) -> None:
    """Print one JSON document."""
    click.echo(codec.dumps(value))


def table(rows: list[dict[str, Any]], empty: str) -> None:
    """Print rows under their keys, numbers to the right."""
    if not rows:
        click.echo(empty)
        return
    texts = [{key: "" if value is None else str(value) for key, value in row.items()} for row in rows]
    widths = {key: max(len(key), *(len(row[key]) for row in texts)) for key in texts[0]}
    right = {key for key in widths if all(isinstance(row[key], int | float) for row in rows)}
    for row in [{key: key for key in widths}, *texts]:
        cells = (row[key].rjust(w) if key in right else row[key].ljust(w) for key, w in widths.items())
        click.echo("  ".join(cells).rstrip())
