"""``streamq init`` and ``streamq top``: a project that runs at once, and a screen that shows what it does."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ..processes import without_settings
from ..rig import ON_ONE_SERVER


def streamq(*words: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "streamq", *words]
    given = without_settings(**environment)
    return subprocess.run(
        command, cwd=cwd, env=given, capture_output=True, text=True, timeout=60, check=False
    )


@ON_ONE_SERVER
@pytest.mark.keeps_keys
def test_a_new_project_runs_and_is_seen_on_top(server_url: str, prefix: str, tmp_path: Path) -> None:
    settings = {"STREAMQ_REDIS_URL": server_url, "STREAMQ_PREFIX": prefix}
    done = streamq("init", "shop", cwd=tmp_path)
    assert (done.returncode, "streamq up jobs:app" in done.stdout) == (0, True)
    shop, given = tmp_path / "shop", without_settings(**settings)
    worker = subprocess.Popen(
        [sys.executable, "-m", "streamq", "worker", "jobs:app"], cwd=shop, env=given,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        sent = subprocess.run(
            [sys.executable, "send.py", "Grace"], cwd=shop, env=given, capture_output=True, text=True, timeout=30,
            check=True,
        )  # fmt: skip
        assert sent.stdout == "Hello, Grace!\n"
        end = time.monotonic() + 20
        while True:
            looked = streamq("top", "--once", "--json", cwd=tmp_path, **settings)
            said = json.loads(looked.stdout)
            row = next(row for row in said["queues"] if row["queue"] == "mail")
            if row["a second"] > 0 or time.monotonic() > end:
                break
        assert row["a second"] > 0
        assert [each["slots"] for each in said["workers"]] != []
        text = streamq("top", cwd=tmp_path, **settings).stdout
    finally:
        worker.terminate()
        worker.wait(30)
    assert "mail" in text
    assert "\x1b" not in text, "where the output is no terminal it is plain and ends"


def test_a_project_overwrites_nothing(tmp_path: Path) -> None:
    (tmp_path / "jobs.py").write_text("mine")
    done = streamq("init", ".", cwd=tmp_path)
    assert (done.returncode, "has jobs.py already" in done.stderr) == (2, True)
    assert [file.name for file in tmp_path.iterdir()] == ["jobs.py"]
    (tmp_path / "file").write_text("")
    done = streamq("init", "file/x", cwd=tmp_path)
    assert (done.returncode, "cannot be written" in done.stderr) == (2, True)
