"""The service on a Redis Cluster of three primaries: all it does on one server, it does there."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
from streamq_service.settings import ServiceSettings

from ..clusters import Cluster
from ..rig import ON_ONE_SERVER, until
from ..servers import binary_of
from .conftest import Service, running, working

GOOD = {"to": "+15550100", "message": "hello", "workspaceId": 66338}
MB = 2**20


@pytest.fixture
def cluster(server_kind: str) -> Iterator[Cluster]:
    binary = binary_of(server_kind)
    assert binary is not None
    with Cluster(binary) as cluster:
        yield cluster


@pytest.fixture
async def there(cluster: Cluster, sandbox: Service) -> AsyncIterator[Service]:
    """The service over the sandbox, with a worker."""
    given = ServiceSettings(redis_url=cluster.url, sms_api_url=sandbox.url, sms_backoff=0.02)  # type: ignore[call-arg]
    async with running(given) as service, working(service.engine) as worker:
        await worker.is_ready.wait()
        yield service


@ON_ONE_SERVER
async def test_messages_are_sent_and_told_of_wherever_they_are_looked_at(
    there: Service, sandbox: Service
) -> None:
    sent = [await there.post("/api/v1/messages/sms", {**GOOD, "message": f"{n}"}) for n in range(3)]
    assert [status for status, _, _ in sent] == [201] * 3

    async def done() -> bool:
        jobs = [(await there.get(headers["Location"]))[2] for _, headers, _ in sent]
        return all(job["state"] == "completed" for job in jobs)

    await until(done)
    _, _, ledger = await sandbox.get("/ledger")
    assert len(ledger["calls"]) == 3
    _, _, listed = await there.get("/api/v1/queues/send-sms-queue/jobs?state=completed")
    assert {job["id"] for job in listed["data"]} == {answer["id"] for _, _, answer in sent}
    _, _, channels = await there.get("/api/v1/channels")
    assert next(each for each in channels["data"] if each["name"] == "sms")["counts"]["completed"] == 3
    for path in (
        "stats",
        "stats?by=queue",
        "workers",
        "tasks",
        "audit",
        "failures",
        "slow",
        "capacity",
        "me",
    ):
        status, _, told = await there.get(f"/api/v1/{path}")
        assert (status, "data" in told or path in ("capacity", "me", "slow")) == (200, True), path


@ON_ONE_SERVER
async def test_queues_groups_schedules_and_shared_limits_are_steered(there: Service) -> None:
    queue = "/api/v1/queues/send-sms-queue"
    assert (await there.post(f"{queue}/pause", {"reason": "a test"}))[0] == 200
    assert (await there.post("/api/v1/messages/sms", GOOD))[0] == 201
    _, _, jobs = await there.get(f"{queue}/jobs?state=held")
    (job,) = jobs["data"]
    _, _, why = await there.get(f"{queue}/jobs/{job['id']}/why")
    assert why["code"] == "in-turn"
    status, _, found = await there.get(f"{queue}/groups/66338")
    assert (status, found["name"], found["waiting"]) == (200, "66338", 1)
    assert (await there.post(f"{queue}/groups/66338/pause", {"reason": "quiet"}))[0] == 200
    assert (await there.post(f"{queue}/groups/66338/resume", b""))[0] == 200
    assert (await there.send("PUT", "/api/v1/shared-limits/provider", {"rate": "100/s"}))[0] == 200
    assert (await there.get("/api/v1/shared-limits"))[2]["data"][0]["name"] == "provider"
    payload = {"to": "+15550100", "message": "hello", "workspace_id": 66338}
    hourly = {"task": "send-sms", "payload": payload, "every": "1h", "queue": "send-sms-queue"}
    status, _, made = await there.send("PUT", "/api/v1/schedules/hourly", hourly)
    assert status in (200, 201), made
    assert (await there.post("/api/v1/schedules/hourly/run", b""))[0] in (200, 201)
    assert (await there.post(f"{queue}/resume", b""))[0] == 200

    async def drained() -> bool:
        _, _, of = await there.get(queue)
        return bool(of["counts"]["completed"] == 2)

    await until(drained)
    _, _, trail = await there.get("/api/v1/audit")
    assert {"queue.pause", "group.pause", "shared.limit"} <= {act["action"] for act in trail["data"]}


@ON_ONE_SERVER
async def test_jobs_are_searched_and_operations_run_to_their_end(there: Service) -> None:
    queue = "/api/v1/queues/send-sms-queue"
    await there.post(f"{queue}/pause", {"reason": "a test"})
    for number in range(5):
        await there.post("/api/v1/messages/sms", {**GOOD, "message": f"text {number}"})
    _, _, found = await there.get(f"{queue}/jobs?state=held&task=send-sms&limit=2")
    assert len(found["data"]) == 2
    status, _, operation = await there.post(
        f"{queue}/purge", {"states": ["held", "waiting"], "confirm": "send-sms-queue"}
    )
    assert status in (200, 202), operation

    async def empty() -> bool:
        _, _, of = await there.get(queue)
        return bool(of["counts"]["held"] == of["counts"]["waiting"] == 0)

    await until(empty)


@ON_ONE_SERVER
async def test_the_room_of_a_cluster_is_that_of_its_fullest_node(cluster: Cluster, there: Service) -> None:
    full = cluster.nodes[2]
    full.ask("CONFIG", "SET", "maxmemory", 8 * MB, "maxmemory-policy", "allkeys-lru")
    cluster.nodes[1].ask("CONFIG", "SET", "maxmemory", 800 * MB)
    _, _, told = await there.get("/api/v1/server")
    assert (told["nodes"], told["memory_limit"]) == (3, 8 * MB)
    assert told["memory"] < told["memory_of_all"] < 3 * 8 * MB
    assert told["eviction_policy"] == "allkeys-lru"
    assert told["persistence"] == "off"
    _, _, capacity = await there.get("/api/v1/capacity")
    assert (capacity["now"]["nodes"], capacity["now"]["memory_limit"]) == (3, 8 * MB)
    async with there.http.get(there.url + "/metrics") as response:
        lines = (await response.text()).splitlines()
    assert "streamq_server_nodes 3" in lines
    assert any(line.startswith("streamq_server_memory_of_all_bytes ") for line in lines)


@ON_ONE_SERVER
async def test_the_pages_of_the_dashboard_hear_of_counts_on_every_node(there: Service) -> None:
    async with there.http.get(there.url + "/") as response:
        assert response.status == 200
    async with there.http.get(there.url + "/api/v1/events") as events:
        text = ""
        while "event: snapshot" not in text or "send-sms-queue" not in text:
            text += (await events.content.readline()).decode()
    assert "ai-response-queue" in text


@ON_ONE_SERVER
async def test_a_node_that_is_lost_costs_no_look_at_the_others(cluster: Cluster, there: Service) -> None:
    home = cluster.owner("{all queues}")
    lost = next(node for node in cluster.nodes if node is not home)
    lost.kill()
    await until(lambda: int(home.info()["cluster_slots_ok"]) < 16384, 20)
    status, _, told = await there.get("/api/v1/server")
    assert (status, told["role"]) == (200, "master")
    assert (await there.get("/api/v1/workers"))[0] == 200
