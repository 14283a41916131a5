"""Cursors: places in the lists of jobs, as text that a caller hands back.

    back<n>:<id>       after that id in a list that is read from its end; ``n`` were later when it was seen
    up<score>:<id>     after that id in a sorted set; ``down`` when that is read from its end
    <lane>:<entry>     after that entry of a lane

An id may be anything where others wrote it, so it is percent-encoded.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote_from_bytes, unquote_to_bytes

from streamq.errors import UsageError
from streamq.model.lanes import NUMBERS
from streamq.model.shown import as_given

_NUMBER: Final = {
    "back": re.compile(r"[0-9]{1,12}"),
    "up": (_SCORE := re.compile(r"-?(inf|[0-9]{1,20}(\.[0-9]{1,20})?(e[+-]?[0-9]{1,3})?)")),
    "down": _SCORE,
}
"""The number that a cursor has beside an id, by the kind of the list."""


def invalid(cursor: object) -> UsageError:
    """The error for a cursor that does not belong to this list."""
    return UsageError(
        f"{as_given(cursor)} is not a cursor of this list: take `next` of the page before, or none"
    )


def is_entry(text: str) -> bool:
    """Whether it has the shape of a stream entry's id: two numbers of 64 bits."""
    parts = text.split("-")
    return len(parts) == 2 and all(
        p.isascii() and p.isdecimal() and len(p) <= 20 and int(p) < 2**64 for p in parts
    )


def cursor_at(kind: str, number: str, job_id: bytes) -> str:
    """A place in a list. An id may be anything where others wrote it."""
    return f"{kind}{number}:{quote_from_bytes(job_id, safe='')}"


def place_of(cursor: str | None, kind: str) -> tuple[str, bytes]:
    """Number and id of a place in a list of that kind; empty ones at its beginning."""
    if cursor is None:
        return "", b""
    number, found, quoted = cursor.removeprefix(kind).partition(":")
    job_id = unquote_to_bytes(quoted)
    if not (found and _NUMBER[kind].fullmatch(number) and cursor_at(kind, number, job_id) == cursor):
        raise invalid(cursor)
    return number, job_id


def entry_of(cursor: str | None) -> tuple[int, str]:
    """Lane and entry to go on after; an empty entry begins the lane."""
    if not cursor:
        return 1, ""
    lane, _, entry = cursor.partition(":")
    if lane not in map(str, NUMBERS) or not is_entry(entry):
        raise invalid(cursor)
    return int(lane), entry
