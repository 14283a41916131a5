"""The worst call of each script."""

from __future__ import annotations

import re

from ..bench.programs import ROOT, bench


def test_each_script_has_its_worst_call_printed() -> None:
    scripts = {file.stem for file in ROOT.glob("streamq/redis/lua/[!_]*.lua")}
    ran = bench("run", "scripts", "--quick", timeout=120)
    assert ran.returncode == 0, ran.stderr
    found = re.findall(
        r"worst call of (\w+) +([\d.]+) ms  (\w+.*, .*)$", ran.stdout + ran.stderr, re.MULTILINE
    )
    assert {script for script, _, _ in found} == scripts
