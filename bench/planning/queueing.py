"""Queueing theory: how many slots, how long the wait, how high the rate. Times are in seconds, rates a second."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence


def busy_slots(rate: float, seconds: float) -> float:
    """Slots that are taken on average, L = λ W (Little, "A Proof for the Queuing Formula L = λW", 1961)."""
    return rate * seconds


def erlang_b(slots: int, load: float) -> float:
    """The share of arrivals that find all ``slots`` taken and leave, for ``load`` in erlangs (Erlang 1917).

    By the recursion B(c) = a B(c-1) / (c + a B(c-1)), which neither overflows nor loses digits (Jagerman 1974).
    """
    blocked = 1.0
    for number in range(1, slots + 1):
        blocked = load * blocked / (number + load * blocked)
    return blocked


def erlang_c(slots: int, load: float) -> float:
    """The share of arrivals that wait in an M/M/c queue (Erlang 1917); 1 when ``load`` is not below ``slots``."""
    if load >= slots:
        return 1.0
    blocked = erlang_b(slots, load)
    return slots * blocked / (slots - load * (1 - blocked))


def wait(rate: float, seconds: float, slots: int, share: float) -> float:
    """How long at most ``share`` (0 to 1) of the jobs wait for a slot; infinite when they cannot keep up.

    The tail of M/M/c, P(W > t) = C e^-(cμ-λ)t.
    """
    load = busy_slots(rate, seconds)
    if load >= slots:
        return math.inf
    waiting = erlang_c(slots, load)
    if waiting <= 1 - share:
        return 0.0
    return math.log(waiting / (1 - share)) / (slots / seconds - rate)


def slots_for(rate: float, seconds: float, share: float, target: float, *, most: float = 1.0) -> int:
    """The fewest slots of which at most ``most`` (a share) are taken and with which ``share`` waits ``target``."""

    def enough(slots: int) -> bool:
        return wait(rate, seconds, slots, share) <= target

    least = high = max(1, math.ceil(busy_slots(rate, seconds) / most - 1e-9))
    while not enough(high):  # the wait only falls with more slots
        high *= 2
    return bisect_left(range(high), True, least, high, key=enough)


def closed_rate(slots: int, away: float, demands: Sequence[float]) -> float:
    """The rate of a closed network: ``slots`` jobs spend ``away`` seconds, and ``demands`` at stations of one server.

    Exact mean value analysis (Reiser and Lavenberg, "Mean-Value Analysis of Closed Multichain Queuing
    Networks", 1980).
    """
    queues, rate = [0.0] * len(demands), 0.0
    for jobs in range(1, slots + 1):
        times = [demand * (1 + queue) for demand, queue in zip(demands, queues, strict=True)]
        rate = jobs / (away + sum(times))
        queues = [rate * time for time in times]
    return rate
