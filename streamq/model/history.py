"""The history of a job: what went wrong in its attempts so far, kept among its headers in bounded room."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from streamq.model import codec

HISTORY: Final = 20
"""Entries of a history that are kept: the first one always, and the latest."""
HISTORY_BYTES: Final = 16_384
"""Bytes of a whole history as JSON. Each attempt sends the headers again, and each failed job is kept with them, so
this bounds both: a job of 1,000 attempts sends 16 MB in all, and 10,000 failed ones take at most 160 MB."""
IN_FULL: Final = 7_000
"""Bytes of an entry that keeps its traceback: two of them fit into the whole."""
SUMMARY: Final = 200
"""Characters kept of the message of an entry between the first and the last."""


def grown(history: Sequence[Mapping[str, Any]], error: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A history with one more entry.

    The first and the last entry are whole; those between are summaries without a traceback, the latest of them.
    """
    last = _bounded(error)
    if not history:
        return [last]
    first = _bounded(history[0])
    room = HISTORY_BYTES - len(codec.dumps([first, last]))
    between: list[dict[str, Any]] = []
    for entry in reversed(history[max(1, len(history) - HISTORY + 2) :]):
        summary = _summary(entry)
        room -= len(codec.dumps(summary)) + 1
        if room < 0:
            break
        between.append(summary)
    return [first, *reversed(between), last]


def _bounded(entry: Mapping[str, Any]) -> dict[str, Any]:
    """An entry as it is, or what a summary keeps of it and of its traceback when another program made it too long."""
    whole = dict(entry)
    try:
        if len(codec.dumps(whole)) <= IN_FULL:
            return whole
    except TypeError:  # deeper than can be written, though it could be read
        pass
    return short(whole)


def short(entry: Mapping[str, Any]) -> dict[str, Any]:
    """A summary of an entry, with the beginning of its traceback."""
    return {**_summary(entry), "traceback": _cut(entry.get("traceback"), IN_FULL // 2)}


def _summary(entry: Mapping[str, Any]) -> dict[str, Any]:
    texts = {name: _cut(entry[name], SUMMARY) for name in ("type", "message", "worker") if name in entry}
    numbers = {
        name: entry[name]
        for name in ("attempt", "started_at", "finished_at")
        if isinstance(entry.get(name), int | float)
    }
    return {**texts, "traceback": "", **numbers}


def _cut(text: object, longest: int) -> str:
    return fitted(text[:longest], longest) if isinstance(text, str) else ""


def fitted(text: str, longest: int, *, end: bool = False) -> str:
    """The beginning of a text, or its end, in at most ``longest`` bytes as JSON: a control character takes six."""
    while (size := len(codec.dumps(text)) - 2) > longest:
        keep = min(len(text) - 1, len(text) * longest // size)
        text = text[len(text) - keep :] if end else text[:keep]
    return text
