"""Whatever a mail server does at whichever step: a clear end or another try, and other channels go on meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import psutil
import pytest
from streamq_service.messaging.caller import EXCERPT
from streamq_service.settings import ServiceSettings

from ..rig import ON_ONE_SERVER
from .conftest import Service, running
from .mail_weathers import (
    STEPS,
    Do,
    Post,
    a_line_without_end,
    drops,
    half_a_line,
    lines_without_end,
    never_answers,
    post_office,
    slowly,
)
from .peers import Make, Work
from .test_bad_weather import MAIL, SMS, all_ended, check, ended
from .weathers import MEGABYTE

pytestmark = [pytest.mark.keeps_keys, ON_ONE_SERVER]


def by_mail(settings: Make, post: Post, sandbox: Service, **more: Any) -> ServiceSettings:
    given = {"email_backoff": 0.02, "email_timeout": 0.4, "email_attempts": 2, "sms_api_url": sandbox.url}
    return settings(smtp_url=post.url, email_from="shop@example.com", **{**given, **more})


PASSING: dict[str, str | bytes | Do] = {
    "421": "421 going down", "451": "451 later", "no code": "hello there", "no number": "9x9 what", "drops": drops,
    "half a line": half_a_line, "never answers": never_answers, "a line without end": a_line_without_end,
    "lines without end": lines_without_end,
}  # fmt: skip
ANYWHERE = [
    (what, STEPS if what != "451" else tuple(step for step in STEPS if step != "EHLO")) for what in PASSING
]
"""Who refuses EHLO is asked by HELO."""


async def at_each(
    steps: tuple[str, ...], prefix: str, weather: Callable[[str, str], Awaitable[None]]
) -> None:
    """The weather at each step, all at once, as most of it is waiting; each has keys of its own."""
    async with asyncio.TaskGroup() as group:
        for number, step in enumerate(steps):
            group.create_task(weather(step, f"{prefix}{number}"), name=step)


@pytest.mark.parametrize(("what", "steps"), ANYWHERE)
async def test_what_passes_by_is_tried_again_and_the_next_try_delivers(
    settings: Make, sandbox: Service, work: Work, prefix: str, what: str, steps: tuple[str, ...]
) -> None:
    async def weather(step: str, own: str) -> None:
        async with (
            post_office(Post({step: PASSING[what]}, times=1)) as post,
            # the next try is well, however busy the machine is
            running(by_mail(settings, post, sandbox, email_timeout=2.0, prefix=own)) as service,
            work(service.engine),
        ):
            jobs = await all_ended(service, ("/api/schedule-email", MAIL), well=("/api/schedule-sms", SMS))
            check(jobs, "completed", 2)
            assert len(post.taken) == 1

    await at_each(steps, prefix, weather)


@pytest.mark.parametrize(("what", "steps"), ANYWHERE)
async def test_what_does_not_pass_by_ends_in_a_failure_that_says_why(
    settings: Make, sandbox: Service, work: Work, prefix: str, what: str, steps: tuple[str, ...]
) -> None:
    async def weather(step: str, own: str) -> None:
        async with (
            post_office(Post({step: PASSING[what]})) as post,
            running(by_mail(settings, post, sandbox, prefix=own)) as service,
            work(service.engine),
        ):
            jobs = await all_ended(service, ("/api/schedule-email", MAIL), well=("/api/schedule-sms", SMS))
            check(jobs, "failed", 2)
            assert "mail server" in jobs[0]["error"]["message"]
            assert not post.taken

    before = psutil.Process().memory_info().rss
    await at_each(steps, prefix, weather)
    assert psutil.Process().memory_info().rss - before < 30 * MEGABYTE


@pytest.mark.parametrize(("step", "is_unknown"), [("MAIL", False), ("RCPT", False), (".", True)])
async def test_only_a_message_that_the_server_may_have_is_to_be_settled_when_the_connection_breaks(
    settings: Make, sandbox: Service, work: Work, step: str, is_unknown: bool
) -> None:
    async with (
        post_office(Post({step: drops})) as post,
        running(by_mail(settings, post, sandbox, email_attempts=1)) as service,
        work(service.engine),
    ):
        job = await ended(service, "/api/schedule-email", MAIL)
        check([job], "failed", 1)
        assert ("to be settled" in job["error"]["message"]) is is_unknown


@pytest.mark.parametrize("step", ["RCPT", "DATA", "."])
async def test_a_refusal_for_good_fails_it_at_once(
    settings: Make, sandbox: Service, work: Work, step: str
) -> None:
    async with (
        post_office(Post({step: "554 no"})) as post,
        running(by_mail(settings, post, sandbox)) as service,
        work(service.engine),
    ):
        job = await ended(service, "/api/schedule-email", MAIL)
        check([job], "failed", 1)
        assert "554" in job["error"]["message"]


async def test_a_server_that_takes_its_time_at_each_step_is_given_no_more_than_the_limit_in_all(
    settings: Make, sandbox: Service, work: Work
) -> None:
    slow: dict[str, str | bytes | Do] = dict.fromkeys(("EHLO", "MAIL", "RCPT"), slowly)
    async with (
        post_office(Post(slow)) as post,
        running(by_mail(settings, post, sandbox)) as service,
        work(service.engine),
    ):
        job = await ended(service, "/api/schedule-email", MAIL)
        check([job], "failed", 2)
        assert "no answer in time" in job["error"]["message"]


@pytest.mark.parametrize(
    "words", [b"\xff\xfe taken", "übernommen".encode("latin-1"), b"\x1b[31m", b"x" * 5_000]
)
async def test_what_a_server_says_in_whatever_bytes_is_told(
    settings: Make, sandbox: Service, work: Work, words: bytes
) -> None:
    async with (
        post_office(Post({".": b"250 " + words})) as post,
        running(by_mail(settings, post, sandbox)) as service,
        work(service.engine),
    ):
        job = await ended(service, "/api/schedule-email", MAIL)
        check([job], "completed", 1)
        assert len(job["result"]["provider_id"]) <= EXCERPT
        post.does = {"RCPT": (b"550 " + words).decode("latin-1")}
        check([await ended(service, "/api/schedule-email", MAIL)], "failed", 1)


RECIPIENTS = ["a@example.com", "b@example.com", "c@example.com", "d@example.com"]
PARTIAL: list[tuple[dict[str, str | bytes | Do], str, set[str], list[str]]] = [
    ({"<b@": "550 gone"}, "completed", {"b@example.com"}, []),
    ({"<b@": "550 gone", "<c@": "553 who?"}, "completed", {"b@example.com", "c@example.com"}, []),
    ({"<b@": "450 busy", "<c@": "452 full"}, "completed", set(), ["b@example.com", "c@example.com"]),
    ({"<a@": "550 gone", "<d@": "451 later"}, "completed", {"a@example.com"}, ["d@example.com"]),
    ({"RCPT": "550 gone"}, "failed", set(), []),
    ({"<a@": "550 gone", "RCPT": "450 busy"}, "failed", set(), []),
]


@pytest.mark.parametrize(("does", "state", "refused", "later"), PARTIAL)
async def test_of_several_recipients_each_is_delivered_refused_or_put_off(
    settings: Make, sandbox: Service, work: Work, does: Any, state: str, refused: set[str], later: list[str]
) -> None:
    async with (
        post_office(Post(does)) as post,
        running(by_mail(settings, post, sandbox)) as service,
        work(service.engine),
    ):
        job = await ended(service, "/api/schedule-email", {**MAIL, "to": RECIPIENTS})
        assert job["state"] == state, job
        assert set((job["result"] or {}).get("refused", ())) == refused
        waiting = (await service.engine.queue("scheduled-email-queue").jobs("delayed")).items
        assert [each.payload["to"] for each in waiting] == ([later] if later else [])


async def test_a_421_among_recipients_puts_the_message_off_and_each_gets_it_once(
    settings: Make, sandbox: Service, work: Work
) -> None:
    async with (
        post_office(Post({"<b@": "421 going down"}, times=1)) as post,
        running(by_mail(settings, post, sandbox)) as service,
        work(service.engine),
    ):
        job = await ended(service, "/api/schedule-email", {**MAIL, "to": RECIPIENTS})
        check([job], "completed", 2)
        assert (len(post.taken), post.connections) == (1, 2)


async def test_a_connection_that_the_server_has_closed_meanwhile_costs_no_attempt(
    settings: Make, sandbox: Service, work: Work
) -> None:
    for answer in ("421 idle for too long", drops):
        async with (
            post_office(Post({"NOOP": answer})) as post,
            running(by_mail(settings, post, sandbox)) as service,
            work(service.engine),
        ):
            for _ in range(3):
                check([await ended(service, "/api/schedule-email", MAIL)], "completed", 1)
            assert post.connections == 3
