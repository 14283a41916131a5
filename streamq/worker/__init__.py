"""The worker: one file per duty, all of one anatomy; ``worker`` assembles them."""

from streamq.worker.scheduler import Scheduler
from streamq.worker.worker import Worker

__all__ = ["Scheduler", "Worker"]
