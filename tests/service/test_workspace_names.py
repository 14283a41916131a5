"""Names of workspaces: what cannot be read names nothing, and breaks no reader."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import pytest
from streamq_service.messaging import workspace_table
from streamq_service.messaging.workspaces import WorkspaceNames
from streamq_service.settings import ServiceSettings

from streamq import ConfigurationError

from ..rig import ON_ONE_SERVER, until
from .conftest import running
from .intake import Base
from .test_message_stats import stats
from .test_messages import GOOD


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


@pytest.mark.keeps_keys
@ON_ONE_SERVER
@pytest.mark.parametrize("table", ["shops", "public.shops"])
async def test_names_come_from_a_table_and_stay_when_it_is_gone(
    bare: Base, settings: Callable[..., ServiceSettings], monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture, table: str,
) -> None:  # fmt: skip
    monkeypatch.setattr(workspace_table, "EVERY", 0.01)
    given = settings(workspace_names=f"table:{table}", intake_url=bare.url)
    with caplog.at_level(logging.WARNING, "streamq.messaging"):
        names = WorkspaceNames(given.workspace_names)
        async with workspace_table.followed(names, given):
            await until(lambda: any("cannot be read" in each.message for each in caplog.records))
            await bare.connection.execute("CREATE TABLE shops (id int, name text)")
            await bare.connection.execute("INSERT INTO shops VALUES (66338, 'Ada'), (7, NULL), (NULL, 'x')")
            await until(lambda: names.of(66338) == "Ada")
            assert names.of(7) == "7"
            await bare.connection.execute("UPDATE shops SET name = 'Bo' WHERE id = 66338")
            await until(lambda: names.of(66338) == "Bo")
            await bare.connection.execute("DROP TABLE shops")
            await until(lambda: sum("cannot be read" in each.message for each in caplog.records) == 2)
            assert names.of(66338) == "Bo"


@pytest.mark.keeps_keys
@ON_ONE_SERVER
async def test_statistics_have_the_names_of_a_table(
    bare: Base, settings: Callable[..., ServiceSettings]
) -> None:
    await bare.connection.execute("CREATE TABLE shops (id int, name text)")
    await bare.connection.execute("INSERT INTO shops VALUES (66338, 'Ada')")
    async with running(settings(workspace_names="table:shops", intake_url=bare.url)) as service:
        await service.post("/api/v1/messages/sms", GOOD)

        async def is_named() -> bool:
            found = await stats(service, "workspace")
            return [row["name"] for row in found["data"]] == ["Ada"]

        await until(is_named)


@pytest.mark.parametrize("table", ["", "a b", "a.b.c", 'a"b', "1a"])
def test_what_is_no_name_of_a_table_or_has_no_database_is_told_at_the_start(
    settings: Callable[..., ServiceSettings], table: str
) -> None:
    for given, words in (
        ({"workspace_names": f"table:{table}", "intake_url": "postgresql://127.0.0.1/x"}, "write a table as"),
        ({"workspace_names": "table:shops"}, "set STREAMQ_INTAKE_URL"),
    ):
        with pytest.raises(ConfigurationError, match="STREAMQ_WORKSPACE_NAMES") as refused:
            workspace_table.check_table(settings(**given))
        assert words in str(refused.value)
