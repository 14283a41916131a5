"""No name that stands in a path can be taken for a step up there: what is asked of it is done to nothing else."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from streamq_service.messaging.channel import group_of
from streamq_service.settings import ServiceSettings
from yarl import URL

from streamq import OPTIONS, App, ConfigurationError, InvalidPayload, UsageError
from streamq.model.group import is_group
from streamq.model.names import is_name
from streamq.options import wrong_task_name

from ..rig import ON_ONE_SERVER
from .conftest import running

NAMES = st.text("./:a%-", min_size=1, max_size=8)
"""Of all that a path has a meaning for."""
FOLDED = ["..", ".", "a:..", "..:a", ".:.", "../..", "a/..", "./a:b", "a/../b", "a:b/./c"]


def stays(name: str) -> bool:
    """Whether a path that has the name in it is still that path for a client that folds, and behind a proxy that
    unescapes a slash."""
    path = f"/queues/q/groups/{quote(name, '')}/pause"
    return all(
        URL(f"http://example.com{each}").raw_path.count("/") == each.count("/")
        for each in (path, path.replace("%2F", "/"))
    )


@given(NAMES)
def test_whatever_may_be_a_name_stays_in_its_path(name: str) -> None:
    tenant = name.partition(":")[0]
    if not OPTIONS["group"].wrong(name):
        assert stays(name)
        assert stays(tenant)
    assert wrong_task_name(name) or stays(name)
    assert not is_name(name) or stays(name)


@given(NAMES, st.none() | NAMES)
def test_the_group_of_every_workspace_and_contact_may_be_one(workspace: str, contact: str | None) -> None:
    group = group_of(SimpleNamespace(workspace_id=workspace, contact_id=contact))
    assert not OPTIONS["group"].wrong(group)


@ON_ONE_SERVER
@pytest.mark.parametrize("name", FOLDED)
async def test_no_job_is_made_of_a_group_that_no_path_can_hold(
    settings: Callable[..., ServiceSettings], name: str
) -> None:
    async with App(settings()) as app:
        if ":" not in name:
            with pytest.raises(ConfigurationError, match="cannot name a task"):
                app.task(name=name)(takes)
            with pytest.raises(UsageError, match="cannot name a task"):
                await app.enqueue("q", name, {})
        with pytest.raises(ConfigurationError, match="group="):
            app.task(group=name)(takes)
        with pytest.raises(UsageError, match="nor a part of one between slashes"):
            await app.enqueue("q", "task", {}, group=name)
        task = app.task(name="of", queue="q", group="{name}")(takes)
        with pytest.raises(InvalidPayload, match="nor a part of one between slashes"):
            await task.enqueue({"name": name})


async def takes(job: dict[str, str]) -> None: ...


@ON_ONE_SERVER
@pytest.mark.keeps_keys
async def test_a_group_that_has_such_a_name_already_is_listed_asked_for_and_steered(
    settings: Callable[..., ServiceSettings], monkeypatch: pytest.MonkeyPatch
) -> None:
    given = settings()
    async with running(given, App(given)) as service:
        with monkeypatch.context() as before:  # as an older version made it
            before.setattr("streamq.options.may_name_group", is_group)
            await service.engine.enqueue("q", "task", {}, group="..")
        queue = service.engine.queue("q")
        await queue.limit(concurrency=1)
        found = (await service.get("/api/v1/queues/q/jobs?group=.."))[2]["data"]
        assert [job["group"] for job in found] == [".."]
        for path in ("jobs?q=group:%22..%22", "breaker?group=..", "stats?group=.."):
            assert (await service.get(f"/api/v1/queues/q/{path}"))[0] == 200, path
        await queue.group("..").pause("for a test")
        assert (await queue.group("..").status()).paused
        await queue.group("..").resume()
