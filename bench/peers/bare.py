"""No peer: the bare limit, measured the same way. XADD of one field, and the loop that the other scenarios have."""

from redis.asyncio import Redis

from .. import bare
from ..tasks import Counter
from .adapter import JOBS, Sender, play, report


async def sending(url: str) -> Sender:
    client = Redis.from_url(url)
    await bare.join(client)
    return Sender(
        lambda payload: bare.enqueue_one(client, payload),
        lambda payloads: bare.enqueue(client, payloads),
        chunk=1_000_000,
    )


async def work(url: str) -> None:
    """One task per entry, by a hundred."""
    counter = Counter(JOBS.expected, lambda said: report({**said, "runs": said["jobs"]}))
    async with Redis.from_url(url) as client:
        await bare.drain(client, counter, JOBS.expected, batch=100, tasks=True)


if __name__ == "__main__":
    play(
        sending, work, packages="redis hiredis orjson uvloop",
        settings="a task per entry, 100 at a time, no records",
    )  # fmt: skip
