"""Every Redis key, named here and nowhere else. A new key is one more line of ``Keys`` or of ``AppKeys``.

All keys of a partition of a queue have its name in braces: to a Redis Cluster that is a hash tag, so they live in one
slot, and each script is safe there. (``model.slots`` has the tags.)
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, overload

from streamq.errors import ConfigurationError
from streamq.model.lanes import ALONE, BY_PRIORITY, GATE, LANES, READY
from streamq.model.names import NAME_FORM, is_partition
from streamq.model.places import SEPARATOR
from streamq.model.shown import as_given
from streamq.model.slots import tag_of

GROUP: Final = "workers"
"""The consumer group of every lane."""

SHARDED: Final = ":sharded"
"""How names of channels end where a signal is heard at the node of its queue alone."""
TOGETHER: Final = "all queues"
"""The hash tag of what all queues share, on a cluster. No queue has such a name."""


class Key:
    """One key: its type, what lies in it, and for how long. On an instance of ``Keys`` the attribute is the name.

    The type is ``stream``, ``hash``, ``zset``, ``set``, ``list``, ``string``, or ``channel`` of Pub/Sub, which keeps
    nothing. ``end`` is how the name ends, where that is not the attribute's name; a word in capitals stands for any
    text, and the attribute has what stands before it.
    """

    def __init__(self, type: str, meaning: str, lifetime: str, end: str = "") -> None:  # noqa: A002  # Redis' word
        self.type, self.meaning, self.lifetime, self.end = type, meaning, lifetime, end

    def __set_name__(self, owner: type, name: str) -> None:
        self.end = self.end or name

    @overload
    def __get__(self, keys: None, owner: type) -> Key: ...
    @overload
    def __get__(self, keys: object, owner: type) -> str: ...
    def __get__(self, keys: object, owner: type) -> Key | str:
        return self  # an instance has the name in its __dict__, which is found first

    def name(self, before: str) -> str:
        """The name, as far as it does not depend on a word in capitals."""
        return before + re.split("[A-Z]", self.end)[0]


def _lane(number: int) -> Key:
    lane = LANES[number - 1]
    return Key("stream", lane.meaning, "until the job leaves it", lane.name)


class Keys:
    """The keys of one partition of a queue; ``sharded`` where queues live on several servers, ``aside`` those that it
    has while it moves.

    Raises ``ConfigurationError`` for a name that is not 1 to 64 letters, digits, ``_``, ``.`` or ``-``.
    """

    ready = _lane(READY)
    alone = _lane(ALONE)
    critical = _lane(BY_PRIORITY["critical"])
    high = _lane(BY_PRIORITY["high"])
    low = _lane(BY_PRIORITY["low"])
    passed = _lane(GATE)
    alone_claim = Key(
        "string", "the worker that waits until it is idle, on behalf of suspects", "expires in seconds", "alone:claim"
    )  # fmt: skip
    parked = Key("hash", "id → envelope of a delayed or held job", "until the job waits")
    delayed = Key("zset", "id by due time in ms", "until the job waits")
    moved = Key("hash", "id → lane and entry of a job that re-entered a stream", "until the job ends")
    finished = Key("hash", "id → record of a finished job", "as many and as long as the settings say")
    completed = Key("list", "ids of completed jobs, oldest first", "as their records")
    failures = Key("zset", "ids of failed jobs by the time of their end in ms", "as their records")
    fingerprints = Key("hash", "id of a failed job → the fingerprint of its failure", "as their records")
    fingerprinted = Key(
        "zset", "fingerprint and id of a failed job: those that failed alike are neighbours", "as their records"
    )  # fmt: skip
    failure_kinds = Key(
        "hash", "fingerprint → what is known of the jobs that failed so: counts, first and last, a sample (JSON)",
        "a group without failed jobs: until there is no room, or as long as records of failed jobs",
    )  # fmt: skip
    staying = Key(
        "hash", "what has another home since the partitions changed → how many jobs came; without a name: which change",
        "until none of their jobs is left here",
    )  # fmt: skip
    cancelled = Key("zset", "ids of cancelled jobs likewise", "as their records")
    expired = Key("zset", "ids of expired jobs likewise", "as their records")
    cancels = Key(
        "hash", "id → who asked for the end of an active job, and why (JSON)", "until that job ends; the pruner"
    )  # fmt: skip
    unique = Key(
        "hash", "unique key → the id of its job, until when, and the ids of those that follow it",
        "until its job is done or started, or its window ends",
    )  # fmt: skip
    windows = Key(
        "zset", "unique keys that have a window, by its end in ms", "the pruner, when the window has ended"
    )
    steering = Key(
        "hash", "what was told to the queue: paused, paused tasks, bounds, the lanes in use",
        "until an operator tells otherwise",
    )  # fmt: skip
    held = Key(
        "zset", "task and id of a job that is held by the pause of its task", "until the job waits or ends"
    )
    followers = Key(
        "hash", "task → the task of which a job follows when one of its jobs has failed for good",
        "until a worker knows it otherwise",
    )  # fmt: skip
    trail = Key(
        "stream", "who did what: acts of people in the queue", "the latest thousand, and up to a hundred more"
    )
    retention = Key(
        "hash", "how many records are kept and for how long, where that was told to the queue, or of a task in it",
        "until an operator, or the task's code, tells otherwise",
    )  # fmt: skip
    kept = Key(
        "zset", "ids of finished jobs of a task that has a retention of its own, by the time of their end in ms",
        "as their records", "kept:KIND:TASK",
    )  # fmt: skip
    records = Key(
        "hash", "key → an entry of the records of a service under this name: its version and its value, or counts",
        "until the end of the last of them",
    )  # fmt: skip
    records_ends = Key("zset", "entry of `records` by its end in ms", "as `records`")
    gate = Key(
        "hash", "where the turns of the groups are, and when the bell was rung last", "until no group waits"
    )  # fmt: skip
    lines = Key("zset", "group by how many of its jobs the gate holds", "until none is held", "gate:lines")
    line = Key(
        "list", "ids of the jobs of one group and priority that the gate holds, in order", "until none is held",
        "gate:line:LANE:GROUP",
    )  # fmt: skip
    turns = Key("zset", "tenants whose turn may come, by what they were served for their weight", "until it has come",
        "gate:turns",
    )  # fmt: skip
    parts = Key("zset", "the same of the groups of one tenant", "until it has come", "gate:parts:TENANT")
    rested = Key(
        "zset", "tenants that were served more than others that wait, by how much", "until the others have caught up",
        "gate:rested",
    )  # fmt: skip
    opens = Key("zset", "scope by when it opens, in ms", "until it has opened", "gate:opens")
    waits = Key(
        "zset", "groups that wait for a scope that is not their own, by when they began to", "until it opens",
        "gate:waits:SCOPE",
    )  # fmt: skip
    shut = Key("zset", "groups that the gate has passed over, by since when", "until one of their jobs starts",
        "gate:shut",
    )  # fmt: skip
    out = Key("hash", "id → group and task of a job that was let through", "until it has ended", "gate:out")
    used = Key("hash", "scope → how many of its jobs are in `out`", "until none is", "gate:used")
    starts = Key("list", "when the last jobs of a scope that has a rate were started, in ms", "expires with its window",
        "gate:starts:SCOPE",
    )  # fmt: skip
    limits = Key("hash", "scope → its limit", "until an operator, or the code, says otherwise", "gate:limits")
    errors = Key("hash", "how many jobs of a scope that has a breaker have failed or not, by parts of its window",
        "expires with its window", "gate:errors:SCOPE",
    )  # fmt: skip
    leases = Key(
        "hash", "shared limit → what the queue may draw of it, and until when; and what it is short of",
        "until none of its jobs draws from it", "gate:leases",
    )  # fmt: skip
    bell = Key("stream", "a sign to one worker to look at the gate", "until somebody has looked", "gate:bell")
    operations = Key("hash", "id → a background operation and how far it is (JSON)", "a day after its end")
    workers = Key(
        "zset", "worker by number of beats; a fraction counts beats by others on its behalf",
        "until the worker stops or is lost",
    )  # fmt: skip
    seat = Key(
        "string", "the process that does the upkeep: seat 1 all of it, 2 helps, 3 only recovers", "expires in seconds",
        "upkeep:SEAT",
    )  # fmt: skip
    seat_look = Key(
        "string", "the process that stands by and was the last to check whether the seat is free", "expires in seconds",
        "upkeep:SEAT:look",
    )  # fmt: skip
    producer = Key(
        "string", "last batch of one producer and the ids it was answered",
        "expires in an hour, or in a day where a request may come again", "producer:ID",
    )  # fmt: skip
    request = Key(
        "hash", "a request that may come again: its fingerprint, who is at it, and the first answer",
        "expires in a day", "request:ID",
    )  # fmt: skip
    schedules = Key(
        "hash", "schedule → the number of its changes, its definition (JSON) and its payload", "until it is removed"
    )  # fmt: skip
    ticks = Key("zset", "schedule by its next planned time in ms", "until it has run, is paused or removed")
    runs = Key("hash", "schedule → its last run, its counts, and its pause", "until it is removed")
    progress = Key("hash", "id → the last progress of a job (JSON)", "as its record; the oldest go first")
    logs = Key(
        "hash", "id → how many lines a job has written; id and page → the last of them (JSON)",
        "as its record; the oldest go first",
    )  # fmt: skip
    reports = Key(
        "zset", "ids of jobs with a progress or a log, by the last of them in ms", "as their records"
    )
    results = Key(
        "zset", "ids of jobs whose results have a time of their own, by its end in ms", "the pruner, at that time"
    )  # fmt: skip
    minutes = Key(
        "hash", "what the jobs of a minute came to: task → counts and times (JSON), and how many waited at most",
        "expires in a day", "minutes:MINUTE",
    )  # fmt: skip
    hours = Key("hash", "the same of an hour", "expires in 90 days", "hours:HOUR")
    grouped_minutes = Key(
        "hash", "what the jobs of groups came to in a minute: tenant → counts and times (JSON)", "expires in a day",
        "groups:minutes:MINUTE",
    )  # fmt: skip
    grouped_hours = Key("hash", "the same of an hour", "expires in 90 days", "groups:hours:HOUR")
    slow = Key(
        "zset", "the slowest jobs that ended in ten minutes (JSON), by how many ms each ran", "expires in 80 minutes",
        "slow:NUMBER",
    )  # fmt: skip
    totals = Key(
        "hash", "what all attempts of the queue came to: `*` → counts and times (JSON), which never fall",
        "until the queue is removed, or 90 days after the last attempt",
    )  # fmt: skip
    counted = Key(
        "string", "the number of the last call by which a worker added to the statistics", "expires in an hour",
        "counted:WORKER",
    )  # fmt: skip
    tallied_minutes = Key(
        "hash", "what a service counted in a minute under this name: subject → counts and times (JSON)",
        "expires in a day", "tallied:minutes:MINUTE",
    )  # fmt: skip
    tallied_hours = Key("hash", "the same of an hour", "expires in 90 days", "tallied:hours:HOUR")
    tallied_totals = Key(
        "hash", "what services have counted under this name: subject → counts and times (JSON), which never fall",
        "90 days after the last count", "tallied:totals",
    )  # fmt: skip
    tallied_by = Key(
        "string", "the number of the last call by which a process of a service added to its tallies",
        "expires in an hour", "tallied:by:PROCESS",
    )  # fmt: skip
    failed = Key(
        "list", "ids of failed jobs, kept so by an earlier version", "the pruner takes them into `failures`"
    )
    events = Key("stream", "signals of an earlier version", "the pruner deletes it")
    wake = Key("list", "signals of an earlier version", "the pruner deletes it")
    migration = Key("hash", "the move of the queue to or from another server", "until the next move")
    migrator = Key("string", "the process that moves the queue", "expires in seconds")
    aside = Key("hash", "any other key of the queue, as long as it moves", "until it has moved", "aside:KEY")
    ended = Key(
        "channel", "what finished: ids, and records that are short", "to callers that wait for results"
    )
    reported = Key("channel", "progress and lines of logs", "to those who watch jobs")
    signals = Key(
        "channel",
        "a due time that is earlier than the last known one; a change of a schedule; a process that joins the upkeep",
        "to processes that do upkeep",
    )

    waiters = Key(
        "list", "on a cluster, workers that wait for a job", "until a job comes, or they look again",
        "signals:sharded:waiters",
    )  # fmt: skip
    woken = Key(
        "channel", "on a cluster, that a job has come", "to the worker that is named", "signals:sharded:WORKER",
    )  # fmt: skip

    def __init__(self, prefix: str, queue: str, *, sharded: bool = False, aside: bool = False) -> None:
        if not is_partition(queue):
            raise ConfigurationError(f"{as_given(queue)} cannot name a queue: {NAME_FORM}")
        of = f"{prefix}:{{{tag_of(queue)}}}:{'aside:' if aside else ''}"
        self.queue, self.before, self.is_partition = queue, of, SEPARATOR in queue
        """Its name, how its keys begin, and whether it is a partition beside the first."""
        self.lanes = tuple(of + lane.name for lane in LANES)
        """The streams jobs are delivered from; a lane's number is its place here, from 1."""
        self.pattern = re.sub(r"([\\*?\[\]])", r"\\\1", of) + "*"
        """What all keys of the queue match, as SCAN takes it."""
        self.by_script: dict[str, tuple[str, ...]] = {}
        """The keys that a script takes, in its order."""
        self.__dict__.update({name: key.name(of) for name, key in QUEUE_KEYS.items()})
        if sharded:  # by which scripts know that signals stay at their node, and that no worker blocks
            names = ("ended", "reported", "signals")
            self.__dict__.update({name: getattr(self, name) + SHARDED for name in names})

    @property
    def removed(self) -> tuple[str, ...]:
        """All keys whose names are known, but for the records of services, which are not the queue's."""
        rows = {name: key for name, key in QUEUE_KEYS.items() if key.type != "channel"}
        return tuple(
            getattr(self, name)
            for name, key in rows.items()
            if key.end == re.split("[A-Z]", key.end)[0] and not self.outlives(getattr(self, name))
        )

    def outlives(self, key: str) -> bool:
        """Whether a key stays when the queue is removed."""
        return key in (self.records, self.records_ends)

    def kept_of(self, is_completed: bool, task: str) -> str:
        """The key of the records of a task, by the digest of its name."""
        return f"{self.kept}{'completed' if is_completed else 'failed'}:{task}"

    def seats(self, *numbers: int) -> tuple[str, ...]:
        """The keys of seats of the upkeep."""
        return tuple(f"{self.seat}{number}" for number in numbers)

    def look(self, number: int) -> str:
        """The key of the last check of a seat by a process that stands by."""
        return f"{self.seat_look}{number}:look"

    def minute(self, number: int) -> str:
        """The key of the statistics of a minute, by its number since the epoch."""
        return f"{self.minutes}{number}"

    def hour(self, number: int) -> str:
        """The key of the statistics of an hour."""
        return f"{self.hours}{number}"

    def grouped_minute(self, number: int) -> str:
        """The key of what the groups came to in a minute."""
        return f"{self.grouped_minutes}{number}"

    def grouped_hour(self, number: int) -> str:
        """The key of the same of an hour."""
        return f"{self.grouped_hours}{number}"

    def slow_of(self, number: int) -> str:
        """The key of the slowest jobs of ten minutes, by their number since the epoch."""
        return f"{self.slow}{number}"

    def tallied_minute(self, number: int) -> str:
        """The key of what services counted in a minute."""
        return f"{self.tallied_minutes}{number}"

    def tallied_hour(self, number: int) -> str:
        """The key of the same of an hour."""
        return f"{self.tallied_hours}{number}"

    def tallied_of(self, process: str) -> str:
        """The key of the number of a process's last call."""
        return f"{self.tallied_by}{process}"

    def counted_by(self, worker: str) -> str:
        """The key of the number of a worker's last call, by what tells it from others of its name."""
        return f"{self.counted}{worker}"


class AppKeys:
    """The keys that all queues of a prefix share; ``in_one_slot``, as scripts need them on a cluster."""

    queues = Key("set", "names of all queues", "until an operator removes one")
    workers = Key("hash", "worker → what it says of itself (JSON)", "until the worker stops or is forgotten")
    loads = Key("hash", "worker → what it does now (JSON)", "as its entry in `workers`")
    beats = Key("zset", "worker by how often it has told what it does", "as its entry in `workers`")
    asks = Key("hash", "worker → what an operator asks of it: quiet or stop", "as its entry in `workers`")
    tasks = Key(
        "hash", "task and queue → what workers say of it: the JSON Schema of its payload, its options (JSON)",
        "until a worker begins and none knows it any more",
    )  # fmt: skip
    trail = Key("stream", "who removed which queue", "the latest thousand, and up to a hundred more")
    schedules = Key("hash", "schedule → its queue: names are unique in the app", "until it is removed")
    partitions = Key(
        "hash", "queue → how many partitions it has, and what becomes of a change (JSON)", "for ever"
    )
    # A name of a queue has no blank, so these are in a slot of their own, together.
    shared = Key(
        "hash", "shared limit → what it is, by code and by operators, and its pause", "until an operator removes it",
        "{shared limits}:told",
    )  # fmt: skip
    shared_lease = Key(
        "hash", "queue → how much of a shared limit its jobs hold and need, and how much of it is leased",
        "expires a day after the last job that drew from it", "{shared limits}:of:NAME",
    )  # fmt: skip
    shared_held = Key(
        "zset", "leases of a shared limit with how much they are of, by when that was started at the latest, in ms",
        "expires a minute after its window", "{shared limits}:leases:NAME",
    )  # fmt: skip

    def __init__(self, prefix: str, *, in_one_slot: bool = False) -> None:
        before = f"{prefix}:{{{TOGETHER}}}:" if in_one_slot else f"{prefix}:"
        names = {name: key.name(before) for name, key in APP_KEYS.items()}
        self.__dict__.update(
            {name: key.replace("{shared limits}:", "") if in_one_slot else key for name, key in names.items()}
        )


def _table(kind: type) -> Mapping[str, Any]:
    return {name: key for name, key in vars(kind).items() if isinstance(key, Key)}


QUEUE_KEYS: Final[Mapping[str, Key]] = _table(Keys)
"""The keys of a queue, by their names."""
APP_KEYS: Final[Mapping[str, Key]] = _table(AppKeys)
"""The keys that all queues share."""
