"""What others wrote is shown so that it cannot pretend to be anything else."""

from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamq.model.shown import shown, shown_json, shown_lines


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("\x1b[31mred", "\\x1b[31mred"),
        ("\x1b]8;;http://example.test\x07link", "\\x1b]8;;http://example.test\\x07link"),
        ("\x9b31m", "\\x9b31m"),
        ("a\r\nb\tc", "a\\r\\nb\\tc"),
        ("abc\u202efdp.exe", "abc\\u202efdp.exe"),
        ("line\u2028line", "line\\u2028line"),
        ("half \ud800", "half \\ud800"),
        ("tag \U000e0041", "tag \\U000e0041"),
        ("Grüße, 你好, مرحبا, 👩\u200d🚀", "Grüße, 你好, مرحبا, 👩\u200d🚀"),
    ],
)
def test_an_unseen_character_is_shown_as_an_escape_and_writing_stays_as_it_is(text: str, seen: str) -> None:
    assert shown(text) == seen


@given(st.text(st.characters()))
def test_no_control_character_passes_whatever_the_text_is(text: str) -> None:
    left = {unicodedata.category(character) for character in shown(text)}
    assert not left & {"Cc", "Cs", "Zl", "Zp"}
    shown(text).encode()


@given(
    st.recursive(
        st.text(st.characters(exclude_categories=["Cs"])),
        lambda inner: st.dictionaries(st.text("a\x1b\u202e"), inner),
    )
)
def test_a_json_document_that_is_shown_says_the_same(value: object) -> None:
    document = shown_json(json.dumps(value, ensure_ascii=False))
    assert json.loads(document) == value
    assert shown(document) == document


def test_a_long_text_is_cut_and_says_so() -> None:
    assert shown("x" * 20, 10) == "xxxxxxx..."


def test_each_further_line_of_a_text_is_indented() -> None:
    assert shown_lines("one\ntwo\x1b", "  ") == "one\n  two\\x1b"
