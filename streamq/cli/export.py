"""``streamq export``: files that run the roles of a project elsewhere."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING

import click

import streamq
from streamq.cli import Group
from streamq.cli.options import Command, Option, app_named
from streamq.cli.outlet import say

if TYPE_CHECKING:
    from streamq.cli.roles_to_run import Plan


@click.group(cls=Group)
def export() -> None:
    """Write files that run workers, a scheduler and the API elsewhere, from the app and the settings of here.

    \b
    Example:
      streamq export compose shop:app --to deploy
    """


def _of_all(command: Command) -> Command:
    to = click.option(
        "--to", cls=Option, default=".", show_default=True, metavar="FOLDER", help="Where to write them."
    )
    each = click.option(
        "--each-queue", cls=Option, is_flag=True, help="A worker of its own for each queue of APP."
    )
    return app_named(to(each(command)))


_image = click.option(
    "--image", cls=Option, default="streamq", show_default=True, help="Of a container, with APP in it."
)


@export.command()
@_of_all
@_image
def compose(app: str | None, to: str, each_queue: bool, image: str) -> None:
    """Write a compose.yaml. Secrets lie in files beside it, which are yours to write.

    \b
    Example:
      streamq export compose shop:app --image shop:1 --to deploy
    """
    from streamq.cli import run_files  # noqa: PLC0415  # --help need not pay for it

    _write(app, to, lambda plan: run_files.compose(plan, image), each_queue=each_queue)


@export.command()
@_of_all
def systemd(app: str | None, to: str, each_queue: bool) -> None:
    """Write a unit for each role, and streamq.target for all. Secrets lie in /etc/streamq, a file each.

    \b
    Example:
      streamq export systemd shop:app --to units
    """
    from streamq.cli import run_files  # noqa: PLC0415  # as above

    program = shutil.which(sys.argv[0]) or shutil.which("streamq") or "/usr/local/bin/streamq"
    at = str(Path(program).absolute())
    _write(app, to, lambda plan: run_files.systemd(plan, at, Path.cwd()), each_queue=each_queue)


@export.command()
@_of_all
@_image
def k8s(app: str | None, to: str, each_queue: bool, image: str) -> None:
    """Write streamq.yaml for Kubernetes. The secret that it names is yours to make.

    \b
    Example:
      streamq export k8s shop:app --image shop:1 --each-queue --to deploy
    """
    from streamq.cli import run_files  # noqa: PLC0415  # as above

    _write(app, to, lambda plan: run_files.k8s(plan, image), each_queue=each_queue)


def _write(
    app: str | None, to: str, make: Callable[[Plan], dict[str, str]], *, each_queue: bool
) -> None:  # fmt: skip
    """Nothing is overwritten."""
    from streamq.cli.roles_to_run import plan  # noqa: PLC0415  # as above

    path = app or streamq.Settings.load().app
    loaded = streamq.load_app(app)
    has_api = bool(entry_points(group="streamq.commands", name="api"))
    files = make(plan(loaded, str(path), each_queue=each_queue, with_api=has_api))
    folder = Path(to)
    if there := [name for name in files if (folder / name).exists()]:
        raise streamq.UsageError(
            f"{folder}/ has {', '.join(there)} already: name another folder with --to, or move them away"
        )
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text)
    say(f"wrote {', '.join(str(folder / name) for name in files)}")
