"""Hides our own secrets in a provider's answer: some repeat the request that they refuse."""

from __future__ import annotations

import html
import json
import re
from base64 import b64encode
from collections.abc import Iterator
from typing import Final
from urllib.parse import parse_qsl, quote, quote_plus, unquote, urlsplit

from . import shown

_WORD: Final = 4
"""Characters from which a secret is hidden anywhere; a shorter one, as many words contain it, only as a whole word."""
_SEARCHED: Final = 4_096
"""Characters of a text that are searched, so that it costs little; the rest is dropped. Far fewer are shown."""
_TOKEN: Final = 16
"""Characters from which a part of a path may be a token: names of resources are shorter, tokens longer."""


class Secrets:
    """The secrets in the address of a provider (its login, its query and long parts of its path), and others."""

    def __init__(self, url: str, *others: str) -> None:
        forms = {form for secret in (*_secrets(url), *others) for form in _forms(secret)}
        longest_first = sorted(forms, key=lambda form: (-len(form), form))
        self._found = re.compile("|".join(map(_pattern, longest_first)), re.IGNORECASE) if forms else None
        self._longest = max(map(len, forms), default=0)

    def hidden(self, text: str) -> str:
        """The text with stars in the place of each secret, however it is written."""
        return self._found.sub(shown.HIDDEN, text) if self._found else text

    def words(self, text: str, most: int) -> str:
        """At most ``most`` characters of the text, on one line, without secrets and what is private of the message."""
        whole = " ".join(text.split())
        line = self.hidden(whole[:_SEARCHED])
        if len(whole) > _SEARCHED:  # its end may be a part of a secret
            line = line[: max(0, len(line) - self._longest)]
        line = shown.hidden(line[: 2 * most])
        return line if len(line) <= most else line[: most - 1] + "…"


def _secrets(url: str) -> Iterator[str]:
    parts = urlsplit(url)
    login = parts.netloc.rpartition("@")[0]
    if login:
        user, _, password = (unquote(part) for part in login.partition(":"))
        yield from (user, password, f"{user}:{password}")
        for charset in ("utf-8", "latin-1"):
            yield b64encode(f"{user}:{password}".encode(charset, "replace")).decode().rstrip("=")
    yield from (value for _, value in parse_qsl(parts.query))
    yield from (unquote(part) for part in parts.path.split("/") if len(part) >= _TOKEN)


def _forms(secret: str) -> Iterator[str]:
    """As it is, and as addresses, JSON and HTML write it."""
    if secret.strip(":"):
        yield from (
            secret, quote(secret, safe=""), quote(secret), quote_plus(secret), html.escape(secret),
            json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], " ".join(secret.split()),
        )  # fmt: skip


def _pattern(form: str) -> str:
    return re.escape(form) if len(form) >= _WORD else rf"(?<!\w){re.escape(form)}(?!\w)"
