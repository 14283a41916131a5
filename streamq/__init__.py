"""streamq: background jobs for asyncio on Redis Streams.

A job's state is the place where its envelope lies, every move is one script, and nothing is lost with a process.
"""

from importlib.metadata import version as _version

from streamq.app import App
from streamq.errors import (
    ConfigurationError,
    Fail,
    FieldError,
    InvalidPayload,
    JobError,
    JobFailed,
    JobNotFound,
    NotOpen,
    OutcomeUnknown,
    OutOfMemory,
    PayloadTooLarge,
    Rejected,
    ResultTimeout,
    Retry,
    Snooze,
    StreamqError,
    Unavailable,
    UnknownTask,
    UsageError,
    WrongState,
)
from streamq.job import Counts, Job, JobRecord, Page, WorkerInfo
from streamq.queue import Queue
from streamq.retry import Backoff
from streamq.server import EmbeddedServer
from streamq.settings import Settings
from streamq.states import State
from streamq.task import Context, Task
from streamq.worker import Scheduler, Worker

__all__ = [
    "App",
    "Backoff",
    "ConfigurationError",
    "Context",
    "Counts",
    "EmbeddedServer",
    "Fail",
    "FieldError",
    "InvalidPayload",
    "Job",
    "JobError",
    "JobFailed",
    "JobNotFound",
    "JobRecord",
    "NotOpen",
    "OutOfMemory",
    "OutcomeUnknown",
    "Page",
    "PayloadTooLarge",
    "Queue",
    "Rejected",
    "ResultTimeout",
    "Retry",
    "Scheduler",
    "Settings",
    "Snooze",
    "State",
    "StreamqError",
    "Task",
    "Unavailable",
    "UnknownTask",
    "UsageError",
    "Worker",
    "WorkerInfo",
    "WrongState",
]

__version__ = _version("streamq")
