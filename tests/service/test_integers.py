"""Whole numbers: what the schema of a body calls an integer is taken as JSON Schema has it, also with a point."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from streamq_service.app import ROUTES
from streamq_service.settings import ServiceSettings

from streamq import App

from ..rig import ON_ONE_SERVER, until
from .conftest import Service, running, working

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


class Tight(BaseModel):
    """A payload whose types are as strict as they can be."""

    model_config = ConfigDict(strict=True)
    count: int
    counts: list[int] = []
    either: int | str = 0
    maybe: Annotated[int, Field(ge=1)] | None = None
    by_name: dict[str, int] = {}
    share: float = 0.5
    price: Annotated[Decimal, Field(strict=False)] = Decimal("1.10")
    text: str = ""


@ON_ONE_SERVER
@pytest.mark.keeps_keys
async def test_an_integer_of_a_strict_payload_is_what_its_published_schema_says(
    settings: Callable[..., ServiceSettings],
) -> None:
    app, came = App(settings()), list[Tight]()

    @app.task(name="tight", queue="works")
    async def tight(payload: Tight) -> None:
        came.append(payload)

    path = "/api/v1/queues/works/jobs"
    body = (
        b'{"task":"tight","payload":{"count":1000.0,"counts":[1.0,2e1],"either":3.0,"maybe":4.0,'
        b'"by_name":{"2.0":5.0},"share":6.0,"price":0.12345678901234567890,"text":"7.0 and \\"8.0\\""}}'
    )
    async with running(settings(), app) as service, working(app):
        _, _, told = await until(lambda: _told(service))
        assert told["schema"]["properties"]["count"]["type"] == "integer"
        assert (await service.post(path, body))[0] == 201
        await until(lambda: bool(came))
        for wrong in (1000.5, True, "1000", 1e300):
            status, _, problem = await service.post(path, {"task": "tight", "payload": {"count": wrong}})
            assert (status, problem["errors"][0]["pointer"]) == (422, "/payload/count")
    (found,) = came
    assert (found.count, found.counts, found.either, found.maybe) == (1000, [1, 20], 3, 4)
    assert type(found.count) is type(found.either) is int
    assert (found.by_name, found.share, found.text) == ({"2.0": 5}, 6.0, '7.0 and "8.0"')


async def _told(service: Service) -> Any:
    status, headers, told = await service.get("/api/v1/tasks/tight")
    return (status, headers, told) if status == 200 else None
