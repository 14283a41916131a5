"""Keys that a command makes: they open what their scope says, for their queues, until their end; and nothing is open
without one from then on."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
from streamq_service.http import made_keys
from streamq_service.http.auth import Scope
from streamq_service.http.made_keys import Bucket, MadeKeys, check_open
from streamq_service.settings import ServiceSettings

from streamq import ConfigurationError, Rate, UsageError

from ..processes import without_settings
from ..rig import ON_ONE_SERVER, shared_keys, until
from ..servers import Server
from .conftest import Service
from .test_messages import GOOD

pytestmark = pytest.mark.keeps_keys
Start = Callable[..., AbstractAsyncContextManager[Service]]


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """API processes look for keys often."""
    monkeypatch.setattr(made_keys, "LOOK", 0.1)


async def status_of(service: Service, path: str, key: str = "", method: str = "GET", body: Any = None) -> int:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    async with service.http.request(method, service.url + path, headers=headers, json=body) as answer:
        return answer.status


async def known(service: Service, key: str, expected: int, path: str = "/api/v1/queues") -> None:
    """Return once the API asks everybody for a key, and answers this one so."""

    async def is_so() -> bool:
        return await status_of(service, path) == 401 and await status_of(service, path, key) == expected

    await until(is_so)


@ON_ONE_SERVER
async def test_the_first_key_closes_the_api_and_the_last_revocation_does_not_open_it(
    service: Service,
) -> None:
    assert await status_of(service, "/api/v1/queues") == 200
    keys = MadeKeys(service.engine)
    made, text = await keys.create(Scope.WRITE, name="shop")
    await known(service, "", 401)
    await known(service, text, 200)
    assert await status_of(service, "/api/v1/messages/sms", text, "POST", GOOD) == 201
    assert await status_of(service, "/api/v1/queues/q/pause", text, "POST", {}) == 403
    assert await keys.revoke(made.id)
    await known(service, text, 401)
    assert not await keys.revoke(made.id)
    assert await status_of(service, "/api/v1/queues") == 401
    assert await status_of(service, "/health") == 200


@ON_ONE_SERVER
async def test_only_the_digest_of_a_key_is_kept(service: Service, shared_server: Server, prefix: str) -> None:
    made, text = await MadeKeys(service.engine).create(Scope.ADMIN, name="boss")
    secret = text.rpartition("_")[2].encode()
    with shared_server.client(decode_responses=False) as client:
        assert not [key for key in client.keys(f"{prefix}*") if secret in (client.dump(key) or b"")]
    (kept,) = await MadeKeys(service.engine).all()
    assert (kept.id, kept.name, kept.scope) == (made.id, "boss", Scope.ADMIN)


@ON_ONE_SERVER
async def test_a_key_ends_at_its_time(service: Service) -> None:
    _, text = await MadeKeys(service.engine).create(Scope.READ, expires="3s")
    await known(service, text, 200)
    await known(service, text, 401)
    assert await MadeKeys(service.engine).all() == []


@ON_ONE_SERVER
async def test_a_key_for_some_queues_reaches_these_alone(service: Service) -> None:
    _, text = await MadeKeys(service.engine).create(Scope.WRITE, queues=["send-sms-queue"])
    await known(service, text, 200, "/api/v1/queues/send-sms-queue")
    for path in ("/api/v1/queues/send-email-queue", "/api/v1/audit", "/api/v1/schedules", "/api/v1/channels"):
        assert await status_of(service, path, text) == 403, path
    status, _, problem = await service.get("/api/v1/slow", Authorization=f"Bearer {text}")
    assert (status, problem["code"], problem["queues"]) == (403, "other-queues", ["send-sms-queue"])


@ON_ONE_SERVER
async def test_a_key_has_so_many_requests_in_a_time_and_others_are_not_held_up(service: Service) -> None:
    keys = MadeKeys(service.engine)
    _, slow = await keys.create(Scope.READ, rate="3/h")
    _, other = await keys.create(Scope.READ)
    await known(service, other, 200)
    answers = [await status_of(service, "/api/v1/queues", slow) for _ in range(5)]
    assert answers == [200, 200, 200, 429, 429]
    assert await status_of(service, "/api/v1/queues", other) == 200
    status, headers, problem = await service.get("/api/v1/queues", Authorization=f"Bearer {slow}")
    assert (status, problem["code"]) == (429, "key-rate")
    assert 1_000 < int(headers["Retry-After"]) <= 1_200


def test_a_rate_fills_up_again(monkeypatch: pytest.MonkeyPatch) -> None:
    at = 100.0
    monkeypatch.setattr(made_keys, "monotonic", lambda: at)
    bucket = Bucket(Rate(2, 1.0))
    assert [bucket.wait(), bucket.wait(), bucket.wait()] == [0, 0, 0.5]
    at += 0.5
    assert [bucket.wait(), bucket.wait()] == [0, 0.5]
    at += 100
    assert [bucket.wait(), bucket.wait(), bucket.wait()] == [0, 0, 0.5]


@ON_ONE_SERVER
async def test_who_acted_with_a_key_is_in_the_audit_trail(service: Service) -> None:
    made, text = await MadeKeys(service.engine).create(Scope.ADMIN, name="ada")
    await known(service, text, 200)
    path = "/api/v1/queues/send-sms-queue/pause"
    assert await status_of(service, path, text, "POST", {"reason": "test"}) == 200
    entries = (await service.engine.audit()).items
    assert f"key ada ({made.id})" in {entry.actor for entry in entries}


@ON_ONE_SERVER
async def test_who_made_and_revoked_a_key_is_in_the_audit_trail_and_no_part_of_its_text(
    service: Service,
) -> None:
    keys = MadeKeys(service.engine)
    with service.engine.acting("ada"):
        made, text = await keys.create(Scope.WRITE, name="shop", queues=["q"], rate="3/h", expires="30d")
        assert await keys.revoke(made.id)
        assert not await keys.revoke(made.id)
    revoked, created = (await service.engine.audit()).items
    assert [(each.actor, each.action, each.subject) for each in (created, revoked)] == [
        ("ada", "key.create", made.id), ("ada", "key.revoke", made.id),
    ]  # fmt: skip
    said = {name: created.details[name] for name in ("name", "scope", "queues", "rate")}
    assert said == {"name": "shop", "scope": "write", "queues": ["q"], "rate": "3/h"}
    whole = str((created, revoked))
    assert text.rpartition("_")[2] not in whole
    assert made.digest.hex() not in whole


@ON_ONE_SERVER
async def test_what_cannot_be_made_is_refused(service: Service) -> None:
    keys = MadeKeys(service.engine)
    for wrong in (
        {"expires": "0s"},
        {"expires": "soon"},
        {"expires": "20000d"},
        {"rate": "fast"},
        {"name": "n" * 151},
        {"name": "two\nlines"},
    ):
        with pytest.raises(UsageError):
            await keys.create(Scope.READ, **wrong)  # type: ignore[arg-type]  # wrong on purpose
    assert not await keys.ever()


@ON_ONE_SERVER
async def test_an_address_of_others_needs_a_key_in_the_settings_or_in_the_server(
    service: Service, settings: Callable[..., ServiceSettings]
) -> None:
    given = settings(host="0.0.0.0")  # noqa: S104  # nothing is bound
    with pytest.raises(ConfigurationError, match="streamq key create"):
        await check_open(given)
    await MadeKeys(service.engine).create(Scope.READ)
    await check_open(given)


@ON_ONE_SERVER
async def test_a_stream_ends_with_its_key_and_one_without_a_key_with_the_first_that_is_made(
    service: Service,
) -> None:
    keys = MadeKeys(service.engine)
    async with service.http.get(service.url + "/api/v1/events") as open_to_all:
        assert open_to_all.status == 200
        made, text = await keys.create(Scope.READ, name="shop")
        async with asyncio.timeout(10):
            await open_to_all.read()
    await known(service, text, 200)
    headers = {"Authorization": f"Bearer {text}"}
    async with service.http.get(service.url + "/api/v1/events", headers=headers) as stream:
        assert await stream.content.readline()
        await keys.revoke(made.id)
        async with asyncio.timeout(10):
            await stream.read()


@ON_ONE_SERVER
async def test_the_commands_make_list_and_revoke(server_url: str, shared_server: Server, prefix: str) -> None:
    environment = without_settings(STREAMQ_REDIS_URL=server_url, STREAMQ_PREFIX=prefix)

    async def said(*words: str) -> tuple[int, str]:
        command = [sys.executable, "-m", "streamq", "key", *words]
        done = await asyncio.to_thread(
            subprocess.run, command, env=environment, capture_output=True, text=True, timeout=30, check=False
        )
        return done.returncode, done.stdout

    code, text = await said("create", "--scope", "write", "--name", "shop", "--expires", "90d")
    assert (code, text.startswith("sq_")) == (0, True)
    key_id = text.split("_")[1]
    code, listed = await said("ls")
    assert (code, key_id in listed, "shop" in listed, text.strip() in listed) == (0, True, True, False)
    assert (await said("revoke", key_id, "--actor", "ada"))[0] == 0
    with shared_server.client(decode_responses=False) as client:
        acts = [fields[b"action"] for _, fields in client.xrange(shared_keys(prefix).trail)]
    assert acts == [b"key.create", b"key.revoke"]
    assert (await said("revoke", key_id))[0] == 3
    assert (await said("create", "--expires", "never"))[0] != 0


@ON_ONE_SERVER
async def test_ten_thousand_keys_that_are_tried_open_nothing_and_ask_the_queue_server_nothing(
    service: Service, shared_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, text = await MadeKeys(service.engine).create(Scope.READ)
    await known(service, text, 200)
    monkeypatch.setattr(made_keys, "LOOK", 60.0)
    await asyncio.sleep(0.3)  # the last of the looks that come often
    stem = text.rsplit("_", 1)[0]

    def commands() -> int:
        with shared_server.client(decode_responses=False) as client:
            return int(client.info("stats")["total_commands_processed"])

    before = commands()
    tried = (f"{stem}_{number:048x}" if number % 2 else f"{'x' * 16}{number}" for number in range(10_000))
    found = set[int]()
    for _ in range(100):
        asking = [status_of(service, "/api/v1/queues", next(tried)) for _ in range(100)]
        found.update(await asyncio.gather(*asking))
    assert found == {401}
    assert commands() - before < 100, "what else goes on, and no more"
    assert await status_of(service, "/api/v1/queues", text) == 200
