"""On a cluster: what is wrong with one job of a flight is no other's, whatever their nodes."""

from __future__ import annotations

import asyncio
from typing import Any

from streamq import App, UsageError
from streamq.client.orders import Departure, Order
from streamq.client.outbox import _Carrier
from streamq.model.envelope import New

from ..clusters import Cluster
from ..rig import ON_ONE_SERVER, QUICK
from ..servers import binary_of


class _NoBytes:
    """Has a length, and is nothing that can be sent."""

    def __len__(self) -> int:
        return 1


@ON_ONE_SERVER
async def test_a_job_that_cannot_be_written_hurts_none_of_other_nodes_in_its_flight(server_kind: str) -> None:
    binary = binary_of(server_kind)
    assert binary is not None
    with Cluster(binary) as cluster:
        async with App(redis_url=cluster.url, **QUICK) as app:
            await app.wait_ready()
            queues = "abcdef"
            away = next(q for q in queues if cluster.owner(f"{{{q}}}") is not cluster.owner("{a}"))
            store = app.client.store
            carrier = _Carrier(store, store.servers.of("a"), "memory", None)

            def put(queue: str, payload: Any) -> Any:
                return carrier.put(Order((queue, False, False, None), [New("t", payload)], 10))

            first = asyncio.create_task(put("a", b"0"))  # connects, and those behind it fly together
            await asyncio.sleep(0)
            others = [put("a", b"1"), put("a", _NoBytes()), put(away, b"2"), put(away, b"3")]
            carrier._begin = _not_at_once(carrier)  # type: ignore[method-assign]
            ends = await asyncio.gather(*others, return_exceptions=True)
            await first
            await carrier.close()
            assert [type(end) for end in ends] == [list, UsageError, list, list]
            waiting = [(await app.queue(queue).counts()).waiting for queue in ("a", away)]
            assert waiting == [2, 2]


def _not_at_once(carrier: _Carrier) -> Any:
    """As where the connection is gone: each batch goes to the node of its queue."""

    def begin(orders: Any, slot: int) -> Any:
        return Departure(orders, carrier._loads(orders, slot), slot)

    return begin
