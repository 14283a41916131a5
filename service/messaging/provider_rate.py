"""How many messages each of several providers is given in a time, by all workers together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from streamq import App, InvalidLimit, Limit, Rate, Snooze

from .spread import Spread

COUNTS: Final = "provider-rates"
"""The records of what each provider was given."""
_PART: Final = 20
"""A count forgets what is old in this many steps of its window."""


def read_rates(said: str) -> dict[str, Rate]:
    """Rates by the name of a provider, from ``main=50/s,backup=10/s``. Raises ``ValueError``."""
    found: dict[str, Rate] = {}
    for each in filter(None, map(str.strip, said.split(","))):
        name, equals, rate = each.partition("=")
        try:
            limit = Limit(rate=rate.strip()) if equals else None
        except InvalidLimit as error:
            raise ValueError(str(error)) from None
        if limit is None or not isinstance(limit.rate, Rate) or name.strip() in found:
            raise ValueError("it must name each provider once with a rate, such as main=50/s,backup=10/s")
        found[name.strip()] = limit.rate
    return found


class ProviderRates:
    """One per worker process; the counts are those of all."""

    def __init__(self, app: App, rates: Mapping[str, Rate]) -> None:
        self._rates, self._counts = rates, app.records(COUNTS)
        self._spread = Spread()

    async def check(self, provider: str) -> None:
        """Count a message. Raises ``Snooze`` where the provider has had as many as it may."""
        rate = self._rates.get(provider)
        if rate is None:
            return
        # Those that count at the same time may be one too many each: they count, and are given to nobody.
        has_room = await self._counts.count(provider, rate.seconds, by=0) < rate.starts
        if not has_room or await self._counts.count(provider, rate.seconds) > rate.starts:
            wait = self._spread.longer(rate.seconds / _PART)
            raise Snooze(wait, f"the provider {provider} takes {rate} and has had as many")
