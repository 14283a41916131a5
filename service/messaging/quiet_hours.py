"""Quiet hours: when no text message goes out, by the clock of its recipient."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, time, timedelta, tzinfo
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from streamq import ConfigurationError, Snooze

from ..clock import now

_FORM: Final = re.compile(r"(\d{1,2}):(\d{2})\s*-\s*(\d{1,2}):(\d{2})")


class QuietHours(NamedTuple):
    """From one time of the day to another one, perhaps of the next day; ``zone`` is of numbers that say none."""

    begin: time
    end: time
    zone: tzinfo

    @classmethod
    def of(cls, text: str, zone: str) -> QuietHours | None:
        """Those of a text such as ``21:00-08:00``; None for an empty one. Raises ``ConfigurationError``."""
        if not text:
            return None
        found = _FORM.fullmatch(text.strip())
        try:
            if found is not None:
                hours = [int(each) for each in found.groups()]
                made = cls(time(hours[0], hours[1]), time(hours[2], hours[3]), zone_of(zone))
                return made if made.begin != made.end else None
        except ValueError as error:
            raise ConfigurationError(f"quiet_hours={text!r} with quiet_zone={zone!r}: {error}") from None
        raise ConfigurationError(
            f"quiet_hours={text!r} are none: write the begin and the end, as 21:00-08:00"
        )

    def check(self, number: str, zone: str | None) -> None:
        """Raise ``Snooze`` until the end of the quiet hours, where the recipient has them now."""
        zones: list[tzinfo] = [zone_of(zone)] if zone else _zones_of(number) or [self.zone]
        wait = self.until_all(zones, now())
        if wait is None:  # a number of a country with so many zones that it is always night in one of them
            wait = self.until_all([self.zone], now()) or 0.0
        if wait:
            raise Snooze(wait, f"quiet hours of the recipient, for {wait / 3600:.1f} h more")

    def until_all(self, zones: Sequence[tzinfo], moment: datetime) -> float | None:
        """Seconds until it is quiet in none of the zones; None where that is at no time of a day."""
        end = moment + timedelta(days=1)
        at = moment
        while at < end:
            wait = max(self.wait(at.astimezone(each)) for each in zones)
            if not wait:
                return (at - moment).total_seconds()
            at += timedelta(seconds=wait)
        return None

    def wait(self, here: datetime) -> float:
        """Seconds to the end of the quiet hours by a clock; 0 outside of them."""
        clock = here.time().replace(tzinfo=None)
        over_night = self.begin > self.end
        is_quiet = clock >= self.begin or clock < self.end if over_night else self.begin <= clock < self.end
        if not is_quiet:
            return 0.0
        day = here.date() + timedelta(days=1 if over_night and clock >= self.begin else 0)
        return max(1.0, datetime.combine(day, self.end, here.tzinfo).timestamp() - here.timestamp())


def zone_of(name: str) -> ZoneInfo:
    """The zone of a name such as Europe/Berlin. Raises ``ValueError``."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{name!r} is no time zone: write it as Europe/Berlin") from None


def _zones_of(number: str) -> list[tzinfo]:
    """Those in which a number may be."""
    try:
        import phonenumbers  # noqa: PLC0415  # an extra
        from phonenumbers import timezone  # noqa: PLC0415  # a megabyte that only quiet hours need
    except ImportError:
        return []
    try:
        names = timezone.time_zones_for_number(phonenumbers.parse(number))
    except phonenumbers.NumberParseException:
        return []
    return [zone_of(name) for name in names if name != timezone.UNKNOWN_TIMEZONE]
