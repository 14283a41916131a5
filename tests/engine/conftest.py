"""Fixtures of the engine's tests."""

from collections.abc import AsyncIterator

import pytest

from streamq import App
from streamq.client.outbox import Outbox

from ..rig import app, client, make_app  # noqa: F401  # pytest finds them here
from .parted import parted  # noqa: F401


@pytest.fixture
async def way_out(app: App) -> AsyncIterator[Outbox]:  # noqa: F811
    """An outbox of the test's own."""
    way_out = Outbox(app.client.store)
    yield way_out
    await way_out.close()
