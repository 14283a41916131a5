"""The context that a user's unit test makes by hand."""

from __future__ import annotations

import pytest

from streamq import App, Context, Retry
from streamq.testing import context


async def test_a_handler_is_called_with_a_context_and_no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAMQ_LEASE", "nonsense")
    stops = iter([False, True])

    async def work(number: int, ctx: Context) -> str:
        while not ctx.shutting_down:
            number += 1
        if ctx.attempt < ctx.attempts:
            raise Retry
        return f"{number} {ctx.idempotency_key} {ctx.app.settings.prefix}"

    told = context(attempt=3, attempts=3, job_id="7-0", queue="sms", shutting_down=lambda: next(stops))
    assert await work(1, told) == "2 sms:7-0 sq"
    with pytest.raises(Retry):
        await work(1, context(shutting_down=True))


def test_a_context_is_of_the_app_that_is_given() -> None:
    app = App()
    assert context(app=app).app is app
    assert (context().attempt, context().queue, context().shutting_down) == (1, "default", False)
