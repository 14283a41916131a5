"""The exit codes of all programs of ours."""

from __future__ import annotations

from enum import IntEnum
from typing import Self


class Exit(IntEnum):
    """An exit code, and what it means."""

    meaning: str

    DONE = 0, "done"
    FAILED = 1, "the operation failed, or the job that was waited for"
    MISUSE = 2, "the call is wrong"
    NOT_FOUND = 3, "no such job, queue or schedule"
    WRONG_STATE = 4, "the state of the job or the schedule does not allow it, or it was changed meanwhile"
    STILL_RUNNING = 5, "the job was still running when the wait was over"
    UNAVAILABLE = 69, "the server cannot be reached"  # this and the next two as sysexits.h has them
    STUCK = 70, "a worker whose event loop was blocked for longer than `STREAMQ_STUCK` ended itself"
    CONFIGURATION = 78, "a setting is wrong, or the module of the app cannot be imported"
    INTERRUPTED = (
        130,
        "interrupted by Ctrl-C",
    )  # 128 and the number of the signal, as shells report it; so the last
    READER_GONE = 141, "nobody reads the output any more, as after `| head`"

    def __new__(cls, code: int, meaning: str) -> Self:
        made = int.__new__(cls, code)
        made._value_, made.meaning = code, meaning
        return made
