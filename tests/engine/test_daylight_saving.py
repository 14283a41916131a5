"""Cron lines on the days on which clocks are set: 40 cases in four zones, each expectation written by hand.

Berlin and New York set their clocks by an hour at night; Lord Howe by half an hour; Casablanca goes back for Ramadan
and forward after it. That each expected time exists in its zone is checked against ``zoneinfo``.
"""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from streamq.model.cron import CronLine, zone_of

BERLIN, NEW_YORK, LORD_HOWE, CASABLANCA = (
    "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca",
)  # fmt: skip

# zone, line, the moment after which it is asked for (with the offset of then), the next runs as the wall clock shows
# them, with the offset of each
CASES = [
    # Berlin, 25 October 2026: at 03:00 it is 02:00 again
    (BERLIN, "30 2 * * *", "2026-10-24T12:00+02:00", "25T02:30+02:00 26T02:30+01:00 27T02:30+01:00"),
    (BERLIN, "30 2 * * *", "2026-10-25T02:30+02:00", "26T02:30+01:00"),
    (BERLIN, "30 2 * * *", "2026-10-25T02:10+01:00", "26T02:30+01:00"),
    (BERLIN, "0 30 2 * * *", "2026-10-24T12:00+02:00", "25T02:30+02:00 26T02:30+01:00"),
    (BERLIN, "*/30 * * * *", "2026-10-25T01:45+02:00",
     "25T02:00+02:00 25T02:30+02:00 25T02:00+01:00 25T02:30+01:00 25T03:00+01:00"),
    (BERLIN, "0 * * * *", "2026-10-25T01:30+02:00", "25T02:00+02:00 25T02:00+01:00 25T03:00+01:00"),
    (BERLIN, "0 */2 * * *", "2026-10-24T23:00+02:00",
     "25T00:00+02:00 25T02:00+02:00 25T02:00+01:00 25T04:00+01:00"),
    (BERLIN, "0 3 * * *", "2026-10-24T12:00+02:00", "25T03:00+01:00 26T03:00+01:00"),
    (BERLIN, "0 9 * * MON-FRI", "2026-10-23T12:00+02:00", "26T09:00+01:00 27T09:00+01:00"),
    (BERLIN, "*/20 */5 2 * * *", "2026-10-25T02:58+01:00",
     "26T02:00+01:00 26T02:00:20+01:00 26T02:00:40+01:00 26T02:05+01:00"),
    # Berlin, 28 March 2027: at 02:00 it is 03:00
    (BERLIN, "30 2 * * *", "2027-03-27T12:00+01:00", "28T03:00+02:00 29T02:30+02:00 30T02:30+02:00"),
    (BERLIN, "0,30 2 * * *", "2027-03-27T12:00+01:00", "28T03:00+02:00 29T02:00+02:00 29T02:30+02:00"),
    (BERLIN, "30 2,3 * * *", "2027-03-27T12:00+01:00", "28T03:00+02:00 28T03:30+02:00 29T02:30+02:00"),
    (BERLIN, "0 30 2 * * *", "2027-03-27T12:00+01:00", "28T03:00+02:00 29T02:30+02:00"),
    (BERLIN, "*/30 * * * *", "2027-03-28T01:15+01:00", "28T01:30+01:00 28T03:00+02:00 28T03:30+02:00"),
    (BERLIN, "15 * * * *", "2027-03-28T00:30+01:00", "28T01:15+01:00 28T03:15+02:00 28T04:15+02:00"),
    (BERLIN, "* * * * *", "2027-03-28T01:58+01:00", "28T01:59+01:00 28T03:00+02:00 28T03:01+02:00"),
    (BERLIN, "30 2 * * SUN", "2027-03-22T12:00+01:00", "28T03:00+02:00"),
    # New York, 1 November 2026: at 02:00 it is 01:00 again
    (NEW_YORK, "30 1 * * *", "2026-11-01T00:00-04:00", "01T01:30-04:00 02T01:30-05:00"),
    (NEW_YORK, "30 1 * * *", "2026-11-01T01:15-05:00", "02T01:30-05:00"),
    (NEW_YORK, "*/15 1 * * *", "2026-11-01T01:30-04:00",
     "01T01:45-04:00 01T01:00-05:00 01T01:15-05:00 01T01:30-05:00 01T01:45-05:00 02T01:00-05:00"),
    (NEW_YORK, "0 2 * * *", "2026-11-01T00:00-04:00", "01T02:00-05:00 02T02:00-05:00"),
    (NEW_YORK, "0 0 1 * *", "2026-10-15T00:00-04:00", "01T00:00-04:00"),
    # New York, 14 March 2027: at 02:00 it is 03:00
    (NEW_YORK, "0 2 * * *", "2027-03-13T12:00-05:00", "14T03:00-04:00 15T02:00-04:00"),
    (NEW_YORK, "59 2 * * *", "2027-03-13T12:00-05:00", "14T03:00-04:00 15T02:59-04:00"),
    (NEW_YORK, "0 3 * * *", "2027-03-13T12:00-05:00", "14T03:00-04:00 15T03:00-04:00"),
    (NEW_YORK, "0 */6 * * *", "2027-03-13T23:00-05:00", "14T00:00-05:00 14T06:00-04:00 14T12:00-04:00"),
    # Lord Howe, 5 April 2026: at 02:00 it is 01:30 again
    (LORD_HOWE, "45 1 * * *", "2026-04-04T12:00+11:00", "05T01:45+11:00 06T01:45+10:30"),
    (LORD_HOWE, "15 1 * * *", "2026-04-04T12:00+11:00", "05T01:15+11:00 06T01:15+10:30"),
    (LORD_HOWE, "*/30 * * * *", "2026-04-05T01:15+11:00",
     "05T01:30+11:00 05T01:30+10:30 05T02:00+10:30 05T02:30+10:30"),
    (LORD_HOWE, "0 */2 * * *", "2026-04-04T23:00+11:00", "05T00:00+11:00 05T02:00+10:30 05T04:00+10:30"),
    (LORD_HOWE, "0 2 * * *", "2026-04-04T12:00+11:00", "05T02:00+10:30 06T02:00+10:30"),
    # Lord Howe, 4 October 2026: at 02:00 it is 02:30
    (LORD_HOWE, "15 2 * * *", "2026-10-03T12:00+10:30", "04T02:30+11:00 05T02:15+11:00"),
    (LORD_HOWE, "*/20 * * * *", "2026-10-04T01:30+10:30", "04T01:40+10:30 04T02:40+11:00 04T03:00+11:00"),
    (LORD_HOWE, "45 2 * * *", "2026-10-03T12:00+10:30", "04T02:45+11:00 05T02:45+11:00"),
    # Casablanca, 7 February 2027: at 03:00 it is 02:00 again; 14 March 2027: at 02:00 it is 03:00
    (CASABLANCA, "30 2 * * *", "2027-02-06T12:00+01:00", "07T02:30+01:00 08T02:30+00:00"),
    (CASABLANCA, "0 * * * *", "2027-02-07T01:30+01:00", "07T02:00+01:00 07T02:00+00:00 07T03:00+00:00"),
    (CASABLANCA, "30 2 * * *", "2027-03-13T12:00+00:00", "14T03:00+01:00 15T02:30+01:00"),
    (CASABLANCA, "30 * * * *", "2027-03-14T01:00+00:00", "14T01:30+00:00 14T03:30+01:00"),
    (CASABLANCA, "0 9 * * *", "2027-02-06T10:00+01:00", "07T09:00+00:00 08T09:00+00:00"),
]  # fmt: skip


def test_there_are_forty_cases_in_four_zones() -> None:
    assert len(CASES) >= 40
    assert len({zone for zone, *_ in CASES}) == 4


@pytest.mark.parametrize(("zone", "line", "after", "expected"), CASES)
def test_a_cron_line_keeps_the_rules_on_days_on_which_clocks_are_set(
    zone: str, line: str, after: str, expected: str
) -> None:
    walk, ms = CronLine(line, zone_of(zone)), int(datetime.fromisoformat(after).timestamp() * 1000)
    runs = [datetime.fromisoformat(_full(text, after)) for text in expected.split()]
    for run in runs:
        assert run.astimezone(ZoneInfo(zone)).isoformat() == run.isoformat(), (
            "there is no such time in the zone"
        )
        found = walk.after(ms)
        assert found is not None
        shown = datetime.fromtimestamp(found.at / 1000, UTC).astimezone(ZoneInfo(zone)).isoformat()
        assert shown == run.isoformat()
        ms = found.at


def _full(text: str, after: str) -> str:
    """A run with its year and month: those of the question, or the month after it."""
    year, month = int(after[:4]), int(after[5:7])
    if int(text[:2]) < int(after[8:10]):
        month += 1
    return f"{year}-{month:02d}-{text}"
