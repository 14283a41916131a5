"""``streamq import``: jobs of another job system come here."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

import streamq
from streamq.cli import Group
from streamq.cli.ending import code_of
from streamq.cli.options import DURATION, Command, Option, as_json, server, settings_of
from streamq.cli.outlet import Warnings, echo_json, progress, say
from streamq.exits import Exit
from streamq.model.counted import counted
from streamq.model.shown import as_given

if TYPE_CHECKING:
    from streamq.moving.bullmq import Names
    from streamq.moving.importing import Import, Imported


@click.group(name="import", cls=Group)
def imports() -> None:
    """Bring the jobs of another job system over.

    \b
    Example:
      streamq import bullmq --from redis://localhost:6379/1 --take --dry-run
    """


class _Pair(click.ParamType):  # type: ignore[type-arg]  # it has none before click 8.4
    """OLD=NEW."""

    name = "pair"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        if isinstance(value, tuple):
            return value
        old, sign, new = str(value).rpartition("=")  # OLD may be empty: a job there need not have a name
        if not sign:
            self.fail(f"{as_given(value)}: write OLD=NEW", param, ctx)
        return old, new


_PAIR = _Pair()


def _naming(command: Command) -> Command:
    """What names become."""
    options = (
        click.option("--task", cls=Option, type=_PAIR, multiple=True, metavar="OLD=NEW",
                     help="The task for a name of jobs there. Default: the same name."),
        click.option("--to", cls=Option, type=_PAIR, multiple=True, metavar="OLD=NEW",
                     help="The queue for a queue there. Default: the same name."),
        click.option("--field", cls=Option, type=_PAIR, multiple=True, metavar="OLD=NEW",
                     help="The name of a field of the data: NEW[] makes it a list, nothing behind = leaves it out."),
        click.option("--group", cls=Option, metavar="TEMPLATE",
                     help="The group of each job, of fields as they are named here: '{workspace_id}:{contact_id}'."),
        click.option("--priority", cls=Option, type=_PAIR, multiple=True, metavar="NUMBER=NAME",
                     help="The priority of jobs whose number is up to this. Default: low for any, in their order."),
    )  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


@imports.command()
@click.argument("queues", nargs=-1, metavar="[QUEUE]…")
@click.option(
    "--from",
    "source",
    cls=Option,
    envvar="STREAMQ_IMPORT_BULLMQ_FROM",
    required=True,
    metavar="URL",
    help="Address of the server of BullMQ.",
)
@click.option("--prefix", cls=Option, default="bull", show_default=True, help="How the keys of BullMQ begin.")
@_naming
@click.option(
    "--app",
    cls=Option,
    metavar="MODULE:ATTRIBUTE",
    help="The app with the tasks: they check the payloads.",
)
@click.option(
    "--take", cls=Option, is_flag=True, help="Take the jobs out of BullMQ, also while its workers run."
)
@click.option(
    "--remember", cls=Option, type=DURATION, default="30d", show_default=True, metavar="DURATION",
    help="How long a job that has come is known, so that it does not come again.",
)  # fmt: skip
@click.option(
    "--dry-run", cls=Option, is_flag=True, help="Only tell what would come, and what would not and why."
)
@server
@as_json
def bullmq(
    queues: tuple[str, ...], source: str, prefix: str, app: str | None, take: bool, remember: float, dry_run: bool,
    as_json: bool, **options: Any,
) -> int:  # fmt: skip
    """Bring the waiting, prioritized and delayed jobs of BullMQ over. Again, it brings what has not come yet.

    Where a queue cannot come, nothing is done; a dry run tells of all of them, and ends with the same exit code.

    \b
    Examples:
      streamq import bullmq --from redis://localhost:6379 --take --dry-run
      streamq import bullmq --from redis://localhost:6379 --take send-sms-queue --field phoneNumber=to
    """
    names = {name: options.pop(name) for name in ("task", "to", "field", "group", "priority")}

    async def main() -> list[Imported]:
        async with _app(app, options) as here, streamq.App(settings_of("--from", source)) as there:
            from streamq.moving.importing import Import  # noqa: PLC0415  # --help need not pay for it
            from streamq.store.bullmq import BullMQ  # noqa: PLC0415  # as above

            bull = BullMQ(there.client.store, prefix)
            work = Import(bull, here, _names(**names), takes=take, remembered=remember)
            found = [await work.begun(queue) for queue in await _chosen(bull, queues)]
            if dry_run:
                for each in found:
                    await work.look(each)
            else:
                _refuse(found)
                for each in found:
                    await _brought(work, each, shown=not as_json)
            return found

    logging.basicConfig(handlers=[Warnings(logging.WARNING)])
    return _tell(streamq.run(main()), dry_run=dry_run, as_json=as_json)


def _refuse(found: Sequence[Imported]) -> None:
    """Raise what is in the way of a queue, with what is in the way of others, before the first job comes."""
    problems = [each.problem for each in found if each.problem]
    for other in problems[1:]:
        problems[0].add_note(str(other))
    if problems:
        raise problems[0]


async def _brought(work: Import, each: Imported, *, shown: bool) -> None:
    with progress(sum(each.there.values()) if shown else 0) as bar:
        done = 0

        def told(count: int) -> None:
            nonlocal done
            done += count
            bar(done)

        await work.run(each, told)


def _app(path: str | None, options: dict[str, Any]) -> streamq.App:
    """The app that is named, or one without tasks, on the server that the options name."""
    if path is None:
        return streamq.App(streamq.Settings.load(**options))
    from streamq.loading import load_app  # noqa: PLC0415  # --help need not pay for it

    app = load_app(path)
    app.configure(streamq.Settings, options)
    return app


async def _chosen(bull: Any, queues: Sequence[str]) -> Sequence[str]:
    """The queues that are named, or all. Raises ``QueueNotFound``."""
    from streamq.cli.ending import QueueNotFound  # noqa: PLC0415  # as above
    from streamq.cli.options import nearest  # noqa: PLC0415

    there = await bull.queues()
    for name in queues:
        if name not in there:
            raise QueueNotFound(f"BullMQ has no queue {name!r}{nearest(name, {*there})}")
    return queues or there


def _names(
    task: Sequence[tuple[str, str]], to: Sequence[tuple[str, str]], field: Sequence[tuple[str, str]],
    group: str | None, priority: Sequence[tuple[str, str]],
) -> Names:  # fmt: skip
    from streamq.moving.bullmq import Names  # noqa: PLC0415  # as above
    from streamq.options import wrong_queue, wrong_task_name  # noqa: PLC0415

    known = streamq.OPTIONS["priority"].choices
    for number, name in priority:
        if not number.isdecimal() or name not in known:
            raise streamq.UsageError(
                f"--priority {number}={name}: write a number and one of {', '.join(known)}"
            )
    wrong = [f"--task: {said}" for _, new in task if (said := wrong_task_name(new))]
    wrong += [f"--to: {said}" for _, new in to if (said := wrong_queue(new))]
    if wrong:
        raise streamq.UsageError(wrong[0])
    priorities = {int(number): name for number, name in priority}
    return Names(dict(task), dict(to), dict(field), priorities, group)


def _tell(found: Sequence[Imported], *, dry_run: bool, as_json: bool) -> int:
    """Print what has come, or would; returns the exit code."""
    problem = next((each.problem for each in found if each.problem), None)
    if as_json:
        echo_json({"queues": [each.asdict() for each in found]})
    else:
        _say(found, dry_run=dry_run)
        if problem:
            say("as it is, nothing would come: an import is refused where anything is in the way of a queue")
    return code_of(problem) if problem else Exit.DONE


def _say(found: Sequence[Imported], *, dry_run: bool) -> None:
    if not found:
        say("BullMQ has no queue there, or its keys begin in another way: see --prefix")
    does = "would come" if dry_run else "came"
    for row in found:
        there = ", ".join(f"{count:,} {state}" for state, count in row.there.items() if count) or "no job"
        say(f"{row.queue}: {there}")
        if row.problem:
            say(f"  in the way: {row.problem}")
        if not row.is_seen:
            continue
        known = f", {row.known:,} had come before" if row.known else ""
        say(f"  {counted(row.come, 'job')} {does} to {row.to}{known}")
        for task, count in row.tasks.items():
            say(f"  {count:>8,}  of task {task}")
        for reason, count in row.stay.items():
            example = f" (as {row.examples[reason]})" if row.examples[reason] else ""
            say(f"  {count:>8,}  stay: {reason}{example}")
        for each in row.schedulers:
            say(f"  scheduler {each['name']}: {each['make']}")
