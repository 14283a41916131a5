"""What BullMQ has and cannot be so here is told, with what to type, and nothing is half done."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from streamq import App
from streamq.moving.mover import Mover

from ..commands import Call, run_all, sentence
from ..rig import ON_ONE_SERVER
from ..servers import Server
from .test_import_bullmq import Both

pytestmark = ON_ONE_SERVER
ODD = [
    "bad name",
    "x:y",
    "it's",
    "-x y",
    "\x1b[31m",
    "$(id) `id`",
    "back\\slash",
    "mo\u202eon",
    "ü",
    "n" * 300,
]
"""Names that no queue here can have."""


@pytest.fixture
def odd(own_server: Callable[..., Server], tmp_path: Path) -> Both:
    return Both(own_server(tcp=True), own_server(), tmp_path)


def put(both: Both, queue: str, *names: str) -> None:
    """A queue of BullMQ with jobs of these names."""
    with both.bull.client() as client:
        client.hset(f"bull:{queue}:meta", "version", "bullmq:6.7.0")
        for number, name in enumerate(names):
            job = {"name": name, "data": f'"{name == "t"}"', "opts": "{}", "timestamp": "1"}
            client.hset(f"bull:{queue}:{number}", mapping=job)
            client.lpush(f"bull:{queue}:wait", number)


def words_of(text: str) -> list[str]:
    """What a shell reads."""
    done = subprocess.run(
        ["bash", "-c", f"printf '%s\\0' {text}"], env={"LC_ALL": "C.UTF-8"}, check=True, capture_output=True
    )
    return done.stdout.decode().split("\0")[:-1]


def offered(lines: list[str], option: str, new: str) -> list[str]:
    """The options that lines say to type, as a shell reads them, with a name for what stands there."""
    said = [line.partition(f"say {option} ")[2].partition(f"={new.upper()}")[0] for line in lines]
    return [word for each in said if each for word in words_of(f"{option} {each}={new}")]


def test_a_dry_run_tells_of_every_queue_and_what_to_type_for_a_name_that_none_here_can_have(
    odd: Both,
) -> None:
    for queue in ("good", *ODD):
        put(odd, queue, "t")
    dry = odd.run("--take", "--dry-run")
    lines = dry.out.splitlines()
    assert dry.code == 4
    assert "  1 job would come to good" in lines
    assert sum(line.endswith(": 1 waiting") for line in lines) == len(ODD) + 1
    options = offered(lines, "--to", "new")
    assert sorted(options[1::2]) == sorted(f"{queue}=new" for queue in ODD)
    again = odd.rows("--take", "--dry-run", *options)
    assert {row["to"] for row in again.values()} == {"good", "new"}
    came = odd.rows("--take", *options)
    assert (set(came), sum(row["come"] for row in came.values())) == ({"good", *ODD}, len(ODD) + 1)


async def test_an_import_is_refused_before_a_job_comes_and_what_is_named_comes_without_the_others(
    odd: Both,
) -> None:
    for queue in ("a", "bad name", "z"):
        put(odd, queue, "t")
    with odd.bull.client() as client, odd.ours.client() as ours:
        client.zadd("bull:strange:wait", {"1": 1})
        client.hset("bull:strange:meta", "paused", "1")
        before = {key: client.dump(key) for key in client.keys("*")}
        refused = odd.run("--take")
        assert (refused.code, refused.out) == (4, "")
        assert "say --to 'bad name'=NEW" in refused.err
        assert "queue 'strange' cannot move" in refused.err, "of all of them it is told at once"
        client.hset("bull:a:meta", "paused", "1")
        read = odd.run("a", "z")
        assert (read.code, "'z' cannot move: workers there" in sentence(read)) == (4, True)
        client.hdel("bull:a:meta", "paused")
        assert {key: client.dump(key) for key in client.keys("*")} == before
        assert not ours.keys("*")
    assert {queue: row["come"] for queue, row in odd.rows("--take", "a", "z").items()} == {"a": 1, "z": 1}


@pytest.mark.parametrize(
    "words", [("--take",), (), ("--take", "a"), ("a",), ("--take", "--to", "bad name=b")]
)
def test_a_dry_run_ends_with_the_code_of_the_run(odd: Both, words: tuple[str, ...]) -> None:
    for queue in ("a", "bad name"):
        put(odd, queue, "t")
    dry = odd.run(*words, "--dry-run", "--json")
    problems = [row["problem"] for row in json.loads(dry.out)["queues"] if row["problem"]]
    run = odd.run(*words)
    assert (run.code, bool(problems)) in ((4, True), (0, False))
    assert dry.code == run.code
    assert run.err.splitlines() == [f"{' ' if at else 'error:'} {said}" for at, said in enumerate(problems)]


@pytest.mark.parametrize(
    ("end", "kind"),
    [("wait", "list"), ("delayed", "zset"), ("meta", "hash"), ("repeat", "zset"), ("streamq:taken", "hash")],
)
def test_a_key_of_another_type_is_told_by_its_name_and_the_other_queues_are_looked_at(
    odd: Both, end: str, kind: str
) -> None:
    put(odd, "good", "t")
    put(odd, "zz", "t")
    with odd.bull.client() as client:
        client.delete(f"bull:zz:{end}")
        client.set(f"bull:zz:{end}", "a text")
    dry = odd.run("--take", "--dry-run")
    assert dry.code == 4
    assert "  1 job would come to good" in dry.out.splitlines()
    assert f"queue 'zz' cannot move: its key bull:zz:{end} is no {kind}, as BullMQ makes it" in dry.out
    refused = odd.run("--take", "zz")
    assert (refused.code, f"bull:zz:{end} is no {kind}" in sentence(refused)) == (4, True)


def test_a_job_whose_key_is_another_s_stays_and_the_others_come(odd: Both) -> None:
    put(odd, "q", "t", "t", "t")
    with odd.bull.client() as client:
        client.delete("bull:q:1")
        client.set("bull:q:1", "a text")
    row = odd.rows("--take")["q"]
    assert (row["come"], row["stay"][0]["example"]) == (2, "1")
    assert "is no hash, as BullMQ makes it" in row["stay"][0]["reason"]


async def test_what_is_told_to_be_typed_for_the_name_of_a_job_is_whole_and_brings_it(odd: Both) -> None:
    names = ["", "n" * 900, "it's\x1b[31m\n", "-=-\\" * 60, "../ü\u202e/.."]
    put(odd, "q", *names)
    dry = odd.run("--take", "--dry-run")
    options = offered(dry.out.splitlines(), "--task", "task")
    assert options[1::2] == [f"{name}=task" for name in names]
    assert odd.rows("--take", *options)["q"]["come"] == len(names)


def test_the_command_for_a_scheduler_can_be_typed(odd: Both, tmp_path: Path) -> None:
    put(odd, "q", "t")
    made: dict[str, dict[str, Any]] = {
        "each month": {"name": "tidy up", "every": 30 * 86_400_000},
        "a:b": {"name": "..", "every": 1500, "data": '"it\'s"'},
        "meta": {"name": "t", "pattern": "0 9 * * 1-5", "tz": "Europe/Berlin"},
    }  # fmt: skip
    with odd.bull.client() as client:
        for name, raw in made.items():
            client.zadd("bull:q:repeat", {name: 1})
            client.hset(f"bull:q:repeat:{name}", mapping=raw)
    rows = odd.rows("--take", "--dry-run")
    assert set(rows) == {"q"}, "the key of a scheduler named meta is no queue"
    lines = [each["make"] for each in rows["q"]["schedulers"]]
    assert sum("put NAME q" in line for line in lines) == 2
    assert sum(" TASK " in line for line in lines) == 1
    calls = [Call(tuple(words_of(line)[1:])) for line in lines]
    ends = run_all(tmp_path, calls, STREAMQ_REDIS_URL=odd.ours.url)
    assert [ended.code for ended in ends] == [0, 0, 0], ends


async def test_an_import_into_a_queue_that_has_moved_takes_nothing(
    odd: Both, own_server: Callable[..., Server]
) -> None:
    put(odd, "q", "t")
    async with App(redis_url=odd.ours.url) as here, App(redis_url=own_server().url) as there:
        await here.enqueue("q", "t", 1)
        await Mover(here.client.store, there.client.store, "q").run()
    refused = odd.run("--take")
    assert (refused.code, "queue 'q' moves to" in refused.err) == (69, True)
    assert odd.run("--take", "--dry-run").code == 69
    with odd.bull.client() as client:
        assert client.llen("bull:q:wait") == 1
        assert not client.exists("bull:q:streamq:taken")


@pytest.mark.parametrize("words", [("--task", "a=.."), ("--to", "a=b c"), ("--priority", "²=high")])
def test_a_new_name_that_cannot_be_one_is_refused(odd: Both, words: tuple[str, ...]) -> None:
    put(odd, "q", "t")
    ended = odd.run("--take", *words)
    assert (ended.code, words[0] in sentence(ended)) == (2, True)
