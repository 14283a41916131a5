"""The planned times of schedules: intervals, one-offs, calendars, what was missed, and what a preview tells."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import pytest

from streamq.model.calendars import Calendar
from streamq.model.misfire import COUNTED, LATE, decide
from streamq.model.preview import preview
from streamq.model.schedule import Plan, Schedule, problems


def made(**given: Any) -> Schedule:
    return Schedule(**{"name": "s", "queue": "q", "task": "t", **given})


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1000)


def runs(after: str, count: int = 3, **given: Any) -> list[str]:
    """The first planned times, as the clock of the zone shows them."""
    return [each.at.replace(tzinfo=None).isoformat(" ") for each in preview(made(**given), ms(after), count)]


def walked(schedule: Schedule, after: int) -> Iterator[int]:
    return (found.at for found, _ in Plan(schedule).walk(after))


def test_an_interval_is_counted_from_its_start_whatever_was_run_before() -> None:
    given: dict[str, Any] = {"every": 90.0, "start": datetime(2026, 11, 27, 12, tzinfo=UTC)}
    assert runs("2026-01-01T00:00Z", 2, **given) == ["2026-11-27 12:00:00", "2026-11-27 12:01:30"]
    assert runs("2026-11-27T12:01:29Z", 1, **given) == ["2026-11-27 12:01:30"]
    assert runs("2026-11-27T12:01:30Z", 1, **given) == ["2026-11-27 12:03:00"]


def test_intervals_without_a_start_are_spread_and_the_same_in_every_process() -> None:
    first = [next(walked(made(name=f"s{n}", every=60.0), ms("2026-11-27T12:00Z"))) for n in range(1000)]
    by_second = {(at // 1000) % 60 for at in first}
    assert len(by_second) == 60
    again = next(walked(made(name="s7", every=60.0), ms("2026-11-27T12:00Z")))
    assert again == first[7]


def test_a_schedule_runs_from_its_start_to_its_end_both_included() -> None:
    bounds: dict[str, Any] = {
        "start": datetime(2026, 11, 27, 9, tzinfo=UTC), "end": datetime(2026, 11, 28, 9, tzinfo=UTC),
    }  # fmt: skip
    expected = ["2026-11-27 09:00:00", "2026-11-28 09:00:00"]
    assert runs("2026-01-01T00:00Z", 5, cron="0 9 * * *", **bounds) == expected
    assert runs("2026-01-01T00:00Z", 5, at=datetime(2026, 11, 27, 8, tzinfo=UTC), **bounds) == []


def test_a_one_off_comes_once() -> None:
    at = datetime(2026, 11, 27, 9, tzinfo=UTC)
    assert runs("2026-11-27T08:59:59Z", at=at) == ["2026-11-27 09:00:00"]
    assert runs("2026-11-27T09:00:00Z", at=at) == []


@pytest.mark.parametrize(
    ("calendar", "expected"),
    [
        (Calendar("DE-BY"), ["2026-12-24 09:00:00", "2026-12-27 09:00:00", "2026-12-28 09:00:00"]),
        (Calendar(blackouts=[("2026-12-25", "2027-01-01")]), ["2026-12-24 09:00:00", "2027-01-02 09:00:00"]),
        (Calendar(blackouts=[("22:00", "09:00")]), ["2026-12-24 09:00:00", "2026-12-25 09:00:00"]),
        (Calendar(blackouts=[("22:00", "09:01")]), []),
        (
            Calendar(blackouts=[("2026-12-24T08:00+01:00", "2026-12-25T08:30Z")]),
            ["2026-12-26 09:00:00", "2026-12-27 09:00:00"],
        ),
    ],
    ids=["holidays", "dates", "times of day", "always", "moments"],
)
def test_planned_times_in_a_calendar_are_left_out(calendar: Calendar, expected: list[str]) -> None:
    given = {"cron": "0 9 * * *", "zone": "Europe/Berlin", "calendar": calendar}
    assert runs("2026-12-23T12:00Z", len(expected) or 1, **given) == expected


@pytest.mark.parametrize("language", ["de", "th", "C", ""])
def test_holidays_have_the_same_names_whatever_the_language_of_the_process(
    monkeypatch: pytest.MonkeyPatch, language: str
) -> None:
    from streamq.model import calendars

    monkeypatch.setenv("LANGUAGE", language)
    calendars._holidays.cache_clear()
    for country, name in (("DE", "New Year's Day"), ("MX", "New Year's Day"), ("US", "New Year's Day")):
        assert calendars._holidays(country)["2027-01-01"] == name


def test_a_calendar_of_holidays_says_which_extra_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    from streamq.model import calendars

    monkeypatch.setitem(sys.modules, "holidays", None)
    calendars._holidays.cache_clear()
    (error,) = problems(made(every=60.0, calendar=Calendar("DE")))
    assert error.message.endswith("needs the extra `calendar`: pip install 'streamq[calendar]'")


@pytest.mark.parametrize(
    ("given", "pointer", "said"),
    [
        ({}, "/cron", "give one of cron, every and at: it has none of them"),
        ({"cron": "* * * * *", "every": 5.0}, "/every", "it has cron and every"),
        ({"cron": "61 * * * *"}, "/cron", "its minute is not possible: write five fields, minute (0-59)"),
        ({"cron": "* * * *"}, "/cron", "it has 4 fields: write five fields"),
        ({"cron": "* " * 300}, "/cron", "a line has at most 200 characters"),
        ({"cron": "0 0 31 2 *"}, "/cron", "its day of month is not possible"),
        ({"every": 5.0, "zone": "Europe/Berln"}, "/zone", "did you mean Europe/Berlin"),
        ({"every": 5.0, "zone": "../etc/passwd"}, "/zone", "there is no time zone of that name"),
        ({"every": 5.0, "calendar": Calendar("ZZ")}, "/calendar", "there are no holidays of 'ZZ'"),
        ({"every": 5.0, "calendar": Calendar("DE-ZZ")}, "/calendar", "DE has no part 'ZZ': known are"),
        ({"every": 5.0, "calendar": Calendar(blackouts=[("22:00", "2027-01-01")])}, "/calendar", "two times of day"),
        (
            {"every": 5.0, "start": datetime(2027, 1, 2, tzinfo=UTC), "end": datetime(2027, 1, 1, tzinfo=UTC)},
            "/end", "it ends before it starts",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_schedule_is_told_by_its_field(
    given: dict[str, Any], pointer: str, said: str
) -> None:
    (error,) = problems(made(**given))
    assert error.pointer == pointer
    assert said in error.message


def test_a_schedule_is_read_as_it_was_written() -> None:
    one = made(
        cron="0 9 * * MON-FRI", zone="Europe/Berlin", start=datetime(2026, 1, 1, tzinfo=UTC), jitter=1.5,
        payload=b'{"a":[1,"\\u00fc"]}', calendar=Calendar("DE", [("22:00", "06:00")]), source="code",
    )  # fmt: skip
    assert Schedule.decoded("s", "q", one.encoded()).encoded() == one.encoded()
    for raw in (b"[]", b"{}", b'{"task":"t","calendar":7}', b'{"task":"t","start":5}', b"7", b"x", b""):
        with pytest.raises(ValueError, match=r"."):
            Schedule.decoded("s", "q", raw)


# -- misfire --------------------------------------------------------------------------------------------------------

SECONDS = made(every=1.0, start=datetime(2026, 11, 27, tzinfo=UTC))
BEGIN = ms("2026-11-27T12:00Z")


@pytest.mark.parametrize(
    ("misfire", "limit", "late", "runs", "missed"),
    [
        ("skip", 9, 400, [0], 0),
        ("once", 9, 400, [0], 0),
        ("all", 9, 400, [0], 0),
        ("skip", 9, 30_400, [30], 30),
        ("once", 9, 30_400, [30], 30),
        ("all", 99, 30_400, list(range(31)), 0),
        ("all", 9, 30_400, list(range(22, 31)), 22),
    ],
)
def test_the_misfire_policy_decides_what_becomes_of_missed_times(
    misfire: Any, limit: int, late: int, runs: list[int], missed: int
) -> None:
    due = decide(Plan(SECONDS), BEGIN, BEGIN + late, misfire, limit)
    assert [(at - BEGIN) // 1000 for at in due.runs] == runs
    assert due.missed == missed


def test_a_rare_run_that_was_missed_is_skipped_or_made_up_for() -> None:
    daily, planned = Plan(made(cron="0 12 * * *")), BEGIN
    assert decide(daily, planned, planned + LATE, "skip", 9).runs == [planned]
    assert decide(daily, planned, planned + LATE + 1, "skip", 9) == ([], 1)
    assert decide(daily, planned, planned + 3_600_000, "once", 9) == ([planned], 0)


def test_a_long_outage_of_a_dense_schedule_costs_no_more_than_a_short_one() -> None:
    dense = Plan(made(cron="* * * 1-31 1 *"))  # each second of January
    due = decide(dense, ms("2026-01-01T00:00Z"), ms("2026-09-01T00:00Z"), "all", 5)
    assert due.runs == [ms("2026-02-01T00:00Z") - n * 1000 for n in (5, 4, 3, 2, 1)]
    assert due.missed == COUNTED


# -- preview --------------------------------------------------------------------------------------------------------


def test_a_preview_notes_what_is_special_about_a_planned_time() -> None:
    berlin = made(cron="30 2 * * *", zone="Europe/Berlin")
    (spring, after) = preview(berlin, ms("2027-03-27T12:00Z"), 2)
    assert spring.note.startswith("02:30 does not exist on this day")
    assert "it runs at 03:00" in spring.note
    assert spring.asdict()["local"] == "2027-03-28T03:00:00+02:00"
    assert after.note == ""
    (autumn, monday) = preview(berlin, ms("2026-10-24T12:00Z"), 2)
    assert autumn.note == "02:30 comes twice, as clocks are set back: this is the first"
    assert monday.note == "clocks are set before it, from UTC+02:00 to UTC+01:00"
    steps = preview(made(cron="*/30 * * * *", zone="Europe/Berlin"), ms("2026-10-25T00:15Z"), 3)
    assert [each.note[-5:] for each in steps] == ["first", "econd", "econd"]
    closed = made(cron="0 9 * * *", calendar=Calendar("DE"))
    (open_day,) = preview(closed, ms("2026-12-31T12:00Z"), 1)
    assert "left out until 2027-01-02 00:00: " in open_day.note


def test_jitter_puts_a_run_off_by_the_same_time_whoever_asks() -> None:
    plan = Plan(made(every=1.0, jitter=30.0))
    by = [plan.put_off(at) for at in islice(walked(SECONDS, BEGIN), 200)]
    assert by == [plan.put_off(at) for at in islice(walked(SECONDS, BEGIN), 200)]
    assert 0 <= min(by) < 3000
    assert 27_000 < max(by) <= 30_000
