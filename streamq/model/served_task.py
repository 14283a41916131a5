"""A task as workers publish it: what a client must know to send a job of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from streamq.model import codec
from streamq.model.worker_info import WorkerInfo

LARGEST: Final = 32_768
"""Bytes of a JSON Schema that is published: a form for a longer one would be filled in by nobody."""
OPTIONS: Final = ("attempts", "timeout", "keep_result", "on_failed")
"""What of a task's policy is published."""


@dataclass(frozen=True, slots=True)
class ServedTask:
    """A task that workers know, or knew when they began."""

    name: str
    queue: str
    """Where ``enqueue`` sends its jobs."""
    description: str = ""
    """The first line of its handler's docstring."""
    schema: Mapping[str, Any] | None = None
    """The JSON Schema of its payload; ``None`` where that has none, or one of more than 32 KiB."""
    version: int = 1
    """The version of its payload."""
    aliases: tuple[str, ...] = ()
    """The names that it had before."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """``attempts``, ``timeout`` (seconds), ``keep_result`` (seconds, ``None`` for as long as the record) and
    ``on_failed``, as its code says them."""
    masked: tuple[str, ...] = ()
    """What of its payload is masked, as JSON pointers."""
    workers: int = 0
    """How many workers that are registered know it and serve its queue."""

    def counted(self, workers: Sequence[WorkerInfo]) -> ServedTask:
        """The same with how many of these serve it."""
        return replace(self, workers=sum(self.is_served_by(worker) for worker in workers))

    def is_served_by(self, worker: WorkerInfo) -> bool:
        """Whether the worker runs its jobs; one that does not say what it knows is taken to know all."""
        knows = worker.tasks is None or self.name in worker.tasks
        return knows and self.queue in worker.queues

    def asdict(self) -> dict[str, Any]:
        """The task as JSON has it."""
        return {
            "name": self.name, "queue": self.queue, "description": self.description, "version": self.version,
            "aliases": list(self.aliases), "options": dict(self.options), "masked": list(self.masked),
            "workers": self.workers, "schema": None if self.schema is None else dict(self.schema),
        }  # fmt: skip


def written(task: ServedTask) -> bytes:
    """The task as it lies on the server."""
    said = task.asdict()
    del said["workers"]
    return codec.dumps(said)


def parse_task(name: str, raw: bytes) -> ServedTask:
    """A task from its entry. Raises what ``store.workers.UNREADABLE`` lists for what no version of ours writes."""
    said = codec.loads(raw)
    schema, options = said.get("schema"), said.get("options")
    return ServedTask(
        name, str(said["queue"]), str(said.get("description", "")), schema if isinstance(schema, dict) else None,
        int(said.get("version", 1)), tuple(map(str, said.get("aliases", ()))),
        options if isinstance(options, dict) else {}, tuple(map(str, said.get("masked", ()))),
    )  # fmt: skip
