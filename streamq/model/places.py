"""Places: the names of the partitions of a queue, the ids that tell them, and which is whose home.

People know the queue; the store, workers and duties know its partitions, each by a name and each a queue to them:

    sms      the first partition, and all of a queue that has one
    sms#3    the fourth

An id tells its partition: ``5-0`` is of the first, ``5-0.3`` of the fourth.
"""

from __future__ import annotations

import re
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Final

from streamq.model.group import tenant_of

MOST: Final = 64
"""Partitions of a queue at most: a page of its jobs has a place in each."""
SEPARATOR: Final = "#"
"""No name of a queue has it."""
WITHIN: Final = "\u241f"
"""Between a group and a key that is unique within it; the sign for what separates, which JSON writes as it is."""
_ID: Final = re.compile(r"([0-9]+-[0-9]+)\.([1-9][0-9]?)")
_NUMBERED: Final = re.compile(r"[^#]+#([1-9][0-9]?)")


def partition(queue: str, number: int) -> str:
    """The name of a partition, from 0."""
    return f"{queue}{SEPARATOR}{number}" if number else queue


def is_numbered(name: str) -> bool:
    """Whether the name of a queue is followed by what may be the number of a partition."""
    found = _NUMBERED.fullmatch(name)
    return found is not None and int(found[1]) < MOST


def queue_of(partition: str) -> str:
    """The queue that it is of."""
    return partition.partition(SEPARATOR)[0]


def number_of(partition: str) -> int:
    """Its number, from 0."""
    return int(partition.partition(SEPARATOR)[2] or 0)


def shown_id(partition: str, job_id: str) -> str:
    """The id of a job as people know it; with its disposition, where that follows."""
    _, _, number = partition.partition(SEPARATOR)
    if not number:
        return job_id
    plain, colon, disposition = job_id.partition(":")
    return f"{plain}.{number}{colon}{disposition}"


def place_of(queue: str, job_id: str) -> tuple[str, str]:
    """The partition of a job by its id, and the id that it has there."""
    found = _ID.fullmatch(job_id)
    if found is None or int(found[2]) >= MOST:
        return queue, job_id
    return partition(queue, int(found[2])), found[1]


# -- where a job belongs -------------------------------------------------------------------------------------------


@lru_cache(65_536)
def home(text: str, count: int) -> int:
    """The partition, from 0, of what has this text. With more partitions only as much moves as must.

    It is the jump consistent hash of Lamping and Veach (arXiv 1406.2294).
    """
    key = int.from_bytes(blake2b(text.encode(), digest_size=8).digest())
    at, following = 0, 0
    while following < count:
        at = following
        key = (key * 2_862_933_555_777_941_757 + 1) % 2**64
        following = int((at + 1) * (2**31 / ((key >> 33) + 1)))
    return at


def anchor(group: str, key: str) -> str:
    """By what a job has its home: the first level of its group, else its key; empty where any partition will do."""
    return f"g{tenant_of(group)}" if group else f"k{key}" if key else ""


def anchor_before(anchor: str) -> str:
    """The same for what has stayed since the queue had no partitions: keys were unique in all of it then."""
    return anchor[:1].upper() + anchor[1:]


def anchor_shown(anchor: str) -> str:
    """What has its home by it, as people know it."""
    return f"{'group' if anchor[:1] in 'gG' else 'key'} {anchor[1:]}"


def key_within(group: str, key: str) -> str:
    """The key as a partition knows it: those of different groups do not meet there."""
    return f"{tenant_of(group)}{WITHIN}{key}" if group and key else key


def key_shown(group: Any, key: Any) -> Any:
    """The key as its job was given it."""
    if isinstance(group, str) and isinstance(key, str):
        return key.removeprefix(f"{tenant_of(group)}{WITHIN}")
    return key


def shared_name(queue: str, scope: str) -> str:
    """The shared limit from which the partitions of a queue draw what all of them may: no operator can name one so."""
    return f"{queue}{SEPARATOR}{blake2b(scope.encode(), digest_size=4).hexdigest()}"
