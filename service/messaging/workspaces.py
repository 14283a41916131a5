"""Names of workspaces for people to read; their ids stay what programs use."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import orjson

log = logging.getLogger("streamq.messaging")


class WorkspaceNames:
    """Those of a setting: a JSON object, or the path of a file with one, which is read again when it changes.

    What cannot be read names nothing, and the log says so once.
    """

    def __init__(self, said: str) -> None:
        self._file = None if not said or said.lstrip().startswith("{") else Path(said)
        self._names = {} if self._file else _read(said, "the setting workspace_names")
        self._changed = -1.0

    def of(self, workspace: Any) -> str:
        """The name of a workspace, or its id."""
        self._look()
        return self._names.get(str(workspace), str(workspace))

    def _look(self) -> None:
        if self._file is None:
            return
        try:
            changed = self._file.stat().st_mtime
            if changed == self._changed:
                return
            self._changed = changed
            self._names = _read(self._file.read_text("utf-8"), str(self._file))
        except (OSError, ValueError) as error:
            if self._changed != 0:
                log.warning("names of workspaces cannot be read from %s: %s", self._file, error)
            self._changed = 0


def _read(text: str, where: str) -> dict[str, str]:
    try:
        found = orjson.loads(text) if text else {}
    except orjson.JSONDecodeError as error:
        log.warning("names of workspaces cannot be read from %s: %s", where, error)
        return {}
    if not isinstance(found, dict):
        log.warning("names of workspaces cannot be read from %s: it is no JSON object", where)
        return {}
    return {name: value for name, value in found.items() if isinstance(value, str) and value.strip()}
