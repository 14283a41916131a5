"""The accounts of the gate: who has a slot, how many jobs of each scope have one, and who waits in which line.

They are compared with the jobs there are, a page at a time, and mended. Each step is one script, so it may be done
while workers run: what is right is not touched, and no slot is lost or given twice.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import astuple, dataclass, field
from typing import Final

from streamq.model.keys import Keys
from streamq.model.lanes import ALONE, GATE
from streamq.redis import scripts
from streamq.redis.answers import translate
from streamq.redis.link import Link
from streamq.redis.links import Links
from streamq.redis.replies import pairs
from streamq.store.access import Access

PAGE: Final = 100
"""Jobs or groups that one call looks at: a millisecond or two of the server's time. Fewer where they are large."""
ROUNDS: Final = 3
"""How often what the scopes have is compared anew: a count that was too low may be changed while it is mended."""


@dataclass(slots=True)
class Wrong:
    """What was wrong with the accounts of a queue's gate, and how often."""

    slotless: int = 0
    """Jobs past the gate that had no slot."""
    placeless: int = 0
    """Jobs past the gate of which nothing told where they are."""
    slots: int = 0
    """Slots of jobs that had no right to one."""
    used: int = 0
    """Scopes of which the number of slots was wrong."""
    held: int = 0
    """Held jobs that were in no line, and that nothing else held."""
    lines: int = 0
    """Lines of which the number of jobs was wrong."""
    unknown: int = 0
    """Lines of which the gate did not know what it has to."""
    uncalled: int = 0
    """Groups whose turn nobody would have called."""
    odd: int = 0
    """Numbers of the gate that were none, or not plausible; and jobs that nobody was told of."""

    def __bool__(self) -> bool:
        return any(astuple(self))

    def __str__(self) -> str:
        said = zip(_SAID, astuple(self), strict=True)
        return "; ".join(text.format(count) for text, count in said if count)


_SAID: Final = (
    "{} jobs past the gate had no slot",
    "{} jobs past the gate could not be found by their ids",
    "{} slots were of jobs that are not past the gate",
    "the slots of {} scopes were counted wrong",
    "{} held jobs were in no line",
    "{} lines were counted wrong",
    "of {} lines the gate did not know all that it has to",
    "{} groups would never have had their turn",
    "{} numbers of the gate were not plausible",
)


@dataclass(slots=True)
class Place:
    """Where a walk that is bounded goes on: through the parked jobs, and through the lines."""

    parked: bytes = b"0"
    lines: bytes = b"0"
    pages: int | None = None
    """Pages of each that one comparison looks at; all of them where it does not say."""


@dataclass(slots=True)
class _Snapshot:
    """What the gate said of itself at one moment."""

    out: dict[bytes, bytes] = field(default_factory=dict)
    used: dict[bytes, bytes] = field(default_factory=dict)
    gate: dict[bytes, bytes] = field(default_factory=dict)
    limits: dict[bytes, bytes] = field(default_factory=dict)

    def missing(self) -> dict[bytes, int]:
        """By scope, how many more are past the gate than are counted."""
        told = Counter[bytes]()
        for slot in self.out.values():
            for scope, units in _scopes_of(slot):
                told[scope] += units
        counted = {scope: _count(text) for scope, text in self.used.items()}
        odd = {
            scope for scope, text in self.used.items() if text == b"0" or str(_count(text)).encode() != text
        }
        missing = {scope: told[scope] - counted.get(scope, 0) for scope in {*told, *counted}}
        return {scope: change for scope, change in missing.items() if change or scope in odd}

    def missing_limits(self) -> list[int]:
        """How many more limits of a kind there are than are counted, in the order of ``_KINDS``."""
        found = [
            sum(bool(scope.match(name) and said.search(text)) for name, text in self.limits.items())
            for _, scope, said in _KINDS
        ]
        return [
            count - _count(self.gate.get(kind)) for count, (kind, _, _) in zip(found, _KINDS, strict=True)
        ]


_KINDS: Final = (
    (b"limited", re.compile(rb"queue$|task:"), re.compile(rb"")),
    (b"bounded", re.compile(rb"queue$|task:|group:"), re.compile(rb"max=\d")),
    (b"breakers", re.compile(rb"queue$|task:|group:"), re.compile(rb"errors=\d")),
)
"""What the gate counts of limits: of the queue and of tasks; those that bound how many wait; and breakers."""


def _count(text: bytes | None) -> int:
    """What the server counts; 0 where it is no such number."""
    return int(text) if text and len(text) < 10 and text.isdigit() else 0


def _scopes_of(told: bytes) -> Iterator[tuple[bytes, int]]:
    """The scopes in which a slot counts, and how much. (``lua/parts/give_slot.lua`` counts alike.)"""
    group, newline, rest = told.partition(b"\n")
    task, _, drawn = rest.partition(b"\n")
    if not newline:
        return
    tenant, colon, part = group.partition(b":")
    yield b"group:" + group, 1
    if task:  # else it kept its group's alone
        yield b"queue", 1
        yield b"task:" + task, 1
        if tenant and colon and part:
            yield b"group:" + tenant, 1
        for name, units in _DRAWN.findall(drawn):
            yield b"shared:" + name, int(units)


_DRAWN: Final = re.compile(rb"([^\s]+)=(\d+)")
"""How much a job draws of a shared limit."""


class Accounts:
    """Command: the accounts of the gate are compared with what there is, and mended."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def compare(self, links: Links, queue: str, *, mend: bool, place: Place | None = None) -> Wrong:
        """Compare all of a queue; of the jobs that wait no more pages than ``place`` says, which tells then where the
        next one goes on."""
        keys, link, wrong = self._access.keys(queue), links.of(queue), Wrong()
        if await self._is_unused(link, keys):
            return wrong
        wrong.odd += await scripts.COMPARE_GATE.run(link, keys, int(mend))  # first, as the others count on it
        for lane in (GATE, ALONE):
            after = b""
            while True:
                told = await scripts.COMPARE_PASSED.run(link, keys, lane, after, PAGE, int(mend))
                wrong.slotless, wrong.placeless = wrong.slotless + told[0], wrong.placeless + told[1]
                if not (after := told[2]):
                    break
        await self._compare_slots(link, keys, wrong, mend)
        place = place or Place()
        await self._compare_parked(link, keys, wrong, mend, place)
        await self._compare_lines(link, keys, wrong, mend, place)
        return wrong

    async def _is_unused(self, link: Link, keys: Keys) -> bool:
        """Whether nothing is past the gate, and nothing is held that could be."""
        used, parked, delayed, held = await link.calls(
            ("EXISTS", keys.passed, keys.out, keys.used, keys.lines, keys.turns, keys.limits, keys.gate),
            ("HLEN", keys.parked),
            ("ZCARD", keys.delayed),
            ("ZCARD", keys.held),
        )
        return not used and parked == delayed + held

    async def _compare_slots(self, link: Link, keys: Keys, wrong: Wrong, mend: bool) -> None:
        """Each slot, and then how many there are of each scope.

        The counts are compared with the slots of one moment, and what is wrong with them lasts until it is mended:
        whatever moves a job changes both alike.
        """
        seen = await _snapshot(link, keys)
        ids = list(seen.out)
        while ids:
            looked, found = await scripts.COMPARE_SLOTS.run(link, keys, int(mend), *ids[:PAGE])
            wrong.slots += found
            ids = ids[looked:]
        for number in range(ROUNDS):
            seen = await _snapshot(link, keys)
            missing, limits = list(seen.missing().items()), seen.missing_limits()
            if number == 0:
                wrong.used += len(missing) + sum(map(bool, limits))
            if not (mend and (missing or any(limits))):
                return
            while missing or any(limits):
                changes = [part for change in missing[:PAGE] for part in change]
                await scripts.MEND_USED.run(link, keys, *limits, *changes)
                missing, limits = missing[PAGE:], [0] * len(limits)

    async def _compare_parked(self, link: Link, keys: Keys, wrong: Wrong, mend: bool, place: Place) -> None:
        left = place.pages
        while left is None or left > 0:
            place.parked, *ids = await scripts.COMPARE_HELD.run(link, keys, place.parked, PAGE, int(mend))
            wrong.held += len(ids)
            left = left and left - 1
            if place.parked == b"0":
                return

    async def _compare_lines(self, link: Link, keys: Keys, wrong: Wrong, mend: bool, place: Place) -> None:
        left = place.pages
        while left is None or left > 0:
            place.lines, found = await link.call("ZSCAN", keys.lines, place.lines, "COUNT", PAGE)
            groups = found[::2]
            while groups:
                seen, *told = await scripts.COMPARE_LINES.run(link, keys, int(mend), *groups[:PAGE])
                wrong.lines, wrong.unknown = wrong.lines + told[0], wrong.unknown + told[1]
                wrong.uncalled += told[2]
                groups = groups[seen:]
            left = left and left - 1
            if place.lines == b"0":
                return


async def _snapshot(link: Link, keys: Keys) -> _Snapshot:
    names = (keys.out, keys.used, keys.gate, keys.limits)
    reply = (await link.batch(("MULTI",), *[("HGETALL", name) for name in names], ("EXEC",)))[-1]
    for each in reply if isinstance(reply, list) else [reply]:
        if isinstance(each, Exception):
            raise translate(each, sent=True)
    return _Snapshot(*map(pairs, reply))
