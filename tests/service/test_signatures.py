"""Signatures of callbacks, as the library of Standard Webhooks checks and makes them."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError
from streamq_service.messaging.callback import Callbacks, Rules

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
    rules = Rules(frozenset(), True, 1.0, 1.0, 1.0, secret)
    signed = Callbacks(rules)._signed("id", "Ü".encode())
    assert Webhook(secret).verify("Ü".encode(), signed, json_parse=False) is None


@pytest.mark.parametrize("secret", ["whsec_", "whsec_§", "not base64", "whsec_A"])
def test_a_secret_that_is_none_is_refused_at_the_start(secret: str) -> None:
    with pytest.raises(ConfigurationError, match="base64 after whsec_"):
        Callbacks(Rules(frozenset(), True, 1.0, 1.0, 1.0, secret))
