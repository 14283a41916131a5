"""The delivery: real processes, and a judgement that sees every breach."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ..bench.programs import bench
from .ledger import Call, Judgement, judge
from .texts import OWN, WORKSPACE, Message, load

MESSAGE = Message(1, "Fünf £ 🎂".encode(), delay=2.0, due=100.0)
KEYS = {1: "queue:id"}


def call(key: str = "queue:id", at: float = 100.5, **changed: Any) -> Call:
    """The call of MESSAGE as it should be, but for what is changed."""
    body = {
        "to": MESSAGE.to, "message": MESSAGE.line.decode(), "contactId": MESSAGE.contact,
        "workspaceId": WORKSPACE,
    }  # fmt: skip
    return Call(key, at, body | changed)


def judged(*calls: Call, at_kill: set[str] | None = None) -> Judgement:
    return judge([MESSAGE], KEYS, list(calls), at_kill or set(), error=0.0)


def broken(judgement: Judgement) -> set[str]:
    return {promise for promise, count in judgement.breaches.items() if count}


def test_a_delivery_as_it_should_be_breaks_nothing() -> None:
    judgement = judged(call())
    assert not broken(judgement)
    assert judgement.late == [500.0]


def test_a_repeat_of_a_job_that_ran_at_the_kill_breaks_nothing() -> None:
    judgement = judged(call(), call(at=101), at_kill={"queue:id"})
    assert not broken(judgement)
    assert judgement.repeats == 1


@pytest.mark.parametrize(
    ("calls", "promise"),
    [
        ((), "missing"),
        ((call(message="Funf £ 🎂"),), "altered"),
        ((call(to="+15550000002"),), "altered"),
        ((call(more=1),), "altered"),
        ((call(at=99.9),), "early"),
        ((call(), call()), "repeated though not running at the kill"),
        ((call(), call(key="queue:other")), "repeated under another key"),
        ((call(), call(contactId="nobody")), "calls of no message"),
    ],
)
def test_each_breach_is_seen(calls: tuple[Call, ...], promise: str) -> None:
    assert promise in broken(judged(*calls))


def test_messages_repeat_with_a_number_and_each_fifth_is_delayed(tmp_path: Path) -> None:
    file = tmp_path / "texts"
    file.write_bytes("eins\nzwei €\n".encode())
    messages = load(file, 10)
    assert [message.line.decode() for message in messages[:4]] == ["eins", "zwei €", "eins #2", "zwei € #3"]
    assert [message.number for message in messages if message.delay is not None] == [0, 5]


def test_our_own_messages_are_varied() -> None:
    lines = OWN.read_text().splitlines()
    text = "".join(lines)
    assert len(set(lines)) == len(lines) >= 40
    assert {"£", "🎂", "&amp;", "日", "م"} <= {
        part for part in ("£", "🎂", "&amp;", "日", "م") if part in text
    }
    assert max(map(len, lines)) > 800


def test_a_file_without_text_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n\n")
    said = bench("delivery", "--messages", str(tmp_path / "empty"))
    assert said.returncode == 1
    assert "no line of text" in said.stderr
    assert said.stderr.count("\n") == 1


def test_messages_may_be_named_by_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n")
    monkeypatch.setenv("STREAMQ_BENCH_MESSAGES", str(tmp_path / "empty"))
    said = bench("delivery")
    assert f"{tmp_path / 'empty'} has no line of text" in said.stderr


def test_a_quick_delivery_has_delays_too_and_none_is_long() -> None:
    delays = [message.delay for message in load(OWN, 300, longest=2.0) if message.delay is not None]
    assert len(delays) == 60
    assert 1.0 <= min(delays) <= max(delays) <= 2.0


@pytest.mark.slow
def test_messages_arrive_through_the_death_of_a_worker_and_the_scheduler(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    said = bench("delivery", "--messages", str(OWN), "--count", "600", "--json", str(file), timeout=110)
    assert said.returncode == 0, said.stdout + said.stderr
    figures = json.loads(file.read_bytes())["figures"]
    assert figures["missing"] == figures["altered"] == figures["early"] == 0
    assert figures["repeats"] <= figures["jobs running on the killed worker"]
