"""What is printed to be typed can be typed; what is asked for and is not there ends with 3."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path
from shutil import which

import click
import pytest

import streamq
from streamq.cli import main
from streamq.model.shown import shown
from streamq.model.typed import typed

from ..commands import Call, run_all, sentence
from ..rig import ON_ONE_SERVER

ODD = ["sms", "--help", "-x", "-", "--", "a b", "it's", "$(id)", "*", "--json=1", "-h", "naïve"]


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("verb", ["queue get", "queue pause", "errors ls", "task get", "schedule get"])
def test_a_printed_command_names_what_it_is_for_whatever_its_name(verb: str, name: str) -> None:
    """It is read as a shell and the command line read it."""
    program, noun, word, *rest = shlex.split(typed(verb, name, redis_url="redis://192.0.2.1"))
    assert (program, f"{noun} {word}") == ("streamq", verb)
    context = click.Context(main)
    group = main.get_command(context, noun)
    assert isinstance(group, click.Group)
    command = group.get_command(context, word)
    assert command is not None
    parsed, *_ = command.make_parser(click.Context(command)).parse_args(rest)
    given = {key: value for key, value in parsed.items() if value is not None}
    assert given == {command.params[0].name: name, "redis_url": "redis://192.0.2.1"}


def test_what_init_says_to_type_leads_to_the_project(tmp_path: Path) -> None:
    names = ["my proj-1", "it's", "-p", "$x", "plain"]
    for name, ended in zip(
        names, run_all(tmp_path, [Call(("init", "--", name)) for name in names]), strict=True
    ):
        (line,) = [line for line in ended.out.splitlines() if line.startswith("  cd ")]
        assert shlex.split(line)[-1] == name
        assert ("--" in shlex.split(line)) == name.startswith("-")


NOT_THERE = [
    "queue get nope", "queue pause nope", "queue resume nope", "queue limit nope --rate 1/s", "queue retention nope",
    "queue purge nope --yes", "queue drain nope --yes", "queue rm nope --yes", "group ls nope", "group get nope g",
    "group pause nope g", "breaker open nope --task t", "operation get nope.0123456789abcdef",
    "operation cancel nope.0123456789abcdef", "task get nope", "workers get nope", "workers quiet nope",
    "workers resume nope", "workers stop nope", "stats nope", "job get nope 1-0", "job get here 1-0",
    "job why here 1-0", "job logs here 1-0", "job watch here 1-0", "job cancel here 1-0", "job retry here 1-0",
    "job promote here 1-0",
    "job rm here 1-0", "job edit here 1-0 --payload 1", "job priority here 1-0 high",
    "job reschedule here 1-0 --delay 5m", "job ls nope", "job cancel nope --q state:failed --all", "errors ls nope",
    "errors retry nope zzz", "errors retry here zzz", "errors retry here *", "schedule get nope", "schedule rm nope",
    "schedule run nope", "schedule pause nope", "schedule resume nope", "schedule preview nope",
]  # fmt: skip


@ON_ONE_SERVER
async def test_what_is_not_there_ends_with_3(app: streamq.App, server_url: str, tmp_path: Path) -> None:
    await app.enqueue("here", "work")
    calls = [Call(tuple(words.split())) for words in NOT_THERE]
    ends = run_all(
        tmp_path, calls, STREAMQ_REDIS_URL=server_url, STREAMQ_PREFIX=app.settings.prefix, LC_ALL="C.UTF-8"
    )
    assert [(" ".join(ended.argv), ended.code) for ended in ends if ended.code != 3] == []
    for ended in ends:
        sentence(ended)


@pytest.mark.skipif(which("bash") is None, reason="there is no bash")
@pytest.mark.parametrize(
    "name", [*ODD, "a\nb", "\x1b[31m'b\\n'", "mo\u202eon", "\x9b1", "\udcff\udc80", "\U000e0041", "a" * 9000]
)
def test_a_printed_command_is_whole_on_the_screen_and_a_shell_reads_the_name_from_it(name: str) -> None:
    said = shown(typed("queue get", name))
    assert said.isprintable()
    done = subprocess.run(
        ["bash", "-c", f"printf '%s\\0' {said}"], env={"LC_ALL": "C.UTF-8"}, check=True, capture_output=True
    )
    assert done.stdout.decode("utf-8", "surrogateescape").split("\0")[-2] == name


@pytest.mark.parametrize("text", ["state:failed", f"error:{'x' * 1_900}", f"error:{chr(39) * 1_900}"])
def test_the_command_that_lists_the_jobs_of_a_filter_is_whole_whatever_its_length(
    text: str, tmp_path: Path
) -> None:
    (ended,) = run_all(tmp_path, [Call(("job", "retry", "sms", "--q", text))])
    *_, listed = sentence(ended).partition("to see them: ")
    words = shlex.split(listed.removesuffix(", with the same FILTER"))
    assert words[:5] == ["streamq", "job", "ls", "sms", "--q"]
    assert words[5:] == [text if len(text) < 100 else "FILTER"]
