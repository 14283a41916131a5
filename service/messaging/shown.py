"""What logs and errors show of a message: none of its words, and of its recipient so much as tells two apart.

A provider may repeat in its answer what it was sent, and so may any error. So whoever sends a message names it
(``kept_private``), and all words from outside, and all errors, go through ``hidden`` and ``quiet``, which know what
is being sent at the moment. ``log_messages=true`` shows everything.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final
from urllib.parse import quote

from streamq import Fail, Retry, Snooze

from .plain_text import text_of

HIDDEN: Final = "***"
"""What stands in the place of what is not shown."""
_PART: Final = 12
"""Characters of a text that are recognised as a part of it."""
_STEP: Final = _PART // 2
"""Characters that are compared first."""
_TRIES: Final = 5_000
"""Places that are compared, at most: some milliseconds."""
_SHORTEST: Final = 4
"""A shorter text is recognised as a whole, from so many characters on: less stands in many by chance."""
_SEARCHED: Final = 2_000
"""Characters of an error that are kept, as searching them takes time."""
_TAIL: Final = 7
"""Digits at the end of a number by which it is recognised, however its begin is written."""
_SIGNS: Final = r"[\s().\-/]{0,3}"
"""What may stand between two digits."""
_ADDRESS: Final = re.compile(r"[\w.+-]+(?:@|%40)[\w-]+\.[\w.-]+|\+\d[\d\s().\-/]{6,20}\d")
"""Addresses of e-mail and numbers in international form: of others than the recipient too."""
_TEXTS: Final = ("message", "message_text", "subject", "html", "text")
"""Fields of messages with words."""


class Private:
    """What is private of the message that is being sent. Nothing is made before something is to be hidden."""

    def __init__(self, message: Any) -> None:
        self._message = message
        self._more: list[str] = []
        self._known: tuple[list[str], list[tuple[re.Pattern[str], str]]] | None = None

    @property
    def recipients(self) -> list[str]:
        """Whom it goes to."""
        to = getattr(self._message, "to", None)
        return [self._message.contact_id] if to is None else [to] if isinstance(to, str) else [*to]

    def also(self, *texts: str) -> None:
        """Words that belong to it too."""
        self._more += texts
        self._known = None

    def hidden(self, text: str) -> str:
        """A text without its words, and with addresses and numbers, its recipients' above all, ``masked``."""
        if self._known is None:
            self._known = self._texts(), [(_pattern(each), masked(each)) for each in self.recipients]
        words, recipients = self._known
        text = _without(text, words)
        for pattern, shown in recipients:
            text = pattern.sub(shown, text)
        return _ADDRESS.sub(lambda found: masked(re.sub(r"[\s()/]", "", found[0].replace("%40", "@"))), text)

    def _texts(self) -> list[str]:
        found = [getattr(self._message, name, None) for name in _TEXTS]
        found += [text_of(self._message.html)] if hasattr(self._message, "html") else []
        found += [each.content for each in getattr(self._message, "attachments", ())]
        texts = {form for text in [*found, *self._more] if text for form in _forms(text)}
        return sorted(texts, key=lambda text: (-len(text), text))


_CURRENT: Final[ContextVar[Private | None]] = ContextVar("streamq_private", default=None)


@contextmanager
def kept_private(message: Any, *, shown: bool = False) -> Iterator[None]:
    """Name the message that is being sent; nothing is hidden where it may be ``shown``."""
    token = _CURRENT.set(None if shown else Private(message))
    try:
        yield
    finally:
        _CURRENT.reset(token)


def also(*texts: str) -> None:
    """Name more words of the message that is being sent: what came before it, or is made of it."""
    if private := _CURRENT.get():
        private.also(*texts)


def hidden(text: str) -> str:
    """A text from outside, without what is private of the message that is being sent."""
    private = _CURRENT.get()
    return text if private is None else private.hidden(text)


def quiet(error: Exception) -> Exception:
    """An error without that: itself where it has none of it, or one of its kind without its causes."""
    if _CURRENT.get() is None:
        return error
    texts = [str(each) for each in _chain(error)]
    if all(len(text) <= _SEARCHED and hidden(text) == text for text in texts):
        return error
    text = hidden(texts[0][:_SEARCHED])
    if isinstance(
        error, Retry | Fail | Snooze
    ):  # their text is their argument, and what they ask for is kept
        error.args, error.__cause__, error.__context__ = (text,), None, None
        return error
    kind = type(type(error).__name__, (Exception,), {"__module__": type(error).__module__})
    made: Exception = kind(text)
    return made.with_traceback(error.__traceback__)


def masked(recipient: str) -> str:
    """As much as tells two apart: ``+1555…99``, ``a…@example.com``."""
    user, at, domain = recipient.rpartition("@")
    if at:
        return f"{user[:1]}…@{domain}"
    return f"{recipient[:5]}…{recipient[-2:]}" if len(recipient) > 9 else f"{recipient[:1]}…"


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _forms(text: str) -> Iterator[str]:
    """As it is, on one line, and as JSON, HTML and Python write it."""
    line = " ".join(text.split())
    yield from (
        text, line, json.dumps(line)[1:-1], json.dumps(line, ensure_ascii=False)[1:-1], html.escape(line),
        repr(line)[1:-1],
    )  # fmt: skip


def _without(text: str, words: list[str]) -> str:
    """The text with stars in the place of each part of the words."""
    spans = sorted(span for each in words for span in _spans(text, each))
    parts: list[str] = []
    kept = 0
    for start, end in spans:
        if start > kept or not parts:
            parts += [text[kept:start], HIDDEN]
        kept = max(kept, end)
    return "".join([*parts, text[kept:]])


def _spans(text: str, words: str) -> Iterator[tuple[int, int]]:
    """Where in the text parts of the words are; all of it where that would take long to say."""
    if len(words) < _PART:
        found = re.finditer(re.escape(words), text) if len(words) >= _SHORTEST else ()
        yield from (each.span() for each in found)
        return
    places: dict[str, list[int]] = {}
    for start in range(len(text) - _STEP + 1):
        places.setdefault(text[start : start + _STEP], []).append(start)
    tries = 0
    for at in range(0, len(words) - _STEP + 1, _STEP):  # each part has one of these whole in it
        met = places.get(words[at : at + _STEP], [])
        spans = [_around(text, start, words, at) for start in met]
        parts = [span for span in spans if span[1] - span[0] >= _PART]
        yield from parts
        if parts:  # what is found is not looked for again
            met[:] = [start for start in met if not any(low <= start < high for low, high in parts)]
        tries += len(spans)
        if tries > _TRIES:
            yield 0, len(text)
            return


def _around(text: str, start: int, words: str, at: int) -> tuple[int, int]:
    """The longest common part around these two places."""
    end, to = start, at
    while start and at and text[start - 1] == words[at - 1]:
        start, at = start - 1, at - 1
    while end < len(text) and to < len(words) and text[end] == words[to]:
        end, to = end + 1, to + 1
    return start, end


def _pattern(recipient: str) -> re.Pattern[str]:
    """A recipient, however it is written: a number by its last digits, with any begin and any signs between."""
    digits = re.sub(r"\D", "", recipient)
    written = [re.escape(form) for form in dict.fromkeys((recipient, quote(recipient, safe="")))]
    if len(recipient) < _SHORTEST:  # many words have it in them
        written = [rf"(?<!\w){form}(?!\w)" for form in written]
    if len(digits) >= _TAIL and "@" not in recipient:
        written.append(rf"\+?(?:\d{_SIGNS}){{0,9}}" + _SIGNS.join(digits[-_TAIL:]))
    return re.compile("|".join(written), re.IGNORECASE)
