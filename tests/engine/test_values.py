"""What was accepted arrives as it was; what would not is refused where it is given, with the reason."""

from __future__ import annotations

import enum
import math
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydantic import (
    AliasChoices,
    AliasPath,
    BaseModel,
    ConfigDict,
    Field,
    Json,
    PrivateAttr,
    Secret,
    SecretStr,
    SerializeAsAny,
    computed_field,
    field_serializer,
)
from pydantic.alias_generators import to_camel

from streamq import App, ConfigurationError, InvalidPayload, JSONText, Task


class Aliased(BaseModel):
    model_config = ConfigDict(extra="forbid")
    one: int = Field(alias="uno")
    two: int = Field(validation_alias="dos")
    three: int = Field(serialization_alias="tres")
    four: int = Field(validation_alias=AliasChoices("cuatro", "four_"))
    five: int = Field(validation_alias=AliasPath("inner", "cinco"))


class Camel(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, extra="forbid")
    phone_number: str
    sent_at: datetime


class Counted(BaseModel):
    model_config = ConfigDict(extra="forbid")
    items: list[int]

    @computed_field  # type: ignore[prop-decorator]
    @property
    def total(self) -> int:
        return sum(self.items)


class Wrapped(BaseModel):
    numbers: Json[list[int]]
    anything: Json[Any]


class Strict(BaseModel):
    model_config = ConfigDict(strict=True)
    at: datetime
    on: date
    wait: timedelta
    id: uuid.UUID
    price: Decimal
    pair: tuple[int, str]
    tags: set[str]
    raw: bytes


class Measured(BaseModel):
    value: float


class Tolerant(BaseModel):
    model_config = ConfigDict(ser_json_inf_nan="strings")
    value: float


class Base(BaseModel):
    x: int = 1


class Heir(Base):
    pass


class Holder(BaseModel):
    base: Base


class Hiding(BaseModel):
    x: int = 1
    _seen: int = PrivateAttr(0)


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")
    x: int


class Revealed(BaseModel):
    password: SecretStr

    @field_serializer("password", when_used="json")
    def _reveal(self, value: SecretStr) -> str:
        return value.get_secret_value()


@dataclass
class Point:
    x: int
    y: int


class Colour(enum.Enum):
    RED = "red"


def task_of(declared: Any) -> Task[Any, Any]:
    async def handler(x: Any) -> None: ...

    handler.__annotations__["x"] = declared
    return App().task(handler)


def arrives(declared: Any, payload: Any) -> Any:
    task = task_of(declared)
    return task.arguments(task.encode(payload))["x"]


@pytest.mark.parametrize(
    "payload",
    [
        Aliased(uno=1, dos=2, three=3, cuatro=4, inner={"cinco": 5}),  # type: ignore[call-arg]
        Camel(phoneNumber="1", sentAt=datetime(2030, 1, 1, tzinfo=UTC)),  # type: ignore[call-arg]
        Counted(items=[1, 2]),
        Wrapped(numbers="[1, 2]", anything='{"a": [null]}'),  # type: ignore[arg-type]
        Strict(
            at=datetime(2030, 1, 1, 2, 3, 4, 5), on=date(2030, 1, 1), wait=timedelta(days=-1, microseconds=1),
            id=uuid.UUID(int=7), price=Decimal("1E+2"), pair=(1, "a"), tags={"a"}, raw=b"a\x00",
        ),
        Open.model_validate({"x": 1, "more": [1, {"a": None}]}),
        Holder(base=Base(x=2)),
        Hiding(x=3),
        Point(1, 2),
        Measured(value=1.5),
        Tolerant(value=math.inf),
        Revealed(password=SecretStr("secret")),
    ],
    ids=lambda payload: type(payload).__name__,
)  # fmt: skip
def test_a_model_arrives_as_it_was_whatever_its_aliases_and_options_are(payload: Any) -> None:
    assert arrives(type(payload), payload) == payload


@pytest.mark.parametrize(
    ("declared", "payload"),
    [
        (str, "ä\u2028\n\x00"), (int, 2**200), (int, -(2**70)), (float, 1e-320), (float, -0.0), (bool, True),
        (bytes, b"abc"), (Decimal, Decimal("-0.10")), (timedelta, timedelta.max), (timedelta, timedelta.min),
        (datetime, datetime.max), (datetime, datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=-23)))),
        (date, date.max), (time, time(1, 2, 3, 4, tzinfo=UTC)), (uuid.UUID, uuid.UUID(int=0)), (Path, Path("/a b")),
        (Colour, Colour.RED), (list[Decimal], [Decimal("1.10")]), (dict[int, str], {2**70: "a"}),
        (dict[date, set[int]], {date(2030, 1, 1): {1, 2}}), (tuple[int, ...], (1, 2)),
        (frozenset[str], frozenset("ab")),
        (int | str, "1"), (list[Base], [Base(x=5)]), (float, math.inf), (list[float], [-math.inf, 1.0]),
        (dict[str, float | None], {"a": None, "b": math.inf}), (None, None),
    ],
    ids=lambda value: repr(sorted(value) if isinstance(value, frozenset) else value),
)  # fmt: skip
def test_a_value_of_a_documented_type_arrives_as_it_was(declared: Any, payload: Any) -> None:
    back = arrives(declared, payload)
    assert back == payload
    assert type(back) is type(payload) or isinstance(back, Path)


def test_nan_arrives_where_a_parameter_is_typed_with_float() -> None:
    assert math.isnan(arrives(float, math.nan))
    assert math.isnan(arrives(list[float], [1.0, math.nan])[1])
    assert math.isnan(arrives(Tolerant, Tolerant(value=math.nan)).value)

    @App().task
    async def several(a: float, b: int) -> None: ...

    assert math.isnan(several.arguments(several.encode({"a": math.nan, "b": 1}))["a"])


@pytest.mark.parametrize(
    "payload", [2**64 - 1, 2**70, -(2**70), [2**70, {"a": -(2**64)}], 0.1, None, {"a": [True, 1.0]}]
)
def test_an_untyped_payload_arrives_as_it_was_whole_numbers_above_64_bits_too(payload: Any) -> None:
    back = arrives(Any, payload)
    assert (back, repr(back)) == (payload, repr(payload))


class Careless(BaseModel):
    name: str = None  # type: ignore[assignment]


class Made(BaseModel):
    number: int = Field(default_factory=lambda: "x")  # type: ignore[arg-type]


class Tupled(BaseModel):
    numbers: list[int] = Field(default_factory=tuple)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("declared", "payload", "pointer", "said"),
    [
        (Measured, Measured(value=math.nan), "/value", "ser_json_inf_nan"),
        (list[Measured], [Measured(value=math.inf)], "/0/value", "ser_json_inf_nan"),
        (Any, math.nan, "", "annotate"),
        (Any, {"a": [math.inf]}, "/a/0", "NaN"),
        (Any, (1, 2), "", "tuple"),
        (Any, {"a": {"b": (1,)}}, "/a/b", "tuple"),
        (Any, {1: 2}, "", "annotate"),
        (Any, {1, 2}, "", "set"),
        (Any, b"bytes", "", "bytes"),
        (Any, Base(), "", "Base"),
        (Any, datetime(2030, 1, 1), "", "datetime"),
        (Any, uuid.UUID(int=1), "", "UUID"),
        (Any, Colour.RED, "", "Colour"),
        (Any, "\ud800", "", "annotate|surrogates"),
        (str, "\ud800", "", "surrogates|unicode"),
        (bytes, b"\xff", "", "utf-8"),
        (dict[str, Any], {"at": date(2030, 1, 1)}, "/at", "date"),
        (Base, Heir(), "", "Heir"),
        (Holder, Holder(base=Heir()), "/base", "Heir"),
        (list[Base], [Base(), Heir()], "/1", "Heir"),
        (SerializeAsAny[Base], Heir(), "", "Heir"),
        (date | str, "2030-01-01", "", "str"),
        (datetime, datetime(1800, 1, 1, tzinfo=ZoneInfo("Europe/Berlin")), "", "1800"),
        (Careless, Careless(), "/name", "None"),
        (list[Careless], [{}], "/0/name", "None"),
        (Made, Made(), "/number", "'x'"),
        (Tupled, Tupled(), "/numbers", "tuple"),
        (Point, Point("a", 2), "/x", "'a'"),  # type: ignore[arg-type]
        (int, "x", "", "integer"),
        (None, 1, "", "None"),
    ],
    ids=repr,
)  # fmt: skip
def test_what_would_arrive_as_something_else_is_refused_with_the_place_and_the_reason(
    declared: Any, payload: Any, pointer: str, said: str
) -> None:
    with pytest.raises(InvalidPayload, match=said) as caught:
        task_of(declared).encode(payload)
    assert [error.pointer for error in caught.value.errors] == [pointer]


def test_a_field_set_behind_the_back_of_a_model_is_refused_when_it_would_be_lost() -> None:
    hiding = Hiding(x=1)
    hiding._seen = 5
    with pytest.raises(InvalidPayload, match="_seen"):
        task_of(Hiding).encode(hiding)


class Guarded(BaseModel):
    name: str
    password: SecretStr


class Vault(BaseModel):
    guarded: list[Guarded]


class Forgetful(BaseModel):
    kept: int
    dropped: int = Field(default=7, exclude=True)


class Constant(BaseModel):
    model_config = ConfigDict(ser_json_inf_nan="constants")
    value: float


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        (SecretStr, r"secret.*field_serializer"),
        (Secret[int], "secret"),
        (Guarded, "password.*secret"),
        (Vault, r"guarded\.password.*secret"),
        (dict[str, Guarded | None], "password.*secret"),
        (Forgetful, "dropped.*exclude=True"),
        (list[Forgetful], "dropped.*exclude=True"),
        (Constant, "constants"),
        (Iterable[int], r"list\[…\]"),
    ],
    ids=str,
)
def test_a_type_that_cannot_arrive_is_refused_where_the_task_is_declared(declared: Any, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        task_of(declared)

    async def answer(x: int) -> Any: ...

    answer.__annotations__["return"] = declared
    with pytest.raises(ConfigurationError, match=said):
        App().task(answer)


def test_json_text_is_read_by_the_type_with_names_and_aliases() -> None:
    task = task_of(Camel)
    for text in (
        '{"phoneNumber":"1","sentAt":"2030-01-01T00:00:00Z"}',
        b'{"phone_number":"1","sent_at":1893456000}',
    ):
        assert task.arguments(task.encode(JSONText(text)))["x"] == Camel.model_validate(
            {"phone_number": "1", "sent_at": datetime(2030, 1, 1, tzinfo=UTC)}, by_name=True
        )
    strict = task_of(Strict)
    said = (
        '{"at":"2030-01-01T00:00:00","on":"2030-01-01","wait":"P1D","price":"1.10","pair":[1,"a"],'
        '"tags":["a"],"raw":"x","id":"00000000-0000-0000-0000-000000000007"}'
    )
    assert strict.arguments(strict.encode(JSONText(said)))["x"].price == Decimal("1.10")


@pytest.mark.parametrize("text", ["", "{", "NaN", '"\\ud800"', "1e400", '{"a":1', "\ud800", b"\xff", "nul"])
def test_json_text_that_is_none_is_refused(text: str | bytes) -> None:
    app = App()
    app.task(name="any")(lambda x: x)
    app.task(name="nothing")(lambda: None)
    for name in ("any", "nothing", "unknown"):
        with pytest.raises(InvalidPayload):
            app._encode(name, JSONText(text))
    with pytest.raises(InvalidPayload):
        task_of(Base).encode(JSONText(text))


def test_by_an_unknown_name_a_model_is_written_by_its_own_type_and_nan_is_refused() -> None:
    app = App()
    model = Camel.model_validate({"phone_number": "1", "sent_at": datetime(2030, 1, 1)}, by_name=True)
    raw = app._encode("unknown", {"deep": [model]})
    assert raw == b'{"deep":[{"phone_number":"1","sent_at":"2030-01-01T00:00:00"}]}'
    for wrong in (math.nan, [1, {"a": -math.inf}], Base.model_construct(x="a"), "\ud800"):  # type: ignore[arg-type]
        with pytest.raises(InvalidPayload):
            app._encode("unknown", wrong)
    with pytest.raises(InvalidPayload, match="secret"):
        app._encode("unknown", Guarded(name="a", password=SecretStr("b")))
    assert app._encode("unknown", JSONText(' {"price": 1.10,\n "big": 18446744073709551616} ')) == (
        b'{"price": 1.10,  "big": 18446744073709551616}'
    )
