"""What the roles print: one line an event, for people (``console``) or for machines (``json``)."""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime
from typing import Final, Literal

from streamq import codec

_LETTER: Final = {"DEBUG": "·", "INFO": " ", "WARNING": "!", "ERROR": "✗", "CRITICAL": "✗"}


class _Console(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created).strftime("%H:%M:%S")
        name = record.name.removeprefix("streamq.")
        line = f"{at} {_LETTER.get(record.levelname, ' ')} {name:<10} {record.getMessage()}"
        return line + ("\n" + self.formatException(record.exc_info) if record.exc_info else "")


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        said: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(), "logger": record.name, "message": record.getMessage(),
            "pid": record.process,
        }  # fmt: skip
        if record.exc_info:
            said["exception"] = self.formatException(record.exc_info)
        return codec.dumps(said).decode()


def set_up_logs(form: Literal["console", "json"], level: str) -> None:
    """Send the ``streamq`` loggers' lines to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json() if form == "json" else _Console())
    logger = logging.getLogger("streamq")
    logger.handlers[:] = [handler]
    logger.setLevel(level.upper())
    logger.propagate = False
