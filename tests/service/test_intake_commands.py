"""``streamq intake init`` and ``streamq intake status``, run as people run them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from streamq_service.settings import ServiceSettings

from streamq import ConfigurationError

from .intake import Base
from .test_commands import tried


def run(folder: Path, *words: str, url: str = "") -> subprocess.CompletedProcess[str]:
    """A command of the intake."""
    return tried(folder, "intake", *words, **({"STREAMQ_INTAKE_URL": url} if url else {}))


async def test_init_makes_the_tables_once_and_status_counts_their_rows(bare: Base, tmp_path: Path) -> None:
    before = run(tmp_path, "status", url=bare.url)
    assert (before.returncode, "run streamq intake init" in before.stderr) == (1, True)
    assert run(tmp_path, "init", url=bare.url).stdout == "applied: 001_tables\n"
    assert run(tmp_path, "init", url=bare.url).stdout == "nothing to do: all is applied already\n"
    assert json.loads(run(tmp_path, "init", "--json", url=bare.url).stdout) == {"applied": []}
    for status in ("pending", "pending", "failed", "complete", "error"):
        await bare.sms(status=status)
    said = run(tmp_path, "status", "--database-url", bare.url)
    lines = [line.split() for line in said.stdout.splitlines()]
    assert lines[0] == ["table", "pending", "processing", "error", "failed", "oldest"]
    assert lines[1][:5] == ["sms_queue", "2", "0", "1", "1"]
    assert lines[-1] == ["doorbell:", "LISTEN"]
    told = json.loads(run(tmp_path, "status", "--json", url=bare.url).stdout)
    assert [row["table"] for row in told["tables"]] == [
        "sms_queue", "email_queue", "ai_response_queue", "streamq_outbox",
    ]  # fmt: skip
    assert 0 <= told["tables"][0]["oldest"] < 60
    assert told["tables"][1]["oldest"] is None


async def test_the_printed_sql_is_what_init_applies(bare: Base, tmp_path: Path) -> None:
    printed = run(tmp_path, "init", "--print")
    await bare.connection.execute(printed.stdout)
    await bare.sms()
    assert run(tmp_path, "init", url=bare.url).returncode == 0
    assert await bare.statuses("sms_queue") == {"pending": 1}


def test_a_database_that_is_none_or_not_there_is_one_sentence_without_the_password(tmp_path: Path) -> None:
    none = run(tmp_path, "status")
    assert (none.returncode, none.stderr) == (
        78, "error: no database is named: set STREAMQ_INTAKE_URL, or give --database-url\n",
    )  # fmt: skip
    away = run(tmp_path, "init", url="postgresql://owner:geheim@127.0.0.1:9/x")
    assert (away.returncode, "geheim" in away.stderr, "pg_isready" in away.stderr) == (69, False, True)
    wrong = run(tmp_path, "init", url="redis://owner:geheim@127.0.0.1:9/x")
    assert (wrong.returncode, "geheim" in wrong.stderr, "postgresql://" in wrong.stderr) == (78, False, True)


@pytest.mark.parametrize("url", ["ftp://example.com", "example.com", "https://"])
def test_an_address_of_realtime_that_can_be_none_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="https://project"):
        ServiceSettings(intake_realtime_url=url)
