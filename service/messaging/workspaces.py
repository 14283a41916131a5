"""Names of workspaces for people to read; their ids stay what programs use."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import orjson

TABLE: Final = "table:"
"""Stands before the name of a table with names."""
log = logging.getLogger("streamq.messaging")


class WorkspaceNames:
    """Those of a setting: a JSON object; or the path of a file with one, which is read again when it changes; or
    ``table:NAME``, see ``workspace_table``.

    What cannot be read names nothing, and the log says so once.
    """

    def __init__(self, said: str) -> None:
        self.table = said.removeprefix(TABLE) if said.startswith(TABLE) else None
        is_file = bool(said) and self.table is None and not said.lstrip().startswith("{")
        self._file = Path(said) if is_file else None
        self._names = {} if is_file or self.table else _read(said, "the setting workspace_names")
        self._changed = -1.0

    def of(self, workspace: Any) -> str:
        """The name of a workspace, or its id."""
        self._look()
        return self._names.get(str(workspace), str(workspace))

    def take(self, names: Mapping[str, Any]) -> None:
        """The names that are in the table now."""
        self._names = _readable(names)

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
    return _readable(found)


def _readable(found: Mapping[str, Any]) -> dict[str, str]:
    return {name: value for name, value in found.items() if isinstance(value, str) and value.strip()}
