"""Whatever a job holds, it can be told."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from streamq_service.json_text import DEEPEST
from streamq_service.json_text import told as text_of

from ..rig import ON_ONE_SERVER
from .conftest import Service
from .test_callers import raw

HALF = "half a character \ud800"


def told(value: Any) -> Any:
    return orjson.loads(text_of(value))


def nested(levels: int) -> Any:
    value: Any = "inside"
    for level in range(levels):
        value = [value] if level % 2 else {"in": value}
    return value


@pytest.mark.parametrize("levels", [254, 400, 900, 1020, 5_000])
def test_a_record_nested_too_deeply_is_told_and_hides_no_other(levels: int) -> None:
    jobs = told({"data": [{"id": "1-0"}, {"id": "2-0", "result": nested(levels)}, {"id": "3-0"}]})["data"]
    assert [job["id"] for job in jobs] == ["1-0", "2-0", "3-0"]
    assert f"deeper than {DEEPEST} levels" in str(jobs[1]["result"])


def test_what_no_json_can_hold_is_told_as_text() -> None:
    assert told({"message": HALF, HALF: 1}) == {
        "message": "half a character \\ud800", "half a character \\ud800": 1,
    }  # fmt: skip
    assert told([float("nan"), HALF, 2.5, True, None]) == [None, "half a character \\ud800", 2.5, True, None]


def test_a_value_that_can_be_written_is_told_as_it_is() -> None:
    for value in (nested(200), {"n": 2**63}, ["é", "\u202e"], 0.5):
        assert told(value) == value


@ON_ONE_SERVER
@pytest.mark.keeps_keys
async def test_an_answer_has_the_same_headers_whoever_writes_them(service: Service) -> None:
    request = "{} /api/v1/queues HTTP/1.1\nHost: 127.0.0.1:PORT\n{}\n"
    closing = request.format("GET", "Connection: close\n")
    _, answers = await raw(service, request.format("GET", "") + request.format("HEAD", "") + closing)
    ours, *heads = [text.partition("\r\n\r\n") for text in answers.split("HTTP/1.1 ")[1:]]
    for head, _, body in heads:
        assert known(head) == known(ours[0])
        assert body in {"", ours[2]}
    assert orjson.loads(ours[2])["data"]


def known(head: str) -> list[str]:
    """The lines of a head that are the same for each of its kind."""
    return sorted(
        line for line in head.split("\r\n") if not line.startswith(("X-Request-Id", "Date", "Connection"))
    )
