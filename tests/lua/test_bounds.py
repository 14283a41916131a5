"""What holds for all scripts: their keys, their clock, and how much they may be given."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import redis

from streamq import App
from streamq.model.keys import GROUP, QUEUE_KEYS, Keys
from streamq.redis import scripts
from streamq.redis.links import Links
from streamq.redis.script_text import GATED, ScriptText, with_parts

from ..rig import census, shared_keys

FILES = sorted((Path(scripts.__file__).parent / "lua").glob("*.lua"))
OF_THE_SERVER = {"redis", "KEYS", "ARGV", "cjson", "string", "table", "math", "tonumber", "tostring", "type"} | {
    "ipairs", "pairs", "next", "unpack", "select", "pcall",
}  # fmt: skip
"""What the server defines, of all that scripts use."""


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_script_says_which_keys_and_arguments_it_takes(file: Path) -> None:
    """It uses them by name alone; a name that its head does not say is refused when it is loaded."""
    text = file.read_text()
    assert text.startswith("#!lua"), "its flags say whether it may run on a full server"
    assert not re.findall(r"(?:KEYS|ARGV)\[\d", text), "a place instead of a name"
    said, whole = ScriptText(file.stem), "\n".join(with_parts(text))
    named = [f"keys.{key.strip('.')}" for key in said.keys]
    named += [
        f"args.{name}" if name.strip(".") == name else f"first.{name.strip('.')}" for name in said.arguments
    ]
    if any(f"keys.{name}" in whole for name in GATED):  # whose names are made of the gate's
        named = [name for name in named if name != "keys.gate"]
    assert not [name for name in named if name not in whole], "it takes what it never uses"
    assert "TIME" not in text, "the clock is read once, in its part"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_script_uses_no_name_that_is_not_defined_where_it_stands(file: Path) -> None:
    """The server would notice when it runs that line: the compiler lists each use of a name that nothing defines."""
    compiler = shutil.which("luac5.1")
    if not compiler:
        assert not os.environ.get("CI"), "luac5.1 is missing"
        pytest.skip("no luac5.1 is on the PATH")
    text = ScriptText(file.stem).text.encode()
    listing = subprocess.run([compiler, "-l", "-p", "-"], input=text, capture_output=True, check=True).stdout
    used = set(re.findall(r"[GS]ETGLOBAL.*?; (\w+)", listing.decode()))
    assert "redis" in used, "the compiler lists them"
    assert not used - OF_THE_SERVER


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_only_what_adds_jobs_or_reports_is_refused_by_a_full_server(file: Path) -> None:
    adds = {"enqueue", "admit", "requeue", "clone", "claim_request", "tick", "schedule_put", "schedule_claim"}
    adds |= {"records_put", "records_count", "report", "tally", "slow", "migrate_land"}
    assert ("allow-oom" in file.read_text()) == (file.stem not in adds)


def test_the_keys_of_a_queue_are_in_one_slot_of_a_cluster() -> None:
    keys = Keys("sq", "a.queue")
    names = [getattr(keys, name) for name in QUEUE_KEYS if name != "seat_look"]
    assert len(set(names)) == len(names)
    assert {re.search(r"\{(.+?)\}", name)[1] for name in names} == {"a.queue"}  # type: ignore[index]


async def test_scripts_call_no_key_they_were_not_given(
    app: App, link: Links, client: redis.Redis, keys: Keys
) -> None:
    """As a cluster would refuse: every key that a life of a queue touches is one of its own."""
    jobs = await app.enqueue_many("q", "t", range(3))
    await app.enqueue("q", "t", 1, delay=0.001)
    lane, entries = await app.client.store.delivery.fetch(link, "q", "w", 2)
    await app.client.store.delivery.release(link, "q", [(lane, entry) for entry, _ in entries])
    await app.client.store.recovery.reclaim(link, "q", "w", None)
    await app.client.store.delayed.promote(link, ["q"], 10)
    await app.client.store.recovery.audit(link, "q")
    assert {key.partition("}")[0] for key in client.scan_iter(f"{keys.ready.partition(':')[0]}*")} == {
        keys.ready.partition("}")[0], shared_keys(keys.ready.partition(":")[0]).queues.partition("}")[0],
    }  # fmt: skip
    assert (await jobs[0].status()).id == jobs[0].id


async def test_ten_thousand_entries_are_released_recovered_audited_and_promoted(
    app: App, link: Links, client: redis.Redis, keys: Keys, prefix: str
) -> None:
    count = 10_000
    await app.enqueue_many("q", "t", range(count))

    def take(worker: str) -> list[Any]:
        return [e for _, entries in client.xreadgroup(GROUP, worker, {keys.ready: ">"}) for e, _ in entries]

    assert (
        await app.client.store.delivery.release(link, "q", [(1, entry.encode()) for entry in take("w1")])
        == count
    )
    assert len(take("w2")) == count
    assert (await app.client.store.recovery.reclaim(link, "q", "w2", None)).again == count
    assert len(take("w3")) == count
    client.xgroup_delconsumer(keys.ready, GROUP, "w3")
    assert await app.client.store.recovery.audit(link, "q") == count
    found = census(client, prefix, "q")
    found.check()
    assert found.counts() == {"waiting": count}
