"""What cannot be a request is its sender's mistake: refused in the shape of all errors, and no failure in the log."""

from __future__ import annotations

import gzip
import zlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ..rig import ON_ONE_SERVER
from .conftest import HOST, JSON, KEYED, SMS, Api

pytestmark = [ON_ONE_SERVER, pytest.mark.keeps_keys]

POST = b"POST " + SMS + b" HTTP/1.1\r\n" + HOST + KEYED + JSON

UNREADABLE = {
    "a verb that is none": (400, b"FOO / HTTP/1.1\r\n" + HOST + b"\r\n"),
    "a version that is none": (400, b"GET / HTTP/9.9\r\n" + HOST + b"\r\n"),
    "the preface of HTTP/2": (400, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    "the hello of TLS": (400, bytes.fromhex("1603010200010001fc0303") + bytes(64)),
    "noise": (400, b"\x00\xff\xfe" * 50 + b"\r\n\r\n"),
    "markup": (400, b"<script>alert(1)</script> / HTTP/1.1\r\n\r\n"),
    "no host": (400, b"GET /health HTTP/1.1\r\n\r\n"),
    "two hosts": (400, b"GET /health HTTP/1.1\r\n" + HOST + HOST + b"\r\n"),
    "a port that is none": (400, b"GET /api/v1/queues HTTP/1.1\r\nHost: localhost:99999\r\n\r\n"),
    "a port that is none, in the line": (
        400,
        b"GET http://localhost:99999/health HTTP/1.1\r\n" + HOST + b"\r\n",
    ),
    "a host of other bytes": (400, b"GET /health HTTP/1.1\r\nHost: \xe9\xff\r\n\r\n"),
    "an address of other bytes": (400, b"GET /\xe9\xff HTTP/1.1\r\n" + HOST + b"\r\n"),
    "a null byte": (400, b"GET /health HTTP/1.1\r\n" + HOST + b"X: a\0b\r\n\r\n"),
    "a folded header": (400, b"GET /health HTTP/1.1\r\n" + HOST + b"X: a\r\n b\r\n\r\n"),
    "a header without a colon": (400, b"GET /health HTTP/1.1\r\n" + HOST + b"nonsense\r\n\r\n"),
    "two lengths": (400, POST + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}"),
    "a length and chunks": (400, POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    "a negative length": (400, POST + b"Content-Length: -1\r\n\r\n"),
    "a length beyond all numbers": (400, POST + b"Content-Length: 99999999999999999999999\r\n\r\n"),
    "the greatest length": (413, POST + b"Content-Length: 18446744073709551615\r\n\r\n"),
    "a chunk of no size": (400, POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"),
    "chunks that are not the last encoding": (
        400,
        POST + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
    ),
    "an expectation that is none": (417, POST + b"Expect: 200-ok\r\nContent-Length: 2\r\n\r\n{}"),
    "an address too long": (414, b"GET /" + b"a" * 9_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n"),
    "a header too long": (431, b"GET / HTTP/1.1\r\n" + HOST + b"X: " + b"a" * 9_000 + b"\r\n\r\n"),
    "too many headers": (431, b"GET / HTTP/1.1\r\n" + HOST + b"X: a\r\n" * 200 + b"\r\n"),
    "a tunnel": (404, b"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n"),
    "options of the whole server": (404, b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n"),
    "a path of markup": (404, b"GET /<script>alert(1)</script> HTTP/1.1\r\n" + HOST + b"\r\n"),
    "a path of half characters": (404, b"GET /%ED%A0%80%ff%00 HTTP/1.1\r\n" + HOST + b"\r\n"),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_no_parser_reads_is_refused_in_the_shape_of_all_errors(api: Api, name: str) -> None:
    status, request = UNREADABLE[name]
    answer = api.ask(request)
    assert answer.status == status
    assert answer.is_a_marked_problem, answer
    assert "aiohttp" not in answer.head
    assert "Python" not in answer.head


def test_a_body_that_breaks_off_from_its_chunks_is_refused_though_its_handler_waits(api: Api) -> None:
    with api.connect() as line:
        line.sendall(POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{ \r\n")
        assert api.get(b"/health").status == 200  # so that the handler waits for more
        line.sendall(b"zz\r\n")
        answer = line.recv(65_536)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"malformed-request" in answer


GOOD = b'{"to": "+1"}'
BODIES = {
    "gzip": (422, GOOD, b"gzip", gzip.compress(GOOD)),
    "gzip by its old name": (422, GOOD, b"X-GZIP", gzip.compress(GOOD)),
    "deflate": (422, GOOD, b"deflate", zlib.compress(GOOD)),
    "deflate without its wrapping": (422, GOOD, b"deflate", zlib.compress(GOOD, wbits=-15)),
    "not packed": (422, GOOD, b"identity", GOOD),
    "gzip that is none": (400, b"malformed-encoding", b"gzip", GOOD),
    "gzip that breaks off": (400, b"malformed-encoding", b"gzip", gzip.compress(GOOD)[:-4]),
    "gzip with something behind it": (400, b"malformed-encoding", b"gzip", gzip.compress(GOOD) + b"x"),
    "gzip of nothing": (400, b"malformed-encoding", b"gzip", b""),
    "gzip twice": (415, b"content-encoding", b"gzip, gzip", gzip.compress(gzip.compress(GOOD))),
    "brotli": (415, b"content-encoding", b"br", GOOD),
    "an encoding that is none": (415, b"content-encoding", b"\xe9\xff", GOOD),
    "more than the limit, packed": (413, b"limit_bytes", b"gzip", gzip.compress(bytes(300_000))),
    "a gigabyte's share, packed": (
        413,
        b"limit_bytes",
        b"gzip",
        gzip.compress(bytes(100_000_000), 1)[:200_000],
    ),
}


@pytest.mark.parametrize("name", BODIES)
def test_a_packed_body_is_unpacked_within_the_limit_or_refused(api: Api, name: str) -> None:
    status, said, encoding, body = BODIES[name]
    answer = api.post(body, JSON + b"Content-Encoding: " + encoding + b"\r\n")
    assert answer.status == status
    assert answer.is_a_marked_problem
    assert said in answer.body or status == 422
    assert status != 413 or "connection: close" in answer.head.lower()


TYPES = {
    "a byte of another charset": b"application/json\xe9",
    "a charset that is none": b"application/json; charset=klingon",
    "another charset": b'application/json; charset="latin-1"',
    "no end of parameters": b"a/b" + b";x=1" * 1_900,
    "a quotation without end": b'text/plain; x="',
    "nothing": b"",
}


@pytest.mark.parametrize("name", TYPES)
def test_a_content_type_that_is_not_json_is_unsupported_whatever_its_bytes(api: Api, name: str) -> None:
    answer = api.post(b"{}", b"Content-Type: " + TYPES[name] + b"\r\n")
    assert answer.status == 415
    assert answer.is_a_marked_problem


NUMBERS = {
    "thousands of digits": b"9" * 200_000,
    "thousands of digits behind the point": b"1." + b"9" * 200_000,
    "an exponent without end": b"1e99999999999999999999",
    "a long number nested deeply": b"[" * 900 + b"1234567890123456789012345" + b"]" * 900,
    "half a character": rb'{"to": "\ud800"}',
    "one name many times": b"{" + b'"to": "x",' * 20_000 + b'"to": "x"}',
}


@pytest.mark.parametrize("name", NUMBERS)
def test_json_that_would_cost_or_break_its_reader_is_the_callers_mistake(api: Api, name: str) -> None:
    assert api.post(NUMBERS[name]).status in (400, 422)


def test_a_body_is_asked_for_only_when_it_will_be_read(api: Api) -> None:
    expecting = b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n"
    stranger = POST.replace(KEYED, b"")
    for request, first in ((POST + expecting, b"HTTP/1.1 100 "), (stranger + expecting, b"HTTP/1.1 401 ")):
        with api.connect() as line:
            line.sendall(request)
            assert line.recv(65_536).startswith(first)


def test_of_many_wrong_fields_the_first_are_told_and_the_rest_counted(api: Api) -> None:
    many = b"{" + b",".join(b'"field%d": 1' % number for number in range(17_000)) + b"}"
    answer = api.post(many)
    assert answer.status == 422
    assert answer.body.count(b'"pointer"') == 50
    assert b'"more_errors":16953' in answer.body  # and three that are missing
    assert len(answer.body) < 20_000
    assert len(api.post(b'{"' + b"n" * 200_000 + b'": 1}').body) < 4_000


NAMES = st.sampled_from([
    "Accept", "Authorization", "Connection", "Content-Encoding", "Content-Type", "Cookie", "Expect", "Forwarded",
    "Host", "If-None-Match", "Idempotency-Key", "Last-Event-ID", "Origin", "Prefer", "Range", "Sec-Fetch-Site",
    "Sec-WebSocket-Key1", "TE", "Trailer", "Upgrade", "User-Agent", "X-Forwarded-For",
])  # fmt: skip
VALUES = st.binary(max_size=40).filter(lambda value: b"\n" not in value and b"\r" not in value)
HEADERS = st.lists(st.tuples(NAMES, VALUES), max_size=4)
PATHS = st.one_of(
    st.binary(max_size=30).map(lambda tail: b"/api/v1/queues/" + tail.translate(None, b" \r\n")),
    st.binary(max_size=30).map(
        lambda tail: b"/api/v1/queues/send-sms-queue/jobs?" + tail.translate(None, b" \r\n")
    ),
    st.sampled_from(
        [b"/health", b"/api/v1/queues", b"/%", b"/%zz", b"//", b"/static/%2e%2e/x", b"*", b"http:", b"a"]
    ),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(path=PATHS, headers=HEADERS, keyed=st.booleans())
def test_no_bytes_in_an_address_or_a_header_are_an_error_of_ours(
    api: Api, path: bytes, headers: list[tuple[str, bytes]], keyed: bool
) -> None:
    lines = [f"{name}: ".encode() + value + b"\r\n" for name, value in headers]
    answer = api.get(path, (KEYED if keyed else b"") + b"".join(lines))
    assert 200 <= answer.status < 500
    assert answer.status < 400 or answer.is_a_marked_problem


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    body=st.binary(max_size=200),
    headers=HEADERS,
    encoding=st.sampled_from([b"gzip", b"deflate", b"identity"]),
)
def test_no_bytes_of_a_body_are_an_error_of_ours(
    api: Api, body: bytes, headers: list[tuple[str, bytes]], encoding: bytes
) -> None:
    lines = [f"{name}: ".encode() + value + b"\r\n" for name, value in headers if name != "Content-Encoding"]
    answer = api.post(body, JSON + b"Content-Encoding: " + encoding + b"\r\n" + b"".join(lines))
    assert 400 <= answer.status < 500
    assert answer.is_a_marked_problem


def test_a_client_that_hangs_up_is_no_error_of_ours(api: Api) -> None:
    for request in (
        POST + b"Content-Length: 100\r\n\r\n{",
        POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{",
    ):
        with api.connect() as line:
            line.sendall(request)
            assert api.get(b"/health").status == 200  # so that the other is being read when it ends
    with api.connect() as line:
        line.sendall(b"GET /heal")
    assert api.get(b"/health").status == 200


def test_none_of_this_is_in_the_log_as_a_failure(api: Api) -> None:
    """The last here: it looks back on all before it."""
    text = api.log.read_text()
    assert "499 POST" in text
    assert "Traceback" not in text
    assert " failed" not in text
    assert " 500 " not in text
