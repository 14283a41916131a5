"""Messages through the HTTP API to a provider while processes are killed: none missing, altered, early, needless."""

from __future__ import annotations

from typing import Final

from ..delivery import delivered
from ..figures import Figure, Limit, Measured
from ..messages import LONGEST, load
from ..rig import Rig

NONE: Final = Limit("value", "<=", 0)


async def measure(rig: Rig) -> Measured:
    """The delivery of `bench delivery`, on a server of its own that writes its append-only file."""
    messages = load(rig.messages, rig.of(4_000, 300), longest=rig.of(LONGEST, 2.0))
    done = await delivered(messages, rig.say)
    judgement = done.judgement
    rig.say(f"{judgement.calls:,} calls in {done.seconds:.1f} s; delayed ones late by {judgement.lateness()}")
    return [
        Figure(
            "messages delivered", "calls/s", judgement.calls / done.seconds,
            note=f"{len(messages):,} messages, {judgement.repeats} repeats of {len(done.at_kill)} running at the kill",
        ),
        *(Figure(f"messages: {name}", "", count, bound=NONE) for name, count in judgement.breaches.items()),
    ]  # fmt: skip
