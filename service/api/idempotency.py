"""``Idempotency-Key``: a request that comes again is answered as it was the first time, for a day."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

import orjson

from streamq import Job

from ..http.answers import Answer
from ..http.route import Asked
from ..json_text import told
from ..site import Site

Enqueue = Callable[..., Awaitable[Job[Any]]]
"""As ``Once.enqueue``: task, payload and options."""

REPLAYED: Final = {"Idempotency-Replayed": "true"}
"""What an answer says that was kept."""


async def answered_once(
    site: Site, asked: Asked[Any, Any], queue: str, body: bytes, make: Callable[[Enqueue], Awaitable[Answer]]
) -> Answer:
    """The answer of ``make``, or the one that was kept: status, ``Location`` and body.

    ``body`` is what is asked for; ``make`` sends its job with what it is given. What it raises is not kept.
    """
    async with site.engine.once(queue, asked.key or "", body, caller=asked.caller) as request:
        if request.answer is not None:
            return _again(request.answer)
        answer = await make(request.enqueue)
        head = orjson.dumps({"status": answer.status, "headers": dict(answer.headers)})
        await request.keep(b"%b\n%b" % (head, told(answer.value)))
        return answer


def _again(kept: bytes) -> Answer:
    head, _, body = kept.partition(b"\n")
    said = orjson.loads(head)
    return Answer(orjson.Fragment(body), said["status"], {**said["headers"], **REPLAYED})
