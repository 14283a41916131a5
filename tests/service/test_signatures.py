"""Signatures of callbacks, as the library of Standard Webhooks checks and makes them."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError
from streamq_service.messaging.signature import is_signed, key_of, signed

from streamq import ConfigurationError

from ..rig import ON_ONE_SERVER
from .peers import Make, Peer, Work, answering, peer_served

pytestmark = pytest.mark.keeps_keys
SECRET = "whsec_" + base64.b64encode(b"a secret of callbacks, of 32 byt").decode()
OTHER = "whsec_" + base64.b64encode(b"another secret").decode()
TEXTS = ["Your table is free.", 'Fünf £, 你好, 🎂\u2028 and \\ " \x7f', "e\u0301"]


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    async with peer_served() as peer:
        yield peer


@pytest.fixture(params=TEXTS)
async def came(
    settings: Make, peer: Peer, work: Work, request: pytest.FixtureRequest
) -> tuple[dict[str, str], bytes]:
    """The headers and the body of a callback with such a text."""
    peer.pieces = [request.param]
    async with answering(settings, peer, work, callback_secret=SECRET) as send:
        assert (await send())["state"] == "completed"
    return peer.called[0]


@ON_ONE_SERVER
async def test_the_library_verifies_what_is_sent_and_refuses_it_when_a_thing_is_changed(
    came: tuple[dict[str, str], bytes], peer: Peer
) -> None:
    headers, body = came
    assert Webhook(SECRET).verify(body, headers)["response_text"] == peer.pieces[0]
    later = str(int(headers["webhook-timestamp"]) + 1)
    changed = [
        (SECRET, headers, body + b" "), (SECRET, headers, body.replace(b"m-1", b"m-2")), (OTHER, headers, body),
        (SECRET, {**headers, "webhook-id": "another"}, body), (SECRET, {**headers, "webhook-timestamp": later}, body),
    ]  # fmt: skip
    for secret, given, said in changed:
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(said, given)


@ON_ONE_SERVER
async def test_the_signature_is_the_one_that_the_library_makes(came: tuple[dict[str, str], bytes]) -> None:
    headers, body = came
    moment = datetime.fromtimestamp(int(headers["webhook-timestamp"]), UTC)
    made = Webhook(SECRET).sign(headers["webhook-id"], moment, body.decode())
    assert headers["webhook-signature"] == made
    assert abs(datetime.now(UTC) - moment) < timedelta(minutes=1)


@pytest.mark.parametrize("secret", [SECRET, SECRET.removeprefix("whsec_"), SECRET.rstrip("=")])
def test_a_secret_is_read_as_the_library_reads_it(secret: str) -> None:
    headers = signed(key_of(secret, "callbacks"), "id", "Ü".encode())
    assert Webhook(secret).verify("Ü".encode(), headers, json_parse=False) is None


@pytest.mark.parametrize("text", TEXTS)
def test_what_the_library_signs_is_taken_and_refused_when_a_thing_is_changed(text: str) -> None:
    moment, key = datetime.now(UTC), key_of(SECRET, "reports")
    made = {
        "webhook-id": "msg-1", "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": f"v1,AAAA v1a,x {Webhook(SECRET).sign('msg-1', moment, text)}",
    }  # fmt: skip
    assert is_signed(key, made, text.encode())
    old = str(int((moment - timedelta(minutes=6)).timestamp()))
    changed = [
        (key, made, text.encode() + b" "), (key_of(OTHER, "reports"), made, text.encode()), (key, {}, text.encode()),
        (key, {**made, "webhook-id": "msg-2"}, text.encode()),
        (key, {**made, "webhook-timestamp": str(int(made["webhook-timestamp"]) + 1)}, text.encode()),
        (key, {
            **made, "webhook-timestamp": old,
            "webhook-signature": Webhook(SECRET).sign("msg-1", moment - timedelta(minutes=6), text),
        }, text.encode()),
    ]  # fmt: skip
    assert [is_signed(*each) for each in changed] == [False] * len(changed)


@pytest.mark.parametrize("secret", ["whsec_", "whsec_§", "not base64", "whsec_A"])
def test_a_secret_that_is_none_is_refused_at_the_start(secret: str) -> None:
    with pytest.raises(ConfigurationError, match="callbacks must be base64 after whsec_"):
        key_of(secret, "callbacks")
