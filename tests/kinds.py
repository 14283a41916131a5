"""Types of the documented list, made by hypothesis, each with a value of it."""

from __future__ import annotations

import enum
import itertools
import keyword
from dataclasses import make_dataclass
from datetime import UTC, timedelta, timezone
from typing import Any, Literal, NamedTuple

from hypothesis import strategies as st
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, Json, computed_field, create_model
from pydantic.alias_generators import to_camel

_numbers = itertools.count()


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Rank(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Text(BaseModel):
    numbers: Json[list[int]]


class Kind(NamedTuple):
    """A type and a value of it."""

    type: Any
    value: Any


zones = st.none() | st.just(UTC) | st.integers(-1439, 1439).map(lambda m: timezone(timedelta(minutes=m)))
text = st.text(st.characters(codec="utf-8"), max_size=12)
finite = st.floats(allow_nan=False, allow_infinity=False)

_LEAVES: dict[Any, st.SearchStrategy[Any]] = {
    str: text,
    int: st.integers(),
    float: finite,
    bool: st.booleans(),
    type(None): st.none(),
    bytes: text.map(str.encode),
    Colour: st.sampled_from(Colour),
    Rank: st.sampled_from(Rank),
    Literal["a", "b", 3]: st.sampled_from(["a", "b", 3]),
}
_MORE: dict[str, st.SearchStrategy[Any]] = {
    "datetime": st.datetimes(timezones=zones),
    "date": st.dates(),
    "time": st.times(timezones=zones),
    "timedelta": st.timedeltas(),
    "Decimal": st.decimals(allow_nan=False, allow_infinity=False),
    "UUID": st.uuids(),
}


@st.composite
def _leaf(draw: st.DrawFn) -> Kind:
    if draw(st.booleans()):
        declared, values = draw(st.sampled_from(list(_LEAVES.items())))
        return Kind(declared, draw(values))
    value = draw(_MORE[draw(st.sampled_from(list(_MORE)))])
    return Kind(type(value), value)


@st.composite
def _container(draw: st.DrawFn, inner: st.SearchStrategy[Kind]) -> Kind:
    kind = draw(inner)
    size = draw(st.integers(0, 2))
    made: dict[str, Kind] = {
        "list": Kind(list[kind.type], [kind.value] * size),  # type: ignore[name-defined]
        "tuple": Kind(tuple[kind.type, ...], (kind.value,) * size),  # type: ignore[name-defined]
        "pair": Kind(tuple[kind.type, int], (kind.value, size)),  # type: ignore[name-defined]
        "named": Kind(dict[str, kind.type], dict.fromkeys(["a", "ä"][:size], kind.value)),  # type: ignore[name-defined]
        "numbered": Kind(dict[int, kind.type], dict.fromkeys([-(2**70), 0][:size], kind.value)),  # type: ignore[name-defined]
        "optional": Kind(kind.type | None, kind.value if size else None),
    }
    return made[draw(st.sampled_from(list(made)))]


@st.composite
def _set(draw: st.DrawFn) -> Kind:
    leaf, made = draw(_leaf()), draw(st.sampled_from([set, frozenset]))
    return Kind(made[leaf.type], made([leaf.value]))


_names = st.from_regex(r"[a-z][a-z_]{0,6}[a-z]", fullmatch=True).filter(
    lambda name: (
        not keyword.iskeyword(name) and not name.startswith("model_") and not hasattr(BaseModel, name)
    )
)


@st.composite
def _record(draw: st.DrawFn, inner: st.SearchStrategy[Kind]) -> Kind:
    fields = {name: draw(inner) for name in draw(st.lists(_names, min_size=1, max_size=3, unique=True))}
    if draw(st.integers(0, 3)) == 0:
        made = make_dataclass(f"Data{next(_numbers)}", [(n, k.type) for n, k in fields.items()])
        return Kind(made, made(**{n: k.value for n, k in fields.items()}))
    members = {n: (k.type, _field(draw, n, k)) for n, k in fields.items()}
    config = ConfigDict(
        extra=draw(st.sampled_from(["ignore", "forbid"])),
        strict=draw(st.booleans()),
        frozen=draw(st.booleans()),
        alias_generator=draw(st.sampled_from([None, to_camel])),
    )
    base = create_model(f"Model{next(_numbers)}", __config__=config, **members)
    if draw(st.integers(0, 3)) == 0:
        base = type(base.__name__, (base,), {"twice": computed_field(property(_twice))})
    return Kind(
        base, base.model_validate({n: k.value for n, k in fields.items()}, by_name=True, strict=False)
    )


def _twice(self: BaseModel) -> int:
    return 2


def _field(draw: st.DrawFn, name: str, kind: Kind) -> Any:
    match draw(st.integers(0, 6)):
        case 0:
            return Field(alias=f"{name}Alias")
        case 1:
            return Field(validation_alias=f"{name}In")
        case 2:
            return Field(serialization_alias=f"{name}Out")
        case 3:
            return Field(validation_alias=AliasChoices(f"{name}First", f"{name}Second"))
        case 4:
            return Field(default=kind.value)
    return ...


kinds: st.SearchStrategy[Kind] = st.recursive(
    _leaf() | _set(), lambda inner: _container(inner) | _record(inner), max_leaves=4
)
"""Types of the documented list, nested, with a value of each."""

unusual: st.SearchStrategy[Kind] = st.one_of(
    st.builds(lambda value: Kind(Any, value), st.recursive(
        st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | finite | text,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3), max_leaves=5,
    )),
    st.builds(lambda value: Kind(Text, Text(numbers=str(value))), st.lists(st.integers(-9, 9), max_size=3)),
)  # fmt: skip
"""Types whose values are known to come back only when they are compared."""
