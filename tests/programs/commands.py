"""``python commands.py FILE``: many command lines, each in a process of its own that begins with everything imported.

The file has a JSON list of calls: ``argv``, ``stdin`` (``None``: closed), ``environment``, ``folder``, and ``stdout``
where it is not a file of its own (``closed``, or a path). Each ends as a program ends; the files ``N.out``, ``N.err``
and ``N.code`` beside it say how.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import streamq_service.run.commands
import streamq_service.run.roles
import streamq_service.run.up  # noqa: F401

import streamq
import streamq.cli.health
import streamq.cli.jobs
import streamq.cli.look
import streamq.cli.roles
import streamq.cli.workers
import streamq.loading
from streamq.cli import main

LONGEST = 30
"""Seconds that a call may take."""


def begin(call: dict[str, Any], beside: Path) -> None:
    """Be the process of this call."""
    signal.alarm(LONGEST)
    given = beside.with_suffix(".in")
    given.write_bytes((call["stdin"] or "").encode("latin-1"))
    out, err = beside.with_suffix(".out"), beside.with_suffix(".err")
    wanted = call.get("stdout", "")
    for number, path, flags in (
        (0, given, os.O_RDONLY),
        (1, wanted if wanted.startswith("/") else out, os.O_WRONLY | os.O_CREAT),
        (2, err, os.O_WRONLY | os.O_CREAT),
    ):
        os.dup2(os.open(path, flags, 0o600), number)
    if wanted == "closed":
        os.close(1)
        sys.stdout = None  # type: ignore[assignment]  # as Python finds it then
    if call["stdin"] is None:
        os.close(0)
        sys.stdin = None  # type: ignore[assignment]  # the same
    os.environ.clear()
    os.environ.update(call["environment"])
    os.chdir(call["folder"])
    sys.argv = ["streamq", *call["argv"]]


def be(call: dict[str, Any], beside: Path) -> None:
    """Run this call, and end as a program does; where its output is a file of its own, without Python's tidying up."""
    begin(call, beside)
    try:
        main()
    except SystemExit as error:
        if "stdout" in call:
            raise
        sys.stdout.flush()
        os._exit(error.code if isinstance(error.code, int) else int(error.code is not None))


def run_all(file: Path) -> None:
    """All of them, one after the other."""
    for _ in (streamq.App, streamq.Worker, streamq.Scheduler, streamq.run, streamq.load_app):
        """What is imported when it is first used."""
    for number, call in enumerate(json.loads(file.read_text())):
        child = os.fork()
        if not child:
            be(call, file.with_name(str(number)))
        _, status = os.waitpid(child, 0)
        file.with_name(f"{number}.code").write_text(str(os.waitstatus_to_exitcode(status)))


if __name__ == "__main__":
    run_all(Path(sys.argv[1]))
