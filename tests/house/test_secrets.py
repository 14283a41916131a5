"""No secret stands in the source."""

from __future__ import annotations

import pytest

from .secrets import secrets_in
from .source import shown
from .test_forbidden import texts

RANDOM = "9f8a7b6c5d" + "4e3f2a1b0c"


def test_no_text_has_a_secret() -> None:
    assert not [
        f"{shown(path)}: {found}…"
        for path in texts()
        if path.suffix != ".lock"
        for found in secrets_in(path.read_text(errors="ignore"))
    ]


@pytest.mark.parametrize(
    "parts",
    [
        ("-----BEGIN RSA PRI", "VATE KEY-----"), ("AK", "IA" + "ABCDEFGH12345678"), ("gh", "p_" + "a1" * 18),
        ("xo", "xb-" + "1234567890"), ("STREAMQ_API_KEY=", RANDOM), ('"sms_to', f'ken": "{RANDOM}"'),
    ],
)  # fmt: skip
def test_the_search_for_secrets_finds_them(parts: tuple[str, str]) -> None:
    assert list(secrets_in("a line\n" + "".join(parts) + "\n"))
    assert not list(secrets_in(parts[0]))
