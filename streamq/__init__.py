"""streamq: background jobs for asyncio on Redis Streams.

A job's state is the place where its envelope lies, every move is one script, and nothing is lost with a
process.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streamq.app import App as App
    from streamq.breaker import CircuitBreaker as CircuitBreaker
    from streamq.context import Context as Context
    from streamq.duties.scheduler import Scheduler as Scheduler
    from streamq.embedded.server import EmbeddedServer as EmbeddedServer
    from streamq.errors import ConfigurationError as ConfigurationError
    from streamq.errors import FieldError as FieldError
    from streamq.errors import InvalidPayload as InvalidPayload
    from streamq.errors import JobCancelled as JobCancelled
    from streamq.errors import JobError as JobError
    from streamq.errors import JobFailed as JobFailed
    from streamq.errors import JobNotFound as JobNotFound
    from streamq.errors import KeyInUse as KeyInUse
    from streamq.errors import NameTaken as NameTaken
    from streamq.errors import NotDurable as NotDurable
    from streamq.errors import NotOpen as NotOpen
    from streamq.errors import OpenElsewhere as OpenElsewhere
    from streamq.errors import OutcomeUnknown as OutcomeUnknown
    from streamq.errors import OutOfMemory as OutOfMemory
    from streamq.errors import PayloadTooLarge as PayloadTooLarge
    from streamq.errors import QueueFull as QueueFull
    from streamq.errors import Rejected as Rejected
    from streamq.errors import ResultTimeout as ResultTimeout
    from streamq.errors import ResultUnreadable as ResultUnreadable
    from streamq.errors import StreamqError as StreamqError
    from streamq.errors import Unavailable as Unavailable
    from streamq.errors import UnknownTask as UnknownTask
    from streamq.errors import UnknownVersion as UnknownVersion
    from streamq.errors import UsageError as UsageError
    from streamq.errors import VersionConflict as VersionConflict
    from streamq.errors import WrongState as WrongState
    from streamq.failed import FailedJob as FailedJob
    from streamq.fields_task import FieldsSending as FieldsSending
    from streamq.fields_task import FieldsTask as FieldsTask
    from streamq.group import Group as Group
    from streamq.job import Job as Job
    from streamq.loading import load_app as load_app
    from streamq.logs import JobFilter as JobFilter
    from streamq.logs import set_up_logs as set_up_logs
    from streamq.model.backoff import Backoff as Backoff
    from streamq.model.breaker_status import BreakerStatus as BreakerStatus
    from streamq.model.calendars import Calendar as Calendar
    from streamq.model.events import Hearing as Hearing
    from streamq.model.events import Missed as Missed
    from streamq.model.events import StateChange as StateChange
    from streamq.model.events import Told as Told
    from streamq.model.events import event_name as event_name
    from streamq.model.facts import Explanation as Explanation
    from streamq.model.failure_kinds import FailureKind as FailureKind
    from streamq.model.group_status import GroupStatus as GroupStatus
    from streamq.model.job_record import Counted as Counted
    from streamq.model.job_record import Counts as Counts
    from streamq.model.job_record import Failure as Failure
    from streamq.model.job_record import JobRecord as JobRecord
    from streamq.model.job_record import Page as Page
    from streamq.model.job_record import SearchPage as SearchPage
    from streamq.model.json_text import JSONText as JSONText
    from streamq.model.limit import Breaker as Breaker
    from streamq.model.limit import Limit as Limit
    from streamq.model.limit import Rate as Rate
    from streamq.model.masked import Masked as Masked
    from streamq.model.misplaced import MisplacedKey as MisplacedKey
    from streamq.model.operation import OperationRecord as OperationRecord
    from streamq.model.partitions import Partitions as Partitions
    from streamq.model.pointers import json_pointer as json_pointer
    from streamq.model.preview import PlannedTime as PlannedTime
    from streamq.model.reports import Log as Log
    from streamq.model.reports import LogLine as LogLine
    from streamq.model.reports import Progress as Progress
    from streamq.model.retention import Kept as Kept
    from streamq.model.retention import Retention as Retention
    from streamq.model.retries import RetryPolicy as RetryPolicy
    from streamq.model.schedule import Schedule as Schedule
    from streamq.model.schedule_record import SchedulePause as SchedulePause
    from streamq.model.schedule_record import ScheduleRecord as ScheduleRecord
    from streamq.model.served_task import ServedTask as ServedTask
    from streamq.model.server_state import ServerState as ServerState
    from streamq.model.shared_status import SharedStatus as SharedStatus
    from streamq.model.slots import slot_of_partition as slot_of_partition
    from streamq.model.slow import SlowJob as SlowJob
    from streamq.model.slow import SlowJobs as SlowJobs
    from streamq.model.states import State as State
    from streamq.model.statistics import Figures as Figures
    from streamq.model.statistics import Overall as Overall
    from streamq.model.statistics import Point as Point
    from streamq.model.statistics import Spread as Spread
    from streamq.model.statistics import Statistics as Statistics
    from streamq.model.steering import Pause as Pause
    from streamq.model.steering import Steering as Steering
    from streamq.model.totals import Histogram as Histogram
    from streamq.model.totals import Totals as Totals
    from streamq.model.trail import AuditEntry as AuditEntry
    from streamq.model.trail import AuditPage as AuditPage
    from streamq.model.worker_info import WorkerInfo as WorkerInfo
    from streamq.model.worker_info import WorkerNote as WorkerNote
    from streamq.model.worker_load import RunningJob as RunningJob
    from streamq.model.worker_load import WorkerLoad as WorkerLoad
    from streamq.notes import Notes as Notes
    from streamq.noun_errors import GroupFull as GroupFull
    from streamq.noun_errors import InvalidFilter as InvalidFilter
    from streamq.noun_errors import InvalidLimit as InvalidLimit
    from streamq.noun_errors import InvalidProgress as InvalidProgress
    from streamq.noun_errors import InvalidSchedule as InvalidSchedule
    from streamq.noun_errors import MoveRefused as MoveRefused
    from streamq.noun_errors import MoveUnfinished as MoveUnfinished
    from streamq.noun_errors import NotThere as NotThere
    from streamq.noun_errors import OperationConflict as OperationConflict
    from streamq.noun_errors import OperationEnded as OperationEnded
    from streamq.noun_errors import OperationError as OperationError
    from streamq.noun_errors import OperationNotFound as OperationNotFound
    from streamq.noun_errors import OperationTimeout as OperationTimeout
    from streamq.noun_errors import PartitionsChanging as PartitionsChanging
    from streamq.noun_errors import QueueError as QueueError
    from streamq.noun_errors import QueueInUse as QueueInUse
    from streamq.noun_errors import QueueMoved as QueueMoved
    from streamq.noun_errors import QueueNotEmpty as QueueNotEmpty
    from streamq.noun_errors import RecordConflict as RecordConflict
    from streamq.noun_errors import RecordError as RecordError
    from streamq.noun_errors import RecordsFull as RecordsFull
    from streamq.noun_errors import RequestReused as RequestReused
    from streamq.noun_errors import RequestRunning as RequestRunning
    from streamq.noun_errors import ResultNotKept as ResultNotKept
    from streamq.noun_errors import ScheduleConflict as ScheduleConflict
    from streamq.noun_errors import ScheduleNotFound as ScheduleNotFound
    from streamq.noun_errors import TaskNotFound as TaskNotFound
    from streamq.noun_errors import WindowNotKept as WindowNotKept
    from streamq.noun_errors import WorkerNotFound as WorkerNotFound
    from streamq.noun_errors import WorkerStopping as WorkerStopping
    from streamq.once import Once as Once
    from streamq.operation import Operation as Operation
    from streamq.options import KEEPING as KEEPING
    from streamq.options import OPTIONS as OPTIONS
    from streamq.options import RESERVED as RESERVED
    from streamq.options import EnqueueOptions as EnqueueOptions
    from streamq.options import Option as Option
    from streamq.queue import Queue as Queue
    from streamq.records import Entry as Entry
    from streamq.records import Records as Records
    from streamq.remote_worker import RemoteWorker as RemoteWorker
    from streamq.runtime import run as run
    from streamq.schedules import Schedules as Schedules
    from streamq.scheduling import SCHEDULING as SCHEDULING
    from streamq.scheduling import ScheduleOptions as ScheduleOptions
    from streamq.settings import Settings as Settings
    from streamq.settings.location import is_loopback as is_loopback
    from streamq.settings.location import public_address as public_address
    from streamq.shared import SharedLimit as SharedLimit
    from streamq.sync import Sync as Sync
    from streamq.sync import SyncJob as SyncJob
    from streamq.tallies import Sum as Sum
    from streamq.tallies import Tallied as Tallied
    from streamq.tallies import Tallies as Tallies
    from streamq.task import Sending as Sending
    from streamq.task import Task as Task
    from streamq.unique import Unique as Unique
    from streamq.verdicts import Fail as Fail
    from streamq.verdicts import Retry as Retry
    from streamq.verdicts import Snooze as Snooze
    from streamq.worker.worker import Worker as Worker

# Names are imported when first used: `streamq --help` must not pay for redis and pydantic.
_HOMES = {
    "app": ("App",),
    "context": ("Context",),
    "duties.scheduler": ("Scheduler",),
    "embedded.server": ("EmbeddedServer",),
    "errors": (
        "ConfigurationError", "FieldError", "InvalidPayload", "JobCancelled", "JobError", "JobFailed",
        "JobNotFound", "KeyInUse", "NameTaken", "NotDurable", "NotOpen", "OpenElsewhere",
        "OutOfMemory", "OutcomeUnknown", "PayloadTooLarge", "QueueFull",
        "Rejected", "ResultTimeout", "ResultUnreadable",
        "StreamqError",
        "Unavailable", "UnknownTask", "UnknownVersion", "UsageError", "VersionConflict", "WrongState",
    ),
    "failed": ("FailedJob",),
    "fields_task": ("FieldsSending", "FieldsTask"),
    "group": ("Group",),
    "job": ("Job",),
    "loading": ("load_app",),
    "logs": ("JobFilter", "set_up_logs"),
    "model.calendars": ("Calendar",),
    "model.events": ("Hearing", "Missed", "StateChange", "Told", "event_name"),
    "model.facts": ("Explanation",),
    "model.failure_kinds": ("FailureKind",),
    "breaker": ("CircuitBreaker",),
    "model.breaker_status": ("BreakerStatus",),
    "model.group_status": ("GroupStatus",),
    "model.served_task": ("ServedTask",),
    "model.shared_status": ("SharedStatus",),
    "shared": ("SharedLimit",),
    "model.partitions": ("Partitions",),
    "model.job_record": ("Counted", "Counts", "Failure", "JobRecord", "Page", "SearchPage"),
    "model.backoff": ("Backoff",),
    "model.limit": ("Breaker", "Limit", "Rate"),
    "model.masked": ("Masked",),
    "model.operation": ("OperationRecord",),
    "model.reports": ("Log", "LogLine", "Progress"),
    "model.retention": ("Kept", "Retention"),
    "model.retries": ("RetryPolicy",),
    "model.preview": ("PlannedTime",),
    "model.schedule": ("Schedule",),
    "model.schedule_record": ("SchedulePause", "ScheduleRecord"),
    "model.misplaced": ("MisplacedKey",),
    "model.server_state": ("ServerState",),
    "model.slots": ("slot_of_partition",),
    "model.slow": ("SlowJob", "SlowJobs"),
    "model.states": ("State",),
    "model.statistics": ("Figures", "Overall", "Point", "Spread", "Statistics"),
    "model.steering": ("Pause", "Steering"),
    "model.pointers": ("json_pointer",),
    "model.totals": ("Histogram", "Totals"),
    "model.trail": ("AuditEntry", "AuditPage"),
    "model.json_text": ("JSONText",),
    "model.worker_info": ("WorkerInfo", "WorkerNote"),
    "model.worker_load": ("RunningJob", "WorkerLoad"),
    "noun_errors": (
        "GroupFull", "InvalidFilter", "InvalidLimit", "InvalidProgress", "InvalidSchedule",
        "MoveRefused", "MoveUnfinished", "NotThere", "OperationConflict", "OperationEnded", "OperationError",
        "OperationNotFound", "OperationTimeout",
        "PartitionsChanging", "QueueError", "QueueInUse", "QueueMoved", "QueueNotEmpty",
        "RecordConflict", "RecordError", "RecordsFull",
        "RequestReused", "RequestRunning", "ResultNotKept", "ScheduleConflict", "ScheduleNotFound",
        "TaskNotFound", "WindowNotKept", "WorkerNotFound", "WorkerStopping",
    ),
    "notes": ("Notes",),
    "once": ("Once",),
    "operation": ("Operation",),
    "options": ("KEEPING", "OPTIONS", "RESERVED", "EnqueueOptions", "Option"),
    "queue": ("Queue",),
    "records": ("Entry", "Records"),
    "remote_worker": ("RemoteWorker",),
    "runtime": ("run",),
    "schedules": ("Schedules",),
    "scheduling": ("SCHEDULING", "ScheduleOptions"),
    "settings": ("Settings",),
    "settings.location": ("is_loopback", "public_address"),
    "sync": ("Sync", "SyncJob"),
    "tallies": ("Sum", "Tallied", "Tallies"),
    "task": ("Sending", "Task"),
    "unique": ("Unique",),
    "verdicts": ("Fail", "Retry", "Snooze"),
    "worker.worker": ("Worker",),
}  # fmt: skip
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = sorted(_HOME_OF)  # noqa: PLE0605  # computed, so that a name has one place


def __getattr__(name: str) -> object:
    if name == "__version__":
        return import_module("importlib.metadata").version("streamq")
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module 'streamq' has no attribute {name!r}")
    return getattr(import_module(f"streamq.{home}"), name)
