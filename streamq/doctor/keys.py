"""Keys that lie where ours do and are of another type: another program, or a hand, has written them."""

from __future__ import annotations

from collections.abc import Mapping

from streamq.doctor.finding import Finding, Patient
from streamq.errors import ConfigurationError, Rejected
from streamq.model.keys import APP_KEYS, QUEUE_KEYS, Key


async def look(patient: Patient) -> list[Finding]:
    """Each key of each queue, and those that all share; nothing where our user may not ask for types."""
    store = patient.app.client.store
    try:
        findings = _wrong(store.shared.__dict__, APP_KEYS, await store.server.types(store.shared.__dict__))
        for queue in await patient.app.queues():
            keys = {name: store.keys(queue).__dict__[name] for name in QUEUE_KEYS}
            findings += _wrong(keys, QUEUE_KEYS, await store.server.types(keys, queue))
    except (Rejected, ConfigurationError):
        return []
    return findings


def _wrong(keys: Mapping[str, str], table: Mapping[str, Key], types: Mapping[str, str]) -> list[Finding]:
    return [
        Finding(
            "keys", "key-of-another-type", "fail",
            f"{keys[name]} is a {found}, and ours is a {table[name].type}: what needs it is refused",
            f"find out who wrote it, then `redis-cli RENAME {keys[name]} NEW-NAME`",
        )
        for name, found in types.items()
        if found not in ("none", table[name].type)
    ]  # fmt: skip
