"""The reference pages say what the code says."""

from __future__ import annotations

import pytest

from docs.generate import PAGES, REFERENCE


@pytest.mark.parametrize("name", PAGES)
def test_a_reference_page_is_up_to_date(name: str) -> None:
    assert (REFERENCE / name).read_text() == PAGES[name](), f"docs/reference/{name} is stale: run `make docs`"


def test_every_reference_page_is_written_by_the_script() -> None:
    assert {path.name for path in REFERENCE.iterdir()} == set(PAGES)
