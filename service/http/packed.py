"""Answers that are packed by gzip, for callers who take that."""

from __future__ import annotations

import gzip
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from aiohttp import web

PACKED_FROM: Final = 2_048
"""Bytes: a shorter answer fits into a packet or two as it is, and to pack it costs more than it spares."""
_LEVEL: Final = 1
"""JSON comes down to a fifth at the lowest level, in a millisecond for 100 KB."""
_GZIP: Final = re.compile(
    r"(?:^|,)\s*(?:gzip|x-gzip|\*)\s*(?:;\s*q\s*=\s*([0-9.]+))?\s*(?=,|$)", re.IGNORECASE
)


def takes_gzip(request: web.BaseRequest) -> bool:
    """Whether the caller says so."""
    said = request.headers.get("Accept-Encoding", "")
    return bool(said) and _means_gzip(said)


@lru_cache(64)  # each client says the same with each request
def _means_gzip(said: str) -> bool:
    found = _GZIP.search(said)
    return found is not None and (found[1] is None or found[1].strip("0.") != "")


def packed(body: bytes) -> bytes:
    """The body as gzip has it, the same each time."""
    return gzip.compress(body, _LEVEL, mtime=0)


def headers_of(headers: Mapping[str, str]) -> dict[str, str]:
    """What an answer says that is packed: its tag does not stand for its bytes any more."""
    weak = {"ETag": f"W/{etag}"} if (etag := headers.get("ETag", "")).startswith('"') else {}
    return {**headers, **weak, "Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
