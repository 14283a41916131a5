"""What `streamq.capacity` names among the entry points: the planner, for programs that know nothing of the bench."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

from .coefficients import Coefficients, load
from .plan import Plan
from .plan import plan as plan_of
from .wishes import Wishes

SHIPPED: Final = Path(__file__).with_name("coefficients.json")
"""Measured on a small machine, for those who have measured none of their own."""
_STEPS: Final = 15
"""Halvings after which a rate is right within a thousandth, from a part of the present one to a multiple."""
_WIDEST: Final = 10_000.0
"""How many times the present rate, or which part of it, is looked at."""


def capacity(
    wishes: Mapping[str, Any], *, processes: int, concurrency: int, coefficients: Path | None = None
) -> dict[str, Any]:
    """What a load takes, and how much of it the workers that are there can do.

    ``wishes`` are fields of ``Wishes``, in seconds, bytes and jobs a second; ``processes`` of ``concurrency`` slots
    each are there. ``reach`` is the rate up to which these stay below the planner's limits; ``None`` where none is
    there. Raises ``ValueError`` with one sentence, for what cannot be planned and for a file that cannot be read.
    """
    known, wanted = load(coefficients or SHIPPED), Wishes(**wishes)
    found = plan_of(known, wanted)
    reach = _reach(known, wanted, processes, concurrency) if processes else None
    return {**_plan(found), "reach": reach, "assumed": asdict(wanted), "measured": _measured(known)}


def _plan(found: Plan) -> dict[str, Any]:
    gauges = [{**asdict(gauge), "share": round(gauge.share, 4)} for gauge in found.gauges]
    return {**asdict(found), "gauges": gauges, "notes": list(found.notes), "reachable": found.reachable}


def _measured(known: Coefficients) -> dict[str, Any]:
    about, versions = known.about, known.about.get("versions", {})
    return {
        "at": about.get("at"), "cores": about.get("machine", {}).get("cores"),
        "server": f"{versions.get('product', '')} {versions.get('server', '')}".strip(),
    }  # fmt: skip


def _reach(known: Coefficients, wanted: Wishes, processes: int, concurrency: int) -> float:
    """By halving: what a rate takes only grows with it."""

    def enough(rate: float) -> bool:
        if rate * wanted.handler > processes * concurrency:  # what is soon said need not be planned
            return False
        try:
            found = plan_of(known, replace(wanted, rate=rate, concurrency=concurrency, spare=0))
        except ValueError:
            return False
        return found.reachable and found.nodes <= (wanted.nodes or 1) and found.processes <= processes

    low, high = wanted.rate / _WIDEST, wanted.rate * _WIDEST
    for _ in range(_STEPS):
        middle = (low * high) ** 0.5
        low, high = (middle, high) if enough(middle) else (low, middle)
    return low
