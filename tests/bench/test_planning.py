"""Capacity planning: arithmetic against known values and theory, and the command as people use it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from bench.commands import bench as command
from bench.planning import units
from bench.planning.coefficients import (
    Coefficients,
    Connections,
    Cost,
    Delays,
    RedisCpu,
    WorkerCpu,
    load,
    save,
)
from bench.planning.memory import Curve, Memory
from bench.planning.plan import MEMORY, REDIS_CPU, SLOTS, WORKER_CPU, default, memory_parts, plan, records
from bench.planning.queueing import busy_slots, closed_rate, erlang_b, erlang_c, slots_for, wait
from bench.planning.spreading import fullest, parts_of_batch, parts_of_call, right
from bench.planning.throughput import Load, demand, highest_rate
from bench.planning.wishes import Wishes
from streamq import slot_of_partition

KNOWN = Coefficients(
    5,
    RedisCpu(Cost(2, 0.003), Cost(8, 0.004), Cost(8, 0.004), promote=7, call=30, turn=50),
    WorkerCpu(Cost(15, 0.003), promoted=3, turn=100),
    Delays(enqueue=0.0001, turn=0.0003, slot=0.0006),
    Memory(
        waiting=Curve(((65, 18), (345, 36), (945, 101), (5005, 606), (65_005, 7097))),
        delayed=Curve(((65, 259), (345, 286), (945, 356), (5005, 807), (65_005, 7222))),
        completed=Curve(((65, 135), (345, 158), (945, 233), (5005, 662), (65_005, 7172))),
        failed=Curve(((1, 5280), (2, 10_915), (3, 10_920), (20, 16_881), (40, 16_940))),
        pending=92, late=38, worker=150_000, empty=1_000_000,
    ),
    Connections(most=10_000, of_worker=8, of_producer=2),
    {"at": "2026-01-02T03:04:05Z", "versions": {"product": "Redis", "server": "7.0.15"}},
)  # fmt: skip
WISHES = Wishes(rate=2000, handler=0.08, p99=0.5)


def bench(*arguments: str) -> Result:
    return CliRunner().invoke(command, arguments)


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "coefficients.json"
    save(KNOWN, path)
    return str(path)


# -- units --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parse", "text", "value"),
    [
        (units.milliseconds, "80", 0.08), (units.milliseconds, "2s", 2),
        (units.rate, "2000/s", 2000), (units.rate, "120k/min", 2000), (units.rate, "864M/d", 10_000),
        (units.rate, "7", 7), (units.count, "5_000_000", 5_000_000), (units.count, "1.5M", 1_500_000),
        (units.size, "4GiB", 2**32), (units.size, "2kB", 2000), (units.sizes, "300", (300, 300)),
        (units.sizes, "240..360", (240, 360)), (units.share, "70%", 0.7), (units.share, "0.25", 0.25),
    ],
)  # fmt: skip
def test_people_write_units_as_they_are_used_to(parse: Callable[[str], Any], text: str, value: Any) -> None:
    assert parse(text) == pytest.approx(value)


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        (units.milliseconds, "soon"), (units.rate, "0/s"),
        (units.rate, "5/fortnight"), (units.count, "1.5"), (units.count, "5X"), (units.size, "3 cups"),
        (units.sizes, "360..240"), (units.sizes, "0"), (units.share, "120%"), (units.share, "half"),
    ],
)  # fmt: skip
def test_a_unit_that_is_none_is_answered_with_what_is_allowed(parse: Callable[[str], Any], text: str) -> None:
    with pytest.raises(click.BadParameter, match=r"is not an? .*(like|to|as)") as caught:
        parse(text)
    assert repr(text)[1:-1].split("..")[0] in str(caught.value)


# -- queueing theory ----------------------------------------------------------------------------------------


def test_busy_slots_are_rate_times_duration() -> None:
    assert busy_slots(2000, 0.08) == pytest.approx(160)


@pytest.mark.parametrize(
    ("slots", "erlangs", "blocked"), [(1, 1, 0.5), (2, 1, 0.2), (5, 3, 0.110054), (10, 4.4612, 0.01)]
)
def test_erlang_b_is_what_its_tables_say(slots: int, erlangs: float, blocked: float) -> None:
    assert erlang_b(slots, erlangs) == pytest.approx(blocked, rel=1e-3)


@pytest.mark.parametrize(
    ("slots", "erlangs", "waits"), [(1, 0.7, 0.7), (2, 1, 1 / 3), (3, 2, 4 / 9), (5, 4, 0.554113)]
)
def test_erlang_c_is_what_its_tables_say(slots: int, erlangs: float, waits: float) -> None:
    assert erlang_c(slots, erlangs) == pytest.approx(waits, rel=1e-4)


def test_the_wait_of_one_slot_is_that_of_m_m_1() -> None:
    assert wait(8, 0.1, 1, 0.99) == pytest.approx(math.log(0.8 / 0.01) / 2)


def test_too_few_slots_wait_without_end() -> None:
    assert wait(100, 0.1, 10, 0.99) == math.inf


@pytest.mark.parametrize(("rate", "seconds", "target"), [(2000, 0.08, 0.01), (3, 1.0, 0.5), (50, 0.5, 0.001)])
def test_the_slots_are_the_fewest_that_will_do(rate: float, seconds: float, target: float) -> None:
    slots = slots_for(rate, seconds, 0.99, target)
    assert wait(rate, seconds, slots, 0.99) <= target < wait(rate, seconds, slots - 1, 0.99)


def test_a_closed_network_has_its_bounds() -> None:
    assert closed_rate(1, 0.1, [0.01]) == pytest.approx(1 / 0.11)
    assert closed_rate(5, 0, [0.01, 0.01]) == pytest.approx(5 / 6 * 100), "n / (n + k - 1) of the bottleneck"
    assert 95 < closed_rate(1000, 0.1, [0.01]) <= 100


# -- what a job costs ---------------------------------------------------------------------------------------


def test_more_work_makes_larger_batches_that_cost_less_by_the_job() -> None:
    few, many = (demand(KNOWN, Load(100), rate, 500) for rate in (10, 20_000))
    assert few.batch < 1.1 < many.batch / 5 <= 100
    assert many.worker < few.worker
    assert many.redis < few.redis


def test_handlers_that_await_are_bound_by_their_slots() -> None:
    rate = highest_rate(KNOWN, Load(100, awaits=0.1), slots=100, processes=2, cores=2)
    assert rate == pytest.approx(2 * 100 / 0.1, rel=0.02)


def test_handlers_that_compute_are_bound_by_their_core() -> None:
    load = Load(100, awaits=0.001, computes=0.001)
    rate = highest_rate(KNOWN, load, slots=100, processes=2, cores=2)
    assert 0.9 * 2000 < rate < 2000
    assert highest_rate(KNOWN, load, slots=100, processes=2, cores=1) < 1000


def test_a_slower_machine_is_slower_in_cpu_and_not_in_timers() -> None:
    slow, busy, idle = replace(KNOWN, slowness=2.0), Load(1000), Load(1000, awaits=0.5)
    one, other = (highest_rate(known, busy, slots=500, processes=1, cores=1) for known in (KNOWN, slow))
    assert other == pytest.approx(one / 2, rel=0.02)
    one, other = (highest_rate(known, idle, slots=10, processes=1, cores=1) for known in (KNOWN, slow))
    assert other == pytest.approx(one, rel=0.02)


# -- memory -------------------------------------------------------------------------------------------------


def test_between_two_sizes_that_were_measured_memory_lies_on_a_line() -> None:
    curve = Curve(((100, 20), (300, 60)))
    assert [curve.at(size) for size in (50, 100, 200, 300, 900)] == [20, 20, 40, 60, 60]
    assert curve.mean((100, 200), "") == pytest.approx(150 + 30)
    assert curve.mean((90, 90), "name" * 2, 2) == 100 + 20, "a name and a result are bytes as a payload's are"


def test_a_record_grows_with_its_payload_and_its_result() -> None:
    small, completed = KNOWN.memory.of_completed((100, 100)), KNOWN.memory.of_completed
    assert completed((1000, 1000)) > small + 900
    assert completed((100, 100), result=500) > small + 400
    assert completed((100, 100), late=1) == small + 38, "its id is in its headers"
    parts = memory_parts(KNOWN, replace(WISHES, outage=1 / 2000), 1, 1)
    assert parts["active"] == parts["waiting"] + 92, "one that waits and one that runs"


def test_ten_thousand_failed_jobs_are_planned_with_their_histories() -> None:
    failed = KNOWN.memory.of_failed
    assert failed((141, 141), 1) < failed((141, 141), 2) < failed((141, 141), 8) < 18_000
    most = [10_000 * failed((300, 300), attempts) for attempts in (5, 1_000)]
    assert 110e6 < most[0] < 130e6, "as the page says"
    assert 165e6 < most[1] < 185e6, "as the page says"
    assert (WORKER_CPU, SLOTS, REDIS_CPU, MEMORY) == (0.70, 0.85, 0.60, 0.70), "as the page says"
    kept = [default(setting) for setting in ("keep_completed", "keep_failed", "concurrency")]
    assert kept == [1_000, 10_000, 100], "as the page says"


# -- plans --------------------------------------------------------------------------------------------------


def test_a_plan_has_slots_for_what_runs_at_once_and_a_process_to_spare() -> None:
    found = plan(KNOWN, WISHES)
    assert (found.processes - 1) * found.concurrency >= 2000 * 0.08 / 0.85
    assert found.reachable
    assert found.p99 <= 0.5


@pytest.mark.parametrize(
    ("changed", "part"),
    [
        ({"rate": 20_000.0}, "processes"), ({"handler": 0.8}, "concurrency"), ({"computes": 0.005}, "processes"),
        ({"rate": 200_000.0}, "partitions"), ({"delayed": 50_000_000}, "nodes"),
        ({"producers": 100}, "connections"), ({"rate": 4000.0}, "redis_cpu"), ({"outage": 7200.0}, "nodes"),
    ],
)  # fmt: skip
def test_more_of_anything_takes_more(changed: dict[str, Any], part: str) -> None:
    assert getattr(plan(KNOWN, replace(WISHES, **changed)), part) > getattr(plan(KNOWN, WISHES), part)


@pytest.mark.parametrize(
    ("wishes", "kept"),
    [
        (Wishes(rate=10), 1000), (Wishes(rate=10, keep=50), 50), (Wishes(rate=10, failing=0, retention=60), 600),
        (Wishes(rate=10, failing=0, retention=60, keep=50), 50),
    ],
)  # fmt: skip
def test_records_are_kept_by_age_and_by_count(wishes: Wishes, kept: int) -> None:
    assert records(wishes) == kept


def test_a_retention_says_that_the_default_count_is_too_small() -> None:
    notes = plan(KNOWN, replace(WISHES, retention=3600)).notes
    assert any("STREAMQ_KEEP_COMPLETED=" in note and "only 1,000" in note for note in notes)


@pytest.mark.parametrize(
    ("nodes", "partitions", "most"), [(1, 1, 1), (3, 12, 4), (4, 16, 4), (6, 24, 4), (5, 20, 4)]
)
def test_the_right_partitions_are_several_to_a_node_and_evenly_spread(
    nodes: int, partitions: int, most: int
) -> None:
    assert right(nodes) == partitions
    assert fullest(nodes, partitions) * partitions / nodes == pytest.approx(most)
    slots = [slot_of_partition("sms", number) * nodes // 16_384 for number in range(partitions)]
    assert max(slots.count(node) for node in range(nodes)) == most, "as the engine lays them"


def test_a_load_that_one_server_cannot_bear_is_spread_over_a_cluster() -> None:
    found = plan(KNOWN, replace(WISHES, rate=60_000.0, batch=100))
    assert found.nodes >= 3
    assert found.partitions == right(found.nodes)
    assert found.excess <= 1
    assert any(f"partitions={found.partitions}" in note for note in found.notes)
    assert any("stay in one partition" in note for note in found.notes)
    alone = plan(KNOWN, replace(WISHES, rate=60_000.0, batch=100, nodes=1))
    assert not alone.reachable
    assert alone.connections * found.nodes == found.connections
    assert found.redis_cpu > 1.1 * alone.redis_cpu, "partitions have smaller batches"


def test_nodes_and_partitions_of_ones_own_are_kept_and_the_fullest_node_counts() -> None:
    even, odd = (plan(KNOWN, replace(WISHES, nodes=3, partitions=count)) for count in (12, 4))
    assert (odd.nodes, odd.partitions, odd.fullest, even.fullest) == (3, 4, 1.5, 1.0)
    cpu = {
        found.partitions: next(g.used for g in found.gauges if g.name == "Redis CPU") for found in (even, odd)
    }
    assert cpu[4] > cpu[12]
    assert any("the fullest node has 50% more than the average: 12 partitions" in note for note in odd.notes)


def test_a_load_that_no_cluster_can_bear_by_one_queue_is_past_its_limits_which_is_said() -> None:
    found = plan(KNOWN, replace(WISHES, rate=1e6, handler=0.0))
    assert (found.nodes, found.partitions, found.reachable) == (64, 64, False)
    assert "one queue has 64 partitions at most: have several queues" in found.notes


def test_partitions_part_calls_and_batches() -> None:
    assert [parts_of_call(jobs, 12) for jobs in (1, 50, 51, 500, 10_000)] == [1, 1, 2, 10, 12]
    assert parts_of_batch(100, 0.0, 12) == 1
    assert parts_of_batch(100, 0.08, 12) == pytest.approx(1 + 0.08 * 12 / 0.5)
    assert parts_of_batch(1, 10.0, 12) == pytest.approx(1)
    assert 2.5 < parts_of_batch(3, 10.0, 12) < 3, "three that may each be of any"
    assert parts_of_batch(100, 10.0, 1) == 1


def test_a_small_load_has_the_slots_that_a_worker_has_by_default() -> None:
    found = plan(KNOWN, Wishes(rate=1))
    assert (found.processes, found.concurrency) == (2, 100)


def test_a_concurrency_of_ones_own_is_kept() -> None:
    found = plan(KNOWN, replace(WISHES, concurrency=20))
    assert found.concurrency == 20
    assert found.processes > 8


# -- commands -----------------------------------------------------------------------------------------------


def test_a_plan_shows_what_it_takes_with_bars_assumptions_and_coefficients(file: str) -> None:
    said = bench(
        "plan", "--rate", "2000/s", "--payload", "300", "--handler-ms", "80", "--retention", "24h", "--keep", "1M",
        "--delayed", "5000000", "--p99", "500ms", "--coefficients", file,
    )  # fmt: skip
    assert said.exit_code == 0, said.stderr
    for part in (
        "workers", "processes", "slots", "Redis CPU", "Redis memory", "nodes", "partitions", "connections", "waiting",
        "delayed", "active", "completed", "failed", "assumed", "--node-memory", "2026-01-02T03:04:05Z", "█",
        "% of a core",
    ):  # fmt: skip
        assert part in said.stdout
    assert "STREAMQ_KEEP_COMPLETED=1000000" in said.stdout


def test_a_plan_for_programs_is_json(file: str) -> None:
    said = bench("plan", "--rate", "2000/s", "--coefficients", file, "--json")
    assert said.exit_code == 0, said.stderr
    found = json.loads(said.stdout)
    assert found["reachable"]
    assert found["wishes"]["rate"] == 2000
    assert found["coefficients"]["worker"]["run"]["job"] == 15
    assert found["memory"]["completed"] > 0


def test_a_plan_past_a_limit_exits_with_1(file: str) -> None:
    said = bench("plan", "--rate", "2000/s", "--producers", "5000", "--coefficients", file)
    assert said.exit_code == 1
    assert "!" in said.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("--rate", "fast"), 2, "'fast' is not a rate"),
        (("--rate", "5/s", "--payload", "big"), 2, "'big' is not a size"),
        (("--rate", "5/s", "--retention", "forever"), 2, "'forever' is not a duration"),
        ((), 2, "say how many jobs there are"),
        (("--rate", "5/s", "--p99", "0.01ms"), 1, "cannot be had"),
        (("--rate", "99999999999999M/s"), 1, "jobs would run at once: plan a part"),
    ],
)
def test_a_wrong_wish_is_one_sentence(
    file: str, arguments: tuple[str, ...], code: int, sentence: str
) -> None:
    said = bench("plan", *arguments, "--coefficients", file)
    assert said.exit_code == code
    assert sentence in said.stderr
    assert isinstance(said.exception, SystemExit)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("{", "is not a file of coefficients: JSON: Invalid JSON"), ("[]", "is not a file of coefficients"),
        ('{"version": 4}', "version: Input should be 5"), ('{"version": 5}', "redis: Field"),
    ],
)  # fmt: skip
def test_a_wrong_file_of_coefficients_is_one_sentence(tmp_path: Path, content: str, sentence: str) -> None:
    path = tmp_path / "file.json"
    path.write_text(content)
    with pytest.raises(ValueError, match=sentence):
        load(path)
    with pytest.raises(ValueError, match="cannot be read"):
        load(tmp_path / "nothing")


def test_coefficients_come_back_from_their_file_as_they_were(file: str) -> None:
    assert asdict(load(Path(file))) == asdict(KNOWN)
