"""What a task says of its payloads, through the API: masked values, versions and names that it had before."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Annotated

import pytest
from pydantic import BaseModel, field_validator
from streamq_service.settings import ServiceSettings

from streamq import App, Masked, Worker

from ..rig import ON_ONE_SERVER
from .conftest import Service

pytestmark = [ON_ONE_SERVER, pytest.mark.keeps_keys]

JOBS = "/api/v1/queues/pay/jobs"
SECRET = "4111-1111"


class Card(BaseModel):
    number: Annotated[str, Masked]
    amount: int

    @field_validator("number")
    @classmethod
    def _known(cls, number: str) -> str:
        if number.startswith("9"):
            raise ValueError(f"{number} is no card")
        return number


@pytest.fixture
def paying(settings: Callable[..., ServiceSettings]) -> App:
    """An app of somebody else, whose task was once named ``charge``."""
    app = App(settings())

    @app.task(queue="pay", version=2, aliases=("charge",), attempts=2, fail_on=KeyError)
    async def pay(card: Card) -> Card:
        if card.amount == 0:
            raise KeyError(card.number)
        return card

    return app


async def test_masked_values_versions_and_decisions_are_seen_over_http(
    paying: App,
    settings: Callable[..., ServiceSettings],
    start: Callable[..., AbstractAsyncContextManager[Service]],
    work: Callable[[App], AbstractAsyncContextManager[Worker]],
) -> None:
    async with start(settings(), paying) as service:
        card = {"number": SECRET, "amount": 5}
        shown = {"number": "***", "amount": 5}
        status, headers, made = await service.post(JOBS, {"task": "pay", "payload": card})
        assert (status, made["payload"], made["payload_version"]) == (201, shown, 2)
        assert made.pop("disposition") == "created"
        assert made == (await service.get(headers["Location"]))[2]
        assert (await service.get(JOBS))[2]["data"] == [made]
        async with work(paying):
            wait = {"Prefer": "wait=10"}
            status, _, done = await service.post(JOBS, {"task": "charge", "payload": card}, **wait)
            assert (status, done["task"], done["payload"], done["result"]) == (200, "pay", shown, shown)
            body = {"task": "pay", "payload": {**card, "amount": 0}}
            status, _, failed = await service.post(JOBS, body, **wait)
        assert (status, failed["state"], failed["attempt"]) == (200, "failed", 1)
        assert failed["error"]["message"] == "'***'"
        assert failed["error"]["decision"] == "fail_on names KeyError"
        bad = {"task": "pay", "payload": {"number": "9" + SECRET, "amount": 5}}
        status, _, refused = await service.post(JOBS, bad)
        assert status == 422
        told = str([made, done, failed, refused, (await service.get(JOBS))[2]])
        assert SECRET not in told
