"""What jobs take of a server's memory."""

from __future__ import annotations

import json
from statistics import mean

import pytest

from bench.memory import cost
from bench.occupancy import STATES, exact, spread, warm
from bench.rig import Rig
from bench.scenarios.memory import SIZES
from bench.server import open_server

from .programs import bench


@pytest.mark.parametrize("size", SIZES)
def test_payloads_have_the_size_that_is_wanted_each_or_on_average(size: int) -> None:
    assert {len(json.dumps(payload)) for payload in exact(size, 50)} == {size}
    sizes = [len(json.dumps(payload)) for payload in spread(size, 2_000)]
    assert mean(sizes) == pytest.approx(size, rel=0.01)
    assert (min(sizes), max(sizes)) == pytest.approx((size * 0.8, size * 1.2), rel=0.02)
    assert len(set(sizes)) > min(size, 2_000) / 3, "the sizes are few: rounding would show through"


async def test_a_job_takes_its_payload_and_more_and_an_active_one_also_who_has_it() -> None:
    async with open_server(None) as server:
        rig = Rig(server, quick=True, repeat=1, say=lambda _: None)
        await warm(rig)
        taken = {state: await STATES[state](rig, exact(1_000, 1_000)) for state in STATES}
        assert await server.client.dbsize() == 0
    assert {one.payload for one in taken.values()} == {1_000}
    assert all(0 < one.beyond < 1_000 for one in taken.values())
    assert taken["waiting"].each < taken["active"].each


def test_the_memory_command_prints_each_state() -> None:
    said = bench("memory", "--payload", "100", "--jobs", "200")
    assert said.returncode == 0, said.stderr
    assert [line.split()[0] for line in said.stdout.splitlines()[4:]] == list(STATES)
    assert "GB per million" in said.stdout


async def test_the_memory_command_prints_json(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    await cost(2_000, 200, json=True, redis_url=None)
    document = json.loads(capsysbinary.readouterr().out)
    assert document["server"].split()[0] in {"Redis", "Valkey"}
    assert document["payload"] == 2_000
    assert list(document["states"]) == list(STATES)
    for state in document["states"].values():
        assert state["jobs"] == 200
        assert state["bytes_per_job"] > 2_000
        assert state["gb_per_million"] == pytest.approx(state["bytes_per_job"] / 1_000, abs=0.001)


async def test_more_than_a_server_shall_hold_is_refused_with_what_is_allowed() -> None:
    with pytest.raises(ValueError, match="use at most --jobs 30517"):
        await cost(65_536, 1_000_000, json=False, redis_url=None)
