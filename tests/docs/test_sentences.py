"""Which test would fail if this sentence were false? Each sentence of the pages has an answer."""

from __future__ import annotations

import ast
from functools import cache

import pytest

from ..house.source import ROOT
from .sentences import KINDS, PAGES, listed, sentences

HINT = "run `python -m tests.docs.sentences`, then name in tests/docs/sentences.toml the tests that keep each new one"


@cache
def names_in(file: str) -> set[str]:
    tree = ast.parse((ROOT / "tests" / file).read_text())
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {
        node.name for node in ast.walk(tree) if isinstance(node, functions) and node.name.startswith("test_")
    }


@pytest.mark.parametrize("page", PAGES)
def test_every_sentence_of_a_page_has_its_tests_or_says_what_else_it_is(page: str) -> None:
    said, known = list(sentences(ROOT / page)), listed().get(page, {})
    missing = [sentence for sentence in said if known.get(sentence, "?") == "?"]
    gone = [sentence for sentence in known if sentence not in said]
    assert not missing, HINT
    assert not gone, HINT


def test_every_test_that_a_sentence_names_exists() -> None:
    for page, known in listed().items():
        for sentence, kept in known.items():
            if isinstance(kept, str):
                assert kept in KINDS, (page, sentence, kept)
                continue
            assert kept, (page, sentence)
            for name in kept:
                file, _, test = name.partition("::")
                assert (ROOT / "tests" / file).is_file(), (page, sentence, name)
                assert test in names_in(file), (page, sentence, name)


def test_a_sentence_ends_where_the_next_begins_and_a_row_of_a_table_is_one() -> None:
    page = ROOT / "docs" / "explanation" / "guarantees.md"
    said = list(sentences(page))
    assert "A job whose outcome is recorded never runs again, unless somebody retries a failed one." in said
    assert any(sentence.startswith("| a producer |") for sentence in said)
    assert not any("```" in sentence or sentence.startswith("#") for sentence in said)
