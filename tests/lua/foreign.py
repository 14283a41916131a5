"""What others might write into the keys of a queue: nearly right, wrong, and random."""

from __future__ import annotations

from hypothesis import strategies as st

from streamq.model.headers import members

NUMBERS = [
    b"0", b"1", b"2", b"-1", b"-0", b"01", b"1.5", b"1.0", b"1e2", b"1e999", b"-1e999", b"NaN", b"Infinity", b"true",
    b"null", b"9007199254740993", b"123456789", b"1234567890", b"1" * 30, b"0x1", b"1 2", b"", b"\x00",
]  # fmt: skip
STRINGS = [
    b'""', b'"x"', b'"\xff\xfe"', b'"\\u0000"', b'"a\\"b"', b'"\\ud800"', b'"\n"', b'"\\', b'"open', b'"\\\\"',
    b'"5-5"', b'"a,b"', b'"}"', b'"\xc3\xa4"', b'"9007199254740993-1"', b'"1-1"',
]  # fmt: skip
NESTED = [
    b"[]", b"{}", b"[ ]", b'[1,{"a":[]}]', b'[{"type":"E","message":"m"}]', b"[{}]", b"[1]", b"[null,{}]", b"[[",
    b"[}", b"{]", b"[{]}", b'{"a":}', b'[{"a":NaN}]', b'[{"a":"\xff"}]', b'["]"]', b"[" * 3000 + b"]" * 3000,
    b"[" * 50, b'[{"finished_at":1e999}]', b'[{"finished_at":99999999999999999}]', b'[{}garbage{}]',
]  # fmt: skip
OWN = (
    b"id", b"attempt", b"attempts", b"timeout", b"crashes", b"history", b"unknown_task_count",
    b"unknown_task_since",
)  # fmt: skip
NAMES = [
    *OWN,
    b"attempt",
    b"crashes",
    b"history",
    b"x",
    b"foreign",
    b"",
    b"\\u0069d",
    b"att\\u0065mpt",
    b"\xff",
    b"a b",
]
IDS = [
    b"1-1", b"5-5", b"1795449758578-0", b"99999999999999999-7", b"18446744073709551615-18446744073709551615",
    b"18446744073709551616-1", b"1-18446744073709551616", b"01-1", b"1-01", b"9" * 5000 + b"-1", b"-", b"1", b"a-b",
    b"0-0", b"-1-1", b"1-1 ", b"",
]  # fmt: skip

values = st.sampled_from([*NUMBERS, *STRINGS, *NESTED])
blanks = st.sampled_from([b"", b"", b"", b" ", b"\n", b"\t\r\n "])
_named = st.builds(
    lambda name, white, value: b'"' + name + b'"' + white + b":" + value,
    st.sampled_from(NAMES),
    blanks,
    values,
)
_identity = st.builds(lambda name: b'"id":"' + name + b'"', st.sampled_from(IDS))


def _object(first: list[bytes], rest: list[bytes], white: bytes, end: bytes) -> bytes:
    return white + b"{" + b",".join([*first, *rest]) + white + b"}" + end


_objects = st.builds(
    _object, st.lists(_identity, max_size=1), st.lists(st.one_of(_named, _named, _identity), max_size=4), blanks,
    st.sampled_from([b"", b"", b"", b"", b" ", b"}", b",", b"x"]),
)  # fmt: skip
headers = st.one_of(
    _objects, _objects, _objects,
    st.builds(lambda text, cut: text[: max(0, len(text) - cut)], _objects, st.integers(0, 12)),
    st.binary(max_size=12), values, st.just(b""),
)  # fmt: skip
"""Headers as text: most are nearly JSON."""

texts = st.one_of(
    st.sampled_from([b"", b"\n", b"t", b"a\nb", b"\xff", b"t\n\n1", b"t\n{\n"]), st.binary(max_size=6)
)
ids = st.one_of(st.sampled_from(IDS), st.binary(min_size=1, max_size=6))

pointers = st.one_of(
    texts,
    st.sampled_from(
        [b"1 1-1", b"2 5-5", b"3 1-1", b"0 1-1", b"1 99999999999999999999-1", b"1 01-1", b"1 -", b"1 1"]
    ),
)
"""Where ``moved`` might say that a job is."""


def passed_on(raw: bytes) -> list[bytes]:
    """The members of headers that are not ours, as text."""
    return [text for name, _, text in members(raw) or () if name not in OWN]
