"""Names: of queues, workers, schedules and what else operators name, and of the partitions of queues."""

from __future__ import annotations

import re
from typing import Final

from streamq.errors import ConfigurationError
from streamq.model.places import is_numbered, queue_of
from streamq.model.segments import is_folded
from streamq.model.shown import as_given

NAME_FORM: Final = "use 1 to 64 letters, digits, '_', '.' or '-', and more than dots"
_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")


def is_name(text: object) -> bool:
    """Whether it may name a queue or a worker: 1 to 64 letters, digits, ``_``, ``.`` or ``-``, but neither ``.``
    nor ``..``."""
    return isinstance(text, str) and _NAME.fullmatch(text) is not None and not is_folded(text)


def is_partition(text: object) -> bool:
    """Whether it may name a partition (``model.places``): the first one is named as its queue."""
    return isinstance(text, str) and (is_name(text) or (is_numbered(text) and is_name(queue_of(text))))


def checked_queue(name: object) -> str:
    """The name of a queue. Raises ``ConfigurationError`` for what is none."""
    if not is_name(name):
        raise ConfigurationError(f"{as_given(name)} cannot name a queue: {NAME_FORM}")
    return str(name)
