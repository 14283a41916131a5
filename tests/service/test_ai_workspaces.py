"""AI replies by workspace: what its model is told, and what its replies cost."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from streamq_service.messaging.budget import Budget
from streamq_service.messaging.prompts import LARGEST, prompts_of

from streamq import App, ConfigurationError, Snooze

from ..rig import ON_ONE_SERVER, until
from .peers import Make, Peer, Work, answering, peer_served

pytestmark = pytest.mark.keeps_keys
PROMPTS = {"66338": "Sell tables.", "shop-2": "Sell chäirs. 🪑"}


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    async with peer_served() as peer:
        yield peer


@ON_ONE_SERVER
@pytest.mark.parametrize("in_a_file", [False, True])
async def test_each_workspace_has_its_prompt_and_all_others_the_common_one(
    settings: Make, peer: Peer, work: Work, tmp_path: Path, in_a_file: bool
) -> None:
    given = json.dumps(PROMPTS)
    if in_a_file:
        (tmp_path / "prompts.json").write_text(given)
        given = str(tmp_path / "prompts.json")
    async with answering(settings, peer, work, ai_prompts=given, ai_prompt="Be kind.") as send:
        for number, whose in enumerate((66338, "66338", "shop-2", "another", 7)):
            assert (await send(number, workspace_id=whose))["state"] == "completed"
    told = [asked["messages"][0]["content"] for asked in peer.asked]
    assert told == ["Sell tables.", "Sell tables.", "Sell chäirs. 🪑", "Be kind.", "Be kind."]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ("{", "no JSON object"),
        ('{"1": 2}', "at '1'"),
        ('{"1": ""}', "at '1'"),
        ("[]", "cannot be read"),
        ("nowhere.json", "cannot be read"),
        (".", "cannot be read"),
        ("\0", "cannot be read"),
        ("large.json", f"larger than {LARGEST:,} bytes"),
        ("list.json", "no JSON object"),
    ],
)
def test_what_is_no_object_of_prompts_and_no_file_of_one_is_told_at_the_start(
    settings: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: str, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("large.json").write_text(" " * (LARGEST + 1))
    Path("list.json").write_text("[]")
    with pytest.raises(ConfigurationError, match="STREAMQ_AI_PROMPTS") as refused:
        prompts_of(settings(ai_prompts=wrong))
    assert words in str(refused.value)


@ON_ONE_SERVER
@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        ({"completion_tokens": 7}, 7),
        ({"prompt_tokens": 1_000, "completion_tokens": 7, "total_tokens": 1_007}, 1_007),
        ({"total_tokens": "many", "completion_tokens": 7}, 7),
        ("many", 3),
        (None, 3),
    ],
)
async def test_a_reply_costs_all_tokens_that_the_model_counts_by_their_price(
    settings: Make, peer: Peer, work: Work, usage: Any, tokens: int
) -> None:
    peer.usage = usage
    async with answering(settings, peer, work, ai_price=2.5) as send:
        result = (await send())["result"]
    assert (result["tokens"], result["cost"]) == (tokens, pytest.approx(tokens * 2.5 / 1_000_000))


@ON_ONE_SERVER
async def test_a_reply_that_breaks_off_counts_the_tokens_that_came(
    settings: Make, peer: Peer, work: Work
) -> None:
    peer.pieces, peer.ends = ["one", "two", "three"], False
    async with answering(settings, peer, work, ai_budget=3) as send:
        service = send.service  # type: ignore[attr-defined]
        body = {"workspace_id": 1, "contact_id": "c", "message_text": "?", "callback_url": peer.url}

        async def waits(number: int) -> None:
            _, _, sent = await service.post("/api/ai-response", {**body, "message_id": f"m-{number}"})

            async def is_delayed() -> bool:
                return bool((await service.get(sent["url"]))[2]["state"] == "delayed")

            await until(is_delayed)

        await waits(1)
        await waits(2)
    assert len(peer.asked) == 1


@ON_ONE_SERVER
async def test_without_a_price_no_cost_is_told_and_a_price_of_nothing_costs_nothing(
    settings: Make, peer: Peer, work: Work
) -> None:
    async with answering(settings, peer, work) as send:
        assert (await send())["result"]["cost"] is None
    async with answering(settings, peer, work, ai_price=0) as send:
        assert (await send(2))["result"]["cost"] == 0
    with pytest.raises(ConfigurationError, match="AI_PRICE"):
        settings(ai_price=-1)


@ON_ONE_SERVER
async def test_tokens_and_their_cost_are_counted(settings: Make, peer: Peer, work: Work) -> None:
    peer.usage = {"total_tokens": 1_000}
    async with answering(settings, peer, work, ai_price=2.5) as send:
        await asyncio.gather(send(1), send(2), send(3, workspace_id="acme"))
        service = send.service  # type: ignore[attr-defined]
        await service.engine.state["figures"]._send()
        _, _, stats = await service.get("/api/v1/stats?by=workspace")
    rows = {row["workspace_id"]: (row["counts"]["tokens"], row["cost"]) for row in stats["data"]}
    assert rows == {66338: (2_000, 0.005), "acme": (1_000, 0.0025)}
    assert all(row["times"]["first"]["p50"] is not None for row in stats["data"])


@ON_ONE_SERVER
async def test_messages_that_wait_together_do_not_spend_the_budget_many_times(
    settings: Make, peer: Peer, work: Work
) -> None:
    peer.usage = {"total_tokens": 50}
    async with answering(settings, peer, work, ai_budget=100, ai_max_tokens=50) as send:
        service = send.service  # type: ignore[attr-defined]
        body = {
            "workspace_id": 66338, "contact_id": "c-9", "message_text": "Is a table free?",
            "callback_url": peer.url + "/hook",
        }  # fmt: skip
        await asyncio.gather(
            *[service.post("/api/ai-response", {**body, "message_id": f"m-{n}"}) for n in range(30)]
        )
        await until(lambda: len(peer.asked) >= 2, 30)

        async def rest_waits() -> bool:
            counts = await service.engine.queue("ai-response-queue").counts()
            return bool(counts.delayed == 28)

        await until(rest_waits, 30)
    assert len(peer.asked) == 2


@ON_ONE_SERVER
async def test_replies_that_end_while_others_begin_are_spent_or_under_way_and_never_neither(
    sums: App,
) -> None:
    async with sums:
        records = sums.records("ai-replies")

        async def one(budget: Budget, workspace: str) -> int:
            try:
                async with budget.reply(workspace) as spending:
                    spending.tokens = 50
            except Snooze:
                return 0
            return 1

        for times in range(50):
            budget = Budget(records, most=100, largest=50)
            made = await asyncio.gather(*[one(budget, f"shop-{times}") for _ in range(40)])
            assert sum(made) in (1, 2), "each costs 50 of 100 tokens"


@ON_ONE_SERVER
async def test_a_reply_that_is_too_large_for_a_record_is_cut_and_paid_for_once(
    settings: Make, peer: Peer, work: Work
) -> None:
    peer.pieces = ["\x01" * 1_000] * 16
    async with answering(settings, peer, work) as send:
        job = await send(message_text='"' * 30_000)
        assert job["state"] == "completed"
        assert (await send(2, message_text='"' * 9_000))["state"] == "completed"
    assert len(peer.asked) == 2


@ON_ONE_SERVER
async def test_messages_of_a_contact_that_are_answered_together_are_all_remembered(
    settings: Make, peer: Peer, work: Work
) -> None:
    async with answering(settings, peer, work, ai_context=20) as send:
        await asyncio.gather(*[send(n, message_text=f"question {n}") for n in range(4)])
        await send(9, message_text="last")
    told = [each["content"] for each in peer.asked[-1]["messages"]]
    assert {f"question {n}" for n in range(4)} <= set(told)
