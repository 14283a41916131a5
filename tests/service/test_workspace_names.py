"""Names of workspaces: what cannot be read names nothing, and breaks no reader."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from streamq_service.messaging.workspaces import WorkspaceNames


def test_names_are_read_again_when_their_file_changes_and_odd_ones_name_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "names.json"
    names = WorkspaceNames(str(file))
    with caplog.at_level(logging.WARNING, "streamq.messaging"):
        assert (names.of(66338), names.of("acme")) == ("66338", "acme")
        assert len(caplog.records) == 1, "once"
        for text, expected in (
            ('{"66338": "Ada"}', "Ada"),
            ("[1]", "66338"),
            ("{", "66338"),
            ('{"66338": null}', "66338"),
        ):
            file.write_text(text)
            names._changed = -1.0
            assert names.of(66338) == expected
    assert WorkspaceNames("").of(1) == "1"
    assert WorkspaceNames('{"1": " "}').of(1) == "1"
