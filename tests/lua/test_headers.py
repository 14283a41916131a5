"""Headers as text: Lua and Python read the same, and what others wrote is passed on byte for byte."""

from __future__ import annotations

import json
from typing import Any

import pytest
import redis
from hypothesis import HealthCheck, example, given, settings

from streamq import App, State
from streamq.model.headers import id_of, members, pack_headers, parse_headers
from streamq.model.keys import GROUP, Keys
from streamq.redis.links import Links
from streamq.redis.script_text import with_parts

from ..rig import ON_ONE_SERVER
from ..servers import Server
from .foreign import OWN, headers, passed_on

READ = """
-- parts: headers own_headers named
local own, answer = {}, {}
for name in string.gmatch(KEYS[1], '%S+') do own[name] = true end
for i, text in ipairs(ARGV) do
  local list, foreign = split(text), {}
  for _, member in ipairs(list) do
    if not own[member.name] then foreign[#foreign + 1] = string.sub(text, member.at, member.to) end
  end
  local kept, id = named(text, '7-7')
  answer[i] = { id_of(text) or '', count_of(list, 'attempt'), count_of(list, 'crashes'), foreign, kept, id }
end
return answer
"""
MANY = settings(
    max_examples=1_500,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)


@ON_ONE_SERVER
@MANY
@given(raw=headers)
@example(raw=b'{"id":"1-1","id":"2-2","attempt":1,"attempt":2}')
@example(raw=b'{"x":1,"id":"1-1"}')
@example(raw=b'{"x":"a\\"b","attempt":1}')
@example(raw=b'{"x":"a\\\\","attempt":1}')
@example(raw=b'{"x":["]",{"}":"["}],"crashes":2}')
@example(raw=b'{"att\\u0065mpt":5,"attempt":1}')
@example(raw=b'{"attempt":1} {"attempt":2}')
@example(raw=b'{"id":"99999999999999999-0","x":1e999,"y":NaN}')
@example(raw=b'{"id":"' + b"9" * 5000 + b'-0"}')
def test_lua_and_python_read_the_same(shared_server: Server, raw: bytes) -> None:
    with_text = "\n".join(("#!lua", *with_parts(READ)))
    client = _raw_client(shared_server)
    ((job_id, attempt, crashes, foreign, kept, named),) = client.eval(with_text, 1, b" ".join(OWN), raw)
    ours = parse_headers(raw)
    assert (job_id.decode() or None) == ours.get("id")
    assert (attempt, crashes) == (ours.get("attempt", 0), ours.get("crashes", 0))
    assert foreign == passed_on(raw)
    assert ours.get("foreign", b"") == b",".join(foreign)
    assert named.decode() == (ours.get("id") or "7-7") == id_of(kept) == parse_headers(kept)["id"]
    assert passed_on(kept) == foreign
    assert id_of(raw) or [name for name, _, _ in members(kept) or ()].count(b"id") == 1, (
        "other readers agree too"
    )
    written = pack_headers({**ours, "id": named.decode(), "crashes": 1})
    assert (id_of(written), passed_on(written)) == (named.decode(), foreign)
    assert parse_headers(written)["crashes"] == 1


_clients: dict[str, Any] = {}


def _raw_client(server: Server) -> Any:
    """One connection for all examples, which answers with bytes."""
    if server.url not in _clients:
        _clients.clear()
        _clients[server.url] = server.client(decode_responses=False)
    return _clients[server.url]


FOREIGN = [b'"a":[]', b'"b" : 9007199254740993', b'"c":{"x":1e999}', b'"d":NaN', b'"e":"\xff\xfe"']


@pytest.mark.parametrize("way", ["reclaim", "release", "audit", "requeue"])
async def test_what_others_wrote_into_headers_is_passed_on_byte_for_byte(
    app: App, link: Links, client: redis.Redis, keys: Keys, way: str
) -> None:
    raw = b'{"attempt":1, %b}' % b", ".join(FOREIGN)
    job_id = (
        await link.home.call("XADD", keys.ready, "*", "task", "t", "payload", "1", "headers", raw)
    ).decode()
    await link.home.call("XREADGROUP", "GROUP", GROUP, "w", "STREAMS", keys.ready, ">")
    if way == "reclaim":
        assert (await app.client.store.recovery.reclaim(link, "q", "w", None)).again == 1
    elif way == "release":
        assert await app.client.store.delivery.release(link, "q", [(1, job_id.encode())]) == 1
    elif way == "audit":
        client.xgroup_delconsumer(keys.ready, GROUP, "w")
        assert await app.client.store.recovery.audit(link, "q") == 1
    else:
        client.xtrim(keys.ready, 0)
        await link.home.call("HSET", keys.finished, job_id, b"f5 0 w\nt\n" + raw + b"\n{}\n1")
        client.zadd(keys.failures, {job_id: 1})
        await app.client.store.jobs.requeue("q", job_id)
    ((_, fields),) = await link.home.call("XRANGE", keys.ready, "-", "+")
    written = fields[5]
    assert passed_on(written) == FOREIGN
    assert written.startswith(b'{"id":"%b"' % job_id.encode())
    record = await app.queue("q").get(job_id)
    assert (record.id, record.state, record.crashes) == (job_id, State.WAITING, way == "reclaim")


@pytest.mark.parametrize("member", [b'"x":1e999', b'"x":NaN', b'"x":"\xff"', b'"x":[[[', b'"x"', b"garbage"])
async def test_a_header_that_cannot_be_encoded_stops_no_recovery(
    app: App, link: Links, client: redis.Redis, keys: Keys, member: bytes
) -> None:
    """The job of such a header and those behind it are recovered, up to the limit of crashes."""
    await link.home.call(
        "XADD", keys.ready, "*", "task", "t", "payload", "1", "headers", b'{"id":"3-3",' + member + b"}"
    )
    behind = await app.enqueue("q", "t", "behind")
    for lane, worker in ((keys.ready, "w1"), (keys.ready, "w2"), (keys.alone, "w3")):
        await link.home.call("XREADGROUP", "GROUP", GROUP, worker, "STREAMS", lane, ">")
        await app.client.store.recovery.reclaim(link, "q", worker, None)
    listed = (await app.queue("q").jobs(State.FAILED)).items
    assert {record.id for record in listed} == {"3-3", behind.id}
    assert {len(record.history) for record in listed} == {3}
    assert client.exists(*keys.lanes, keys.moved, keys.parked) == 2, "the lanes, empty"
    assert client.xlen(keys.ready) == client.xlen(keys.alone) == 0


@pytest.mark.parametrize(
    "job_id", ["99999999999999999-1", "9" * 5000 + "-1"], ids=["17 digits", "5,000 digits"]
)
async def test_an_id_out_of_every_calendar_is_listed_and_recovered(
    app: App, link: Links, client: redis.Redis, keys: Keys, job_id: str
) -> None:
    client.xadd(
        keys.ready,
        {"task": "t", "payload": "1", "headers": json.dumps({"id": job_id}, separators=(",", ":"))},
    )
    sound = await app.enqueue("q", "t", 1)
    assert len((await app.queue("q").jobs(State.WAITING)).items) == 2
    client.xreadgroup(GROUP, "w", {keys.ready: ">"})
    assert sound.id in [record.id for record in (await app.queue("q").jobs(State.ACTIVE)).items]
    assert (await app.client.store.recovery.reclaim(link, "q", "w", None)).again == 2
    first, second = (await app.queue("q").jobs(State.WAITING)).items
    assert second.id == sound.id
    if len(job_id) < 50:
        assert (first.id, first.created_at) == (job_id, None)


async def test_the_jobs_of_a_consumer_of_any_name_are_found_and_recovered(
    app: App, link: Links, client: redis.Redis, keys: Keys
) -> None:
    job = await app.enqueue("q", "t", 1)
    await link.home.call("XREADGROUP", "GROUP", GROUP, b'\xff "\n', "STREAMS", keys.ready, ">")
    (name,) = await app.client.store.recovery.unlisted(link, "q")
    assert (await app.client.store.recovery.reclaim(link, "q", name, None)).again == 1
    assert await app.client.store.recovery.unlisted(link, "q") == []
    record = await job.status()
    assert (record.state, record.crashes, len(record.history)) == (State.WAITING, 1, 1)
