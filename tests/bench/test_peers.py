"""The peers of the bench. Nothing here needs one to be installed: a small adapter of our own plays the peer."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import textwrap
import tomllib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import psutil
import pytest

from bench import peer_roster
from bench.bounds import judged
from bench.figures import Figure
from bench.peer_roster import PEERS, US, NotInstalled, Peer, Start, start_of
from bench.process import Gone
from bench.rig import Rig
from bench.scenarios import peers
from bench.server import open_server

from ..rig import ON_ONE_SERVER
from ..servers import Server
from .programs import ROOT

ADAPTERS = ROOT / "bench" / "peers"
PYTHON = [peer for peer in (US, *PEERS) if peer.language == "Python"]
MADE_UP = '''
    """An adapter whose queue is a list of Redis."""

    import os
    import time

    from bench.peers import adapter
    from redis import Redis


    async def sending(url):
        client = Redis.from_url(url)
        def many(payloads):
            client.rpush("peer", *[payload["contact"] for payload in payloads])
        return adapter.Sender(lambda payload: client.rpush("peer", payload["contact"]), many, chunk=100)


    def work(url):
        LATE
        with Redis.from_url(url) as client:
            while contact := client.lpop("peer"):
                adapter.JOBS.ran({"contact": contact.decode()})


    adapter.play(sending, work, packages="redis", settings="a list")
'''


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
async def rig(own_server: Callable[..., Server], said: list[str]) -> AsyncIterator[Rig]:
    lent = own_server()
    async with open_server(lent.url) as server:
        yield Rig(server, quick=True, repeat=1, say=said.append)


@pytest.fixture
def made_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Peer]:
    """Make the only peer that is installed one of our own, ``late`` being the first line of its worker."""

    def make(name: str = "arq", late: str = "pass") -> Peer:
        file = tmp_path / f"{name}.py"
        file.write_text(textwrap.dedent(MADE_UP).replace("LATE", late))
        starts[name] = Start((sys.executable, str(file)), ROOT)
        return Peer(name, 800)

    def start(peer: Peer) -> Start:
        if peer.language == "Ruby":
            raise NotInstalled("not here")
        return starts[peer.name] if peer.name in starts else start_of(peer, tmp_path)

    starts: dict[str, Start] = {}
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setattr(peers, "start_of", start)
    return make


def figures_of(measured: object) -> dict[str, Figure]:
    assert isinstance(measured, list)
    return {figure.name: figure for figure in measured}


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)
def test_a_missing_peer_is_one_sentence_that_says_what_to_do(
    peer: Peer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotInstalled) as told:
        start_of(peer, tmp_path)
    what = "apt-get install ruby-sidekiq" if peer.language == "Ruby" else "make peers"
    assert str(told.value) == f"peer {peer.name} is not installed: run `{what}`"


async def test_an_installation_says_that_peers_need_a_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peer_roster, "ADAPTERS", tmp_path / "peers")
    async with open_server(None) as server:
        with pytest.raises(
            Gone, match=r"^peers are measured from a checkout: their adapters are not part of "
        ):
            await peers.measure(Rig(server, quick=True, repeat=1, say=lambda _: None))


@ON_ONE_SERVER
async def test_without_any_peer_nothing_is_measured_and_one_sentence_says_so(
    rig: Rig, made_up: Callable[..., Peer]
) -> None:
    with pytest.raises(Gone, match=r"^no peer is installed: run `make peers`$"):
        await peers.measure(rig)


@ON_ONE_SERVER
async def test_a_missing_peer_is_named_and_the_others_are_measured(
    rig: Rig, made_up: Callable[..., Peer], said: list[str]
) -> None:
    made_up("arq")
    figures = figures_of(await peers.measure(rig))
    for name in ("enqueue one by one, arq", "enqueue many, arq", "drain, arq", "waiting job, arq"):
        assert figures[name].value > 0
        assert figures[name].bare
        assert judged("peers", figures[name]).bound
    assert "redis " in figures["drain, arq"].note
    assert figures["peer saq"].note == "not measured: peer saq is not installed: run `make peers`"
    assert "peer saq is not installed: run `make peers`" in said
    assert not await rig.server.client.dbsize(), "a peer's keys are left"


@ON_ONE_SERVER
async def test_a_peer_that_fails_is_told_with_its_own_words_and_the_others_are_measured(
    rig: Rig, made_up: Callable[..., Peer]
) -> None:
    made_up("arq")
    made_up("saq", late="raise RuntimeError('no queue today')")
    figures = figures_of(await peers.measure(rig))
    assert "the saq work process ended with 1: RuntimeError: no queue today" in figures["peer saq"].note
    assert figures["drain, arq"].bare
    assert not await rig.server.client.dbsize()


@ON_ONE_SERVER
async def test_a_peer_that_loses_a_job_is_not_measured(
    rig: Rig, made_up: Callable[..., Peer], monkeypatch: pytest.MonkeyPatch
) -> None:
    peer = made_up("saq", late="Redis.from_url(url).lpop('peer')")
    monkeypatch.setattr(peers, "_limit", lambda _: 4.0)
    with pytest.raises(Gone, match="a run of saq took more than 4 s"):
        await peers._taken(rig, peer, peers.start_of(peer))


@ON_ONE_SERVER
async def test_a_job_that_ran_twice_counts_once_and_the_runs_are_told(
    rig: Rig, made_up: Callable[..., Peer]
) -> None:
    peer = made_up("arq", late="adapter.JOBS.ran({'contact': 'c-000000'})")
    taken = await peers._taken(rig, peer, peers.start_of(peer))
    jobs = peers.WARM + peers.SINGLE // 8 + 100
    assert (taken.about["jobs"], taken.about["runs"]) == (jobs, jobs + 1)


@ON_ONE_SERVER
async def test_the_time_a_worker_takes_to_start_is_not_part_of_the_drain(
    rig: Rig, made_up: Callable[..., Peer]
) -> None:
    peer = made_up("arq", late="time.sleep(1.5)")
    taken = await peers._taken(rig, peer, peers.start_of(peer))
    assert taken.about["seconds"] < 1.5


@ON_ONE_SERVER
@pytest.mark.parametrize("role", ["enqueue", "work"])
def test_a_peer_ends_with_the_bench(role: str, tmp_path: Path, own_server: Callable[..., Server]) -> None:
    server, file = own_server(), tmp_path / "payloads"
    file.write_text(json.dumps([{"contact": "c-1"}, {"contact": "c-2"}]))
    config = {"role": role, "url": server.url, "payloads": str(file), "warm": 1, "single": 0, "expected": 2}
    program = textwrap.dedent(MADE_UP).replace("LATE", "print('working', flush=True); time.sleep(60)")
    process = subprocess.Popen(
        [sys.executable, "-c", program, json.dumps(config)],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin
    assert process.stdout
    assert process.stderr
    with process:
        (process.stdout if role == "enqueue" else process.stderr).readline()
        assert psutil.pid_exists(process.pid)
        process.stdin.close()
        assert process.wait(10) == 0


@pytest.mark.parametrize("peer", PYTHON, ids=lambda peer: peer.name)
def test_every_adapter_has_both_roles_and_names_its_settings(peer: Peer) -> None:
    tree = ast.parse((ADAPTERS / f"{peer.module}.py").read_text())
    assert ast.get_docstring(tree)
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    assert {"sending", "work"} <= {function.name for function in functions}
    assert {"PACKAGES", "SETTINGS"} <= {
        name.id
        for node in tree.body
        if isinstance(node, ast.Assign)
        for name in node.targets
        if isinstance(name, ast.Name)
    }
    imported = {node.module for node in tree.body if isinstance(node, ast.ImportFrom) and node.level}
    assert imported <= ({None, "adapter", "tasks", "server"} if peer.ours else {"adapter"})


def test_every_adapter_is_a_peer_and_every_peer_can_be_installed() -> None:
    files = {path.stem for path in ADAPTERS.glob("*.py")} - {"__init__", "__main__", "adapter"}
    assert files == {peer.module for peer in PYTHON}
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
    installable = {peer.name for peer in PYTHON} - {US.name}
    assert {name.removeprefix("peer-") for name in groups if name.startswith("peer-")} == installable
    assert {path.stem for path in (ADAPTERS / "locks").glob("*.lock")} == installable


def test_the_locks_have_a_hash_for_every_file_and_no_address() -> None:
    for path in (ADAPTERS / "locks").glob("*.lock"):
        text = path.read_text()
        assert "--hash=sha256:" in text
        assert "://" not in text
    text = (ADAPTERS / "npm-shrinkwrap.json").read_text()
    packages = json.loads(text)["packages"]
    assert all("integrity" in package for name, package in packages.items() if name)
    assert packages["node_modules/bullmq"]["version"] == packages[""]["dependencies"]["bullmq"]
    assert "://" not in text
    assert not (ADAPTERS / "package-lock.json").exists()
