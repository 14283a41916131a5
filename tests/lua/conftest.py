"""Fixtures of these tests: an app, a plain client, the keys of one queue, and a link to run scripts on."""

from collections.abc import AsyncIterator

import pytest

from streamq import App
from streamq.model.keys import Keys
from streamq.redis.links import Links

from ..rig import app, client, make_app, queue_keys  # noqa: F401  # pytest finds them here


@pytest.fixture
def keys(prefix: str) -> Keys:
    """The keys of the queue ``q``."""
    return queue_keys(prefix, "q")


@pytest.fixture
async def link(app: App) -> AsyncIterator[Links]:  # noqa: F811
    """A connection on which the queue's groups have been made."""
    link = app.client.store.links()
    await app.client.store.delivery.join(link, ["q"])
    yield link
    await link.close()
