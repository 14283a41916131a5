"""What an attack without a key costs, beside as many plain requests without one. Say ``-s`` to see the table."""

# ruff: noqa: T201 - the figures are for people to read

from __future__ import annotations

import time
import zlib
from collections.abc import Callable
from contextlib import ExitStack, suppress

import pytest

from ..rig import ON_ONE_SERVER
from .conftest import HOST, JSON, SMS, Api, answer_of

pytestmark = [ON_ONE_SERVER, pytest.mark.keeps_keys]

PLAIN = b"GET /api/v1/queues HTTP/1.1\r\n" + HOST + b"\r\n"
HALF = b"GET /api/v1/queues HTTP/1.1\r\n" + HOST + b"X-More: "
ROUNDS = 20
MB = 1_000_000


def bomb() -> bytes:
    """A gigabyte of nothing, in a megabyte."""
    packer = zlib.compressobj(9, wbits=31)
    block = bytes(16 * MB)
    return b"".join(packer.compress(block) for _ in range(63)) + packer.flush()


def of_a_body(path: bytes, body: bytes, headers: bytes = b"") -> Callable[[Api], None]:
    length = b"" if b"chunked" in headers else b"Content-Length: %d\r\n" % len(body)
    head = b"POST " + path + b" HTTP/1.1\r\n" + HOST + JSON + headers + length + b"\r\n"

    def attack(api: Api) -> None:
        assert api.ask(head, body).status in (0, 401, 404)  # 0 where more was sent than is taken

    return attack


def of(request: bytes, *statuses: int) -> Callable[[Api], None]:
    def attack(api: Api) -> None:
        assert api.ask(request).status in statuses

    return attack


PACKED = b"Content-Encoding: gzip\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"


def attacks() -> dict[str, Callable[[Api], None]]:
    packed = bomb()
    assert len(packed) < 1.1 * MB
    return {
        "a plain request": of(PLAIN, 401),
        "1 MB of gzip that expands to 1 GB": of_a_body(SMS, packed, PACKED),
        "the same where nothing is": of_a_body(b"/nothing", packed, PACKED),
        "the same in chunks": of_a_body(
            SMS, b"%x\r\n" % len(packed) + packed + b"\r\n0\r\n\r\n", PACKED + CHUNKED
        ),
        "20 MB that nobody asked for": of_a_body(SMS, bytes(20 * MB)),
        "1.2 MB in chunks of one byte": of_a_body(SMS, b"1\r\nx\r\n" * 200_000, CHUNKED),
        "32 requests at once": of(PLAIN * 32, 401),
        "100 headers, 64 KB": of(PLAIN[:-2] + (b"X: " + b"a" * 680 + b"\r\n") * 95 + b"\r\n", 401, 431),
        "a header without end": of(HALF + b"a" * MB, 431),
        "an address of 8 KB": of(b"GET /" + b"%ff" * 2_700 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 404),
        "noise": of(b"\x16\x03\x01" + bytes(60_000), 400),
    }


def measured(api: Api, attack: Callable[[Api], None], rounds: int) -> tuple[float, float]:
    """Milliseconds of CPU, and of time, for each."""
    spent, began = api.seconds, time.monotonic()
    for _ in range(rounds):
        attack(api)
    return (api.seconds - spent) * 1000 / rounds, (time.monotonic() - began) * 1000 / rounds


def test_what_is_asked_without_a_key_costs_little_cpu_memory_and_time(api: Api) -> None:
    known = attacks()
    plain, _ = measured(api, known["a plain request"], 200)
    memory = api.memory
    print(f"\n{'attack':36} {'CPU ms':>8} {'time ms':>8} {'memory MB':>10}")
    for name, attack in known.items():
        before = api.memory
        cpu, took = measured(api, attack, ROUNDS)
        print(f"{name:36} {cpu:8.2f} {took:8.1f} {(api.memory - before) / MB:10.1f}")
        assert cpu < max(100 * plain, 60), name  # ms: a noisy machine's; the bomb took 2,300
        assert took < 1_000, name
    assert api.memory - memory < 40 * MB


def test_what_cannot_be_read_is_not_kept(api: Api) -> None:
    """The parser's error had all bytes of the request in its words and its frames, until the garbage was collected."""
    attack = of(HALF + b"a" * MB, 431)
    attack(api)
    before = api.memory
    for _ in range(40):
        attack(api)
    assert api.memory - before < 8 * MB, "it was half a megabyte for each"


def test_hundreds_of_half_sent_headers_and_stalled_bodies_keep_nobody_out(api: Api) -> None:
    spent, memory = api.seconds, api.memory
    stalled = b"POST " + SMS + b" HTTP/1.1\r\n" + HOST + JSON + b"Content-Length: 9\r\n\r\n{"
    with ExitStack() as stack:
        for request in (HALF, stalled) * 150:
            stack.enter_context(api.connect()).sendall(request)
        worst = 0.0
        for _ in range(20):
            began = time.monotonic()
            assert api.get(b"/health").status == 200
            worst = max(worst, time.monotonic() - began)
        cpu, more = api.seconds - spent, (api.memory - memory) / MB
    print(f"\n300 stalled: {cpu * 1000:.0f} ms of CPU, {more:.1f} MB; /health at worst {worst * 1000:.0f} ms")
    assert worst < 2
    assert cpu < 3
    assert more < 40


def test_who_reads_no_answers_makes_the_server_keep_few(api: Api) -> None:
    memory = api.memory
    page = b"GET / HTTP/1.1\r\n" + HOST + b"\r\n"
    with ExitStack() as stack:
        for _ in range(20):
            line = stack.enter_context(api.connect())
            line.settimeout(0.2)
            with suppress(TimeoutError):  # it is no longer read
                line.sendall(page * 5_000)
        assert api.get(b"/health").status == 200
        more = (api.memory - memory) / MB
    print(f"\n20 that read nothing: {more:.1f} MB")
    assert more < 60


def test_an_answer_ends_the_connection_of_a_body_that_nobody_read(api: Api) -> None:
    with api.connect() as line:
        line.sendall(b"POST " + SMS + b" HTTP/1.1\r\n" + HOST + JSON + b"Content-Length: 200000\r\n\r\n{")
        answer = answer_of(line)
        assert answer.status == 401
        assert "connection: close" in answer.head.lower()
