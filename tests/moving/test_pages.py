"""The commands of the pages about moves, as they stand there."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path

from streamq import App

from ..commands import Call, Ended, run_all
from ..house.source import ROOT
from ..rig import ON_ONE_SERVER
from ..servers import Server
from . import bullmq_keys
from .rich import QUEUE, declared, fill

pytestmark = ON_ONE_SERVER
HOW_TO = ROOT / "docs" / "how-to"


def _commands(page: str) -> list[list[str]]:
    """Each command of a page, without its first word."""
    found = re.findall(r"```text\n(streamq .*?)```", (HOW_TO / page).read_text(), re.DOTALL)
    lines = "".join(found).replace("\\\n", " ").splitlines()
    return [shlex.split(line)[1:] for line in lines]


def _run(folder: Path, words: list[str], address: str, other: str, here: str) -> Ended:
    """One of them, with the servers of this test."""
    placed = [other if word == address else word for word in words]
    (ended,) = run_all(folder, [Call((*placed, "--json"))], STREAMQ_REDIS_URL=here)
    assert ended.code == 0, ended.err
    return ended


async def test_a_queue_moves_by_the_lines_of_the_page(
    own_server: Callable[..., Server], tmp_path: Path
) -> None:
    old, new = own_server(), own_server()
    (source, _), (target, _) = declared(old.url), declared(new.url)
    async with source, target:
        await fill(source)
        before = (await source.queue(QUEUE).counts()).asdict()
        for words in _commands("migrate.md"):
            _run(tmp_path, words, "redis+cluster://n1:6379,n2,n3", new.url, old.url)
        assert (await target.queue(QUEUE).counts()).asdict() == before


async def test_jobs_of_the_old_service_come_by_the_lines_of_the_page_and_fit_its_tasks(
    own_server: Callable[..., Server], tmp_path: Path
) -> None:
    bull, ours = own_server(), own_server()
    with bull.client() as client:
        bullmq_keys.restore(client)
        for queue in ("send-email-queue", "scheduled-email-queue"):
            client.hset(f"bull:{queue}:meta", "version", "bullmq:6.7.0")
        data = {
            "to": "a@example.com",
            "subject": "s",
            "html": "<p>h</p>",
            "contactId": "c",
            "workspaceId": "66338",
        }
        client.hset(
            "bull:send-email-queue:1",
            mapping={"name": "send-email", "data": json.dumps({**data, "delay": 0})},
        )
        client.lpush("bull:send-email-queue:wait", "1")
    dry, *takes = _commands("import-from-bullmq.md")
    address = "redis://old.example.com:6379"
    _run(tmp_path, dry, address, bull.url, ours.url)
    told = [_run(tmp_path, words, address, bull.url, ours.url).out for words in takes]
    rows = {row["queue"]: row for text in told for row in json.loads(text)["queues"]}
    assert [row["come"] for row in rows.values()] == [12, 3, 1, 0]
    async with App(redis_url=ours.url) as app:
        (email,) = (await app.queue("send-email-queue").jobs("held")).items
        assert (email.group, email.payload["to"]) == ("66338:c", ["a@example.com"])
        held = (await app.queue("send-sms-queue").jobs("held", limit=100)).items
        assert {job.group for job in held} == {f"66338:contact-{number}" for number in range(3)}
