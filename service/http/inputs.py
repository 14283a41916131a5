"""What models of requests are made of. Unknown fields are errors; ``null`` means absent.

Each type says in its JSON Schema what a caller may send: the reference page and the OpenAPI document tell that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import Annotated, Any, Final, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
    WrapValidator,
)
from pydantic_core import PydanticCustomError

from streamq import OPTIONS, ConfigurationError, Option, Unique
from streamq.durations import seconds_of
from streamq.times import NoTime, looks_like_a_time, parse_rfc3339

from ..clock import now

MAX_DELAY: Final = timedelta(days=366)
"""As far ahead as a job may be due: a year of any length. Beyond it, seconds were likely milliseconds."""

DURATION_FORM: Final = r"^\s*([0-9]+(\.[0-9]*)?|\.[0-9]+)(ms|s|m|h|d)\s*$"
"""A duration as text, for a JSON Schema: it has its unit."""
_DURATION_HINT: Final = {
    "hint": 'write seconds as a number, such as 90, or text such as "250ms", "1.5s" or "5m"'
}
TIME_HINT: Final = {"hint": "write it as 2030-01-31T09:00:00Z or 2030-01-31T09:00:00+01:00"}


class Request(BaseModel):
    """Strict: a number in a string is not a number."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


def _instant(value: Any) -> datetime | None:
    """An RFC 3339 time with its zone, in the future."""
    if value is None:
        return None
    try:
        at = parse_rfc3339(value)
    except NoTime as error:
        raise PydanticCustomError(error.code, "{text}", {"text": str(error), **TIME_HINT}) from error
    ahead = at - now()
    if ahead <= timedelta(0):
        raise PydanticCustomError("past", "is in the past")
    if ahead > MAX_DELAY:
        raise PydanticCustomError("too_far", f"is more than {MAX_DELAY.days} days ahead")
    return at


def _seconds(value: Any) -> Any:
    """A duration as text, which has its unit: a number in a string is no number here either."""
    if not isinstance(value, str):
        return value
    try:
        return seconds_of(value if value.rstrip()[-1:].isalpha() else None)
    except ValueError:
        raise PydanticCustomError("duration", "is not a duration", _DURATION_HINT) from None


def _whole(value: Any) -> Any:
    """A number of a query string, which is text."""
    return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() else value


def _integer(value: Any) -> Any:
    """A number of JSON that is whole may be written with a point: 3.0 is an integer to every JSON Schema."""
    return int(value) if type(value) is float and value.is_integer() else value


INTEGER: Final = BeforeValidator(_integer)
"""For a whole number in a body, after its bounds."""
Most = Annotated[int | Literal["unlimited"] | None, INTEGER]
"""How many at most; null takes back what was said."""


def said(description: str, *types: str, **more: Any) -> WithJsonSchema:
    """What a caller may send, in a JSON Schema: one of the types, and what it must be."""
    return WithJsonSchema(
        {"type": types[0] if len(types) == 1 else [*types], "description": description, **more}
    )


Instant = Annotated[
    datetime | None,
    PlainValidator(_instant),
    said(
        f"string: a time of RFC 3339 with its zone, in the future, at most {MAX_DELAY.days} days ahead",
        "string", "null", format="date-time",
    ),
]  # fmt: skip


def _duration(option: Option) -> Iterator[Any]:
    """What a duration must be: seconds, or text with a unit, within the bounds of an option."""
    days = f"{option.high / 86_400:g} days"

    def within(value: float | None) -> float | None:
        if value is not None and value > option.high:
            more = {"days": days, "hint": "it is in seconds, not milliseconds"}
            raise PydanticCustomError("too_far", "is more than {days}", more)
        return value

    yield Field(gt=option.low) if option.above else Field(ge=option.low)
    yield Field(allow_inf_nan=False)
    yield AfterValidator(within)
    yield BeforeValidator(_seconds)
    least = {"exclusiveMinimum" if option.above else "minimum": option.low}
    what = f'number: seconds, or text such as `"5m"`; at most {days}'
    yield said(what, "number", "string", "null", pattern=DURATION_FORM, **least)


Delay = Annotated[float | None, *_duration(OPTIONS["delay"])]
"""Seconds from now, or a duration as text."""


def one_time(at: Any, info: ValidationInfo, name: str) -> Any:
    """A time that is given beside no delay; ``name`` is what its field is called. For validators of fields."""
    if at is not None and info.data.get("delay") is not None:
        raise PydanticCustomError("ambiguous", "give either delay or {name}, not both", {"name": name})
    return at


def _moment(value: Any, as_duration: ValidatorFunctionWrapHandler) -> Any:
    """How long from now, or a time."""
    return _instant(value) if looks_like_a_time(value) else as_duration(value)


_MOMENT: Final = said(
    'number: seconds, or text such as `"5m"`; or string: a time of RFC 3339 with its zone, in the future',
    "number", "string", "null",
)  # fmt: skip


class UniqueBody(Request):
    """The fields of ``Unique``."""

    fields: list[str] | None = None
    until: str = "done"
    window: Delay = None
    debounce: Delay = None
    at_most: Delay = None
    conflict: str = "keep"


def _unique(body: UniqueBody | None) -> Any:
    """What the engine makes of it, which says what is wrong with it."""
    try:
        return None if body is None else Unique(**body.model_dump())
    except ConfigurationError as error:
        raise PydanticCustomError("unique", "{text}", {"text": str(error)}) from None


_UNIQUE: Final = Annotated[
    UniqueBody | None, AfterValidator(_unique), PlainSerializer(lambda unique: unique and asdict(unique)),
    said(
        "object: how jobs of one key are one: `fields`, `until`, `window`, `debounce`, `at_most` and `conflict`, as "
        "`Unique` has them",
        "object", "null",
    ),
]  # fmt: skip


def _group(option: Option) -> Iterator[Any]:
    """What the name of a group must be."""

    def named(value: str | None) -> str | None:
        if value is not None and (problem := option.wrong(value)):
            raise PydanticCustomError("group", "{text}", {"text": problem})
        return value

    yield Field(min_length=int(option.low), max_length=int(option.high))
    yield AfterValidator(named)


KnownGroup = Annotated[str | None, *_group(replace(OPTIONS["group"], form="known group"))]
"""A group that is asked about: it may have its name for longer than such names are refused."""


_OF_FORM: Final[dict[str, Callable[[Option], Any]]] = {
    "duration": lambda option: Annotated[float | None, *_duration(option)],
    "time": lambda _: Instant,
    "moment": lambda option: Annotated[float | None, *_duration(option), WrapValidator(_moment), _MOMENT],
    "whole number": lambda option: Annotated[
        int | None, Field(ge=int(option.low), le=int(option.high)), INTEGER
    ],
    "choice": lambda option: Literal[option.choices] | None,
    "text": lambda option: Annotated[
        str | None, Field(min_length=int(option.low), max_length=int(option.high))
    ],
    "group": lambda option: Annotated[str | None, *_group(option)],
    "unique": lambda _: _UNIQUE,
}


def of_option(option: Option) -> Any:
    """The type of a field that takes an option of ``enqueue``."""
    return _OF_FORM[option.form](option)


def reserved(neutral: Any) -> Any:
    """The type of a field for an option to come: only ``neutral``, which says the same as leaving it out."""

    def only(value: Any) -> Any:
        if value not in (None, neutral):
            raise PydanticCustomError("unsupported", "is not supported yet: leave it out")
        return value

    return Annotated[Any, PlainValidator(only), said("not supported yet: leave it out", "null")]


def _number(value: Any) -> Any:
    """The same of any number."""
    try:
        return float(value) if isinstance(value, str) and value.isascii() else value
    except ValueError:
        return value


NUMBER: Final = BeforeValidator(_number)
"""For a number in a query string, after its bounds."""
WHOLE: Final = BeforeValidator(_whole)
"""For a whole number in a query string, after its bounds."""
