"""Quiet hours end by the clock of the recipient, whatever that does in the night."""

from __future__ import annotations

import re
from datetime import datetime, time
from zoneinfo import ZoneInfo

import pytest
from streamq_service.messaging.quiet_hours import QuietHours

from streamq import ConfigurationError

NIGHT = QuietHours(time(21), time(8), ZoneInfo("UTC"))


@pytest.mark.parametrize(
    ("at", "hours"),
    [
        ("20:59", 0),
        ("21:00", 11),
        ("23:30", 8.5),
        ("00:00", 8),
        ("07:59", 1 / 60),
        ("08:00", 0),
        ("12:00", 0),
    ],
)
def test_quiet_hours_end_by_the_clock_of_the_recipient(at: str, hours: float) -> None:
    here = datetime.fromisoformat(f"2026-06-15T{at}:00").replace(tzinfo=ZoneInfo("Europe/Berlin"))
    assert NIGHT.wait(here) == pytest.approx(hours * 3600, abs=1)


def test_on_the_night_of_a_change_of_clocks_quiet_hours_end_at_their_time() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    for night, hours in ((datetime(2026, 10, 24, 22), 11), (datetime(2026, 3, 28, 22), 9)):
        here = night.replace(tzinfo=berlin)
        end = datetime.fromtimestamp(here.timestamp() + NIGHT.wait(here), berlin)
        assert (end.hour, end.minute, NIGHT.wait(here)) == (8, 0, hours * 3600)


def test_quiet_hours_within_a_day() -> None:
    noon = QuietHours(time(12), time(14), ZoneInfo("UTC"))
    waits = [noon.wait(datetime(2026, 6, 15, hour, 30, tzinfo=ZoneInfo("UTC"))) for hour in (11, 12, 13, 14)]
    assert waits == [0, 5400, 1800, 0]


@pytest.mark.parametrize("wrong", ["9-17", "21:00", "25:00-08:00", "night"])
def test_quiet_hours_that_are_none_end_the_start(wrong: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(wrong)):
        QuietHours.of(wrong, "UTC")
    with pytest.raises(ConfigurationError, match="Moon/Base"):
        QuietHours.of("21:00-08:00", "Moon/Base")


def test_a_number_of_many_zones_waits_for_an_hour_that_is_quiet_in_none_or_for_that_of_the_setting() -> None:
    quiet = QuietHours(time(20), time(9), ZoneInfo("UTC"))
    east, west = ZoneInfo("Asia/Tokyo"), ZoneInfo("America/New_York")
    at = datetime(2026, 6, 15, 0, 0, tzinfo=ZoneInfo("UTC"))
    wait = quiet.until_all([ZoneInfo("Europe/Berlin"), ZoneInfo("Europe/London")], at)
    assert wait == 8 * 3600, "nine in London"
    assert quiet.until_all([east, west, ZoneInfo("Europe/Berlin"), ZoneInfo("Pacific/Honolulu")], at) is None
