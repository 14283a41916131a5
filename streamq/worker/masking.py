"""Masking what an attempt tells: the masked texts of its payload are in no failure, in no report and in no log line."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import Any

from streamq.model import codec
from streamq.model.masked import hide
from streamq.worker.attempt import Attempt
from streamq.worker.description import describe, frames_of, type_name

Hide = Callable[[str], str]


def hider(attempt: Attempt) -> Hide | None:
    """A function that masks a text; ``None`` where nothing of the payload is masked, as in most."""
    task, delivery = attempt.task, attempt.delivery
    if task is None or not task.masks.of(delivery.headers):
        return None
    try:
        texts = tuple(task.masked_texts(delivery.payload, delivery.headers))
    except (codec.JSONDecodeError, RecursionError):  # another program wrote what no handler gets
        texts = (delivery.payload.decode("utf-8", "replace"),)
    return lambda text: hide(text, texts)


def masked_json(members: bytes, hide: Hide) -> bytes:
    """JSON values, one behind the other with commas between, with each text in them masked."""

    def masked(value: Any) -> Any:
        if isinstance(value, str):
            return hide(value)
        if isinstance(value, list):
            return [masked(each) for each in value]
        return (
            {hide(name): masked(each) for name, each in value.items()} if isinstance(value, dict) else value
        )

    return codec.dumps(masked(codec.exact(b"[%b]" % members)))[1:-1]


def hidden(error: BaseException, hide: Hide) -> BaseException:
    """The error, or, where its text or that of a cause has a masked text, one like it that has not."""
    try:
        told = "".join(traceback.format_exception(error))
    except BaseException:  # code of the handler's program; a log record could not format it either
        return error
    if hide(told) == told:
        return error
    kind = type(hide(type_name(error)), (Exception,), {"__module__": type(error).__module__})
    masked: BaseException = kind(describe(error, traced=False, hide=hide).message)
    return masked.with_traceback(frames_of(error))
