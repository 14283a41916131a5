"""Whole numbers: what the schema of a body calls an integer is taken as JSON Schema has it, also with a point."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, ValidationError
from streamq_service.app import ROUTES

MODELS = sorted({route.body for route in ROUTES if route.body is not None}, key=lambda model: model.__name__)


def integers_of(model: type[BaseModel]) -> Iterator[str]:
    """The members of a body that its schema calls integers."""
    schema = model.model_json_schema()
    for name, said in schema["properties"].items():
        types = str([each.get("type") for each in (said, *said.get("anyOf", ()))])
        if "integer" in types and "number" not in types:
            yield name


def wrong_type(model: type[BaseModel], body: dict[str, Any], name: str) -> bool:
    """Whether the number is refused as no integer; whatever else is wrong with the body."""
    try:
        model.model_validate(body)
    except ValidationError as error:
        return any(each["loc"][:1] == (name,) and each["type"].startswith("int_") for each in error.errors())
    return False


def test_an_integer_may_have_a_point_and_no_fraction() -> None:
    met = 0
    for model in MODELS:
        for name in integers_of(model):
            met += 1
            assert not wrong_type(model, {name: 3.0}, name), f"{name} of {model.__name__}"
            for other in (3.5, "3", True, float("inf")):
                assert wrong_type(model, {name: other}, name), f"{name}={other!r} of {model.__name__}"
    assert met > 5
