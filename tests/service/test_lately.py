"""What many ask for is looked up once."""

from __future__ import annotations

import asyncio

import pytest
from streamq_service.lately import MOST, Lately


class Looked:
    """Counts its looks, each of which lasts until it is let go."""

    def __init__(self) -> None:
        self.times, self.go = 0, asyncio.Event()

    async def look(self) -> int:
        self.times += 1
        await self.go.wait()
        return self.times


async def test_all_who_ask_during_a_look_and_shortly_after_it_have_its_answer() -> None:
    lately, looked = Lately(), Looked()
    asking = [asyncio.create_task(lately.told("x", 60, looked.look)) for _ in range(50)]
    await asyncio.sleep(0)
    looked.go.set()
    assert await asyncio.gather(*asking) == [1] * 50
    assert await lately.told("x", 60, looked.look) == 1
    assert await lately.told("y", 60, looked.look) == 2, "another question has an answer of its own"
    await lately.close()


async def test_an_answer_that_is_old_is_looked_up_again() -> None:
    lately, looked = Lately(), Looked()
    looked.go.set()
    assert [await lately.told("x", 0, looked.look) for _ in range(3)] == [1, 2, 3]
    await lately.close()


async def test_an_error_is_told_to_all_who_wait_and_to_nobody_after() -> None:
    lately, times = Lately(), list[int]()

    async def fail() -> int:
        times.append(1)
        await asyncio.sleep(0)
        raise OSError("away")

    found = await asyncio.gather(*(lately.told("x", 60, fail) for _ in range(3)), return_exceptions=True)
    assert [str(each) for each in found] == ["away"] * 3
    with pytest.raises(OSError, match="away"):
        await lately.told("x", 60, fail)
    assert len(times) == 2
    await lately.close()


async def test_one_who_hangs_up_takes_the_answer_from_nobody() -> None:
    lately, looked = Lately(), Looked()
    first, second = (asyncio.create_task(lately.told("x", 60, looked.look)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    looked.go.set()
    assert await second == 1
    await lately.close()


async def test_however_many_questions_there_are_few_answers_are_kept() -> None:
    lately, looked = Lately(), Looked()
    looked.go.set()
    for number in range(3 * MOST):
        await lately.told(number, 60, looked.look)
    assert len(lately._answers) == MOST
    await lately.close()
