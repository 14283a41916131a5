"""Many jobs on their way in slices: in their order, two at a time, and none twice."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamq import App, NotDurable, Rejected
from streamq.client.orders import BATCH, BATCH_BYTES, slices
from streamq.client.outbox import Outbox
from streamq.client.transfer import Transfer
from streamq.model.envelope import New
from streamq.settings import Durability

from ..rig import ON_ONE_SERVER
from ..servers import Server


@ON_ONE_SERVER
async def test_jobs_are_taken_as_they_are_sent(way_out: Outbox) -> None:
    ahead, sent = [], 0

    def jobs() -> Iterator[New]:
        for n in range(5 * BATCH):
            ahead.append(n - sent)
            yield New("t", b"1")

    put = way_out.put

    async def counted(queue: str, part: Sequence[New], durability: Durability) -> list[str]:
        nonlocal sent
        ids = await put(queue, part, durability)
        sent += len(part)
        return ids

    way_out.put = counted  # type: ignore[method-assign]
    assert len(set(await way_out.put_many("q", jobs(), "memory"))) == 5 * BATCH
    assert max(ahead) <= 2 * BATCH


@given(
    st.lists(
        st.builds(
            New,
            st.text("t", min_size=1, max_size=200),
            st.integers(0, BATCH_BYTES + 9).map(bytes),
            st.integers(0, BATCH_BYTES // 2).map(bytes),
        ),
        max_size=12,
    ),
    st.integers(0, 2 * BATCH + 1),
)
def test_a_slice_is_bounded_by_jobs_and_by_all_its_bytes(jobs: list[New], more: int) -> None:
    jobs += [New("t", b"1")] * more
    parts = list(slices(iter(jobs)))
    assert [job for part in parts for job in part] == jobs
    assert all(0 < len(part) <= BATCH for part in parts)
    assert all(sum(map(taken, part)) <= BATCH_BYTES for part in parts if len(part) > 1)


@ON_ONE_SERVER
async def test_a_slice_leaves_while_another_is_under_way(way_out: Outbox, app: App) -> None:
    await way_out.put("q", [New("t", b"0")], "memory")
    (carrier,) = way_out._carriers.values()
    sending = [
        asyncio.create_task(way_out.put("q", [New("t", b"%d" % n)] * count, "memory"))
        for n, count in enumerate((BATCH, BATCH, BATCH, 1))
    ]
    await asyncio.sleep(0)
    assert [departure.slot for departure in carrier._under_way] == [0, 1]
    ids = [job_id for part in await asyncio.gather(*sending) for job_id in part]
    assert ids == sorted(ids, key=lambda each: tuple(map(int, each.split("-")))), "in their order"
    assert (await app.queue("q").counts()).waiting == 3 * BATCH + 2


def taken(job: New) -> int:
    return len(job.task) + len(job.payload) + len(job.headers)


async def test_a_slice_refused_for_its_durability_is_not_added_again(
    own_server: Callable[..., Server],
) -> None:
    server = own_server()
    with server.client() as admin:
        async with App(redis_url=server.url, durability="replica", enqueue_timeout=0.2) as app:
            admin.execute_command("ACL", "SETUSER", "default", "-wait")
            with pytest.raises(NotDurable) as caught:
                await app.enqueue_many("q", "t", range(4 * BATCH))
            assert isinstance(caught.value, Rejected)
            for _ in range(2):
                repeat = caught.value.repeat
                assert repeat is not None
                with pytest.raises(NotDurable) as caught:
                    await repeat()
            assert admin.xlen("sq:{q}:ready") == 2 * BATCH


async def test_a_repeat_that_was_cancelled_goes_on_where_it_was() -> None:
    sent: list[list[New]] = []
    go = asyncio.Event()

    async def put(part: list[New]) -> list[str]:
        sent.append(part)
        number = str(len(sent))
        await go.wait()
        return [number]

    transfer = Transfer(put, iter([[New("t", b"1")], [New("t", b"2")]]))
    for _ in range(3):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await transfer.run()
    go.set()
    assert await asyncio.gather(transfer.run(), transfer.run()) == [["1", "2"]] * 2
    assert len(sent) == 2
