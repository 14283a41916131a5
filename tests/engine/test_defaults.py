"""Defaults that are no values of their type, and times in the hours in which clocks are set."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydantic import BaseModel, Field

from streamq import App, InvalidPayload
from streamq.model.values import ExactForm, form

from .test_values import Base, Careless, arrives


@pytest.mark.parametrize(
    "moment",
    [
        datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Berlin")),
        datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=ZoneInfo("Europe/Berlin")),
        datetime(2026, 3, 29, 2, 30, tzinfo=ZoneInfo("Europe/Berlin")),
    ],
)
@pytest.mark.parametrize("declared", [datetime, list[datetime], dict[str, datetime]])
def test_a_time_in_the_hours_in_which_clocks_are_set_arrives_as_the_same_instant(
    declared: Any, moment: datetime
) -> None:
    payload = {datetime: moment, list[datetime]: [moment], dict[str, datetime]: {"a": moment}}[declared]
    back = arrives(declared, payload)
    inner = back if declared is datetime else back[0] if declared == list[datetime] else back["a"]
    assert inner.timestamp() == moment.timestamp()


class Sound(BaseModel):
    name: str = "a"
    more: str | None = None
    share: float = 1
    inner: Base = Base()
    numbers: list[int] = []
    names: dict[str, int] = Field(default_factory=dict)
    checked: int = Field(default="5", validate_default=True)  # type: ignore[arg-type]


def test_a_default_that_is_a_value_of_its_type_costs_no_comparison() -> None:
    assert type(form(Sound, "it")) is ExactForm
    assert type(form(Careless, "it")) is not ExactForm
    assert arrives(Sound, Sound()) == Sound()


def test_a_parameter_whose_default_does_not_fit_is_refused_where_it_is_sent() -> None:
    @App().task
    def report(day: str, region: str = None) -> None: ...  # type: ignore[assignment]  # noqa: RUF013 - the fault itself

    with pytest.raises(InvalidPayload, match="/region: None"):
        report.encode({"day": "x"})
    assert report.arguments(report.encode({"day": "x", "region": "eu"})) == {"day": "x", "region": "eu"}
