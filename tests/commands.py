"""Command lines, run as people run them, many at a time."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

PROGRAM = Path(__file__).parent / "programs" / "commands.py"


@dataclass(frozen=True)
class Call:
    """What is typed. ``stdin`` is bytes as latin-1, ``None`` a closed one; ``stdout`` is ``closed`` or a path."""

    argv: Sequence[str]
    stdin: str | None = ""
    environment: dict[str, str] = field(default_factory=dict)
    stdout: str = ""


@dataclass(frozen=True)
class Ended:
    """How it ended."""

    argv: tuple[str, ...]
    code: int
    out: str
    err: str


def run_all(folder: Path, calls: Sequence[Call], **environment: str) -> list[Ended]:
    """Each call in the folder, in a process of its own, with the environment and its own of it."""
    path = ":".join(entry for entry in sys.path if entry)
    with tempfile.TemporaryDirectory() as beside:
        file = Path(beside) / "calls.json"
        file.write_text(
            json.dumps([
                {
                    "argv": list(call.argv), "folder": str(folder), "stdin": call.stdin,
                    **({"stdout": call.stdout} if call.stdout else {}),
                    "environment": {"PATH": "/usr/bin:/bin", "PYTHONPATH": path, **environment, **call.environment},
                }
                for call in calls
            ])
        )  # fmt: skip
        subprocess.run(
            [sys.executable, str(PROGRAM), str(file)], check=True, timeout=110,
            env={"PATH": "/usr/bin:/bin", "PYTHONPATH": path},
        )  # fmt: skip
        return [
            Ended(
                tuple(call.argv),
                int(file.with_name(f"{number}.code").read_text()),
                *(
                    # not `read_text`, which would make a carriage return a new line
                    path.read_bytes().decode()
                    if (path := file.with_name(f"{number}.{kind}")).exists()
                    else ""
                    for kind in ("out", "err")
                ),
            )
            for number, call in enumerate(calls)
        ]


def sentence(ended: Ended) -> str:
    """The one line that it says; for an unreachable server there is a second with what to try."""
    first, *more = ended.err.rstrip("\n").split("\n")
    assert first.startswith("error: "), ended
    assert not more or (ended.code == 69 and [line[:5] for line in more] == ["try: "]), ended
    assert "Traceback" not in ended.out + ended.err, ended
    assert first.isprintable(), ended
    assert len(first) < 2_100
    return first
