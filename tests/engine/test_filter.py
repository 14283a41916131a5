"""The filter language, against a plain evaluation in Python of the same jobs."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from streamq import JobRecord, State
from streamq.model.failure_kinds import alike
from streamq.model.filter_text import parse_filter
from streamq.model.job_record import Failure

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
WORDS = ("send", "Send", "a b", "x:y", "not", "10", "", 'say "no"', "ü")

words = st.sampled_from(WORDS)
values = st.one_of(st.none(), st.booleans(), st.integers(-3, 12), st.floats(-2, 12, width=16), words)
jobs = st.builds(
    JobRecord,
    id=st.sampled_from(["1-0", "2-0"]), queue=st.just("q"), task=words, state=st.sampled_from(list(State)),
    payload=st.one_of(values, st.dictionaries(st.sampled_from(["to", "n", "a b"]), values), st.lists(values)),
    finished_at=st.sampled_from([None, NOW, NOW - timedelta(minutes=5)]),
    started_at=st.sampled_from([None, NOW - timedelta(minutes=5), NOW - timedelta(minutes=6)]),
    version=st.integers(0, 2), result=st.one_of(values, st.lists(values, max_size=2)),
    attempt=st.integers(0, 4), attempts=st.none(), crashes=st.integers(0, 2), key=st.one_of(st.none(), words),
    group=st.sampled_from([None, "send", "send:1", "sender", "x:y"]),
    created_at=st.sampled_from([None, NOW, NOW - timedelta(seconds=90), NOW - timedelta(days=2)]),
    error=st.one_of(st.none(), st.builds(Failure, words, words, fingerprint=st.sampled_from([None, "ab12"]))),
)  # fmt: skip

Said = tuple[str, Any]
"""A filter as text, and the same as a function."""


def quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def text_term(field: str, of: Any) -> st.SearchStrategy[Said]:
    return st.one_of(
        words.map(lambda w: (f"{field}:{quoted(w)}", lambda job: of(job) == w)),
        words.map(lambda w: (f"{field} != {quoted(w)}", lambda job: of(job) != w)),
        words.map(
            lambda w: (
                f"{field}~{quoted(w)}",
                lambda job: of(job) is not None and w.lower() in of(job).lower(),
            )
        ),
        st.just((f"{field}:s*", lambda job: of(job) is not None and of(job).startswith("s"))),
        st.text("s*ed", min_size=1, max_size=6).map(
            lambda w: (f"{field}:{w}", lambda job: of(job) is not None and fnmatchcase(of(job), w))
        ),
    )


def number_term(field: str, of: Any) -> st.SearchStrategy[Said]:
    return st.integers(0, 4).flatmap(
        lambda n: st.sampled_from([
            (f"{field}={n}", lambda job: of(job) == n), (f"{field}!={n}", lambda job: of(job) != n),
            (f"{field}<{n}", lambda job: of(job) < n), (f"{field}>={n}", lambda job: of(job) >= n),
        ])
    )  # fmt: skip


def member(job: JobRecord, name: str) -> Any:
    return job.payload.get(name) if isinstance(job.payload, dict) else None


def number(job: JobRecord) -> Any:
    value = member(job, "n")
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def is_same(value: Any, text: str) -> bool:
    """Whether a value of JSON is that text, or the number that it stands for."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return (isinstance(value, str) and value == text) or (is_number and value == float(text))


def item(value: Any, at: int) -> Any:
    return value[at] if isinstance(value, list) and at < len(value) else None


def ran(job: JobRecord) -> float:
    both = job.finished_at is not None and job.started_at is not None
    return (job.finished_at - job.started_at).total_seconds() if both else -1  # type: ignore[operator]


def of_error(job: JobRecord) -> str:
    return f"{job.error.type}: {job.error.message}".lower() if job.error else "-"


terms = st.one_of(
    st.sampled_from(list(State)).map(lambda s: (f"state:{s.value}", lambda job: job.state is s)),
    text_term("task", lambda job: job.task), text_term("key", lambda job: job.key),
    st.just(("group:send", lambda job: job.group in ("send", "send:1"))),
    st.just(("group=send", lambda job: job.group == "send")), st.just(("group:x:y", lambda job: job.group == "x:y")),
    st.just(("group:send*", lambda job: job.group is not None and job.group.startswith("send"))),
    st.just(("group!=send", lambda job: job.group != "send")),
    text_term("fingerprint", lambda job: job.error and job.error.fingerprint),
    number_term("attempts", lambda job: job.attempt), number_term("crashes", lambda job: job.crashes),
    st.just(("age>1m", lambda job: job.created_at is not None and NOW - job.created_at > timedelta(minutes=1))),
    st.just(("age<=1d", lambda job: job.created_at is not None and NOW - job.created_at <= timedelta(days=1))),
    words.map(lambda w: (f"error:{quoted(w)}", lambda job: job.error is not None and w.lower() in of_error(job))),
    words.map(lambda w: (f"payload.to={quoted(w)}", lambda job: member(job, "to") == w)),
    words.map(lambda w: (f'payload."a b"={quoted(w)}', lambda job: member(job, "a b") == w)),
    st.integers(0, 11).map(lambda n: (f"payload.n>{n}", lambda job: number(job) is not None and number(job) > n)),
    st.just(("payload.n=10", lambda job: member(job, "n") == "10" or number(job) == 10)),
    st.just(("payload.n=true", lambda job: member(job, "n") is True or member(job, "n") == "true")),
    text_term("error.type", lambda job: job.error and job.error.type),
    number_term("version", lambda job: job.version),
    st.just(("payload.n!=10", lambda job: not is_same(member(job, "n"), "10"))),
    st.integers(0, 2).map(lambda n: (f"payload.{n}=10", lambda job: is_same(item(job.payload, n), "10"))),
    st.integers(0, 2).map(lambda n: (f"result.{n}:2", lambda job: is_same(item(job.result, n), "2"))),
    st.just(("ended<1m", lambda job: job.finished_at == NOW)),
    st.just(("ended>=5m", lambda job: job.finished_at is not None and job.finished_at != NOW)),
    st.just(("ran>=1m", lambda job: ran(job) >= 60)),
    st.just(("payload=null", lambda job: job.payload is None or job.payload == "null")),
)  # fmt: skip


def joined(word: str, parts: list[Said], all_of: Any) -> Said:
    return f" {word} ".join(f"({text})" for text, _ in parts), lambda job: all_of(
        holds(job) for _, holds in parts
    )


filters = st.recursive(
    terms,
    lambda inner: st.one_of(
        inner.map(lambda said: (f"not ({said[0]})", lambda job: not said[1](job))),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: joined("and", parts, all)),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: joined("", parts, all)),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: joined("or", parts, any)),
    ),
    max_leaves=6,
)


@settings(max_examples=300, deadline=None)
@given(filters, st.lists(jobs, min_size=1, max_size=5))
def test_a_filter_means_what_plain_python_says_of_the_same_jobs(said: Said, found: list[JobRecord]) -> None:
    text, holds = said
    wanted = parse_filter(text)
    for job in found:
        meant = wanted.matches(job, NOW)
        assert meant is bool(holds(job)), text
        # what is decided of a job before it is read is never otherwise
        for known in ({"state": job.state.value}, {"state": job.state.value, "task": job.task}):
            assert wanted.decides(**known) in (None, meant)
        assert meant is False or job.state in set(wanted.states())
        for field in ("task", "key"):
            required = wanted.required(field)
            assert required is None or not meant or getattr(job, field) == required


def test_no_pattern_and_no_message_takes_long() -> None:
    """Both come from anybody, and are read where jobs of others wait for it."""
    job = JobRecord("1-0", "q", "a" * 200, State.FAILED, None, 1, None, 0)
    began = time.process_time()
    for text in ("task:" + "*a" * 90 + "*b", "task:" + "a*" * 90 + "b"):
        assert not parse_filter(text).matches(job, NOW)
    for message in (
        "a" * 2_000,
        "/ab" * 700,
        "“" * 2_000,
        "'" * 1_999,
        "`'\"“" * 500,
        "0x" * 1_000,
        "1a" * 1_000,
    ):
        alike(message)
    assert time.process_time() - began < 0.1


def test_of_a_member_that_is_a_list_one_of_its_own_is_meant() -> None:
    def means(text: str, to: Any) -> bool:
        job = JobRecord("1-0", "q", "t", State.WAITING, {"to": to}, 0, None)
        return parse_filter(text).matches(job, NOW)

    both = ["ada@example.com", "bob@example.com"]
    assert means('payload.to="bob@example.com"', both)
    assert not means('payload.to="ob@example.com"', both)
    assert means('payload.to~"ob@"', both)
    assert not means('payload.to!="bob@example.com"', both)
    assert means('payload.to!="bob@example.com"', ["ada@example.com"])
    assert not means('payload.to="ada@example.com"', [])
    assert means("payload.to>3", [1, 4])
