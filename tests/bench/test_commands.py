"""The commands of the bench."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from bench.catalogue import SCENARIOS

from ..measured import MEASURED
from ..rig import ON_ONE_SERVER
from ..servers import Server
from .programs import ROOT, bench, command


def test_the_list_has_every_scenario_with_what_it_measures() -> None:
    said = bench("list")
    assert said.returncode == 0
    names = [line.split()[0] for line in said.stdout.splitlines()]
    assert set(names) == {*SCENARIOS, *MEASURED}, "a checkout has also those of its tests"
    listed = json.loads(bench("list", "--json").stdout)
    assert [one["name"] for one in listed] == names
    assert all(one["summary"] and one["summary"] in said.stdout for one in listed)


def test_every_file_of_a_scenario_is_on_the_list() -> None:
    files = {path.stem for path in (ROOT / "bench" / "scenarios").glob("*.py")} - {"__init__"}
    assert files == set(SCENARIOS) - set(MEASURED)


def test_a_wrong_scenario_name_is_answered_with_the_right_ones() -> None:
    said = bench("run", "drian")
    assert said.returncode == 2
    assert "no scenario is named drian; did you mean drain?" in said.stderr
    assert all(name in said.stderr for name in (*SCENARIOS, *MEASURED))
    assert "Traceback" not in said.stderr


@ON_ONE_SERVER
def test_a_busy_server_is_refused_and_left_as_it_is(own_server: Callable[..., Server]) -> None:
    server = own_server()
    with server.client() as client:
        client.set("theirs", 1)
        said = bench("run", "enqueue", "--quick", "--redis-url", server.url)
        assert client.get("theirs")
        assert client.dbsize() == 1
    assert said.returncode == 1
    assert said.stderr.count("\n") == 1
    assert "busy" in said.stderr
    assert "refuses to flush what it did not make" in said.stderr


def test_a_remote_server_is_refused_before_it_is_asked() -> None:
    said = bench(
        "run", "enqueue", "--quick", "--redis-url", "redis://user:secret@192.0.2.1:6379/0", timeout=20
    )
    assert said.returncode == 1
    assert said.stderr.count("\n") == 1
    assert "remote" in said.stderr
    assert "secret" not in said.stderr


def test_a_server_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    said = bench("run", "enqueue", "--quick", "--redis-url", f"unix://{tmp_path}/nobody.sock")
    assert said.returncode == 1
    assert said.stderr.count("\n") == 1
    assert "cannot be used" in said.stderr


@ON_ONE_SERVER
def test_a_scenario_prints_its_figures_and_writes_every_sample(
    own_server: Callable[..., Server], tmp_path: Path
) -> None:
    server, file = own_server(), tmp_path / "results.json"
    said = bench("run", "enqueue", "--quick", "--repeat", "2", "--json", str(file), "--redis-url", server.url)
    assert said.returncode == 0, said.stderr
    assert "ratio >= 3" in said.stdout
    results = json.loads(file.read_bytes())
    assert results["configuration"]["scenarios"] == ["enqueue"]
    assert results["versions"]["redis"]
    assert results["machine"]["cores"]
    assert "commit" in results
    figure = results["scenarios"]["enqueue"]["figures"][0]
    assert {side: len(samples) for side, samples in figure["samples"].items()} == {"streamq": 2, "bare": 2}
    with server.client() as client:
        assert client.dbsize() == 0, "the bench left keys on a server it was lent"


@ON_ONE_SERVER
def test_every_job_of_a_drain_is_counted_and_the_page_is_written(
    own_server: Callable[..., Server], tmp_path: Path
) -> None:
    server, file, page = own_server(), tmp_path / "results.json", tmp_path / "a.html"
    said = bench(
        "run", "cost", "--quick", "--json", str(file), "--html", str(page), "--redis-url", server.url
    )
    assert said.returncode == 0, said.stderr
    assert f"report in {page}" in said.stderr
    assert "commands per job" in page.read_text(encoding="utf-8")
    figures = json.loads(file.read_bytes())["scenarios"]["cost"].get("figures")
    assert figures, said.stderr
    commands = next(figure for figure in figures if figure["name"] == "commands per job")
    assert commands["bare"] >= 1, "each entry takes an XADD at least"


def test_ctrl_c_ends_the_bench_with_all_its_children() -> None:
    process = subprocess.Popen(command("run", "recovery", "--quick"), cwd=ROOT, stderr=subprocess.DEVNULL)
    try:
        workers, server = _children(process.pid)
        process.send_signal(signal.SIGINT)
        assert process.wait(20) != 0
        _, alive = psutil.wait_procs([*workers, *server], timeout=10)
        assert not alive
    finally:
        process.kill()
        process.wait()


def test_children_end_when_the_bench_is_killed() -> None:
    process = subprocess.Popen(command("run", "recovery", "--quick"), cwd=ROOT, stderr=subprocess.DEVNULL)
    try:
        workers, server = _children(process.pid)
        process.kill()
        _, alive = psutil.wait_procs(workers, timeout=20)
        for left in server:  # nobody can stop it after a SIGKILL; a later start on its folder would
            left.kill()
        assert not alive
    finally:
        process.kill()
        process.wait()


def _children(pid: int) -> tuple[list[psutil.Process], list[psutil.Process]]:
    """The workers and the server, once there is a worker."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        found = psutil.Process(pid).children(recursive=True)
        with contextlib.suppress(psutil.NoSuchProcess):  # some live for an instant only
            workers = [child for child in found if "bench.child" in child.cmdline()]
            if workers:
                return workers, [child for child in found if child not in workers]
        time.sleep(0.02)
    raise AssertionError("no worker was started")
