"""What a worker publishes of the tasks that it knows."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import Any, Final

from pydantic import PydanticUserError

from streamq.model import codec
from streamq.model.served_task import LARGEST, OPTIONS, ServedTask
from streamq.model.shown import shown
from streamq.task import Task

DESCRIPTION: Final = 300
"""Characters of a description: its handler's docstring says the rest."""
MANY: Final = 500
"""Tasks that a worker publishes: as many as it says it knows. Of more it publishes none."""


def published(tasks: Iterable[Task[Any, Any]]) -> tuple[ServedTask, ...]:
    """The tasks as they are published, each once, whatever its aliases."""
    each = tuple(dict.fromkeys(tasks))
    return tuple(_published(task) for task in each) if len(each) <= MANY else ()


def _published(task: Task[Any, Any]) -> ServedTask:
    return ServedTask(
        task.name, task.queue, _description(task.handler), _schema(task), task.version, task.aliases,
        {name: getattr(task, name) for name in OPTIONS}, tuple(task.masks.payload),
    )  # fmt: skip


def _schema(task: Task[Any, Any]) -> dict[str, Any] | None:
    """The JSON Schema of its payload, where its type has one that is not too long."""
    try:
        schema = task.schema()
        return schema if len(codec.dumps(schema)) <= LARGEST else None
    except (PydanticUserError, ValueError, TypeError):  # a validator that tells no schema
        return None


def _description(handler: Any) -> str:
    said = inspect.getdoc(handler) if inspect.isroutine(handler) else None
    return shown((said or "").partition("\n")[0].strip(), DESCRIPTION)
