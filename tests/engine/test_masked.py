"""Masked values: the handler gets them, and no view, no log line and no error shows them."""

from __future__ import annotations

import dataclasses
import json
import logging
from collections.abc import Callable
from typing import Annotated, Any

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, TypeAdapter, field_validator
from typing_extensions import TypedDict

from streamq import App, Backoff, Fail, InvalidPayload, JobFailed, JobRecord, Masked, State
from streamq.logs import Console, Json
from streamq.model.keys import Keys
from streamq.model.masked import hide, mask, pointers_of, texts_in

from ..rig import ON_ONE_SERVER, until, working

SECRET = '4111-1111\n"quoted"'


class Card(BaseModel):
    number: Annotated[str, Masked]
    name: str = ""


@dataclasses.dataclass
class Login:
    user: str
    pin: Annotated[int, Masked]


class Parts(TypedDict):
    token: Annotated[str | None, Masked]
    by_name: dict[str, Card]


class Tree(BaseModel):
    secret: Annotated[str, Masked]
    name: str
    children: list[Tree] = []


class Renamed(BaseModel):
    card: Annotated[str, Masked] = Field(alias="cardNumber")


class Both(BaseModel):
    kept: Card
    card: Annotated[Card, Masked]


CARD = {"number": SECRET, "name": "Ada"}
SHOWN = {"number": "***", "name": "Ada"}


@pytest.mark.parametrize(
    ("kind", "value", "shown"),
    [
        (Card, CARD, SHOWN),
        (list[Card], [CARD, CARD], [SHOWN, SHOWN]),
        (tuple[int, Card], [1, CARD], [1, SHOWN]),
        (Login, {"user": "ada", "pin": 1234}, {"user": "ada", "pin": "***"}),
        (Parts, {"token": "t", "by_name": {"a": CARD}}, {"token": "***", "by_name": {"a": SHOWN}}),
        (Parts, {"token": None, "by_name": {}}, {"token": None, "by_name": {}}),
        (Card | Login, {"user": "ada", "pin": 1}, {"user": "ada", "pin": "***"}),
        (dict[str, list[Card | None]], {"a": [None, CARD]}, {"a": [None, SHOWN]}),
        (Annotated[str, Masked], "text", "***"),
        (set[Annotated[str, Masked]], ["a", "b"], ["***", "***"]),
        (dict[Annotated[str, Masked], int], {"a": 1}, "***"),
        (Renamed, {"card": "a"}, {"card": "***"}),
        (Renamed, {"cardNumber": "a"}, {"cardNumber": "***"}),  # as another program may write it
        (Both, {"kept": CARD, "card": CARD}, {"kept": SHOWN, "card": "***"}),
        (
            Tree,
            {"secret": "a", "name": "b", "children": [{"secret": "c", "name": "d"}]},
            {"secret": "***", "name": "b", "children": ["***"]},
        ),
        (Card, "of another shape", "***"),
        (Card, [CARD], "***"),
        (str, "text", "text"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_value_is_shown_without_what_its_type_masks(kind: Any, value: Any, shown: Any) -> None:
    assert mask(value, pointers_of(TypeAdapter(kind).core_schema)) == shown


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "a/b", "~"]), inner)
    ),
    max_leaves=8,
)


@given(JSON, st.lists(st.lists(st.sampled_from(["a", "b", "a~1b", "~0", "*", "0", "1"])), max_size=3))
def test_any_pointers_leave_no_value_in_their_places_and_mask_nothing_twice(
    value: Any, paths: list[list[str]]
) -> None:
    pointers = ["".join(f"/{step}" for step in path) for path in paths]
    once = mask(json.loads(json.dumps(value)), pointers)
    assert mask(json.loads(json.dumps(once)), pointers) == once
    if "" in pointers:
        assert once in ("***", None)


class Payment(BaseModel):
    card: Card
    amount: int


class Receipt(BaseModel):
    code: Annotated[str, Masked]
    amount: int


@ON_ONE_SERVER
@pytest.mark.keeps_keys
async def test_the_handler_and_the_caller_get_the_values_and_every_view_masks_them(
    app: App, make_app: Callable[..., App]
) -> None:
    @app.task(queue="q")
    async def pay(payment: Payment) -> Receipt:
        return Receipt(code=payment.card.number, amount=payment.amount)

    @app.task(queue="q", name="fields")
    async def fields(card: Annotated[str, Masked], amount: int = 1) -> str:
        return card.upper()

    shown = {"card": {"number": "***", "name": ""}, "amount": 5}
    job = await pay.enqueue({"card": {"number": SECRET}, "amount": 5})  # type: ignore[arg-type]
    later = await pay.enqueue(Payment(card=Card(number=SECRET), amount=5), delay=0.05)
    other = await fields.enqueue("secret", amount=2)
    async with make_app() as stranger:  # which knows no task: the job itself says what is masked
        assert {r.id: r.payload for r in (await stranger.queue("q").jobs(State.WAITING)).items} == {
            job.id: shown, other.id: {"card": "***", "amount": 2},
        }  # fmt: skip
        assert (await stranger.queue("q").get(later.id)).payload == shown
        async with working(app):
            assert (await job.result(5)).code == SECRET
            assert (await later.result(5)).code == SECRET
            assert await other.result(5) == "SECRET"
        for record in (await stranger.queue("q").jobs(State.COMPLETED)).items:
            assert SECRET not in repr(record)
        record = await stranger.queue("q").get(job.id)
    assert (record.payload, record.result) == (shown, {"code": "***", "amount": 5})
    assert record.masked == ("/card/number",)


@ON_ONE_SERVER
@pytest.mark.keeps_keys
async def test_a_job_that_another_program_sent_is_masked_where_its_task_is_known_and_once_it_has_run(
    make_app: Callable[..., App], client: redis.Redis, prefix: str
) -> None:
    payload = json.dumps({"card": CARD, "amount": 1})
    async with make_app() as app, make_app() as stranger:

        @app.task(queue="q", attempts=1)
        async def pay(payment: Payment) -> None:
            raise Fail("no")

        entry = client.xadd(Keys(prefix, "q").ready, {"task": "pay", "payload": payload, "headers": ""})
        assert (await app.queue("q").get(entry)).payload["card"] == SHOWN
        assert (await stranger.queue("q").get(entry)).payload["card"] == CARD, "nobody could know"
        model = await stranger.enqueue("q", "later", Payment(card=Card(number=SECRET), amount=1), attempts=2)
        assert (await model.status()).payload["card"]["number"] == "***"
        async with working(app):
            record = await until(lambda: _failed(stranger, entry))
    assert record.payload["card"] == SHOWN


async def _failed(app: App, job_id: str) -> JobRecord | None:
    record = await app.queue("q").get(job_id)
    return record if record.state is State.FAILED else None


@ON_ONE_SERVER
@pytest.mark.keeps_keys
async def test_an_older_payload_that_says_nothing_is_masked_as_a_whole_and_so_is_what_it_is_upgraded_to(
    app: App, make_app: Callable[..., App], caplog: pytest.LogCaptureFixture
) -> None:
    async with make_app() as old:
        job = await old.enqueue("q", "pay", "holder:Ada Lovelace")

    @app.task(queue="q", attempts=1, version=2, upgrade=lambda holder, _: {"number": holder[7:]})
    async def pay(card: Card) -> None:
        raise ValueError(f"{card.number} has no money")

    assert (await app.queue("q").get(job.id)).payload == "***"
    async with working(app):
        record = await until(lambda: _failed(app, job.id))
    assert record.error is not None
    assert (record.payload, record.error.message) == ("***", "*** has no money")
    assert "Lovelace" not in repr(record) + caplog.text


@ON_ONE_SERVER
@pytest.mark.keeps_keys
@pytest.mark.parametrize("payload", ["[" * 900 + "]" * 900, "not JSON 4111", '{"a":' * 500 + "1" + "}" * 500])
async def test_what_another_program_has_masked_is_masked_however_odd_it_is(
    app: App, client: redis.Redis, prefix: str, payload: str
) -> None:
    headers = json.dumps({"masked": ["/0" * 900, "/a" * 900]})
    client.xadd(Keys(prefix, "q").ready, {"task": "pay", "payload": payload, "headers": headers})
    (record,) = (await app.queue("q").jobs(State.WAITING)).items
    assert record.payload == "***"


@ON_ONE_SERVER
@pytest.mark.keeps_keys
@pytest.mark.parametrize("kind", ["async", "plain"])
async def test_an_error_that_quotes_a_masked_value_is_stored_and_logged_without_it(
    app: App, client: redis.Redis, prefix: str, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    def work(payment: Payment) -> None:
        try:
            {}[payment.card.number]
        except KeyError as error:
            raise ValueError(f"card {payment.card.number} of {payment!r}" + "x" * 3_000) from error

    async def work_async(payment: Payment) -> None:
        work(payment)

    task = app.task(
        name="pay", queue="q", attempts=2, backoff=Backoff(0, 0), on_error=lambda error, _: 1 / len(str(error)[:0])
    )(work if kind == "plain" else work_async)  # fmt: skip
    with caplog.at_level(logging.DEBUG):
        async with working(app):
            job = await task.enqueue(Payment(card=Card(number=SECRET), amount=5))
            with pytest.raises(JobFailed) as failed:
                await job.result(5)
    record = await job.status()
    assert record.error is not None
    assert record.error.message.startswith("card *** of Payment(card=Card(number='***'")
    assert "KeyError: '***'" in (record.error.traceback or "") or "ValueError" in (
        record.error.traceback or ""
    )
    logged = "\n".join(form.format(each) for form in (Console(), Json()) for each in caplog.records)
    assert "the job has failed for good" in logged
    assert "ValueError: card ***" in logged
    stored = str(client.hget(Keys(prefix, "q").finished, job.id)).rpartition("\n")[0]  # all but the payload
    for told in (str(failed.value), repr(record), logged, stored):
        assert "4111-1111" not in told


class Pin(BaseModel):
    pin: Annotated[int, Masked]


@ON_ONE_SERVER
async def test_a_masked_number_and_the_name_of_a_type_tell_nothing_and_no_filter_finds_what_is_masked(
    app: App, client: redis.Redis, prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def pay(pin: Pin) -> None:
        raise type(f"Wrong{pin.pin}", (Exception,), {})(f"{pin.pin} of {pin!r}")

    app.task(name="pay", queue="q", attempts=1)(pay)
    async with working(app):
        job = await app.enqueue("q", "pay", Pin(pin=987654))
        with pytest.raises(JobFailed):
            await job.result(5)
    error = (await job.status()).error
    assert error is not None
    assert (error.type, error.message) == ("Wrong***", "*** of Pin(pin=***)")
    (group,) = await app.queue("q").failures()
    assert "987654" not in f"{group}{error}{caplog.text}"
    client.xadd(
        Keys(prefix, "q").ready, {"task": "pay", "payload": '{"pin":987654}'}
    )  # says nothing of masks
    assert not (await app.queue("q").search("payload.pin=987654")).items
    operation = await app.queue("q").cancel_all("payload.pin=987654")
    await app.client.store.operations.help("q", operation.id)
    assert ((record := await operation.status()).state, record.done) == ("done", 0)


class Checked(BaseModel):
    card: Annotated[str, Masked]
    note: str = ""

    @field_validator("card", "note")
    @classmethod
    def _known(cls, text: str) -> str:
        if len(text) > 5:
            raise ValueError(f"{text} is not known")
        return text


@ON_ONE_SERVER
async def test_a_payload_that_does_not_fit_is_refused_without_its_masked_values(app: App) -> None:
    task: Any = app.task(queue="q", name="t")(_takes_checked)
    said = {}
    for payload in (
        {"card": "4111-1111"}, {"card": "1", "note": "a long note"}, {"card": 5}, {}, {"card": "\ud800 4111"},
    ):  # fmt: skip
        with pytest.raises(InvalidPayload) as refused:
            await task.enqueue(payload)
        assert "4111" not in str(refused.value) + repr(refused.value.errors)
        said[str(payload)] = [(each.pointer, each.message) for each in refused.value.errors]
    assert list(said.values())[:4] == [
        [("/card", "it is not valid (value_error); its value is masked")],
        [("/note", "Value error, a long note is not known")],
        [("/card", "Input should be a valid string")],
        [("/card", "Field required")],
    ]


async def _takes_checked(given: Checked) -> None: ...


def test_texts_and_numbers_that_are_too_short_to_be_told_apart_are_left_in_messages() -> None:
    pointers = ("/pin", "/code", "/number", "/list/*", "/few", "/is")
    payload = {
        "pin": "123",
        "code": "1234",
        "number": 56789,
        "few": 123,
        "is": True,
        "list": ['a\nb"c', {"x": "more"}],
        "open": "seen",
    }
    texts = texts_in(payload, pointers)
    assert texts == {"1234", "56789", 'a\nb"c', "more"}
    odd = 'a\nb"c'
    told = f"123 1234 56789 seen {odd!r} {json.dumps(odd)} more"
    assert hide(told, tuple(texts)) == "123 *** *** seen '***' \"***\" ***"


@ON_ONE_SERVER
async def test_what_a_view_shows_in_the_place_of_a_value_is_not_written_over_it(app: App) -> None:
    @app.task(queue="q")
    async def pay(by_name: dict[str, Card], note: str = "") -> None: ...

    job = await pay.options(delay=60).enqueue(by_name={"a/b": Card(**CARD)})
    shown = (await job.status()).payload
    with pytest.raises(InvalidPayload, match=r"/by_name/a~1b/number: \*\*\* is what views show"):
        await job.edit({**shown, "note": "***"})
    shown["by_name"]["a/b"]["number"] = "4242"
    assert (await job.edit({**shown, "note": "***"})).payload["note"] == "***"


class Person(BaseModel):
    name: Annotated[str, Masked]


def test_no_group_that_cannot_be_made_quotes_a_payload_that_is_masked(make_app: Callable[..., App]) -> None:
    def fails(person: Person) -> str:
        raise ValueError(person.name)

    for group in ("{name}", "{name.first}", fails, lambda person: person.name):
        app = make_app()

        @app.task(queue="q", group=group)
        async def greet(person: Person) -> None: ...

        with pytest.raises(InvalidPayload) as found:
            greet.group_for(b'{"name": "Ada Lovelace"}')
        assert "Ada" not in f"{found.value}{found.value.__cause__}"
        assert "group" in str(found.value)
