"""What may go out now: not to who has opted out, not in quiet hours, and not too much a day to one recipient."""

from __future__ import annotations

from typing import Final, NamedTuple

from streamq import App

from ..settings import ServiceSettings
from .opt_outs import OptOuts, Withheld, address, contact
from .quiet_hours import QuietHours

ALLOWED: Final = "allowed"
"""Where a worker keeps it in ``app.state``."""
COUNTS: Final = "recipients"
"""The records of how many messages each recipient has had."""
_DAY: Final = 86_400
_MOST: Final = 10_000_000


class Recipient(NamedTuple):
    """To whom a message goes."""

    channel: str
    address: str
    workspace: str | int | float
    contact_id: str | None = None

    @property
    def subjects(self) -> list[str]:
        """Those that may have opted out."""
        of_contact = [contact(self.workspace, self.contact_id)] if self.contact_id is not None else []
        return [address(self.channel, self.address), *of_contact]


class Allowed:
    """The checks of a worker. Raises ``ConfigurationError`` for settings that cannot be read."""

    def __init__(self, app: App, settings: ServiceSettings) -> None:
        self.opt_outs = OptOuts(app)
        self._quiet = QuietHours.of(settings.quiet_hours, settings.quiet_zone)
        self._cap = settings.recipient_cap
        self._counts = app.records(COUNTS, limit=_MOST)

    async def check(self, who: Recipient) -> None:
        """Raise ``Withheld`` where the recipient has opted out."""
        await self.opt_outs.check(who.subjects, who.workspace)

    def check_hours(self, who: Recipient, zone: str | None) -> None:
        """Raise ``Snooze`` in the recipient's quiet hours."""
        if self._quiet is not None:
            self._quiet.check(who.address, zone)

    async def check_cap(self, who: Recipient, key: str) -> None:
        """Count a message once, by its key, and raise ``Withheld`` above the cap."""
        if self._cap is None:
            return
        counter = address(who.channel, who.address)
        if await self._counts.get(key) is not None:
            return
        # Others count at the same time: a message beyond the cap may count too, and goes nowhere.
        has_room = await self._counts.count(counter, _DAY, by=0) < self._cap
        if not has_room or await self._counts.count(counter, _DAY) > self._cap:
            raise Withheld(
                f"the recipient has had {self._cap} messages in the last 24 h, as many as one may have"
            )
        await self._counts.add(key, lifetime=_DAY)
