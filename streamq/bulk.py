"""What operations by filter may be asked for, checked before anything is sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from streamq.durations import seconds_of
from streamq.errors import UsageError
from streamq.model.filter_text import parse_filter
from streamq.model.operation import DONE, Bulk
from streamq.model.shown import as_given
from streamq.model.states import STARTS, State

Rate = float | str
"""Jobs a second, or text such as ``"100/s"`` or ``"5/m"``."""

UNSAID: Final[Mapping[str, frozenset[State]]] = {
    "retry": frozenset({State.FAILED}),
    "cancel": frozenset({State.HELD, State.DELAYED, State.WAITING}),
    "promote": frozenset({State.DELAYED}),
    "delete": frozenset({State.COMPLETED, State.FAILED, State.CANCELLED, State.EXPIRED}),
}
"""The states that are meant where a filter names none: what was ended on purpose is not retried, and what runs is not
cancelled, unless the filter says so."""
ORDER: Final = (
    State.HELD, State.DELAYED, State.WAITING, State.ACTIVE, State.FAILED, State.EXPIRED, State.CANCELLED,
    State.COMPLETED,
)  # fmt: skip
"""Held jobs before those that they follow, and all before those that run: nothing begins meanwhile that was meant."""
CANARIES: Final = 100
"""Jobs of a canary at most: the state of each is looked at again and again."""
_UNITS: Final = {"s": 1.0, "m": 60.0, "h": 3600.0}


def bulk_of(
    kind: str, text: str, *, rate: Rate | None = None, canary: int | None = None, reason: str = ""
) -> Bulk:
    """The operation that was asked for. Raises ``InvalidFilter`` and ``UsageError``."""
    wanted = parse_filter(text)
    meant = set(wanted.states()) if wanted.names_states else set(UNSAID[kind])
    if forbidden := sorted(meant - STARTS[kind]):
        allowed = ", ".join(sorted(STARTS[kind]))
        raise UsageError(f"jobs that are {forbidden[0]} cannot be {DONE[kind]}: name any of state {allowed}")
    if not meant:
        raise UsageError(
            f"{as_given(text)} is true of no job in any state: name one state, such as state:failed"
        )
    states = tuple(state for state in ORDER if state in meant)
    whole = all(wanted.decides(state=state.value) for state in states)
    if canary is not None and (type(canary) is not int or not 1 <= canary <= CANARIES):
        raise UsageError(
            f"canary={as_given(canary)} is not possible: use a whole number from 1 to {CANARIES}"
        )
    return Bulk(kind, states, text, whole, rate_of(rate), canary, reason)


def rate_of(rate: Rate | None) -> float | None:
    """A rate as jobs a second. Raises ``UsageError``."""
    if rate is None:
        return None
    try:
        number, _, unit = rate.partition("/") if isinstance(rate, str) else (rate, "", "s")
        per = _UNITS[unit] if unit in _UNITS else seconds_of(unit or 1)
        found = float(number) / per
    except (ValueError, TypeError, ArithmeticError):
        found = 0.0
    if isinstance(rate, bool) or not 0.001 <= found <= 1_000_000:
        raise UsageError(f'rate={as_given(rate)} is not possible: use jobs a second, or text such as "100/s"')
    return found
